"""How many hosts of TelemetryPolicies are looked up, and who is told that others are not."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy, PolicyKind, PolicyStatus
from fleet_telemetry.api.reasons import EgressReason, PolicyReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.egress.host_grants import HostGrants
from fleet_telemetry.controllers.keys import PolicyStatusKey, ReconcileKey
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_quota import HostQuota, grant_hosts, wanted_hosts
from fleet_telemetry.egress.host_use import find_needs, find_uses
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.reporting.policy_status import build_policy_status
from tests.support.builders import LATER, NOW, policy
from tests.support.egress_inputs import HOSTS, SONAR_HOST, except_for, finding, situation

QUOTA = HostQuota(of_namespace=3, in_total=5)


def naming(namespace: str, *hosts: str, name: str = "mine", **more: Any) -> Policy:
    named = [{"product": "sonarqube", "host": host} for host in hosts]
    return policy(name, namespace=namespace, egress={"hosts": named}, **more)


def numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}.example.com" for number in range(count)]


# Who gets how many


def test_older_policies_of_a_namespace_come_first() -> None:
    new = naming("a", "new.example.com", name="a-new", created=LATER)
    old = naming("a", *numbered("old", 2), "new.example.com", name="z-old")
    assert wanted_hosts([new, old], QUOTA) == (*numbered("old", 2), "new.example.com")
    assert len(wanted_hosts([naming("a", *numbered("x", 60))], QUOTA)) == 3
    assert wanted_hosts([policy(), policy(egress={})], QUOTA) == ()


def test_namespaces_take_turns() -> None:
    wanted = {"a": numbered("a", 3), "b": numbered("b", 3), "z": ["z.example.com"]}
    granted = grant_hosts(wanted, QUOTA)
    assert granted == {
        "a": frozenset(numbered("a", 2)),
        "b": frozenset(numbered("b", 2)),
        "z": frozenset({"z.example.com"}),
    }


def test_one_host_of_several_namespaces_counts_once() -> None:
    same = numbered("same", 3)
    granted = grant_hosts(dict.fromkeys("abcdefgh", same), QUOTA)
    assert set(granted.values()) == {frozenset(same)}


_names = st.sampled_from(numbered("h", 12))


@given(
    st.dictionaries(st.sampled_from("abcde"), st.lists(_names, unique=True, max_size=8)),
    st.integers(1, 4),
    st.integers(1, 9),
)
def test_no_limit_is_exceeded_and_nothing_is_left_out_without_need(
    wanted: dict[str, list[str]], of_namespace: int, in_total: int
) -> None:
    quota = HostQuota(of_namespace, in_total)
    capped = {namespace: hosts[:of_namespace] for namespace, hosts in wanted.items()}
    granted = grant_hosts(capped, quota)

    every = set[str]().union(*granted.values())
    assert len(every) <= in_total
    for namespace, hosts in capped.items():
        assert granted[namespace] <= set(hosts)
        if len(set[str]().union(*capped.values())) <= in_total:
            assert granted[namespace] == set(hosts)
    # Nobody has two of its own more than somebody who is refused one.
    for namespace, hosts in capped.items():
        if set(hosts) - granted[namespace]:
            assert all(
                len(other) <= len(granted[namespace]) + 1 + len(every & set(capped[name]))
                for name, other in granted.items()
            )


def test_ten_thousand_policies_take_no_time() -> None:
    many = [naming("flood", *numbered(f"p{n}-", 64), name=f"p{n}") for n in range(1000)]
    started = time.process_time()
    assert len(wanted_hosts(many * 10, HostQuota())) == 32
    flood = {f"n{n}": numbered(f"n{n}-", 32) for n in range(400)}
    assert len(set[str]().union(*grant_hosts(flood, HostQuota()).values())) == 512
    assert time.process_time() - started < 2


# As policies change


class Kept:
    def __init__(self) -> None:
        self.cache = ClusterCache(builtin())
        self.enqueued: list[ReconcileKey] = []
        self.grants = HostGrants(self.cache, self.enqueued.append, QUOTA)

    def has(self, *policies: Policy) -> None:
        for one in policies:
            self.cache.upsert(kinds.POLICY, self._manifest(one))
            self.grants.mark(one.namespace)

    def loses(self, policy: Policy) -> None:
        self.cache.delete(kinds.POLICY, self._manifest(policy))
        self.grants.mark(policy.namespace)

    def _manifest(self, policy: Policy) -> dict[str, Any]:
        return {
            "metadata": {
                "namespace": policy.namespace,
                "name": policy.name,
                "uid": f"{policy.namespace}-{policy.name}",
                "generation": 1,
                "creationTimestamp": policy.created.isoformat(),
            },
            "spec": msgspec.to_builtins(policy.spec),
        }


def test_what_one_namespace_gives_up_another_gets_and_is_told() -> None:
    kept = Kept()
    first, second = naming("a", *numbered("a", 3)), naming("b", *numbered("b", 3))
    kept.has(first, second)
    assert kept.grants.granted("a") == set(numbered("a", 3))
    assert kept.grants.granted("b") == set(numbered("b", 2))
    assert kept.grants.not_looked_up(second) == ("b2.example.com",)
    assert kept.grants.not_looked_up(first) == ()
    assert kept.enqueued == []

    kept.loses(first)
    assert kept.grants.granted("a") == frozenset()
    assert kept.grants.granted("b") == set(numbered("b", 3))
    assert PolicyStatusKey((PolicyKind.NAMESPACED, "b", "mine")) in kept.enqueued


def test_a_cluster_policy_is_not_limited() -> None:
    kept = Kept()
    ruling = naming("", *numbered("x", 60), cluster=True)
    assert kept.grants.not_looked_up(ruling) == ()


# What follows


def test_hosts_beyond_the_limit_are_not_looked_up_and_never_denied() -> None:
    asking = naming("appsec", "in.example.com", "out.example.com")
    given_ = situation(asking)
    uses = find_uses(given_.targets, given_.effective)
    granted = frozenset({"in.example.com"})

    needs = {need.host for need in find_needs(uses, given_.effective, granted)}
    assert "in.example.com" in needs
    assert "out.example.com" not in needs
    assert SONAR_HOST in needs

    hosts = {
        **HOSTS,
        "in.example.com": HOSTS[SONAR_HOST],
        "out.example.com": HostFacts(over_quota=True),
    }
    found = finding(situation(asking, hosts=hosts, network=[except_for("54.230.1.1/32")]))
    assert (found.verdict, found.reason) == (EgressVerdict.UNKNOWN, EgressReason.TOO_MANY_HOSTS)
    assert "out.example.com" in found.detail


def test_a_catalogue_host_that_a_policy_names_again_is_looked_up() -> None:
    given_ = situation(naming("appsec", SONAR_HOST))
    uses = find_uses(given_.targets, given_.effective)
    needs = find_needs(uses, given_.effective, frozenset())
    assert SONAR_HOST in {need.host for need in needs}


def test_the_policy_says_which_are_not_looked_up() -> None:
    many = numbered("x", 9)
    status = build_policy_status(
        naming("a", *many), (), builtin(), PolicyStatus(), NOW, hosts_not_looked_up=many
    )
    (told,) = [one for one in status.conditions if one.type == "Accepted"]
    assert (told.status, told.reason) == ("False", PolicyReason.TOO_MANY_HOSTS)
    assert "not looked up: x0.example.com, x1.example.com" in told.message
    assert "and 4 more" in told.message
    assert "may name 32 hosts" in told.message
