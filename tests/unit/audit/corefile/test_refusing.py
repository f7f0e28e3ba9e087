"""Whose lookups are refused: by which policies, of which pods, and what is spared."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest

from fleet_telemetry.audit.corefile.addition import Addition
from fleet_telemetry.audit.corefile.planning import CorefileOptions, DnsFacts, plan_addition
from fleet_telemetry.audit.corefile.refusing import MOST_IN_RULES, By, RefusalRule
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.controllers.observed.canaries import Canaries
from tests.support.audits import NOW

GRAFANA, MIMIR = "grafana/grafana:11.0.0", "grafana/mimir:2.14.0"
HOST, SHARED = "stats.grafana.org", "grafana.com"
PLAIN, VERIFIED = (
    DnsFacts(
        corefile=f".:53 {{\nkubernetes cluster.local {{\npods {mode}\n}}\nforward . 192.0.2.1\n}}",
        custom={},
        image="coredns:1.12.0",
    )
    for mode in ("insecure", "verified")
)
Manifest = dict[str, Any]


def deployment(name: str, *images: str, namespace: str = "team-a", **spec: Any) -> Manifest:
    containers = [{"name": f"c{place}", "image": one} for place, one in enumerate(images)]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, **spec}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def policy(name: str = "p", kind: str = "ClusterTelemetryPolicy", **spec: Any) -> Manifest:
    metadata = {"name": name}
    if kind == "TelemetryPolicy":
        metadata["namespace"] = "team-a"
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": {"channels": ["Usage", "UpdateCheck"], "egress": {"dns": "Refuse"}, **spec},
    }


def planned(
    folder: Path,
    *manifests: Manifest,
    facts: DnsFacts = PLAIN,
    pods: dict[str, tuple[str, ...]] | None = None,
    **options: Any,
) -> Addition:
    """What is added for manifests, whose pods have addresses by the workload's name."""
    path = folder / "all.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    found = gather_files([str(path)], io.BytesIO(), "default", NOW)
    subjects: list[Subject | Other] = []
    for one in found.subjects:
        if isinstance(one, Subject):
            wanted = (pods or {}).get(one.workload.ref.name, ("10.0.0.1",))
            (pod,) = one.pods
            many = tuple(
                dataclasses.replace(pod, addresses=(address,) if address else ())
                for address in wanted
            )
            subjects.append(dataclasses.replace(one, pods=many))
        else:
            subjects.append(one)
    assert not found.problems
    found.subjects = subjects
    return plan_addition(found, facts, CorefileOptions(**{"tap": None, **options}), NOW)


def refused(added: Addition) -> dict[str, set[str]]:
    """Hosts by client."""
    found: dict[str, set[str]] = {}
    for rule in added.rules:
        for client in rule.clients:
            found.setdefault(client, set()).update(rule.hosts)
    return found


def noted(added: Addition, *words: str) -> bool:
    return any(all(word in note for word in words) for note in added.notes)


def test_the_addresses_of_the_policys_pods(tmp_path: Path) -> None:
    added = planned(
        tmp_path,
        deployment("g", GRAFANA),
        deployment("other", "nginx:1"),
        deployment("elsewhere", GRAFANA, namespace="team-b"),
        policy(kind="TelemetryPolicy"),
        pods={"g": ("10.0.0.1", "fd00::1"), "other": ("10.0.0.2",), "elsewhere": ("10.0.0.3",)},
    )
    assert refused(added) == {"10.0.0.1": {HOST}, "fd00::1": {HOST}}
    assert noted(added, SHARED, "sharedAddresses")
    assert added.refusals.policies == ("TelemetryPolicy team-a/p",)


