"""The one exception that this package raises on purpose."""

from __future__ import annotations


class DevclusterError(Exception):
    """The message says in one sentence what is wrong and what to do about it.

    The command line prints it as it is and exits with 1, so it never needs a traceback.
    """
