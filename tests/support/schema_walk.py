"""Walks through the descriptions of API types."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import inspect


def rules_of(described: inspect.Type) -> Iterator[dict[str, str]]:
    """The CEL rules of a type and of all in it."""
    while isinstance(described, inspect.Metadata):
        extra = described.extra_json_schema or {}
        yield from extra.get("x-kubernetes-validations", ())
        described = described.type
    match described:
        case inspect.UnionType():
            for part in described.types:
                yield from rules_of(part)
        case inspect.StructType():
            for field in described.fields:
                yield from rules_of(field.type)
        case inspect.VarTupleType():
            yield from rules_of(described.item_type)
