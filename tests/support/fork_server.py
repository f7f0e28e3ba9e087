"""The process of tests/support/forked_operator.py that imports once, and forks.

It reads a request in JSON from each line of its input, and answers with a line of JSON: the number
of a process that it started, or the exit code of one, null as long as it runs.
"""

from __future__ import annotations

import json
import os
import random
import sys
from typing import Any

import uvloop

from dev.cluster.launch import tie_to
from fleet_telemetry.kube.official_client import import_only_what_is_asked_for

import_only_what_is_asked_for()
from fleet_telemetry.app import controller, process, webhook  # noqa: E402
from fleet_telemetry.cli import serve  # noqa: E402
from fleet_telemetry.cli.main import main  # noqa: E402
from fleet_telemetry.reporting import log_lines  # noqa: E402

_IMPORTED = (uvloop, controller, process, webhook, serve, log_lines)


def serve_requests() -> bool:
    """Whether this process is a fork now, and has to run the operator."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "poll" in request:
            number, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if number else None
        else:
            parent = os.getpid()
            answer = os.fork()
            if not answer:
                _become(parent, **request)
                return True
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    return False


def _become(
    parent: int, command: list[str], output: str, errors: str, environment: dict[str, str]
) -> None:
    """What differs between this process and one that was started with the command."""
    os.setsid()
    tie_to(parent)
    appended = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, (path, mode) in enumerate(
        ((os.devnull, os.O_RDONLY), (output, appended), (errors, appended))
    ):
        opened = os.open(path, mode, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = command
    # Replicas that have the same numbers all wait equally long.
    random.seed()


if __name__ == "__main__" and serve_requests():
    main()
