"""Runs one command, and kills it with everything that it started, on request or when the process
that started the guard is gone.

It is a separate script, so that it outlives a test run that is killed. The request is a line of
JSON on standard input, and the end of the input is the signal to stop. The command gets exactly the
environment in the request.
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
