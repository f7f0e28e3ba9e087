"""CiliumNetworkPolicies and the groups that they refer to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.common import group_name
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Reachable
from tests.support import dialect_strategies
from tests.support.depth import steady
from tests.support.dialect_cases import (
    CILIUM,
    allow,
    around,
    covered,
    deny,
    groups_of,
    isolate,
    networks_of,
    rendered,
    to,
)
from tests.support.dialect_strategies import selectors

HOST = to("t.example.com", "192.0.2.1/32", "2001:db8::1/128")
OPEN = {"egress": False, "ingress": False}
SEES_NAMES = {"dns": [{"matchPattern": "*"}]}


def dns(rules: object = None) -> list[object]:
    ports = {"ports": [{"port": "53", "protocol": "ANY"}]}
    seen = ports if rules is None else {**ports, "rules": rules}
    pods = [
        {
            "matchLabels": {
                "k8s:io.kubernetes.pod.namespace": "kube-system",
                "k8s:k8s-app": name,
            }
        }
        for name in ("kube-dns", "node-local-dns")
    ]
    return [
        {"toEndpoints": pods, "toPorts": [seen]},
        {"toCIDR": ["169.254.20.10/32"], "toPorts": [seen]},
    ]


def test_a_denial_refers_to_a_group_for_each_host_and_isolates_nothing() -> None:
    order = deny(
        to("u.example.com", "198.51.100.0/24"),
        HOST,
        to("t.example.com", "192.0.2.1/32", port=80),
    )
    assert rendered(CILIUM, order)["spec"] == {
        "endpointSelector": {"matchLabels": {"app": "web"}},
        "enableDefaultDeny": OPEN,
        "egressDeny": [
            {
                "toCIDRSet": [
                    {"cidrGroupRef": group_name("t.example.com")},
                    {"cidrGroupRef": group_name("u.example.com")},
                ]
            }
        ],
    }


def test_a_host_without_addresses_is_not_referred_to() -> None:
    policy = rendered(CILIUM, deny(HOST, to("u.example.com")))
    assert policy["spec"]["egressDeny"] == [
        {"toCIDRSet": [{"cidrGroupRef": group_name("t.example.com")}]}
    ]


def test_a_group_holds_a_hosts_addresses_sorted() -> None:
    group = CILIUM.render_group(
        "t.example.com",
        [ip_network(text) for text in ("2001:db8::1/128", "192.0.2.1/32", "192.0.2.0/24")],
    )
    assert group is not None
    assert (group["apiVersion"], group["kind"]) == ("cilium.io/v2", "CiliumCIDRGroup")
    assert group["metadata"]["name"] == group_name("t.example.com")
    assert group["spec"] == {"externalCIDRs": ["192.0.2.0/24", "2001:db8::1/128"]}


def test_there_is_no_empty_group_and_none_of_everything() -> None:
    assert CILIUM.render_group("t.example.com", []) is None
    with pytest.raises(ValueError, match=r"t\.example\.com are a range of every address"):
        CILIUM.render_group("t.example.com", [ip_network("::/0")])


@steady
@given(st.lists(dialect_strategies.desired_policies(), max_size=4))
def test_there_is_a_group_for_every_reference(given_orders: list[DesiredNetworkPolicy]) -> None:
    orders = [order for order in given_orders if CILIUM.cannot(order) is None]
    groups = {group["metadata"]["name"]: group["spec"] for group in groups_of(orders)}
    referred = set()
    for order in orders:
        policy = CILIUM.render(order)
        for rule in (policy or {"spec": {}})["spec"].get("egressDeny", ()):
            names = [peer["cidrGroupRef"] for peer in rule["toCIDRSet"]]
            assert names == sorted(set(names), key=names.index)
            referred.update(names)
            held = [ip_network(text) for name in names for text in groups[name]["externalCIDRs"]]
            for address in around(networks_of(order)):
                if covered(networks_of(order), address):
                    assert covered(held, address)
    assert referred == set(groups)


def test_hosts_are_allowed_by_name_and_cilium_sees_names() -> None:
    order = allow(
        HOST,
        to("t.example.com", port=80),
        to("u.example.com", "198.51.100.0/24"),
        to("a.example.com"),
    )
    assert rendered(CILIUM, order)["spec"] == {
        "endpointSelector": {"matchLabels": {"app": "web"}},
        "enableDefaultDeny": OPEN,
        "egress": [
            {
                "toFQDNs": [{"matchName": "t.example.com"}],
                "toPorts": [
                    {
                        "ports": [
                            {"port": "80", "protocol": "TCP"},
                            {"port": "443", "protocol": "TCP"},
                        ]
                    }
                ],
            },
            {
                "toFQDNs": [{"matchName": "a.example.com"}, {"matchName": "u.example.com"}],
                "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
            },
            *dns(SEES_NAMES),
        ],
    }


def test_families_make_no_difference_to_names() -> None:
    only_v6 = to("v.example.com", "2001:db8::2/128")
    policy = rendered(CILIUM, allow(only_v6, families=[AddressFamily.IPV4]))
    assert policy["spec"]["egress"][0]["toFQDNs"] == [{"matchName": "v.example.com"}]


def test_an_isolation_shuts_off_egress_and_leaves_ingress_alone() -> None:
    spec = rendered(CILIUM, isolate(HOST))["spec"]
    assert spec["enableDefaultDeny"] == {"egress": True, "ingress": False}
    assert "egressDeny" not in spec
    assert spec["egress"][1:] == dns(SEES_NAMES)


def test_an_isolation_without_hosts_needs_no_dns_proxy() -> None:
    assert rendered(CILIUM, isolate())["spec"]["egress"] == dns()


def reachable(peer: Reachable) -> object:
    *_, rule = rendered(CILIUM, isolate(reachable=[peer]))["spec"]["egress"]
    return rule


def test_a_reachable_range() -> None:
    peer = Reachable(ip_network("10.1.0.0/16"), ports=(("UDP", 514), ("TCP", 514)))
    assert reachable(peer) == {
        "toCIDR": ["10.1.0.0/16"],
        "toPorts": [
            {"ports": [{"port": "514", "protocol": "TCP"}, {"port": "514", "protocol": "UDP"}]}
        ],
    }


@pytest.mark.parametrize(
    ("namespaces", "pods", "endpoints"),
    [
        (None, {}, {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "shop"}}),
        (
            None,
            {"matchLabels": {"app": "db"}},
            {"matchLabels": {"k8s:app": "db", "k8s:io.kubernetes.pod.namespace": "shop"}},
        ),
        # Without asking for a namespace, Cilium would take the policy's own.
        (
            {},
            None,
            {
                "matchExpressions": [
                    {"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}
                ]
            },
        ),
        (
            {"matchLabels": {"kubernetes.io/metadata.name": "data", "team": "a"}},
            {"matchLabels": {"app": "db"}},
            {
                "matchLabels": {
                    "k8s:app": "db",
                    "k8s:io.cilium.k8s.namespace.labels.team": "a",
                    "k8s:io.kubernetes.pod.namespace": "data",
                }
            },
        ),
        # Without asking for a namespace, the world outside would match: it has no such labels.
        (
            {
                "matchExpressions": [
                    {"key": "team", "operator": "NotIn", "values": ["b"]},
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["x", "y"]},
                ]
            },
            {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
            {
                "matchExpressions": [
                    {
                        "key": "k8s:io.cilium.k8s.namespace.labels.team",
                        "operator": "NotIn",
                        "values": ["b"],
                    },
                    {"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"},
                    {
                        "key": "k8s:io.kubernetes.pod.namespace",
                        "operator": "In",
                        "values": ["x", "y"],
                    },
                    {"key": "k8s:tier", "operator": "DoesNotExist"},
                ]
            },
        ),
    ],
)
def test_reachable_pods(namespaces: object, pods: object, endpoints: object) -> None:
    peer = Reachable(namespace_selector=namespaces, pod_selector=pods)  # type: ignore[arg-type]
    assert reachable(peer) == {"toEndpoints": [endpoints]}


@steady
@given(selectors, selectors)
def test_reachable_pods_are_always_in_some_namespace(namespaces: object, pods: object) -> None:
    peer = Reachable(namespace_selector=namespaces, pod_selector=pods)  # type: ignore[arg-type]
    order = isolate(reachable=[peer])
    if CILIUM.cannot(order) is None:
        *_, rule = rendered(CILIUM, order)["spec"]["egress"]
        (endpoints,) = rule["toEndpoints"]
        key = "k8s:io.kubernetes.pod.namespace"
        assert key in endpoints.get("matchLabels", {}) or {"key": key, "operator": "Exists"} in (
            endpoints.get("matchExpressions", ())
        )


def test_more_ports_than_fit_are_spread() -> None:
    ports = tuple(("TCP", port) for port in range(1, 82))
    rule = reachable(Reachable(ip_network("10.1.0.0/16"), ports=ports))
    assert isinstance(rule, dict)
    sizes = [len(entry["ports"]) for entry in rule["toPorts"]]
    assert sizes == [40, 40, 1]
    written = [port["port"] for entry in rule["toPorts"] for port in entry["ports"]]
    assert written == [str(port) for port in range(1, 82)]


@pytest.mark.parametrize(
    "label",
    [
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "controller-uid",
        "controller-revision-hash",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "topology.kubernetes.io/zone",
        "io.kubernetes.pod.namespace",
        "io.cilium.k8s.policy.cluster",
        "kubernetes.io/arch",
        "beta.kubernetes.io/arch",
    ],
)
def test_a_label_that_cilium_does_not_see_is_refused(label: str) -> None:
    by_value = {"matchLabels": {"app": "web", label: "x"}}
    by_absence = {"matchExpressions": [{"key": label, "operator": "DoesNotExist"}]}
    for selector in (by_value, by_absence):
        for order in (
            deny(HOST, selector=selector),
            isolate(reachable=[Reachable(pod_selector=selector)]),
        ):
            said = CILIUM.cannot(order)
            assert said is not None
            assert f"the label {label}, by which" in said
            with pytest.raises(ValueError, match=label):
                CILIUM.render(order)


@pytest.mark.parametrize(
    "label",
    ["app", "app.kubernetes.io/name", "batch.kubernetes.io/job-name", "job-name", "example.com/io"],
)
def test_other_labels_are_seen(label: str) -> None:
    assert CILIUM.cannot(deny(HOST, selector={"matchLabels": {label: "x"}})) is None


def test_a_namespaces_label_is_another_matter() -> None:
    for label, seen in (("kubernetes.io/arch", True), ("beta.kubernetes.io/arch", False)):
        peer = Reachable(namespace_selector={"matchLabels": {label: "x"}})
        assert (CILIUM.cannot(isolate(reachable=[peer])) is None) is seen


@steady
@given(dialect_strategies.desired_policies())
def test_only_an_isolation_isolates(order: DesiredNetworkPolicy) -> None:
    policy = None if CILIUM.cannot(order) else CILIUM.render(order)
    if policy is not None:
        spec = policy["spec"]
        isolates = order.action is EgressAction.ISOLATE
        assert spec["enableDefaultDeny"] == {"egress": isolates, "ingress": False}
        assert ("egressDeny" in spec) is (order.action is EgressAction.DENY)
        assert ("egress" in spec) is (order.action is not EgressAction.DENY)
        assert not {"ingress", "ingressDeny"} & spec.keys()
