"""python -m dev.demo [--detach | --stop]."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

from dev.cluster.errors import DevclusterError
from dev.cluster.progress import say
from dev.demo import show, stand
from dev.demo.attendance import can_be_interrupted
from dev.harness.operator import ROOT, OperatorError


def main() -> int:
    """Run the command that the command line names, and return the exit code."""
    arguments = _parser().parse_args()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if arguments.stop:
            stand.end()
        elif arguments.detach:
            _detached()
        else:
            _attended()
    except KeyboardInterrupt:
        say("\nThe demo has stopped, with everything that it started.")
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip()
        say(f"demo: `{' '.join(map(str, error.cmd[:6]))} ...` failed: {said}")
        return 1
    except (DevclusterError, OperatorError, show.ShowError, OSError) as error:
        say(f"demo: {error}")
        return 1
    return 0


def _attended() -> None:
    with stand.Stand(detached=False) as place:
        show.run(place)
        if not can_be_interrupted(sys.stdin, os.environ):
            say("\nThe demo stops now: nobody can press Ctrl-C here. DETACH=1 leaves it running.")
            return
        show.print_hints(place)
        say("\nPress Ctrl-C to stop the demo and everything that it started.")
        signal.pause()


def _detached() -> None:
    if stand.is_running():
        say("A demo is already running; `make down` stops it.")
        return
    place = stand.Stand(detached=True)
    try:
        place.start()
        show.run(place)
    except BaseException:
        place.stop()
        stand.end()
        raise
    show.print_hints(place)
    say("\nThe demo keeps running in the background; `make down` stops it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo", description="The main features of the operator, on a local cluster."
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--detach", action="store_true", help="leave the demo running")
    which.add_argument("--stop", action="store_true", help="stop a demo that --detach left running")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