def test_the_namespaces_of_the_policys_pods(tmp_path: Path) -> None:
    manifests = (
        deployment("g", GRAFANA),
        deployment("g", GRAFANA, namespace="team-b"),
        policy(egress={"dns": "Refuse", "sharedAddresses": "Accept"}),
    )
    added = planned(tmp_path, *manifests, by=By.NAMESPACES)
    assert [rule.clients for rule in added.rules] == [("team-a", "team-b")]
    assert {HOST, SHARED} <= set(added.rules[0].hosts)


@pytest.mark.parametrize(
    ("facts", "options", "expected"),
    [
        (PLAIN, {}, By.ADDRESSES),
        (VERIFIED, {}, By.NAMESPACES),
        (VERIFIED, {"by": By.ADDRESSES}, By.ADDRESSES),
        (PLAIN, {"by": By.NAMESPACES}, By.NAMESPACES),
        (PLAIN, {"has_pods": False}, By.NAMESPACES),
    ],
)
def test_which_of_the_two(
    tmp_path: Path, facts: DnsFacts, options: dict[str, Any], expected: By
) -> None:
    added = planned(tmp_path, deployment("g", GRAFANA), policy(), facts=facts, **options)
    assert added.refusals.by is expected
    assert added.rules


@pytest.mark.parametrize(
    "spec",
    [
        {"egress": {"dns": "None"}},
        {"egress": {}},
        {"egress": None},
        {"mode": "Audit"},
        {"submission": "Enabled", "egress": {"action": "Allow"}},
        {"products": ["emqx"]},
        {
            "exceptions": [
                {
                    "workload": {"kind": "Deployment", "namespace": "team-a", "name": "g"},
                    "reason": "because",
                }
            ]
        },
    ],
)
def test_what_asks_for_nothing(tmp_path: Path, spec: Manifest) -> None:
    given = {key: value for key, value in policy(**spec)["spec"].items() if value is not None}
    for by in By:
        added = planned(tmp_path, deployment("g", GRAFANA), {**policy(), "spec": given}, by=by)
        assert refused(added) == {}


def test_the_policy_that_wins_decides(tmp_path: Path) -> None:
    weaker = policy("weaker", "TelemetryPolicy")
    stronger = policy("stronger", egress={"dns": "None"})
    added = planned(tmp_path, deployment("g", GRAFANA), weaker, stronger)
    assert refused(added) == {}


def test_a_host_that_another_product_of_the_pod_may_use(tmp_path: Path) -> None:
    added = planned(tmp_path, deployment("both", GRAFANA, MIMIR), policy(products=["grafana"]))
    assert HOST not in str(refused(added))
    assert noted(added, HOST, "mimir in the same pod")
    both = planned(
        tmp_path, deployment("both", GRAFANA, MIMIR), policy(products=["grafana", "mimir"])
    )
    assert refused(both) == {"10.0.0.1": {HOST}}


def test_a_host_that_another_workload_of_the_namespace_may_use(tmp_path: Path) -> None:
    manifests = (
        deployment("g", GRAFANA),
        deployment("m", MIMIR),
        deployment("g", GRAFANA, namespace="team-b"),
        policy(products=["grafana"]),
    )
    added = planned(tmp_path, *manifests, by=By.NAMESPACES)
    assert refused(added) == {"team-b": {HOST}}
    assert noted(added, HOST, "namespace team-a", "team-a/Deployment/m")
    assert refused(planned(tmp_path, *manifests)) == {"10.0.0.1": {HOST}}


def test_a_host_that_a_lone_pod_of_the_namespace_may_use(tmp_path: Path) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lone", "namespace": "team-a"},
        "spec": {"containers": [{"name": "m", "image": MIMIR}]},
    }
    added = planned(tmp_path, deployment("g", GRAFANA), pod, policy(), by=By.NAMESPACES)
    assert refused(added) == {}
    assert noted(added, HOST, "Pod team-a/lone")


def test_pods_on_the_network_of_their_node_are_not_refused(tmp_path: Path) -> None:
    for by in By:
        added = planned(tmp_path, deployment("g", GRAFANA, hostNetwork=True), policy(), by=by)
        assert refused(added) == {}
        assert noted(added, "team-a/Deployment/g", "its node's network")


