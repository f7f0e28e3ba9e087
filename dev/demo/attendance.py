"""Whether somebody sits before the demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO


def can_be_interrupted(stdin: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Whether somebody can press Ctrl-C: standard input is a terminal, and this is no CI.

    Some CI systems give their jobs a terminal. All of the known ones set ``CI``.
    """
    if environment.get("CI", "").lower() not in ("", "0", "false", "no"):
        return False
    try:
        return stdin is not None and stdin.isatty()
    except ValueError:  # it is closed
        return False
