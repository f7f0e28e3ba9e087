"""The chart as it was before this one. Nothing has been released yet, so it is put together.

Its CRDs are those of an earlier state of this repository, without their descriptions: policies
could not name hosts of their own (`egress.hosts`) nor what isolated pods may reach
(`egress.reachable`), and some fields of the statuses did not exist. All the rest is the present
chart, under an older number.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness.operator import CHART

CRDS = Path(__file__).parent / "previous"
VERSION = "0.0.1"


def previous_chart(directory: Path) -> Path:
    """Write the chart into a folder of the directory."""
    chart = Path(shutil.copytree(CHART, directory / CHART.name))
    shutil.rmtree(chart / "files" / "crds")
    shutil.copytree(CRDS, chart / "files" / "crds")
    metadata = chart / "Chart.yaml"
    text = re.sub(r"(?m)^(version|appVersion): .*", rf"\1: {VERSION}", metadata.read_text())
    metadata.write_text(text)
    return chart
