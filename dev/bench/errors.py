"""The one exception of this package."""

from __future__ import annotations


class BenchError(Exception):
    """The message says in one sentence why nothing could be measured."""
