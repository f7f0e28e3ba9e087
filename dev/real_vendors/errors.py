"""The one exception that this package raises on purpose."""

from __future__ import annotations


class RealVendorError(Exception):
    """Says in one clear sentence what is wrong and what to do about it."""
