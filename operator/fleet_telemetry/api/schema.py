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


def described(
    text: str,
    *,
    rules: tuple[Rule, ...] = (),
    list_type: str | None = None,
    list_keys: tuple[str, ...] = (),
    map_type: str | None = None,
    **constraints: Any,
) -> msgspec.Meta:
    """A field's description and constraints.

    ``list_type``/``list_keys`` are the merge strategies of server-side apply, ``constraints`` go
    to msgspec (``pattern``, ``min_length``, ``ge``, ...) and hold in Python and in the CRD alike.
    """
    extra: dict[str, Any] = {}
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
