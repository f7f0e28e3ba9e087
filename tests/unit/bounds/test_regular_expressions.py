"""No regular expression of the operator takes more than linear time, whatever text it is given."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import fleet_telemetry
from fleet_telemetry.api.schema import Pattern
from tests.support.regex_ambiguity import ambiguity

PACKAGE = Path(fleet_telemetry.__file__).parent
REVIEWED = {
    ("evidence/checks.py", "_PART"): "of a text of at most 32 characters",
    ("linting/policy_rules.py", "_DURATION"): "of numbers of at most 32 digits",
    ("kube/shallow_json.py", "_TOKEN"): "a string without an end is one token, so it is read once",
    ("egress/dialects/cilium.py", "_LABELS_WITHOUT_IDENTITY"): "matched only, with keys of labels",
    ("egress/dialects/cilium.py", "_NAMESPACE_LABELS_WITHOUT_IDENTITY"): "matched only, the same",
}
"""Expressions that may take longer, and why it does not matter."""
_WHOLE = {"fullmatch", "match"}
_SEARCHES = {"search", "findall", "finditer", "sub", "subn", "split"}


@dataclass(frozen=True)
class Expression:
    """One regular expression of the package."""

    file: str
    name: str
    """The constant that it is compiled into; the text itself for a schema's."""
    pattern: re.Pattern[str] | re.Pattern[bytes]
    searches: bool


def _expressions(path: Path) -> Iterator[Expression]:
    tree = ast.parse(path.read_text())
    if not any(isinstance(node, ast.Call) and _is_of_interest(node) for node in ast.walk(tree)):
        return
    file = path.relative_to(PACKAGE).as_posix()
    dotted = ".".join(("fleet_telemetry", *path.relative_to(PACKAGE).with_suffix("").parts))
    module = vars(importlib.import_module(dotted.removesuffix(".__init__")))
    compiled: set[int] = set()
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_compile(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            compiled.add(id(node.value))
            for target in targets:
                assert isinstance(target, ast.Name)
                used = _uses(tree, target.id)
                assert used <= _WHOLE | _SEARCHES, f"{file}: {target.id} is used by {used}"
                yield Expression(file, target.id, module[target.id], bool(used & _SEARCHES))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _of_re(node) and not _is_escape(node):
            where = f"{file}, line {node.lineno}"
            assert id(node) in compiled, f"{where}: compile it into a constant of the module"
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    given = eval(compile(ast.Expression(keyword.value), file, "eval"), module)
                    text = given.expression if isinstance(given, Pattern) else given
                    yield Expression(file, text, re.compile(text), searches=True)


def _is_of_interest(node: ast.Call) -> bool:
    return _of_re(node) or any(keyword.arg == "pattern" for keyword in node.keywords)


def _of_re(node: ast.expr | None) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    )


def _is_escape(node: ast.Call) -> bool:
    """Whether it makes the text of an expression that matches itself alone."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == "escape"


def _is_compile(node: ast.expr | None) -> bool:
    return _of_re(node) and node.func.attr == "compile"  # type: ignore[union-attr]


def _uses(tree: ast.Module, name: str) -> set[str]:
    """The methods that the module calls of a constant. One that is passed on may be searched."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {node.attr} if node.value.id == name else set()
        arguments = node.args if isinstance(node, ast.Call) else ()
        if any(isinstance(each, ast.Name) and each.id == name for each in arguments):
            found.add("search")
    return found


@pytest.fixture(scope="module")
def expressions() -> list[Expression]:
    return [each for path in sorted(PACKAGE.rglob("*.py")) for each in _expressions(path)]


@pytest.mark.thorough
def test_the_expressions_are_found(expressions: list[Expression]) -> None:
    names = {(each.file, each.name) for each in expressions}
    assert ("vendors/jsonc.py", "_TOKEN") in names
    assert ("api/policy.py", r"^([0-9]+(\.[0-9]+)?(h|m|s))+$") in names
    assert set(REVIEWED) <= names


@pytest.mark.thorough
def test_every_expression_is_linear(expressions: list[Expression]) -> None:
    found = {each: ambiguity(each.pattern, search=each.searches) for each in expressions}
    reviewed = {each for each in expressions if (each.file, each.name) in REVIEWED}
    assert [each.name for each in reviewed if not found[each]] == []
    wrong = [each for each in expressions if found[each] and each not in reviewed]
    assert [f"{each.file}: {each.pattern.pattern!r}: {found[each]}" for each in wrong] == []


@pytest.mark.parametrize(
    ("pattern", "search", "linear"),
    [
        (r"(a+)+", False, False),
        (r"(a*)*b", False, False),
        (r"a*a*", False, False),
        (r"(x+x+)+y", False, False),
        (r"(.*)x(.*)", False, False),
        (r"/\*.*?\*/", True, False),
        (r'"[^"\\]*(?:\\.[^"\\]*)*"', True, False),
        (r"\s+$", True, False),
        (r"/\*.*?\*/", False, True),
        (r'"[^"\\]*(?:\\.[^"\\]*)*"', False, True),
        (r"^\s+$", True, True),
        (r"^_*(A|B)|C", True, True),
        (r"_*(A|B)|C", True, False),
        (r"[\W_]+", True, True),
        (r"a[\W_]+", True, True),
        (r"[\W_]+a", True, False),
        (r"[\W_]+(?!a)", True, False),
        (r"[-a-z0-9]*[a-z0-9]", False, True),
        (r"[0-9]{1,4}(\.[0-9A-Za-z-]{1,20}){1,5}", False, True),
    ],
)
def test_the_check_tells_them_apart(pattern: str, search: bool, linear: bool) -> None:
    assert (not ambiguity(re.compile(pattern), search=search)) is linear
