#!/usr/bin/env python3
"""``kubectl-telemetry`` of the archive. Python 3.6 has to understand this file, to be refused."""

import platform
import sys
from pathlib import Path

PYTHONS: "tuple[str, ...]" = ("3.11",)  # replaced by hack/krew/archive.py


def main() -> None:
    """Run the command, if this Python can."""
    kind, found = platform.python_implementation(), "{}.{}".format(*sys.version_info)
    if kind != "CPython" or found not in PYTHONS:
        sys.exit(
            "kubectl telemetry: python3 on PATH has to be CPython "
            f"{PYTHONS[0]} to {PYTHONS[-1]}, and is {kind} {found}"
        )
    # krew puts a link to this file on PATH.
    sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
    from fleet_telemetry.cli.main import kubectl_plugin  # noqa: PLC0415

    kubectl_plugin()


if __name__ == "__main__":
    main()
