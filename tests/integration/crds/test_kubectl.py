"""What people see: ``kubectl get`` by short name and by category."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dev.cluster import Cluster
from tests.support.crd_cases import Kind
from tests.support.crd_kinds import KINDS
from tests.support.crd_server import Server
from tests.support.crd_values import CONDITION

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Table:
    """The columns that are always there, and the whole row with ``-o wide``, without the age."""

    columns: str
    row: dict[str, str]


_POLICY = Table(
    "NAME SUBMISSION MODE MATCHED COMPLIANT NONCOMPLIANT PENDING UNKNOWN CONFLICTED REASON AGE",
    {
        "SUBMISSION": "Enabled",
        "MODE": "Audit",
        "MATCHED": "6",
        "COMPLIANT": "1",
        "NONCOMPLIANT": "1",
        "PENDING": "1",
        "UNKNOWN": "1",
        "CONFLICTED": "True",
        "NOTENFORCEABLE": "1",
        "EXEMPT": "1",
        "ACCEPTED": "True",
        "REASON": "NothingMatched",
    },
)
TABLES = {
    "tpol": _POLICY,
    "ctpol": _POLICY,
    "tprod": Table("NAME TITLE ACCEPTED AGE", {"TITLE": "EMQX", "ACCEPTED": "True"}),
    "wtel": Table(
        "NAME PRODUCT VERSION POLICY DESIRED STATE REASON SENDS CHANNEL AGE",
        {
            "PRODUCT": "dependency-track",
            "VERSION": "4.14.3",
            "POLICY": "opt-out",
            "DESIRED": "Disabled",
            "STATE": "Unknown",
            "REASON": "SeedNotProven",
            "SENDS": "Yes",
            "CHANNEL": "Usage",
            "DECLARED": "Disabled",
            "RUNNING": "Disabled",
            "REPORTED": "Unset",
            "EGRESS": "Open",
            "PROVENANCE": "Source",
            "OBSERVED": "Quiet",
        },
    ),
    "thost": Table(
        "NAME RESOLVED REASON FRESH SINKHOLED AGE",
        {
            "RESOLVED": "True",
            "REASON": "NothingMatched",
            "FRESH": "True",
            "SINKHOLED": "True",
            "HELD": "True",
            "COMPLETE": "True",
            "COLLATERALRISK": "True",
            "RANGES": "Cloudflare",
        },
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _shown(server: Server) -> None:
    """An object called ``shown`` of each kind, with everything that there is to be seen."""
    of_hosts = ("Resolved", "Fresh", "Held", "Sinkholed", "Complete", "CollateralRisk")
    for kind in KINDS:
        more = of_hosts if kind.resource.short_name == "thost" else ("Conflicted",)
        types = ("Accepted", "Compliant", *more)
        conditions = [{**CONDITION, "type": type_} for type_ in types]
        created = server.create(kind, "shown", kind.full).body
        status = {**kind.full["status"], "conditions": conditions}
        assert server.replace_status(kind, "shown", {**created, "status": status}).accepted


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.short_name)
def test_columns(cluster: Cluster, kind: Kind) -> None:
    short_name = kind.resource.short_name
    table = TABLES[short_name]

    header, _ = _lines(cluster, "get", short_name, "shown")
    wide_header, wide_row = _lines(cluster, "get", short_name, "shown", "--output=wide")

    assert header == table.columns.split()
    assert wide_header == ["NAME", *table.row, "AGE"]
    assert wide_row[:-1] == ["shown", *table.row.values()]


def test_category_has_every_kind(cluster: Cluster) -> None:
    listed = cluster.kubectl("get", "telemetry", "--all-namespaces", "--output=name").stdout

    names = {f"{kind.resource.singular}.fleettelemetry.io/shown" for kind in KINDS}
    assert names <= set(listed.split())


def _lines(cluster: Cluster, *arguments: str) -> list[list[str]]:
    return [line.split() for line in cluster.kubectl(*arguments).stdout.splitlines()]
