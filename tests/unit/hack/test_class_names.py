"""A class name means one thing: no two classes of the operator have the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from hack.words import ROOT


def classes(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The name and the place, ``path:line``, of each class of the files, nested ones included."""
    for path in sorted(paths):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield node.name, f"{path}:{node.lineno}"


def repeated(found: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    """The names that stand more than once, with all their places."""
    places = defaultdict(list)
    for name, place in found:
        places[name].append(place)
    return {name: several for name, several in places.items() if len(several) > 1}


@pytest.mark.thorough
def test_no_two_classes_of_the_operator_have_the_same_name() -> None:
    """Private ones neither: a stack trace and a search show only the name."""
    assert repeated(classes((ROOT / "operator").rglob("*.py"))) == {}


@pytest.mark.thorough
def test_no_class_of_the_development_tools_has_the_name_of_one_of_the_operator() -> None:
    """A private one may: it is local to its file. So may two classes of the tools."""
    operator = {name for name, _ in classes((ROOT / "operator").rglob("*.py"))}
    tools = [
        place
        for name, place in classes((ROOT / "dev").rglob("*.py"))
        if name in operator and not name.startswith("_")
    ]
    assert operator
    assert tools == []


def test_a_name_that_stands_twice_is_found_with_its_places(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("class Same: ...\nclass Other: ...\n")
    second.write_text("def make():\n    class Same: ...\n")
    assert repeated(classes([first, second])) == {"Same": [f"{first}:1", f"{second}:2"]}
    assert repeated(classes([first])) == {}
