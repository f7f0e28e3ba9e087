"""What the CRD demands beyond types: unknown fields, lists without doubles, and the CEL rules.

The descriptions of the types hold all of it, so a new field is checked without a change here. Only
a new CEL rule needs its counterpart in ``_RULES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from fleet_telemetry.api.argument_names import FLAG_RULE
from fleet_telemetry.api.product import PRODUCT_SPEC_RULES, TelemetryProductSpec
from fleet_telemetry.api.schema import ApiType, Rule
from fleet_telemetry.api.variable_names import (
    NAME_RULE,
    PARTS,
)
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import Problem

_LONGEST_LABEL = 63
_PARTS = re.compile(PARTS)
_LETTER_OR_DIGIT = re.compile(r"[A-Za-z0-9]")
_LITERAL_RUN = re.compile(r"[A-Za-z0-9]{3}")
_PRIVATE = (".svc", ".local", ".internal", ".localhost", ".test", ".invalid", ".arpa")


def check_schema(document: Document, *, built_in: bool = False) -> Iterator[Problem]:
    """The faults of a product file, whose types are right. A built-in product may set variables
    that a TelemetryProduct may not."""
    waived = (NAME_RULE.message, FLAG_RULE.message) if built_in else ()
    yield from check_spec(document, TelemetryProductSpec, PRODUCT_SPEC_RULES, waived)


def check_spec(
    document: Document, kind: type[ApiType], rules: tuple[Rule, ...], waived: Container[str] = ()
) -> Iterator[Problem]:
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
