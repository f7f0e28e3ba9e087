"""What the EndpointSlice of the leader says, and when it is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.controllers.observed.own_slice import desired_slice, is_as_desired

SERVICE = {
    "metadata": {"name": "fto-dnstap", "uid": "u1"},
    "spec": {"ports": [{"name": "tap", "port": 6000}]},
}


def options(address: str = "10.1.2.3") -> ObserverOptions:
    return ObserverOptions(
        namespace="fleet-telemetry",
        service="fto-dnstap",
        address=ip_address(address),
        host=address,
        port=6000,
        dns_namespace="kube-system",
        dns_service="kube-dns",
    )


def test_it_leads_to_this_pod() -> None:
    assert desired_slice(options(), SERVICE) == {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "fto-dnstap-leader",
            "namespace": "fleet-telemetry",
            "labels": {
                "kubernetes.io/service-name": "fto-dnstap",
                "endpointslice.kubernetes.io/managed-by": "fleettelemetry.io",
                "app.kubernetes.io/managed-by": "fleet-telemetry",
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Service", "name": "fto-dnstap", "uid": "u1"}
            ],
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
        "ports": [{"name": "tap", "port": 6000, "protocol": "TCP"}],
    }


def test_the_family_is_that_of_the_address() -> None:
    found = desired_slice(options("2001:db8::3"), SERVICE)
    assert (found["addressType"], found["endpoints"][0]["addresses"]) == ("IPv6", ["2001:db8::3"])


def test_without_the_service_the_port_has_the_name_that_the_chart_gives_it() -> None:
    found = desired_slice(options(), None)
    assert found["ports"] == [{"name": "dnstap", "port": 6000, "protocol": "TCP"}]
    assert "ownerReferences" not in found["metadata"]


def as_served() -> dict[str, Any]:
    """What the API server has of it, with what it adds."""
    found = copy.deepcopy(desired_slice(options(), SERVICE))
    found["metadata"] |= {"resourceVersion": "7", "uid": "u2", "generation": 1, "managedFields": []}
    found["metadata"]["labels"]["team"] = "a"
    return found


def test_nothing_is_written_where_it_is_as_it_should_be() -> None:
    assert is_as_desired(as_served(), desired_slice(options(), SERVICE))
    # The owner stays if the Service cannot be read for a while.
    unread = desired_slice(options(), {**SERVICE, "metadata": {"uid": "u1"}})
    del unread["metadata"]["ownerReferences"]
    assert is_as_desired(as_served(), unread)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["endpoints"][0].update(addresses=["10.1.2.4"]),
        lambda it: it["endpoints"][0].update(conditions={"ready": False}),
        lambda it: it["endpoints"].append({"addresses": ["10.1.2.4"]}),
        lambda it: it.update(endpoints=None),
        lambda it: it["ports"][0].update(port=6001),
        lambda it: it["ports"][0].update(name="dnstap"),
        lambda it: it.update(addressType="IPv6"),
        lambda it: it["metadata"]["labels"].pop("kubernetes.io/service-name"),
        lambda it: it["metadata"].pop("labels"),
        lambda it: it["metadata"].pop("ownerReferences"),
        lambda it: it["metadata"]["ownerReferences"][0].update(uid="u0"),
    ],
)
def test_it_is_written_where_it_differs(change: Callable[[dict[str, Any]], object]) -> None:
    present = as_served()
    change(present)
    assert not is_as_desired(present, desired_slice(options(), SERVICE))
