"""Which pods are asked: ready ones, at whose address only the product can answer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.spec import AdapterName, Api
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.vendors.instances import Instance, Unasked, find_instances
from fleet_telemetry.vendors.pod_address import why_not_its_own
from fleet_telemetry.workloads.reading import read_pod
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate
from tests.support.builders import (
    DTRACK_5,
    FRONTEND,
    NGINX,
    SONARQUBE,
    WORKER,
    Manifest,
    container,
    manifest,
    pod_manifest,
)
from tests.support.depth import examples
from tests.support.every import every

API = Api(adapter=AdapterName.DEPENDENCY_TRACK, port=8080)
READY = {
    "phase": "Running",
    "podIP": "10.1.0.1",
    "hostIP": "192.168.0.1",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}


def pod(*containers: Manifest, status: dict[str, Any] | None = None, **spec: Any) -> Pod:
    made = pod_manifest(manifest(*(containers or (container(DTRACK_5),)), pod=spec), "dtrack-0")
    return read_pod({**made, "status": {**READY, **(status or {})}})


def find(
    *pods: Pod, product: str = "dependency-track", api: Api = API, **how: Any
) -> tuple[tuple[Instance, ...], tuple[Unasked, ...]]:
    how = {"is_shared": lambda _: False, **how}
    return find_instances(pods, product, api, builtin(), **how)


def test_a_ready_pod_is_asked() -> None:
    (found,), unasked = find(pod())
    assert (found.pod.address, found.container.name, unasked) == ("10.1.0.1", "app", ())


NOT_READY = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]
ON_NODE = (
    "uses the network of its node (hostNetwork), where another process may answer; run it without"
)
METADATA = (
    "has the address 100.100.100.200, which is no pod's: it is the metadata service of Alibaba "
    "Cloud"
)
UNASKED = {
    "not ready": (pod(status={"conditions": NOT_READY}), "is not ready"),
    "no word of being ready": (pod(status={"conditions": []}), "is not ready"),
    "ready, they say": (
        pod(status={"conditions": [{"type": "Ready", "status": True}]}),
        "is not ready",
    ),
    "the node's network": (
        pod(hostNetwork=True, status={"podIP": "192.168.0.1"}),
        ON_NODE,
    ),
    "the node's address": (
        pod(status={"podIP": "192.168.0.1"}),
        "has the address of its node, where another process may answer",
    ),
    "a metadata service": (
        pod(status={"podIP": "100.100.100.200"}),
        METADATA,
    ),
    "another product": (
        pod(container(SONARQUBE)),
        "runs no container of dependency-track that has the API",
    ),
    "no product": (pod(container(NGINX)), "runs no container of dependency-track that has the API"),
}


@pytest.mark.parametrize(("given_pod", "why"), UNASKED.values(), ids=UNASKED)
def test_a_pod_at_whose_address_something_else_may_answer_is_not_asked(
    given_pod: Pod, why: str
) -> None:
    assert find(given_pod) == ((), (Unasked("dtrack-0", why),))
    # Others are.
    (found,), _ = find(given_pod, pod())
    assert found.pod.address == "10.1.0.1"


def test_a_pod_whose_address_another_pod_has_too_is_not_asked() -> None:
    _, (unasked,) = find(pod(), is_shared=lambda _: True)
    assert str(unasked) == "pod dtrack-0 has the address 10.1.0.1, and so does another pod"


@pytest.mark.parametrize(
    "gone",
    [
        {"status": {"podIP": ""}},
        # Its address may be another pod's by now. Those of a Job are still counted.
        {"status": {"phase": "Succeeded"}},
        {"status": {"phase": "Failed"}},
    ],
)
def test_a_pod_that_does_not_run_is_not_even_named(gone: dict[str, Any]) -> None:
    assert find(pod(**gone)) == ((), ())
    assert find(replace(pod(), terminating=True)) == ((), ())


def test_the_container_is_that_of_the_component_with_the_api() -> None:
    api = Api(adapter=AdapterName.SOURCEGRAPH, port=3080, components=("frontend",))
    both = pod(container(WORKER, name="worker"), container(FRONTEND, name="frontend"))
    (found,), _ = find(both, product="sourcegraph", api=api)
    assert found.container.name == "frontend"
    _, (unasked,) = find(pod(container(WORKER)), product="sourcegraph", api=api)
    assert "runs no container of sourcegraph" in unasked.why


def test_of_several_containers_the_one_that_declares_the_port_is_asked() -> None:
    one = container(DTRACK_5, name="one")
    two = container(DTRACK_5, name="two", ports=[{"containerPort": 8080}])
    assert find(pod(one, two))[0][0].container.name == "two"
    assert find(pod(one))[0][0].container.name == "one"


# Addresses


def at(address: str, **more: Any) -> Pod:
    return Pod("a", PodTemplate(()), address=address, phase=PodPhase.RUNNING, **more)


ELSEWHERE = (
    "127.0.0.1", "127.10.0.7", "::1", "::ffff:127.0.0.1", "::ffff:10.1.0.1", "::127.0.0.1",
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00::1%eth0",
    "224.0.0.1", "ff02::1", "0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "240.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::",
    "fd00::5efe:7f00:1", "fd00::200:5efe:a9fe:a9fe",
    "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "", "localhost", "10.1.0.1 ", "10.1.0.01", "metadata.internal", "10.1.0.1:80", "[::1]",
)  # fmt: skip


@every("address", ELSEWHERE)
def test_an_address_that_is_no_pods_is_refused(address: str) -> None:
    assert why_not_its_own(at(address))


@pytest.mark.parametrize(
    "address", ["10.1.0.1", "172.20.3.4", "192.168.7.9", "100.64.3.2", "52.1.2.3", "fd12:3::4",
                "2600:1f18::5"]
)  # fmt: skip
def test_any_other_address_may_be_a_pods(address: str) -> None:
    assert why_not_its_own(at(address)) == ""
    assert why_not_its_own(at(address, node_address="10.9.9.9")) == ""
    assert why_not_its_own(at(address, node_address=address))


def test_loopback_addresses_are_those_of_pods_on_a_local_cluster_only() -> None:
    for address in ("127.10.0.7", "::1"):
        assert why_not_its_own(at(address), loopback=True) == ""
        assert why_not_its_own(at(address))
    assert why_not_its_own(at("169.254.169.254"), loopback=True)
    assert why_not_its_own(at("127.0.0.1", node_address="127.0.0.1"), loopback=True)


@examples(500)
@given(
    st.ip_addresses(v=4) | st.ip_addresses(v=6) | st.ip_addresses(network="::/64"),
    st.booleans(),
)
def test_no_special_address_is_ever_accepted(
    address: IPv4Address | IPv6Address, loopback: bool
) -> None:
    if why_not_its_own(at(str(address)), loopback=loopback) == "":
        special = address.is_link_local, address.is_multicast, address.is_unspecified
        assert special == (False, False, False)
        assert loopback or not address.is_loopback


@examples(200)
@given(st.text())
def test_any_text_is_an_answer(text: str) -> None:
    assert isinstance(why_not_its_own(at(text)), str)
