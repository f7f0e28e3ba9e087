"""Becomes the given command, which dies with its parent (Linux; elsewhere it only becomes it).

Run as a script, in the child: `launch.py PARENT-PID COMMAND...`. Doing this in a fresh interpreter
and not between fork and exec keeps it safe in a parent with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to(parent: int) -> None:
    """Have this process die with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent died before the command could be tied to it")


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    tie_to(parent)
    os.execv(command[0], command)  # noqa: S606 - the point of this file


if __name__ == "__main__":
    main()
