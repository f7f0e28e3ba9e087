"""The one exception of this package."""

from __future__ import annotations


class BenchError(Exception):
    """Says in one clear sentence why nothing could be measured."""
