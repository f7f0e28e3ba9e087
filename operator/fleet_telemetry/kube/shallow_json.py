"""Cuts off what is nested too deeply in JSON.

Who may write a custom resource may nest its fields thousands of levels deep. The API server accepts
that, and a parser that recurses does not. Without this, one such object would end the list of its
kind, again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DEEPEST = 100
"""Nothing that is read is deeper than half of it."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\]]|[^"{}\[\]]+', re.DOTALL)
"""A string, also one without an end; a bracket; all else."""


def shallow(data: bytes, deepest: int = DEEPEST) -> bytes:
    """The same JSON, with ``null`` in place of each object and list that is deeper. Its time is
    linear. What is no JSON stays none."""
    return b"".join(_kept(data, deepest))


def _kept(data: bytes, deepest: int) -> Iterator[bytes]:
    depth = 0
    for found in _TOKEN.finditer(data):
        token = found[0]
        if token in b"{[":
            depth += 1
            if depth == deepest + 1:
                yield b"null"
        if depth <= deepest:
            yield token
        if token in b"}]":
            depth -= 1
