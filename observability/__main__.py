"""python -m observability: draw docs/overview.svg from what a real Prometheus says of a fleet."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from dev.cluster import DevclusterError, paths
from dev.cluster.progress import say
from dev.harness.operator import OperatorError
from dev.harness.prometheus import LocalPrometheus, PrometheusError
from dev.harness.showcase import ShowcaseError
from dev.harness.stage import staged
from observability import picture
from observability.dashboards import overview
from observability.dashboards.files import dashboard_files
from observability.rules import rules_file

FILE = Path(__file__).resolve().parent.parent / "docs" / "overview.svg"


def draw(prometheus: LocalPrometheus) -> str:
    """The picture of the fleet that this Prometheus watches."""
    board = json.loads(dict(dashboard_files())[f"{overview.UID}.json"])

    def query(expression: str) -> picture.Found:
        return [(sample.labels, sample.value) for sample in prometheus.query(expression)]

    return picture.draw(picture.ask(board, query))


def main() -> int:
    """Run the command line."""
    paths.root().mkdir(parents=True, exist_ok=True)
    say("Starting a cluster, the operator, a small fleet and a Prometheus: about a minute ...")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="picture-", dir=paths.root()) as directory,
            staged(Path(directory), rules=rules_file()) as stage,
        ):
            FILE.write_text(draw(stage.prometheus))
    except (DevclusterError, OperatorError, PrometheusError, ShowcaseError) as error:
        print(f"picture: {error}", file=sys.stderr)
        return 1
    say(f"Drew {FILE.relative_to(FILE.parent.parent)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