def test_pods_that_ask_others_are_noted(tmp_path: Path) -> None:
    added = planned(tmp_path, deployment("g", GRAFANA, dnsPolicy="Default"), policy())
    assert refused(added) == {"10.0.0.1": {HOST}}
    assert noted(added, "team-a/Deployment/g", "other name servers")


def test_pods_without_an_address_are_noted(tmp_path: Path) -> None:
    added = planned(tmp_path, deployment("g", GRAFANA), policy(), pods={"g": ("",)})
    assert refused(added) == {}
    assert noted(added, "team-a/Deployment/g", "without a known address")


@pytest.mark.parametrize("wrong", ["10.0.0.1'", "010.0.0.1", "x", "10.0.0.1\n", "fe80::1%a'b"])
def test_what_is_no_address_is_in_no_rule(tmp_path: Path, wrong: str) -> None:
    added = planned(tmp_path, deployment("g", GRAFANA), policy(), pods={"g": (wrong, "10.0.0.9")})
    assert refused(added) == {"10.0.0.9": {HOST}}


def test_a_host_of_a_tenant_is_refused_to_it_and_reported_for_nobody(tmp_path: Path) -> None:
    own = {"product": "grafana", "host": "proxy.example.com"}
    added = planned(
        tmp_path,
        deployment("g", GRAFANA),
        policy(kind="TelemetryPolicy", egress={"dns": "Refuse", "hosts": [own]}),
    )
    assert refused(added) == {"10.0.0.1": {HOST, "proxy.example.com"}}
    assert "proxy.example.com" not in added.hosts
    assert HOST in added.hosts


@pytest.mark.thorough
def test_too_many_refuse_nothing_and_say_so(tmp_path: Path) -> None:
    def with_pods(count: int) -> Addition:
        addresses = tuple(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count))
        return planned(tmp_path, deployment("g", GRAFANA), policy(), pods={"g": addresses})

    assert len(refused(with_pods(MOST_IN_RULES - 1))) == MOST_IN_RULES - 1
    added = with_pods(MOST_IN_RULES)
    assert refused(added) == {}
    assert noted(added, "Nothing is refused", "--by namespaces")


def test_old_versions_are_noted(tmp_path: Path) -> None:
    manifests = (deployment("g", GRAFANA), policy())
    for image, word in (("coredns:1.9.4", "older than 1.10.0"), ("coredns", "1.10.0 or later")):
        facts = dataclasses.replace(PLAIN, image=image)
        assert noted(planned(tmp_path, *manifests, facts=facts), word)
        assert not noted(planned(tmp_path, manifests[0], facts=facts), word)


def test_nothing_is_refused_where_all_lookups_are_reported(tmp_path: Path) -> None:
    added = planned(tmp_path, deployment("g", GRAFANA), policy(), everything=True)
    assert added.rules == ()
    assert noted(added, "without it, too")


def test_clients_with_the_same_hosts_share_a_rule_in_the_order_of_their_numbers(
    tmp_path: Path,
) -> None:
    pods = ("10.0.0.10", "10.0.0.9", "fd00::2", "10.0.0.10")
    added = planned(tmp_path, deployment("g", GRAFANA), policy(), pods={"g": pods})
    assert added.rules == (RefusalRule(("10.0.0.9", "10.0.0.10", "fd00::2"), (HOST,)),)


def test_canaries_of_the_operator_go_through_both_blocks() -> None:
    class Log:
        def canary_sent(self, name_server: str, token: str, *, search: bool = False) -> None:
            pass

        def set_autopath(self, name_server: str, *, in_use: bool) -> None:
            pass

    make = Canaries(Log(), "cluster.local")._token
    last = {make()[-1] for _ in range(400)}
    assert last == set("0123456789abcdef")
