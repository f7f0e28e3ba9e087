"""docs/observed.md has every reason, and every value of the chart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.evidence.lookups import COUNTS_FOR
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.ledger import MOST_CONTACTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "observed.md").read_text()
LOST = (ROOT / "docs" / "runbooks" / "FleetTelemetryLookupsLost.md").read_text()
VALUES = yaml.safe_load((ROOT / "charts/fleet-telemetry-operator/values.yaml").read_text())


def test_every_reason_says_what_to_do() -> None:
    section = PAGE.partition("\n## Reasons\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    assert {name for name, _ in rows} == {str(reason) for reason in ObservedReason}
    assert len(rows) == len(ObservedReason)


@pytest.mark.parametrize("key", sorted(VALUES["observed"]))
def test_every_value_of_the_chart_is_explained(key: str) -> None:
    assert f"`observed.{key}" in PAGE or f"observed.{key}=" in PAGE


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"at most {MOST_CONTACTS} " in PAGE
    assert f"After {COUNTS_FOR.days} days a lookup no longer counts" in PAGE


@pytest.mark.parametrize("result", [one for one in FrameResult if one.is_lost])
def test_the_runbook_has_every_way_to_lose_a_report(result: FrameResult) -> None:
    assert f"`{result}`" in LOST
