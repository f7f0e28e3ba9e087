"""What the command prints, in a real CoreDNS: who is answered, who is refused, and what is
reported."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from dev.harness.dns_server import LocalDnsServer, Records
from fleet_telemetry.audit.corefile.addition import Addition, Tap
from fleet_telemetry.audit.corefile.forms import CUSTOM, FORMS, OVERRIDE_KEY, SERVER_KEY
from fleet_telemetry.audit.corefile.planning import CorefileOptions, DnsFacts, plan_addition
from fleet_telemetry.audit.corefile.refusing import MOST_IN_RULES, By, RefusalRule, Refusals
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.subject import Subject
from tests.support.coredns import LOOPBACK, Answer, LocalCoreDns
from tests.support.received_lookups import Tapped, receiving

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOST = "stats.grafana.org"
SHARED = "grafana.com"
BELOW = f"deeper.{HOST}"
OTHER = "www.example.com"
POD, NEIGHBOUR = "127.9.0.1", "127.9.0.2"
OUTSIDE = Answer("NOERROR", ("192.0.2.1",))
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: graphs, namespace: team-a}
spec:
  selector: {matchLabels: {app: graphs}}
  template:
    metadata: {labels: {app: graphs}}
    spec:
      containers:
      - {name: grafana, image: "grafana/grafana:11.0.0"}
---
apiVersion: fleettelemetry.io/v1alpha1
kind: ClusterTelemetryPolicy
metadata: {name: everywhere}
spec:
  channels: [Usage, UpdateCheck]
  egress: {dns: Refuse, sharedAddresses: SHARED}
"""


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[LocalDnsServer]:
    """The name server that the cluster's forwards to."""
    with LocalDnsServer(tmp_path / "outside") as server:
        server.update({name: Records(a=["192.0.2.1"]) for name in (HOST, SHARED, BELOW, OTHER)})
        yield server


