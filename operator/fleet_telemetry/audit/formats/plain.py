"""The result as mappings, lists and words, for the formats of programs."""

from __future__ import annotations

from typing import Any

import msgspec

from fleet_telemetry.audit.result import ResultPart


def encodable(audit: ResultPart) -> Any:
    """The result without halves of surrogate pairs, which no encoding has: YAML can hold them, and
    so can the names of files. Everything else stays as it is."""
    return _encodable(msgspec.to_builtins(audit))


def _encodable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    if isinstance(value, str) and not value.isascii():
        # U+FFFD is what decoders put in their place.
        return "".join(
            "\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in value
        )
    return value
