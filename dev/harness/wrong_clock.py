"""Runs a Python program in this process with a wrong wall clock:

    python -m dev.harness.wrong_clock SECONDS PROGRAM ARGUMENTS...

The wall clock is ahead by so many seconds, or behind; the monotonic clock is as it is, as on a real
machine. Only Python code is affected: OpenSSL still verifies the API server's certificate by the
real time. The types stay the same, so that nothing else changes its behaviour.
"""

from __future__ import annotations

import ctypes
import gc
import runpy
import sys
import time
from datetime import date, datetime, timedelta, tzinfo


def deceive(seconds: float) -> None:
    """Change this process's wall clock from now on."""
    by = timedelta(seconds=seconds)
    time_, time_ns, now = time.time, time.time_ns, datetime.now

    def wrong_now(_: type[datetime], tz: tzinfo | None = None) -> datetime:
        return now(tz) + by

    def wrong_today(_: type[date]) -> date:
        return (now() + by).date()

    time.time = lambda: time_() + seconds
    time.time_ns = lambda: time_ns() + int(seconds * 10**9)
    _set(datetime, "now", classmethod(wrong_now))
    _set(date, "today", classmethod(wrong_today))


def _set(owner: type, name: str, method: object) -> None:
    """Replace an attribute of a type that is written in C, which Python does not allow."""
    (methods,) = gc.get_referents(owner.__dict__)
    methods[name] = method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))


if __name__ == "__main__":
    deceive(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
