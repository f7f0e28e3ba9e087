"""What pods asked DNS for, in the forms of output: shown where something is known."""

from __future__ import annotations

import csv
import io
import json

from fleet_telemetry.api.workload_telemetry import ObservedVerdict
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.registry import FORMATS
from tests.support.audits import an_audit, finding, ordinary

SAID = "A pod asked DNS. Pod it-1 asked for telemetry.acme.example once."
SEEN = an_audit(
    finding(),
    finding("asks", observed=ObservedVerdict.CONTACTED, observed_message=SAID),
)


def rendered(name: str, width: int = 0) -> str:
    return FORMATS[name].render(SEEN, Screen(width=width))


def test_the_records_for_machines_have_it() -> None:
    records = list(csv.DictReader(io.StringIO(rendered("csv"))))
    assert [one["observed"] for one in records] == ["Contacted", "Unknown"]
    assert records[0]["observedMessage"] == SAID
    (asks, other) = json.loads(rendered("json"))["findings"]
    assert (asks["observed"], asks["observedMessage"]) == ("Contacted", SAID)
    assert "observed" not in other


def test_the_forms_for_people_have_it() -> None:
    assert SAID in rendered("html")
    for name in ("table", "markdown"):
        text = rendered(name)
        assert "observed" in text.lower()
        assert "Contacted" in text
    assert "OBSERVED" in rendered("table", 160)


def test_a_narrow_table_leaves_it_out() -> None:
    assert "OBSERVED" not in rendered("table", 70)


def test_where_nothing_is_known_no_column_is_shown() -> None:
    for name in ("table", "markdown"):
        assert "observed" not in FORMATS[name].render(ordinary, Screen()).lower()
