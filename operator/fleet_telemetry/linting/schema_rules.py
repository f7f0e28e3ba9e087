"""What the CRD demands beyond types: unknown fields, lists without doubles, and the CEL rules.

The descriptions of the types hold all of it, so a new field is checked without a change here. Only
a new CEL rule needs its counterpart in ``_RULES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import inspect

from fleet_telemetry.api.argument_names import FLAG_RULE, is_refused_flag
from fleet_telemetry.api.product.spec import PRODUCT_SPEC_RULES, TelemetryProductSpec
from fleet_telemetry.api.resource_names import (
    GROUP_RULE,
    PATH_RULE,
    is_refused_group,
    is_refused_path,
)
from fleet_telemetry.api.schema import ApiType, Rule, known_patterns
from fleet_telemetry.api.variable_names import (
    ALIAS_RULE,
    FIRST_WORDS,
    HARMLESS,
    NAME_RULE,
    NAMES,
    PARTS,
    VALUE_RULE,
    is_refused_value,
)
from fleet_telemetry.linting.document import Document, Path
from fleet_telemetry.linting.policy_rules import POLICY_RULES
from fleet_telemetry.linting.problem import FileProblem

_LONGEST_LABEL = 63
_PARTS = re.compile(PARTS)
_LETTER_OR_DIGIT = re.compile(r"[A-Za-z0-9]")
_LITERAL_RUN = re.compile(r"[A-Za-z0-9]{3}")
_PRIVATE = (".svc", ".local", ".internal", ".localhost", ".test", ".invalid", ".arpa")


def check_schema(document: Document, *, built_in: bool = False) -> Iterator[FileProblem]:
    """The faults of a product file, whose types are right. A built-in product may set variables
    that a TelemetryProduct may not."""
    waived = (NAME_RULE.message, FLAG_RULE.message) if built_in else ()
    yield from check_spec(document, TelemetryProductSpec, PRODUCT_SPEC_RULES, waived)


def check_spec(
    document: Document, kind: type[ApiType], rules: tuple[Rule, ...], waived: Container[str] = ()
) -> Iterator[FileProblem]:
    """The faults of ``spec``, whose types are right. ``waived`` are messages of rules."""
    spec = document.data["spec"]
    for rule in rules:
        holds = counterpart({"rule": rule.expression, "message": rule.message})
        if holds is not None and not holds(spec):
            yield document.problem(("spec",), rule.message, "correct one of them")
    for path, what, advice in _check(_described(kind), spec, ("spec",)):
        if what not in waived:
            yield document.problem(path, f"{_written(path)}: {what}", advice)


def counterpart(rule: Mapping[str, str]) -> Callable[[Any], bool] | None:
    """The function that says of a field's value whether a CEL rule holds; None if there is none."""
    rules = {**_RULES, **POLICY_RULES}
    by_expression = rules.get(rule["rule"])
    if by_expression is not None:
        return by_expression
    if any(rule["message"] == pattern.message for pattern in known_patterns()):
        return _holds_by_type
    return rules.get(rule["message"])


def _holds_by_type(_: Any) -> bool:
    """The counterpart of a pattern: a text that does not match it is not of its type."""
    return True


