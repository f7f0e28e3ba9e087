"""python -m dev.bench: measure on new clusters, and print a table with targets."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from dev.bench import (
    admission,
    audit,
    checks,
    egress,
    fleet,
    growth,
    hosts,
    observed,
    plot,
    recognition,
    rotation,
    scale,
    scrape,
)
from dev.bench.errors import BenchError
from dev.bench.figures import Figure, render
from dev.bench.machine import Machine, Watch
from dev.bench.progress import Progress
from dev.cluster import DevclusterError, paths
from dev.harness.dns_server import NameServerError
from dev.harness.operator import OperatorError


class Part(Protocol):
    """A part of the benchmark that can be measured separately."""

    def __call__(self, directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
        """Measure, and return the figures."""


def _admission(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = admission.Size(2, 5, 2) if quick else admission.Size(15, 20, 4)
    return admission.measure(directory, size, progress)


def _fleet(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = fleet.Size(50, 5, 1, 10) if quick else fleet.Size(1000, 20, 3, 60)
    return fleet.measure(directory, size, progress)


def _scale(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    return scale.measure(directory, scale.QUICK if quick else scale.FULL, progress)


def _growth(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    if quick:
        few = (5, 10)
        size = growth.Size(10, 5, 5, dict.fromkeys(growth.DIMENSIONS, few))
    else:
        workloads, products, policies, pods = growth.DIMENSIONS
        sizes = {
            workloads: (1000, 2500, 5000, 10_000),
            products: (200, 500, 1000, 2000),
            policies: (1, 10, 30, 100),
            pods: (0, 2500, 5000, 10_000),
        }
        size = growth.Size(1000, 200, 100, sizes)
    return growth.measure(directory, size, progress)


def _checks(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = checks.Size(20, 2, 1) if quick else checks.Size(1000, 10, 3)
    return checks.measure(directory, size, progress)


def _scrape(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = scrape.Size(100, 2) if quick else scrape.Size(10_000, 10)
    return scrape.measure(directory, size, progress)


def _egress(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    if quick:
        size = egress.Size(hosts.Size(20, 4, 1, 2, 2), rotation.Span(0.25, 1, 3))
    else:
        size = egress.Size(hosts.Size(500, 4, 3, 10, 3), rotation.Span(7, 3, 100))
    return egress.measure(directory, size, progress)


def _recognition(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = recognition.Size(2, 2) if quick else recognition.Size(100, 9)
    return recognition.measure(directory, size, progress)


def _audit(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = audit.Size(200, 1) if quick else audit.Size(10_000, 5)
    return audit.measure(directory, size, progress)


def _observed(directory: Path, *, quick: bool, progress: Progress) -> list[Figure]:
    size = observed.Size(200, 100, 2) if quick else observed.Size(200, 1000, 20)
    return observed.measure(directory, size, progress)


_PARTS: Mapping[str, Part] = {
    "recognition": _recognition,
    "audit": _audit,
    "admission": _admission,
    "fleet": _fleet,
    "scale": _scale,
    "checks": _checks,
    "scrape": _scrape,
    "egress": _egress,
    "observed": _observed,
    "growth": _growth,
}
_ON_REQUEST = frozenset({"growth"})
"""Parts that only ``--only`` measures: they take long, and have no targets."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code: 0 if everything was measured, also if targets are missed."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up like Ctrl-C
    progress = Progress()
    try:
        watch = Watch()
        figures = _measure(options, progress)
        progress.end()
        machine = watch.end()
        print(f"{machine.describe()}\n\n{render(figures)}\n{_summary(figures, machine.seconds)}")
        if options.quick:
            print("A quick run only checks that the benchmark works; do not compare its figures.")
        if options.json:
            options.json.write_text(json.dumps(_record(machine, figures), indent=2) + "\n")
        if options.plot:
            options.plot.write_text(plot.draw([figure.record() for figure in figures]))
    except subprocess.CalledProcessError as error:
        progress.end()
        said = (error.stderr or "").strip()
        program = Path(error.cmd[0]).name
        return _fail(f"`{program}` failed with code {error.returncode}: {said}")
    except (BenchError, DevclusterError, NameServerError, OperatorError, OSError) as error:
        progress.end()
        return _fail(str(error))
    except KeyboardInterrupt:
        progress.end()
        print("bench: interrupted; every process that it started has stopped", file=sys.stderr)
        return 130
    return 0


def _measure(options: argparse.Namespace, progress: Progress) -> list[Figure]:
    paths.root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=paths.root()) as directory:
        names = (
            [options.only] if options.only else [one for one in _PARTS if one not in _ON_REQUEST]
        )
        return [
            figure
            for name in names
            for figure in _PARTS[name](Path(directory), quick=options.quick, progress=progress)
        ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure the cost of the operator, on new clusters."
    )
    parser.add_argument(
        "--only", choices=tuple(_PARTS), help="measure only this part (default: all but growth)"
    )
    parser.add_argument(
        "--json", type=_new_file, metavar="FILE", help="also write the figures to this file"
    )
    parser.add_argument(
        "--plot",
        type=_new_file,
        metavar="FILE",
        help="also draw the figures that have several sizes (those of growth), as SVG",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small numbers, to check that the benchmark works"
    )
    return parser


def _new_file(text: str) -> Path:
    """Checked before the measurement, not after it."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be written: the folder does not exist")
    return path


def _summary(figures: Sequence[Figure], seconds: float) -> str:
    verdicts = [figure.verdict for figure in figures]
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{verdicts.count('reached')} targets reached, {verdicts.count('MISSED')} missed,"
        f" in {minutes} min {rest} s"
    )


def _record(machine: Machine, figures: Sequence[Figure]) -> dict[str, Any]:
    return {**asdict(machine), "figures": [figure.record() for figure in figures]}


def _fail(sentence: str) -> int:
    print(f"bench: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
