"""As whom requests are made: the header ``Authorization``.

No message of here holds a token.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

_REREAD_SECONDS = 60.0
"""The kubelet replaces a token long before it ends."""
_LARGEST_TOKEN = 2**16


def bearer(token: str) -> str:
    """The header for a token. Raises ValueError if it cannot be one."""
    found = token.strip()
    if not found or len(found) > _LARGEST_TOKEN or not (found.isascii() and found.isprintable()):
        raise ValueError("it is no token")
    return f"Bearer {found}"


def basic(username: str, password: str) -> str:
    """The header for a name and a password."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


class TokenFile:
    """The header for the token in a file, which others replace from time to time."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError, and ValueError if there is no token in the file."""
        self._path = path
        self._clock = clock
        self._header = self._read()
        self._due = clock() + _REREAD_SECONDS

    def __call__(self) -> str:
        """The header, at most a minute old; the last one while the file cannot be read."""
        now = self._clock()
        if now >= self._due:
            self._due = now + _REREAD_SECONDS
            try:
                self._header = self._read()
            except (OSError, ValueError):
                # The API server says whether the last one is still good.
                return self._header
        return self._header

    def _read(self) -> str:
        with self._path.open("rb") as file:
            return bearer(file.read(_LARGEST_TOKEN + 1).decode())


def expiry_of(token: str) -> float | None:
    """When a JSON web token ends, in seconds since 1970; None if it does not say it. Nothing is
    verified. Raises ValueError if it is no such token."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # the claims are the second
        raise ValueError("it is no JSON web token")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError, RecursionError, msgspec.DecodeError):
        raise ValueError("it is no JSON web token") from None
    found = claims.get("exp") if isinstance(claims, dict) else None
    return float(found) if isinstance(found, int | float) else None
