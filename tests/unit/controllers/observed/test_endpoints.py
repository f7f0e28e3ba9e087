"""Where name servers are, as the objects of their Service say it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.controllers.observed.endpoints import read_pods, read_slice, selector_of
from tests.support.depth import examples

UDP = {"name": "dns", "port": 53, "protocol": "UDP"}
TCP = {"name": "dns-tcp", "port": 53, "protocol": "TCP"}
METRICS = {"name": "metrics", "port": 9153, "protocol": "TCP"}


def endpoint_slice(
    *addresses: str, ports: Any = (TCP, UDP, METRICS), family: str = "IPv4", **conditions: bool
) -> dict[str, Any]:
    endpoints = [{"addresses": [one], "conditions": conditions} for one in addresses]
    return {"addressType": family, "ports": list(ports), "endpoints": endpoints}


def found(manifest: dict[str, Any]) -> list[str]:
    return [f"{one.address}|{one.port}" for one in read_slice(manifest)]


def test_both_families() -> None:
    assert found(endpoint_slice("10.0.0.1", "10.0.0.2")) == ["10.0.0.1|53", "10.0.0.2|53"]
    assert found(endpoint_slice("2001:db8::1", family="IPv6")) == ["2001:db8::1|53"]


@pytest.mark.parametrize(
    "conditions",
    [
        {"ready": False},
        {"ready": False, "serving": True, "terminating": True},
        {"ready": False, "serving": False, "terminating": True},
        {},
    ],
)
def test_one_that_is_not_ready_may_answer(conditions: dict[str, bool]) -> None:
    assert found(endpoint_slice("10.0.0.1", **conditions)) == ["10.0.0.1|53"]


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ([TCP, {**UDP, "port": 5353}], 5353),
        ([{**UDP, "name": "other", "port": 5}, UDP], 53),
        ([{**UDP, "name": "udp-53", "port": 8053}], 8053),
        ([{**UDP, "name": ""}], 53),
        ([{"name": "dns", "protocol": "UDP"}], 53),
        ([TCP, METRICS], None),
        ([{"name": "dns", "port": 53}], None),
        ([], None),
        ([{**UDP, "port": 0}], None),
        ([{**UDP, "port": 70000}], None),
        ([{**UDP, "port": True}], None),
        ([{**UDP, "port": "53"}], None),
    ],
)
def test_the_port_of_dns_by_udp(ports: list[dict[str, Any]], port: int | None) -> None:
    expected = [] if port is None else [f"10.0.0.1|{port}"]
    assert found(endpoint_slice("10.0.0.1", ports=ports)) == expected


def test_names_and_addresses_of_no_server_are_left_out() -> None:
    assert found(endpoint_slice("dns.example.com", family="FQDN")) == []
    assert found(endpoint_slice("10.0.0.1", family="FQDN")) == []
    assert found(endpoint_slice("0.0.0.0", "224.0.0.1", "x", "10.0.0.1")) == ["10.0.0.1|53"]


def service(**port: Any) -> dict[str, Any]:
    ports = [{"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    ports.append({"name": "dns", "port": 53, "protocol": "UDP", **port})
    return {"spec": {"selector": {"k8s-app": "kube-dns"}, "ports": ports}}


def pod(address: str = "10.0.0.1", phase: str = "Running", **more: Any) -> dict[str, Any]:
    ports = [
        {"name": "dns-tcp", "containerPort": 54, "protocol": "TCP"},
        {"name": "dns", "containerPort": 1053, "protocol": "UDP"},
    ]
    status = {"podIP": address, "phase": phase, **more}
    return {"status": status, "spec": {"containers": [{"name": "coredns", "ports": ports}]}}


def behind(of_service: dict[str, Any], *pods: dict[str, Any]) -> list[str]:
    return [f"{one.address}|{one.port}" for one in read_pods(of_service, pods)]


def test_pods_of_a_service_without_endpoint_slices() -> None:
    assert behind(service(targetPort="dns"), pod()) == ["10.0.0.1|1053"]
    assert behind(service(targetPort=5353), pod(phase="Pending")) == ["10.0.0.1|5353"]
    assert behind(service(), pod()) == ["10.0.0.1|53"]
    assert behind(service(targetPort="dns-tcp"), pod()) == []
    assert behind(service(), pod(phase="Succeeded"), pod(phase="Failed"), pod("")) == []
    assert behind({"spec": {"ports": service()["spec"]["ports"]}}, pod()) == []
    both = pod(podIPs=[{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}])
    assert behind(service(), both) == ["10.0.0.1|53", "2001:db8::1|53"]


KEYS = [
    *("spec", "status", "ports", "protocol", "port", "endpoints", "addresses", "podIP"),
    *("addressType", "selector", "targetPort", "containers", "podIPs", "ip", "name"),
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["10.0.0.1", "UDP", "IPv4", "x"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@examples(200)
@given(JSON, JSON)
def test_no_manifest_makes_it_fail(one: Any, other: Any) -> None:
    for manifest in (one, other):
        if isinstance(manifest, dict):
            list(read_slice(manifest))
            selector_of(manifest)
            list(read_pods(manifest, [one for one in (other,) if isinstance(one, dict)]))
