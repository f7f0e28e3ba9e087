"""One object for all that are equal.

The workloads of a fleet say the same in most places: images, variables, paths, and what their
records say. The decoder makes a new string each time, which is half of what the cache holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

_T = TypeVar("_T")
_MOST_STRINGS = 4096
"""Those that were read last. ``sys.intern`` would keep every string for ever in Python 3.12."""
_LONGEST_STRING = 512
_MOST_SETS = 1024
_LARGEST_SET = 8
"""What is shared is kept for a while when its object is gone, so it has to be small."""


def share_strings(value: _T) -> _T:
    """JSON with shared strings. Its mappings and lists are changed in place, to what equals them.

    Below the depth at which Python's stack ends, strings stay as they are."""
    with suppress(RecursionError):
        _share(value)
    return value


def shared_set(items: Iterable[_T]) -> frozenset[_T]:
    """A set of few that there are: of most workloads the same ones are empty."""
    found = frozenset(items)
    return _first_equal(found) if len(found) <= _LARGEST_SET else found


@lru_cache(maxsize=_MOST_STRINGS)
def _first_text(text: str) -> str:
    return text


@lru_cache(maxsize=_MOST_SETS)
def _first_equal(found: frozenset[_T]) -> frozenset[_T]:
    return found


def _share(value: object) -> object:
    if type(value) is str:
        return _first_text(value) if len(value) <= _LONGEST_STRING else value
    if type(value) is dict:
        for key, inner in value.items():
            value[key] = _share(inner)
    elif type(value) is list:
        value[:] = map(_share, value)
    return value