@pytest.fixture
def tapped() -> Iterator[Tapped]:
    with receiving() as found:
        yield found


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[LocalCoreDns]:
    """The cluster's name server; a test starts it."""
    with LocalCoreDns(tmp_path / "inside") as server:
        yield server


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster in which Grafana runs, in one pod with this address."""

    folder: Path
    shared: str = "Refuse"
    refuse: bool = True

    def plan(
        self, corefile: str, tap: Tap | None, custom: dict[str, str] | None = None, **options: bool
    ) -> Addition:
        manifests = self.folder / "manifests.yaml"
        text = MANIFESTS.replace("SHARED", self.shared)
        manifests.write_text(text if self.refuse else text.replace("dns: Refuse, ", ""))
        found = gather_files([str(manifests)], io.BytesIO(), "default", NOW)
        found.subjects = [
            dataclasses.replace(
                one, pods=tuple(dataclasses.replace(pod, addresses=(POD,)) for pod in one.pods)
            )
            for one in found.subjects
            if isinstance(one, Subject)
        ]
        facts = DnsFacts(corefile=corefile, custom=custom, image="coredns:v1.15.0")
        return plan_addition(found, facts, CorefileOptions(tap=tap, **options), NOW)


def _tap(tapped: Tapped) -> Tap:
    return Tap(LOOPBACK, tapped.port)


def _main(inside: LocalCoreDns, outside: LocalDnsServer, *lines: str) -> str:
    forward = [f"forward . {outside.endpoint} {{", "    max_concurrent 100", "}"]
    return inside.block(*lines, *forward)


def test_lookups_are_reported_and_answered_as_before(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path, refuse=False).plan(main, _tap(tapped))
    inside.start(main + FORMS["corefile"](added))
    for name in (HOST, SHARED, BELOW, OTHER):
        assert inside.answer(name, client=POD) == OUTSIDE
    tapped.wait_for(HOST, (POD, False))
    tapped.wait_for(SHARED, (POD, False))
    canary = "0a.canary.fleettelemetry.invalid"
    assert inside.answer(canary) == Answer("NOERROR", ("192.0.2.53",))
    assert inside.answer(canary, "AAAA") == Answer("NOERROR")
    tapped.wait_for(canary, (LOOPBACK, False))
    assert OTHER not in tapped.names()
    assert outside.questions(canary) == ()
    # However many hosts there are, a canary speaks for the one connection.
    assert tapped.connections == 1


def test_the_policys_pods_are_refused_and_nobody_else(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside, "cache 30", "log . {", "    class error", "}")
    added = Cluster(tmp_path).plan(main, _tap(tapped))
    inside.start(main + FORMS["corefile"](added))
    assert inside.answer(HOST, client=NEIGHBOUR) == OUTSIDE  # and it is cached
    for kind in ("A", "AAAA", "TXT", "HTTPS", "MX", "ANY"):
        assert inside.answer(HOST, kind, POD) == Answer("NXDOMAIN", soa_ttl=60)
    assert inside.answer("StAtS.GrAfAnA.OrG", client=POD) == Answer("NXDOMAIN", soa_ttl=60)
    for name in (BELOW, SHARED, OTHER):
        assert inside.answer(name, client=POD) == OUTSIDE
    assert inside.answer(HOST, client=NEIGHBOUR) == OUTSIDE
    tapped.wait_for(HOST, (NEIGHBOUR, False), (POD, True))
    tapped.wait_for(BELOW, (POD, False))
    assert any(SHARED in note and "sharedAddresses" in note for note in added.notes)


def test_canaries_come_back_through_both_blocks(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path).plan(main, _tap(tapped))
    inside.start(main + FORMS["corefile"](added))
    sources = set()
    for token in ("0123456789abcde0", "0123456789abcdef", "f8", "8f"):
        canary = f"{token}.canary.fleettelemetry.invalid"
        for client in (LOOPBACK, POD):
            assert inside.answer(canary, client=client) == Answer("NOERROR", ("192.0.2.53",))
        tapped.wait_for(canary)
        (source,) = tapped.sources_of(canary)
        sources.add((int(token[-1], 16) % 2, source))
    assert len(sources) == 2
    assert tapped.connections == 2


def test_hosts_that_also_serve_something_else_are_refused_on_request(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path, shared="Accept").plan(main, _tap(tapped))
    inside.start(main + FORMS["corefile"](added))
    assert inside.answer(SHARED, client=POD).rcode == "NXDOMAIN"
    assert inside.answer(SHARED, client=NEIGHBOUR) == OUTSIDE


def test_it_is_undone_by_removing_it(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    text = main + FORMS["corefile"](Cluster(tmp_path).plan(main, _tap(tapped)))
    inside.start(text)
    assert inside.answer(HOST, client=POD).rcode == "NXDOMAIN"
    begin, end = text.index("# BEGIN fleet-telemetry"), text.index("# END fleet-telemetry")
    inside.reload(text[:begin] + text[end:])
    assert inside.answer(HOST, client=POD) == OUTSIDE
    assert inside.answer("0a.canary.fleettelemetry.invalid").rcode == "NXDOMAIN"


def test_printing_again_is_the_same(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    cluster = Cluster(tmp_path)
    once = FORMS["corefile"](cluster.plan(main, _tap(tapped)))
    assert FORMS["corefile"](cluster.plan(main + once, _tap(tapped))) == once


def test_only_refusing_reports_nothing(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path).plan(main, None)
    text = FORMS["corefile"](added)
    assert "dnstap" not in text
    inside.start(main + text)
    assert inside.answer(HOST, client=POD).rcode == "NXDOMAIN"
    assert inside.answer(HOST, client=NEIGHBOUR) == OUTSIDE
    assert inside.answer(BELOW, client=POD) == OUTSIDE


def test_all_lookups_are_reported_on_request(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path).plan(main, _tap(tapped), everything=True)
    inside.start(_main(inside, outside, *FORMS["corefile"](added).splitlines()))
    assert inside.answer(OTHER, client=POD) == OUTSIDE
    assert inside.answer("0a.canary.fleettelemetry.invalid").values == ("192.0.2.53",)
    tapped.wait_for(OTHER, (POD, False))
    assert tapped.connections == 1


@pytest.mark.parametrize(("everything", "key"), [(False, SERVER_KEY), (True, OVERRIDE_KEY)])
def test_the_config_map_is_imported_as_managed_clusters_do(
    tmp_path: Path,
    inside: LocalCoreDns,
    outside: LocalDnsServer,
    tapped: Tapped,
    *,
    everything: bool,
    key: str,
) -> None:
    custom = tmp_path / "custom"
    custom.mkdir()
    (custom / "theirs.server").write_text(
        f"theirs.example:{inside.port} {{\n bind {LOOPBACK}\n forward . {outside.endpoint}\n}}\n"
    )
    main = _main(inside, outside, f"import {custom}/*.override") + f"import {custom}/*.server\n"
    there = {"theirs.server": (custom / "theirs.server").read_text()}
    added = Cluster(tmp_path).plan(main, _tap(tapped), there, everything=everything)
    printed = yaml.safe_load(FORMS["coredns-custom"](added))
    assert printed["metadata"] == {"name": CUSTOM, "namespace": "kube-system"}
    assert list(printed["data"]) == [key]
    (custom / key).write_text(printed["data"][key])
    inside.start(main)
    assert inside.answer(HOST, client=POD).rcode == ("NOERROR" if everything else "NXDOMAIN")
    tapped.wait_for(HOST)
    (custom / key).unlink()
    inside.reload(main)
    assert inside.answer(HOST, client=POD) == OUTSIDE


def test_the_whole_catalogue_is_one_block_with_one_connection(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    added = Cluster(tmp_path, refuse=False).plan(main, _tap(tapped), whole_catalogue=True)
    assert len(added.zones) > 150
    inside.start(main + FORMS["corefile"](added))
    assert inside.answer(HOST, client=POD) == OUTSIDE
    tapped.wait_for(HOST)
    assert tapped.connections == 1


def test_what_the_main_block_answers_itself_is_still_answered_so(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(
        inside,
        outside,
        "hosts {",
        f"    192.0.2.77 {HOST}",
        "    fallthrough",
        "}",
        f"template ANY ANY {SHARED} {{",
        r'    match "^grafana\.com\.$"',
        "    rcode NXDOMAIN",
        "    fallthrough",
        "}",
        'log . "seen \\"{name}\\""',
    )
    inside.start(main)
    before = [inside.answer(name).rcode for name in (HOST, SHARED)]
    added = Cluster(tmp_path, refuse=False).plan(main, _tap(tapped))
    inside.reload(main + FORMS["corefile"](added))
    assert inside.answer(HOST) == Answer("NOERROR", ("192.0.2.77",))
    assert [inside.answer(name).rcode for name in (HOST, SHARED)] == before
    tapped.wait_for(HOST)


def test_as_many_addresses_as_are_written_are_loaded(
    tmp_path: Path, inside: LocalCoreDns, outside: LocalDnsServer, tapped: Tapped
) -> None:
    main = _main(inside, outside)
    clients = tuple(f"10.{n >> 8 & 255}.{n & 255}.7" for n in range(MOST_IN_RULES // 2 - 2))
    six = tuple(f"fd00::{n:x}" for n in range(1, MOST_IN_RULES // 4))
    rules = (RefusalRule((*clients, POD), (HOST,)), RefusalRule(six, (SHARED,)))
    added = dataclasses.replace(
        Cluster(tmp_path).plan(main, _tap(tapped)), refusals=Refusals(By.ADDRESSES, rules)
    )
    inside.start(main + FORMS["corefile"](added))
    assert inside.answer(HOST, client=POD).rcode == "NXDOMAIN"
    assert inside.answer(HOST, client=NEIGHBOUR) == OUTSIDE
