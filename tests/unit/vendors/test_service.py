"""Services as manifests give them."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.vendors.service import Endpoint, Service, ServicePort, read_service


def manifest(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "apps"}, "spec": spec}


def test_a_service_is_read() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"port": 443, "targetPort": "tls"}]
    found = read_service(
        manifest(type="ClusterIP", clusterIP="10.0.0.7", selector={"app": "web"}, ports=ports)
    )
    assert found == Service(
        name="web",
        namespace="apps",
        selector={"app": "web"},
        ports=(ServicePort(80, "http", 8080), ServicePort(443, "", "tls")),
    )


def test_a_port_without_a_target_leads_to_its_own_number() -> None:
    assert read_service(manifest(ports=[{"port": 9000}])).ports == (ServicePort(9000, "", 9000),)


def test_only_tcp_can_be_asked() -> None:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 54, "protocol": "TCP"}, {"port": "x"}]
    assert [port.number for port in read_service(manifest(ports=ports)).ports] == [54]


@pytest.mark.parametrize(
    "given",
    [{}, {"metadata": None, "spec": None}, {"spec": {"selector": [], "ports": {}, "clusterIP": 1}}],
)
def test_what_is_missing_or_malformed_reads_as_empty(given: dict[str, Any]) -> None:
    assert read_service(given) == Service(name="", namespace="")


@pytest.mark.parametrize(
    ("selector", "labels", "selects"),
    [
        ({"app": "web"}, {"app": "web", "tier": "front"}, True),
        ({"app": "web", "tier": "front"}, {"app": "web"}, False),
        ({"app": "web"}, {"app": "other"}, False),
        ({"app": "web"}, {}, False),
        # Without a selector its author says by hand where it leads.
        ({}, {"app": "web"}, False),
        ({}, {}, False),
    ],
)
def test_what_a_selector_selects(
    selector: dict[str, str], labels: dict[str, str], selects: bool
) -> None:
    assert read_service(manifest(selector=selector)).selects(labels) is selects


def test_a_name_of_something_outside_selects_nothing_whatever_its_selector_says() -> None:
    found = read_service(
        manifest(type="ExternalName", externalName="collector.example", selector={"app": "web"})
    )
    assert not found.selects({"app": "web"})


def test_an_endpoint_is_shown_by_its_host() -> None:
    shown = str(Endpoint("https", "10.0.0.7", 8443, "web.apps.svc", "/base"))
    assert shown == "https://web.apps.svc:8443/base"
