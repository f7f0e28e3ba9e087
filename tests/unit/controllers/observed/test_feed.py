"""What an observation gets from the cache."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.observed.feed import Feed
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.observation import DnsObservation
from tests.support.builders import SONARQUBE, container, manifest
from tests.unit.controllers.observed.test_observer import HOST, OWNER, REF, pod

SOURCE = "127.0.0.1#1"
SETS = kinds.WORKLOAD_BY_KIND["StatefulSet"]
START = datetime(2026, 11, 1, tzinfo=UTC)

ACME = {
    "metadata": {"name": "acme", "uid": "2", "generation": 1},
    "spec": {
        "title": "Acme",
        "images": [{"pattern": "acme/acme"}],
        "channels": [
            {
                "name": "Usage",
                "hosts": [{"host": "t.acme.example"}],
                "rules": [{"default": "On"}],
            }
        ],
    },
}


class Kit:
    def __init__(self) -> None:
        self.now = START
        self.cache = ClusterCache(builtin())
        self.cache.upsert(SETS, OWNER)
        self.cache.upsert(kinds.POD, pod())
        self.observation = DnsObservation(lambda: self.now)
        self.feed = Feed(self.cache)
        self.cache.add_listener(self.feed)
        self.feed.begin(self.observation)
        self.observation.connected(SOURCE)
        self.pump()

    def pump(self) -> None:
        asyncio.run(self.feed.pump())

    def ask(self, client: str, host: str = HOST, at: datetime | None = None) -> None:
        """A pod asks, and it is decided whose that was."""
        self.observation.looked_up(
            SOURCE, ReportedLookup(LookupStage.QUESTION, host, client, at or self.now)
        )
        self.now += timedelta(seconds=30)
        self.observation.tick()
        self.now += timedelta(seconds=60)
        self.observation.tick()

    def pods_seen(self) -> list[str]:
        contacts = self.observation.contacts_of(REF, frozenset())
        return [one.pod_uid for one in contacts.seen]


def test_pods_of_the_cache_are_known() -> None:
    kit = Kit()
    kit.ask("10.1.2.3")
    assert kit.pods_seen() == ["p0"]
    kit.ask("10.1.2.99")
    assert sum(kit.observation.unattributed().values()) == 1


def test_a_new_pod_is_known_at_once() -> None:
    kit = Kit()
    kit.cache.upsert(kinds.POD, pod("it-1", "10.1.2.4", "p1"))
    kit.feed.sync(REF)
    kit.ask("10.1.2.4")
    assert kit.pods_seen() == ["p1"]


def test_a_deleted_pod_keeps_its_time() -> None:
    kit = Kit()
    asked = kit.now
    kit.now += timedelta(seconds=20)
    kit.cache.delete(kinds.POD, pod())
    kit.pump()
    kit.now += timedelta(seconds=2)
    # Reported late.
    kit.ask("10.1.2.3", at=asked + timedelta(seconds=19))
    assert kit.pods_seen() == ["p0"]


def test_a_pod_that_is_deleted_and_still_runs_is_one() -> None:
    kit = Kit()
    ending = pod()
    ending["metadata"]["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    kit.cache.upsert(kinds.POD, ending)
    kit.pump()
    kit.now += timedelta(seconds=25)
    kit.ask("10.1.2.3")
    assert kit.pods_seen() == ["p0"]


def telemetry(*contacts: dict[str, Any], uid: str = "uid-of-it") -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "it", "uid": uid}
    return {
        "metadata": {
            "name": "statefulset-it",
            "namespace": REF.namespace,
            "uid": "w",
            "ownerReferences": [owner],
        },
        "status": {"workload": {"kind": "StatefulSet", "name": "it"}, "contacts": list(contacts)},
    }


RECORD = {
    "host": HOST,
    "pod": "it-0",
    "podUid": "p0",
    "firstTime": "2026-10-01T00:00:00Z",
    "lastTime": "2026-10-02T00:00:00Z",
    "lookups": 5,
}


def test_what_is_stored_counts_at_the_start_and_never_again() -> None:
    kit = Kit()
    kit.cache.upsert(kinds.WORKLOAD_TELEMETRY, telemetry(RECORD))
    kit.pump()
    # A record that comes later is the observation's own.
    assert kit.pods_seen() == []
    kit.feed.begin(kit.observation)
    following = DnsObservation(lambda: kit.now)
    kit.feed.begin(following)
    kit.pump()
    assert [one.lookups for one in following.contacts_of(REF, frozenset()).seen] == [5]
    kit.cache.upsert(kinds.WORKLOAD_TELEMETRY, telemetry({**RECORD, "lookups": 6}))
    kit.pump()
    following.tick()
    assert [one.lookups for one in following.contacts_of(REF, frozenset()).seen] == [5]


def test_another_workload_of_the_same_name_begins_with_nothing() -> None:
    kit = Kit()
    kit.ask("10.1.2.3")
    assert kit.pods_seen() == ["p0"]
    another = {**OWNER, "metadata": {**OWNER["metadata"], "uid": "another"}}
    kit.cache.upsert(SETS, another)
    kit.pump()
    assert kit.pods_seen() == []


def test_a_deleted_workload_is_forgotten() -> None:
    kit = Kit()
    kit.ask("10.1.2.3")
    kit.cache.delete(SETS, OWNER)
    kit.pump()
    assert kit.pods_seen() == []
    assert kit.observation.lookups() == {}
    assert kit.feed.hosts_of(REF) == frozenset()
    assert kit.feed.hosts_in_use() == frozenset()


def test_hosts_follow_products_and_policies() -> None:
    kit = Kit()
    named = {
        "metadata": {"name": "all", "uid": "1", "generation": 1},
        "spec": {"egress": {"hosts": [{"product": "sonarqube", "host": "mine.example.com"}]}},
    }
    kit.ask("10.1.2.3", "mine.example.com")
    assert kit.pods_seen() == []
    kit.cache.upsert(kinds.CLUSTER_POLICY, named)
    kit.pump()
    kit.ask("10.1.2.3", "mine.example.com")
    assert kit.pods_seen() == ["p0"]
    kit.cache.upsert(kinds.PRODUCT, ACME)
    kit.cache.upsert(SETS, manifest(container("acme/acme:1"), kind="StatefulSet"))
    kit.pump()
    assert kit.feed.hosts_of(REF) >= {"t.acme.example"}
    # A pod of the old template still runs.
    assert HOST in kit.feed.hosts_of(REF)
    assert kit.feed.users_of(frozenset({"t.acme.example"})) == [REF]
    assert kit.feed.users_of(frozenset({"other.example"})) == []


def test_containers_are_matched_again_only_if_they_changed() -> None:
    kit = Kit()
    hosts = kit.feed.hosts_of(REF)
    assert HOST in hosts
    settled = {**OWNER, "status": {"observedGeneration": 7, "readyReplicas": 1}}
    kit.cache.upsert(SETS, settled)
    kit.cache.upsert(kinds.POD, pod("it-1", "10.1.2.4", "p1"))
    kit.pump()
    assert kit.feed.hosts_of(REF) is hosts
    kit.ask("10.1.2.4")
    assert kit.pods_seen() == ["p1"]
    kit.cache.upsert(SETS, {**OWNER, "metadata": {**OWNER["metadata"], "uid": "another"}})
    kit.pump()
    assert kit.feed.hosts_of(REF) == hosts
    assert kit.feed.hosts_of(REF) is not hosts


def test_they_are_if_the_template_changed() -> None:
    kit = Kit()
    kit.cache.upsert(kinds.PRODUCT, ACME)
    kit.pump()
    assert "t.acme.example" not in kit.feed.hosts_of(REF)
    kit.cache.upsert(SETS, manifest(container("acme/acme:1"), kind="StatefulSet"))
    kit.pump()
    assert "t.acme.example" in kit.feed.hosts_of(REF)


def test_they_are_if_the_catalogue_changed() -> None:
    kit = Kit()
    both = manifest(container(SONARQUBE), container("acme/acme:1", name="a"), kind="StatefulSet")
    kit.cache.upsert(SETS, both)
    kit.pump()
    assert "t.acme.example" not in kit.feed.hosts_of(REF)
    kit.cache.upsert(kinds.PRODUCT, ACME)
    kit.pump()
    assert "t.acme.example" in kit.feed.hosts_of(REF)


def test_nothing_is_kept_while_nobody_leads() -> None:
    kit = Kit()
    kit.feed.end()
    for number in range(100):
        kit.cache.upsert(kinds.POD, pod(f"it-{number}", f"10.1.3.{number}", f"q{number}"))
    kit.pump()
    assert kit.feed.hosts_of(REF) == frozenset()
