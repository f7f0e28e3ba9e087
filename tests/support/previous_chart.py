"""The chart as it was before this one. Nothing has been released yet, so it is put together.

Its CRDs are those of an earlier state of this repository, without their descriptions: policies
could not name hosts of their own (`egress.hosts`) nor what isolated pods may reach
(`egress.reachable`), and some fields of the statuses did not exist. Its values have no `observed`.
All the rest is the present chart, under an older number.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from dev.harness.operator import CHART

CRDS = Path(__file__).parent / "previous"
VERSION = "0.0.1"


def previous_chart(directory: Path, *, statuses: bool = False) -> Path:
    """Write the chart into a folder of the directory.

    With ``statuses``, the present ones: the only operator that tests have is the present one, and
    it cannot write a status with a field that the CRD does not have.
    """
    chart = Path(shutil.copytree(CHART, directory / CHART.name))
    for path in CRDS.iterdir():
        there = chart / "files" / "crds" / path.name
        crd, present = yaml.safe_load(path.read_text()), yaml.safe_load(there.read_text())
        if statuses:
            _fields(crd)["status"] = _fields(present)["status"]
        there.write_text(yaml.safe_dump(crd))
    values = chart / "values.yaml"
    values.write_text(re.sub(r"(?m)^observed:\n(?:(?: .*)?\n)*", "", values.read_text()))
    metadata = chart / "Chart.yaml"
    text = re.sub(r"(?m)^(version|appVersion): .*", rf"\1: {VERSION}", metadata.read_text())
    metadata.write_text(text)
    return chart


def _fields(crd: dict[str, Any]) -> dict[str, Any]:
    (version,) = crd["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return found
