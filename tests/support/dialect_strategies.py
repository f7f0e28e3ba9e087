"""Desired network policies of every shape that may come."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction, NetworkProtocol, PolicyKind
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.model import (
    DesiredNetworkPolicy,
    Destination,
    Network,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
WORKLOAD_NAMES = (
    st.lists(st.from_regex(LABEL, fullmatch=True), min_size=1, max_size=4)
    .map(".".join)
    .filter(lambda name: len(name) <= 253)
)
WORKLOADS = st.builds(
    WorkloadRef,
    st.from_regex(LABEL, fullmatch=True),
    st.sampled_from(WorkloadKind),
    WORKLOAD_NAMES,
)
"""Of every name there can be; drawn slowly."""

# What follows is drawn from a few words: their shape is not the point, and that two are equal is.


def workloads_in(*namespaces: str) -> st.SearchStrategy[WorkloadRef]:
    """Of few names, in one of these namespaces."""
    return st.builds(
        WorkloadRef,
        st.sampled_from(namespaces),
        st.sampled_from(WorkloadKind),
        st.sampled_from(["web", "0.a-b", "x" * 253]),
    )


_hosts = st.sampled_from(
    ["t.example.com", "u.example.com", "0-1.a.example.org", f"{'long.' * 40}io"]
)
_ports = st.sampled_from([443, 80, 1, 65535]) | st.integers(1, 65535)
_keys = st.sampled_from(
    ["app", "a", "app.kubernetes.io/name", "x-y.example.com/A_b.c", "pod-template-hash"]
)
_values = st.sampled_from(["", "web", "A_b.c-1", "9" * 63])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A single address, or a range as they are published."""
    if draw(st.booleans()):
        bits = draw(st.just(32) | st.integers(12, 32))
        return ip_network((IPv4Address(draw(st.integers(0, 2**32 - 1))), bits), strict=False)
    bits = draw(st.just(128) | st.integers(28, 128))
    return ip_network((IPv6Address(draw(st.integers(0, 2**128 - 1))), bits), strict=False)


destinations = st.builds(Destination, _hosts, _ports, st.lists(networks(), max_size=6).map(tuple))

_expressions = st.fixed_dictionaries(
    {
        "key": _keys,
        "operator": st.sampled_from(["In", "NotIn"]),
        "values": st.lists(_values, min_size=1, max_size=3),
    }
) | st.fixed_dictionaries(
    {"key": _keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])},
    optional={"values": st.just([])},
)
selectors = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(_keys, _values, max_size=3),
        "matchExpressions": st.lists(_expressions, max_size=3) | st.tuples(_expressions),
    },
)
pod_selectors = selectors.filter(
    lambda given: bool(given.get("matchLabels") or given.get("matchExpressions"))
)
_reachable_ports = st.lists(
    st.tuples(st.sampled_from([*NetworkProtocol, "TCP"]), _ports), max_size=4
).map(tuple)
_by_labels = st.tuples(st.none() | selectors, st.none() | selectors).filter(
    lambda pair: pair != (None, None)
)
reachables = st.builds(Reachable, cidr=networks(), ports=_reachable_ports) | st.builds(
    lambda pair, ports: Reachable(None, pair[0], pair[1], ports), _by_labels, _reachable_ports
)
owners = st.builds(
    OwnerReference,
    st.sampled_from(["fleettelemetry.io/v1alpha1", "networking.k8s.io/v1"]),
    st.sampled_from([*PolicyKind, "NetworkPolicy"]),
    st.sampled_from(["opt-out", "isolate"]),
    st.sampled_from(["uid-1", "uid-2", "uid-3"]),
)


def desired_policies(**fixed: Any) -> st.SearchStrategy[DesiredNetworkPolicy]:
    """Desired policies with which nothing is wrong."""
    return st.builds(
        DesiredNetworkPolicy,
        **{
            "workload": workloads_in("default", "a", "n" * 63),
            "selector": pod_selectors,
            "action": st.sampled_from(EgressAction),
            "destinations": st.lists(destinations, max_size=5).map(tuple),
            "reachable": st.lists(reachables, max_size=3).map(tuple),
            "families": st.sets(st.sampled_from(AddressFamily), min_size=1).map(frozenset),
            "owners": st.lists(owners, max_size=3).map(tuple),
            **fixed,
        },
    )
