"""Counts the steps of a function, to compare how they grow with its input.

A step is a line of Python that is executed, or a call of a function of C. Neither depends on the
machine, so tests compare them and never a time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps_of(function: Callable[[], object]) -> int:
    """The steps that the function takes until it returns or raises."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        function()
    except Exception:  # noqa: BLE001  # how it ends is another test's subject
        pass
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count
