"""The one exception that this package raises on purpose."""

from __future__ import annotations


class RealVendorError(Exception):
    """The message says in one sentence what is wrong and what to do about it."""