def _check(expected: inspect.Type, value: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    expected, extra = _unwrapped(expected)
    if isinstance(expected, inspect.UnionType):
        for part in expected.types:
            if not isinstance(part, inspect.NoneType) and value is not None:
                yield from _check(part, value, path)
    elif isinstance(expected, inspect.StructType) and isinstance(value, dict):
        fields = _fields(expected.cls)
        for key, child in value.items():
            if key not in fields:
                known = ", ".join(sorted(fields))
                yield (*path, key), "it is not a field, and nobody reads it", f"known are {known}"
            else:
                yield from _check(fields[key], child, (*path, key))
    elif isinstance(expected, inspect.VarTupleType) and isinstance(value, list):
        yield from _check_doubles(extra, expected.item_type, value, path)
        for place, child in enumerate(value):
            yield from _check(expected.item_type, child, (*path, place))
    yield from _check_rules(extra, value, path)


def _unwrapped(expected: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
    """A type, and what its description adds to the JSON schema."""
    extra: Mapping[str, Any] = {}
    while isinstance(expected, inspect.Metadata):
        extra = {**(expected.extra_json_schema or {}), **extra}
        expected = expected.type
    return expected, extra


def _check_rules(
    extra: Mapping[str, Any], value: Any, path: Path
) -> Iterator[tuple[Path, str, str]]:
    for rule in extra.get("x-kubernetes-validations", ()):
        holds = counterpart(rule)
        if holds is not None and value is not None and not holds(value):
            yield path, rule["message"], "correct it"


@cache
def _described(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _fields(struct: type) -> dict[str, inspect.Type]:
    described = _described(struct)
    assert isinstance(described, inspect.StructType), struct
    return {field.encode_name: field.type for field in described.fields}


def _check_doubles(
    extra: Mapping[str, Any], item_type: inspect.Type, value: list[Any], path: Path
) -> Iterator[tuple[Path, str, str]]:
    match extra.get("x-kubernetes-list-type"):
        case "set":
            keys = [repr(item) for item in value]
        case "map":
            names = extra["x-kubernetes-list-map-keys"]
            defaults = _defaults(item_type)
            keys = [
                ", ".join(str(item.get(name, defaults.get(name))) for name in names)
                for item in value
            ]
        case _:
            return
    seen: set[str] = set()
    for place, key in enumerate(keys):
        if key in seen:
            yield (*path, place), f"{key} stands twice in the list", "remove one of them"
        seen.add(key)


def _defaults(item_type: inspect.Type) -> dict[str, Any]:
    item_type, _ = _unwrapped(item_type)
    assert isinstance(item_type, inspect.StructType), item_type
    fields = _described(item_type.cls)
    assert isinstance(fields, inspect.StructType), item_type
    return {field.encode_name: field.default for field in fields.fields if not field.required}


def _written(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _may_be_set(name: str) -> bool:
    folded = name.upper()
    return folded in HARMLESS or not (
        folded.partition("_")[0] in FIRST_WORDS or folded in NAMES or _PARTS.search(folded)
    )


def _may_be_alias(name: str) -> bool:
    folded = name.upper()
    return folded in HARMLESS or folded.partition("_")[0] not in FIRST_WORDS


def _words(argument: Mapping[str, Any]) -> list[str]:
    return [argument[key] for key in ("disabled", "enabled") if key in argument]


def _head(word: str) -> str:
    return word.partition("=")[0]


def _flags(argument: Mapping[str, Any]) -> list[str]:
    return [argument[key] for key in ("flag", "negation") if key in argument]


def _names_image(pattern: str) -> bool:
    last = pattern.rpartition("/")[2]
    is_wild = "*" in last or "?" in last
    return (_LITERAL_RUN if is_wild else _LETTER_OR_DIGIT).search(last) is not None


_RULES: dict[str, Callable[[Any], bool]] = {
    "has(self.base) || (has(self.channels) && size(self.channels) > 0)": lambda spec: (
        "base" in spec or bool(spec.get("channels"))
    ),
    # By the expression, or by the message where the expression is a regular one.
    "the last part of the pattern names the image: it has letters or digits, and at least three "
    "in a row beside wildcards, so that it does not match every image": _names_image,
    "a pattern of wildcards alone would exclude everything; remove the image instead": (
        lambda glob: _LETTER_OR_DIGIT.search(glob) is not None
    ),
    "a telemetry host is outside of the cluster: it is not the name of a Service or of a private "
    "network": lambda host: not host.endswith(_PRIVATE),
    NAME_RULE.expression: _may_be_set,
    ALIAS_RULE.expression: _may_be_alias,
    VALUE_RULE.expression: lambda value: not is_refused_value(value),
    "self.split('.').all(label, size(label) <= 63)": lambda host: all(
        len(label) <= _LONGEST_LABEL for label in host.split(".")
    ),
    "an override names an argument, a variable or a mount": lambda one: (
        "argument" in one or "env" in one or "mount" in one
    ),
    "an override by a mount names nothing else, and says what it means": lambda one: (
        "mount" not in one or ("argument" not in one and "env" not in one and "means" in one)
    ),
    FLAG_RULE.expression: lambda flag: not is_refused_flag(flag),
    "disabled and enabled are words of the flag, such as -flag=false for the flag named flag": (
        lambda one: all(_head(word).lstrip("-") in _flags(one) for word in _words(one))
    ),
    "disabled and enabled begin with as many dashes as the field dashes says": lambda one: (
        one["dashes"] == "Any"
        or all(word.startswith("--") is (one["dashes"] == "Two") for word in _words(one))
    ),
    "a flag that takes no value is written without =": lambda one: (
        one.get("values") != "None" or not any("=" in word for word in _words(one))
    ),
    "!has(self.enabled) || self.enabled != self.disabled": lambda one: (
        one.get("enabled") != one["disabled"]
    ),
    "!has(self.argument) || (self.semantics == 'Start' && !has(self.env))": lambda one: (
        "argument" not in one or (one["semantics"] == "Start" and "env" not in one)
    ),
    "!has(self.values) || has(self.means)": lambda one: "values" not in one or "means" in one,
    "a Seed or Start switch names its variable, or a Start switch its argument": lambda one: (
        one["semantics"] not in ("Seed", "Start")
        or "env" in one
        or "argument" in one
        or bool(one.get("suspend"))
        or "resource" in one
    ),
    "suspend is a Start switch of its own: it names no variable and no argument, and nothing "
    "overrides it": lambda one: (
        not one.get("suspend")
        or (
            one["semantics"] == "Start"
            and "env" not in one
            and "argument" not in one
            and not one.get("overrides")
        )
    ),
    "!has(self.seedProof) || self.semantics == 'Seed'": lambda one: (
        "seedProof" not in one or one["semantics"] == "Seed"
    ),
    "only a Start switch or a field of a custom resource is sufficient alone": lambda one: (
        not one.get("sufficient") or one["semantics"] == "Start" or "resource" in one
    ),
    "resource is a Start or a Runtime switch of its own: it names no variable and no argument, and "
    "nothing overrides it": lambda one: (
        "resource" not in one
        or (
            one["semantics"] in ("Start", "Runtime")
            and "env" not in one
            and "argument" not in one
            and not one.get("suspend")
            and not one.get("overrides")
        )
    ),
    "the values of a Boolean are 'true' and 'false'": lambda one: (
        one.get("type") != "Boolean"
        or all(one.get(key, "true") in ("true", "false") for key in ("disabled", "enabled"))
    ),
    GROUP_RULE.expression: lambda group: not is_refused_group(group),
    PATH_RULE.expression: lambda path: not is_refused_path(path),
    "self.default != 'NoTelemetry' || !has(self.switches) || "
    "size(self.switches) == 0": lambda one: (
        one["default"] != "NoTelemetry" or not one.get("switches")
    ),
    "!has(self.leaves) || size(self.leaves) == 0 || "
    "(has(self.switches) && size(self.switches) > 0)": lambda one: (
        not one.get("leaves") or bool(one.get("switches"))
    ),
    "!has(self.graceSeconds) || self.graceSeconds == 0 || "
    "(has(self.switches) && size(self.switches) > 0)": lambda one: (
        not one.get("graceSeconds") or bool(one.get("switches"))
    ),
}
