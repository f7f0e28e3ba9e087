"""Runs one command, and takes it down with everything that it started when told to, or when whoever
started the guard is gone.

A script of its own, so that it outlives a test run that is killed: the order comes as a line of
JSON on standard input, and the end of that input is the sign to stop. The command gets exactly the
environment of the order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> int:
    """Carry out the order; the command's own exit code."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    with Path(order["log"]).open("ab") as log:
        process = subprocess.Popen(
            order["command"],
            cwd=order["folder"],
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **order["identity"],
        )
    watch = threading.Thread(target=_stop_at_end_of_input, args=(process, order["patience"]))
    watch.daemon = True
    watch.start()
    code = process.wait()
    # It was a session of its own, so this is what it left behind and nothing else.
    _kill(process.pid)
    return code


def _stop_at_end_of_input(process: subprocess.Popen[bytes], patience: float) -> None:
    sys.stdin.read()
    process.terminate()
    time.sleep(patience)
    _kill(process.pid)


def _kill(group: int) -> None:
    # macOS says PermissionError where only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
