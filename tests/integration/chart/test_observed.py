"""What the chart installs so that the controller sees what the cluster's DNS is asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.harness.operator import CHART, NAMESPACE
from tests.support.previous_chart import previous_chart
from tests.support.rendering import MATRIX, Manifest, RenderError, Values, manifests, render

pytestmark = pytest.mark.cluster

ON: Values = {"observed": {"enabled": True}}
DNS_PODS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
OBSERVING = [name for name, values in MATRIX.items() if values.get("observed", {}).get("enabled")]


@cache
def _rendered(name: str) -> list[Manifest]:
    return list(manifests(render(ON if name == "on" else MATRIX[name])))


def one(name: str, kind: str, suffix: str) -> Manifest:
    (found,) = (
        manifest
        for manifest in _rendered(name)
        if manifest["kind"] == kind and manifest["metadata"]["name"].endswith(suffix)
    )
    return found


def names(kind: str, values: Values) -> set[str]:
    return {m["metadata"]["name"] for m in manifests(render(values)) if m["kind"] == kind}


def container(name: str, role: str = "controller") -> Manifest:
    spec = one(name, "Deployment", f"-{role}")["spec"]["template"]["spec"]
    found: Manifest = spec["containers"][0]
    return found


def test_off_nothing_of_it_is_rendered() -> None:
    for manifest in _rendered("defaults"):
        # Dashboards, rules and CRDs know the subject, whether it is on or not.
        if manifest["kind"] != "CustomResourceDefinition":
            text = yaml.safe_dump(manifest)
            assert "dnstap" not in text
            assert "--observe" not in text
            assert "POD_IP" not in text


@pytest.mark.parametrize(
    "observed", [{"enabled": False}, {"port": 7000, "sources": ["10.0.0.0/8"]}, None]
)
def test_values_do_nothing_while_it_is_off(observed: Any) -> None:
    assert render({"observed": observed}) == render()


def test_the_helper_repeats_the_defaults() -> None:
    """They hold for a release that has none of these values (--reuse-values)."""
    without: dict[str, Any] = {"enabled": True}
    whole = yaml.safe_load((CHART / "values.yaml").read_text())["observed"]
    for key in whole:
        if key != "enabled":
            # Null takes a default away.
            without[key] = None
    assert render({"observed": without}) == render({"observed": {**whole, "enabled": True}})


def test_only_the_controller_has_the_flags() -> None:
    assert not [a for a in container("everything", "webhook")["args"] if "dnstap" in a]
    assert "--observe" not in container("everything", "webhook")["args"]
    args = container("on")["args"]
    at = args.index("--observe")
    assert args[at:] == [
        "--observe",
        "--dnstap-port=6000",
        "--dnstap-service=fleet-telemetry-dnstap",
        "--dns-service=kube-system/kube-dns",
        "--cluster-domain=cluster.local",
    ]
    args = container("everything")["args"]
    for flag in (
        "--dnstap-port=6053",
        "--dnstap-service=telemetry-dnstap",
        "--dns-service=b/cluster-dns",
        "--dnstap-source=192.0.2.0/24",
        "--dnstap-source=2001:db8:1::/48",
        "--cluster-domain=corp.example",
        "--dnstap-tls-cert=/dnstap-tls/tls.crt",
        "--dnstap-tls-key=/dnstap-tls/tls.key",
    ):
        assert args.count(flag) == 1


@pytest.mark.parametrize("name", OBSERVING)
def test_the_pod_knows_its_address_and_has_the_port(name: str) -> None:
    its = container(name)
    port = MATRIX[name]["observed"].get("port", 6000)
    assert {"name": "dnstap", "containerPort": port} in its["ports"]
    (address,) = (v for v in its["env"] if v["name"] == "POD_IP")
    assert address["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert [p["name"] for p in container(name, "webhook")["ports"]] == ["http", "webhook"]


@pytest.mark.parametrize("name", OBSERVING)
def test_the_service_has_no_selector_and_an_address_only_if_one_is_given(name: str) -> None:
    spec = one(name, "Service", "-dnstap")["spec"]
    values = MATRIX[name]["observed"]
    port = values.get("port", 6000)
    assert spec.pop("clusterIP", "") == values.get("service", {}).get("clusterIP", "")
    assert spec == {
        "ports": [{"name": "dnstap", "protocol": "TCP", "port": port, "targetPort": port}]
    }


def test_the_certificate_is_mounted_where_the_flags_say() -> None:
    spec = one("everything", "Deployment", "-controller")["spec"]["template"]["spec"]
    assert {"name": "dnstap-tls", "secret": {"secretName": "dnstap-tls"}} in spec["volumes"]
    mounts = container("everything")["volumeMounts"]
    assert {"name": "dnstap-tls", "mountPath": "/dnstap-tls", "readOnly": True} in mounts
    assert "dnstap-tls" not in yaml.safe_dump(one("on", "Deployment", "-controller"))


def ports_open(policy: Manifest) -> list[tuple[Any, ...]]:
    """Each port with its sources; None: all."""
    return [
        (port.get("protocol"), port.get("port"), port.get("endPort"), rule.get("from"))
        for rule in policy["spec"]["ingress"]
        for port in rule["ports"]
    ]


def test_only_name_servers_reach_the_port_and_all_other_ports_stay_as_they_were() -> None:
    assert ports_open(one("on", "NetworkPolicy", "-dnstap")) == [("TCP", 6000, None, [DNS_PODS])]
    for role in ("webhook", "controller"):
        of_role = f"-{role}"
        assert one("on", "NetworkPolicy", of_role) == one("defaults", "NetworkPolicy", of_role)


def test_ranges_of_sources_reach_the_port_too() -> None:
    (rule,) = one("everything", "NetworkPolicy", "-dnstap")["spec"]["ingress"]
    assert rule["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}},
            "podSelector": {"matchLabels": {"app": "coredns"}},
        },
        {"ipBlock": {"cidr": "192.0.2.0/24"}},
        {"ipBlock": {"cidr": "2001:db8:1::/48"}},
    ]


def test_without_its_network_policy_the_charts_own_leaves_the_port_open() -> None:
    policy = one("single", "NetworkPolicy", "-controller")
    assert ports_open(policy) == [("TCP", 8080, None, None), ("TCP", 6000, None, None)]
    assert ports_open(one("single", "NetworkPolicy", "-webhook")) == [
        ("TCP", 8080, None, None),
        ("TCP", 9443, None, None),
    ]
    assert "fleet-telemetry-dnstap" not in names("NetworkPolicy", MATRIX["single"])


@pytest.mark.parametrize("port", [1024, 6000, 65535])
def test_where_nothing_else_isolates_the_pods_exactly_one_port_is_closed(port: int) -> None:
    values: Values = {
        "networkPolicy": {"enabled": False},
        "observed": {"enabled": True, "port": port},
    }
    assert names("NetworkPolicy", values) == {"fleet-telemetry-dnstap"}
    (policy,) = (m for m in manifests(render(values)) if m["kind"] == "NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == (
        "controller"
    )
    found = ports_open(policy)
    assert found[0] == ("TCP", port, None, [DNS_PODS])
    # Probes and metrics, by name for plug-ins that know no ranges.
    assert ("TCP", 8080, None, None) in found
    assert ("UDP", None, None, None) in found
    ranges = [range(at, (end or at) + 1) for kind, at, end, _ in found[1:] if kind == "TCP"]
    open_to_all = {one for ports in ranges for one in ports}
    assert open_to_all == set(range(1, 65536)) - {port}


def rights(found: Iterable[Manifest]) -> set[tuple[str, str, str, str]]:
    """What Roles grant: where, verb, kind and name."""
    return {
        (role["metadata"]["namespace"], verb, resource, of)
        for role in found
        if role["kind"] == "Role"
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for of in rule.get("resourceNames", [""])
    }


@pytest.mark.parametrize(
    ("name", "dns", "service"),
    [("on", "kube-system", "kube-dns"), ("everything", "b", "cluster-dns")],
)
def test_rights_are_those_that_it_takes(name: str, dns: str, service: str) -> None:
    prefix = "telemetry" if name == "everything" else "fleet-telemetry"
    slices, leader = "endpointslices", f"{prefix}-dnstap-leader"
    without = {**MATRIX.get(name, {}), "observed": {}}
    before = {
        (m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]): m
        for m in manifests(render(without))
    }
    assert rights(_rendered(name)) - rights(before.values()) == {
        (dns, "list", slices, ""),
        (dns, "get", "services", service),
        (NAMESPACE, "create", slices, ""),
        (NAMESPACE, "get", slices, leader),
        (NAMESPACE, "patch", slices, leader),
        (NAMESPACE, "delete", slices, leader),
        (NAMESPACE, "get", "services", f"{prefix}-dnstap"),
    }
    # Nothing of it is for the whole cluster, or for the webhook.
    for manifest in _rendered(name):
        key = manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]
        if manifest["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            assert manifest == before[key]
        if manifest["kind"] == "RoleBinding" and key not in before:
            assert manifest["subjects"] == [
                {"kind": "ServiceAccount", "name": f"{prefix}-controller", "namespace": NAMESPACE}
            ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("10.0.0.0/0", "it contains every address, so everybody could forge lookups"),
        ("::/0", "it contains every address, so everybody could forge lookups"),
        ("10.0.0.1/8", "the range begins at 10.0.0.0"),
        ("192.168.77.130/25", "the range begins at 192.168.77.128"),
        ("10.0.0.256/32", "it is no IPv4 range"),
        ("10.0.0.0/33", "it is no IPv4 range"),
        ("10.0.0/8", "it is no IPv4 range"),
        ("010.0.0.0/8", "it is no IPv4 range"),
        ("1::/129", "it is no IPv6 range"),
        ("1::2::/64", "it is no IPv6 range"),
        ("1:2:3/64", "it is no IPv6 range"),
        ("12345::/64", "it is no IPv6 range"),
        ("10.0.0.0/08", "it has to be an address and the length of its prefix"),
    ],
)
def test_a_range_that_is_none_is_refused_in_a_sentence(source: str, said: str) -> None:
    with pytest.raises(RenderError) as refused:
        render({"observed": {"enabled": True, "sources": ["192.0.2.0/24", source]}})
    assert f"observed.sources contains {source}: {said}" in str(refused.value)


@pytest.mark.parametrize("address", ["10.96.0.300", "10.96.0.053", ":::", "1:2:3"])
def test_an_address_that_is_none_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(RenderError, match=f"clusterIP is {address}, which is no IP address"):
        render({"observed": {"enabled": True, "service": {"clusterIP": address}}})


_RANGES = st.one_of(
    st.builds(
        lambda number, length: ipaddress.ip_network((number, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(1, 32),
    ),
    st.builds(
        lambda number, length: ipaddress.ip_network((number, length), strict=False),
        # Of /96 and shorter, so that none is written with the dots of an IPv4 address.
        st.integers(2**64, 2**128 - 1),
        st.integers(1, 96),
    ),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(_RANGES, max_size=20))
def test_every_range_is_taken(ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    texts = [str(one) for one in ranges]
    text = render({"observed": {"enabled": True, "sources": texts}})
    assert [line for line in text.splitlines() if "--dnstap-source=" in line] == [
        f"        - --dnstap-source={one}" for one in texts
    ]


def test_the_previous_chart_has_none_of_these_values(tmp_path: Path) -> None:
    """What the tests of upgrades mean by a release without them."""
    chart = previous_chart(tmp_path)
    values = yaml.safe_load((chart / "values.yaml").read_text())
    assert values.keys() == yaml.safe_load((CHART / "values.yaml").read_text()).keys() - {
        "observed"
    }
