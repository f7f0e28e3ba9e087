"""How API types describe themselves: the words a user reads in ``kubectl explain`` and the rules
the API server enforces, kept beside the Python types so that the two cannot drift apart.

``hack/generate.py`` turns the types into ``crds/``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time that says its time zone; the API server demands it too."""


class ApiType(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    """A frozen part of a custom resource; camelCase on the wire, unknown fields ignored.

    The API server has pruned or rejected unknown fields already; ignoring them here lets an
    older operator run beside newer CRDs. Every subclass repeats ``frozen`` and ``kw_only``, which
    type checkers do not inherit.
    """


class Rule(msgspec.Struct, frozen=True):
    """A CEL rule of a CRD and the sentence a user gets who breaks it."""

    expression: str
    message: str


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression, which Python and Google's RE2 read alike, and the sentence a user gets
    whose text does not match it.

    The CRD has it as a CEL rule: of a ``pattern``, the API server shows the expression alone.
    """

    expression: str
    message: str
    cheap: str = ""
    """The same of a text that is not empty, in CEL, where the API server's limit on the cost of
    rules does not allow the expression. Cost grows with the expression's length."""

    def __post_init__(self) -> None:
        _patterns[repr(self.expression)] = self

    @property
    def rule(self) -> Rule:
        """The same as a CEL rule of the text."""
        return Rule(self.cheap or f"self.matches(r'{self.expression}')", self.message)


_patterns: dict[str, Pattern] = {}
"""Every pattern, by its expression as msgspec writes it."""
_MISMATCH = "Expected `str` matching regex "


def described(
    text: str,
    *,
    rules: tuple[Rule, ...] = (),
    list_type: str | None = None,
    list_keys: tuple[str, ...] = (),
    map_type: str | None = None,
    pattern: Pattern | None = None,
    too_many: bool = False,
    **constraints: Any,
) -> msgspec.Meta:
    """A field's description and constraints.

    ``list_type``/``list_keys`` are the merge strategies of server-side apply, ``constraints`` go
    to msgspec (``min_length``, ``ge``, ...) and hold in Python and in the CRD alike. So does the
    ``pattern``; a rule that says the same sentence is stricter, and stands for it in the CRD.
    ``too_many``: there may be so many of the texts that the cost of any rule is over the API
    server's limit, so the CRD has the bare expression.
    """
    extra: dict[str, Any] = {}
    if pattern is not None:
        constraints["pattern"] = pattern.expression
        if not too_many and all(rule.message != pattern.message for rule in rules):
            rules = (pattern.rule, *rules)
    if rules:
        extra["x-kubernetes-validations"] = [
            {"rule": rule.expression, "message": rule.message} for rule in rules
        ]
    if list_type:
        extra["x-kubernetes-list-type"] = list_type
    if list_keys:
        extra["x-kubernetes-list-map-keys"] = list(list_keys)
    if map_type:
        extra["x-kubernetes-map-type"] = map_type
    return msgspec.Meta(description=text, extra_json_schema=extra or None, **constraints)


def known_patterns() -> tuple[Pattern, ...]:
    """The patterns of all modules that are imported."""
    return tuple(_patterns.values())


def explain(error: Exception) -> str:
    """What is wrong, with the sentence of a pattern in the place of its expression."""
    text = str(error)
    before, mismatch, after = text.partition(_MISMATCH)
    if mismatch:
        for expression, pattern in _patterns.items():
            if after.startswith(expression):
                return f"{before}{pattern.message}{after.removeprefix(expression)}"
    return text
