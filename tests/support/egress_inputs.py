"""Situations of the egress side: hosts, NetworkPolicies of others, applied policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from fleet_telemetry.api.policy import ChannelName, EgressDialect, Policy
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.decision import plan_injection
from fleet_telemetry.egress.desired import EgressPlan, plan_egress
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.facts import EgressInput, HostFacts, NetworkFacts
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.judgement import ObjectResults, judge_egress
from fleet_telemetry.egress.network_policies import NetworkPolicy, read_network_policy
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import NAMESPACE, SONARQUBE, Cluster, Manifest, container, manifest

SONAR_HOST = "telemetry.sonarsource.com"
USAGE = ("sonarqube", ChannelName.USAGE)
UPDATES = ("sonarqube", ChannelName.UPDATE_CHECK)


def facts(*addresses: str, **more: Any) -> HostFacts:
    """A host with these addresses, allowed and denied alike; all of them shared if any are."""
    networks = tuple(ip_network(address) for address in addresses)
    shared = networks if more.get("shared_by") else ()
    return replace(HostFacts(allow=networks, deny=networks, shared=shared), **more)


HOSTS = {
    SONAR_HOST: facts("54.230.1.1"),
    "downloads.sonarsource.com": facts("54.230.2.2", "2600:9000::2"),
    "update.sonarsource.org": facts("54.230.3.3"),
    "metrics.dependencytrack.org": facts("20.1.1.1"),
}


def net(
    name: str, *, labels: Mapping[str, str] | None = None, uid: str = "", **spec: Any
) -> Manifest:
    """A NetworkPolicy of somebody's; it selects every pod unless the spec says otherwise."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid or f"uid-of-{name}",
            "labels": dict(labels or {}),
        },
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], **spec},
    }


OURS = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
NOTHING = net("nothing")
"""Isolates every pod, and lets nothing through."""
EVERYTHING = net("everything", egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])
"""As SonarQube's chart has one."""


def except_for(*cidrs: str, name: str = "fleet-telemetry-deployment-it") -> Manifest:
    """What a Deny comes to in a NetworkPolicy."""
    four = [cidr for cidr in cidrs if ":" not in cidr]
    six = [cidr for cidr in cidrs if ":" in cidr]
    blocks = [
        {"ipBlock": {"cidr": "0.0.0.0/0", **({"except": four} if four else {})}},
        {"ipBlock": {"cidr": "::/0", **({"except": six} if six else {})}},
        {"namespaceSelector": {}},
    ]
    return net(name, labels=OURS, egress=[{"to": blocks}])


def read(manifests: Iterable[Manifest]) -> tuple[NetworkPolicy, ...]:
    """The policies in manifests."""
    return tuple(read_network_policy(found) for found in manifests)


def situation(
    *policies: Policy,
    images: tuple[str, ...] = (SONARQUBE,),
    hosts: Mapping[str, HostFacts] | None = None,
    network: Iterable[Manifest] = (),
    served: Iterable[EgressDialect] = (EgressDialect.NETWORK_POLICY,),
    workload: Mapping[str, Any] | None = None,
    pods: Iterable[Mapping[str, str]] = (),
    known: Catalogue | None = None,
    **more: Any,
) -> EgressInput:
    """A workload under policies, among NetworkPolicies; ``pods`` are labels of those that run."""
    containers = [container(image, name=f"c{number}") for number, image in enumerate(images)]
    given = manifest(*containers, selector={"matchLabels": {"app": "it"}}, **(workload or {}))
    asked = Cluster(policies, known or builtin()).input(given, Trigger.RECONCILE)
    plan = plan_injection(asked)
    return EgressInput(
        workload=asked.workload,
        targets=plan.targets,
        effective=plan.effective,
        pod_labels=tuple(pods),
        hosts=HOSTS if hosts is None else hosts,
        network=NetworkFacts(
            policies=read(network),
            served=frozenset(one for one in DIALECTS if one.name in set(served)),
            **{"enforced": True, **more},
        ),
    )


def finding(
    given: EgressInput,
    key: Key = USAGE,
    results: ObjectResults | None = None,
) -> EgressFinding:
    """What is found of one channel."""
    plan: EgressPlan = plan_egress(given)
    return judge_egress(given, plan, results or {})[key]
