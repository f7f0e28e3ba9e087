"""The names of the fields in what a product sends: never a value, and nothing made up by users."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MOST = 64
"""Names that are shown; an inventory is for people."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


def names_of(payloads: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], str]:
    """The names, sorted, those of nested objects dotted one level deep; and a sentence for a person
    about how many are not shown, empty for none."""
    names: set[str] = set()
    strange = 0
    for payload in payloads:
        for name, value in payload.items():
            if not _NAME.fullmatch(name):
                strange += 1
                continue
            inner = (
                [key for key in value if _NAME.fullmatch(key)] if isinstance(value, dict) else []
            )
            names.update(f"{name}.{key}" for key in inner)
            strange += len(value) - len(inner) if isinstance(value, dict) else 0
            if not inner:
                names.add(name)
    left = strange + max(0, len(names) - MOST)
    return tuple(sorted(names)[:MOST]), f"It sends {left} more fields." if left else ""
