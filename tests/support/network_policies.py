"""NetworkPolicies for tests: such as this operator writes, such as others do, and any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, ip_address, ip_network
from random import Random
from typing import Any

Manifest = dict[str, Any]
Labels = Mapping[str, str]

NAMESPACE = "appsec"
HTTPS = [{"protocol": "TCP", "port": 443}]


def network_policy(
    name: str,
    *egress: Manifest,
    pods: Manifest | None = None,
    namespace: str = NAMESPACE,
    **spec: Any,
) -> Manifest:
    """A policy about egress; ``spec`` replaces or, with None, removes parts of its spec."""
    whole = {"podSelector": pods or {}, "policyTypes": ["Egress"], "egress": list(egress)} | spec
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def block(cidr: str, *excepted: str) -> Manifest:
    return {"ipBlock": {"cidr": cidr} | ({"except": list(excepted)} if excepted else {})}


def allow_all_except(name: str, holes: Iterable[str], **how: Any) -> Manifest:
    """The shape of a denial: everything but some addresses, and every pod."""
    by_family: dict[int, list[str]] = {4: [], 6: []}
    for hole in holes:
        by_family[ip_network(hole).version].append(hole)
    four, six = block("0.0.0.0/0", *by_family[4]), block("::/0", *by_family[6])
    return network_policy(name, {"to": [four, six, {"namespaceSelector": {}}]}, **how)


def allow_only(name: str, cidrs: Iterable[str], **how: Any) -> Manifest:
    """The shape of an allowance: some addresses, on their port."""
    return network_policy(name, {"to": [block(cidr) for cidr in cidrs], "ports": HTTPS}, **how)


def isolate(name: str, cidrs: Iterable[str], **how: Any) -> Manifest:
    """The shape of an isolation: some addresses, cluster DNS, and nothing else."""
    dns = {
        "to": [
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                },
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    hosts = {"to": [block(cidr) for cidr in cidrs], "ports": HTTPS}
    return network_policy(name, dns, *([hosts] if hosts["to"] else []), **how)


def sonarqube_chart(**how: Any) -> Manifest:
    """What the chart of SonarQube makes of ``networkPolicy.enabled``: cluster DNS, and every IPv4
    address on every port (SonarSource/helm-chart-sonarqube: templates/networkpolicy.yaml)."""
    dns = {
        "to": [
            {
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                "namespaceSelector": {"matchLabels": {"networking/namespace": "kube-system"}},
            }
        ],
        "ports": [{"protocol": "UDP", "port": 53}],
    }
    pods = {"matchLabels": {"app": "sonarqube"}}
    return network_policy(
        "sonarqube-network-policy",
        dns,
        {"to": [block("0.0.0.0/0")]},
        pods=pods,
        policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [{"podSelector": pods}], "ports": [{"port": 9000}]}],
        **how,
    )


def open_by_value(*, open_egress: bool, **how: Any) -> Manifest:
    """What many charts make of a value such as ``networkPolicy.allowExternalEgress``: everything,
    or DNS wherever it is and the release's own pods."""
    own = {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "db"}}}
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    egress = [{}] if open_egress else [dns, {"ports": [{"port": 5432}], "to": [own]}]
    return network_policy("db", *egress, policyTypes=["Ingress", "Egress"], ingress=[{}], **how)


def internet_only(**how: Any) -> Manifest:
    """What many platforms give each namespace: the internet, and nothing of their own network."""
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32")
    return network_policy("internet-only", {"to": [block("0.0.0.0/0", *private)]}, **how)


# Any policies: few addresses, ports and labels, so that they have something to do with each other.

_CIDRS = (
    *("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "2000::/3", "8000::/1"),
    *("34.107.157.31/32", "34.107.157.30/31", "34.107.157.24/29", "34.107.157.16/28"),
    *("34.107.0.0/16", "34.0.0.0/8", "104.16.0.0/13", "104.18.10.0/24", "10.0.0.0/8"),
    *("2606:4700::/32", "2606:4700::6810:0/112", "2606:4700::6810:7c/128", "2001:db8::/33"),
    # With host bits, as the API server lets them stand.
    *("34.107.157.31/24", "2606:4700::6810:7c/64"),
)
ADDRESSES = tuple(
    ip_address(text)
    for text in (
        *("34.107.157.31", "34.107.157.30", "34.107.157.29", "34.107.157.24", "34.107.157.23"),
        *("34.107.158.0", "34.255.255.255", "104.15.255.255", "104.16.0.0", "104.18.10.99"),
        *("104.24.0.0", "10.1.2.3", "127.255.255.255", "128.0.0.0", "255.255.255.255"),
        *("2606:4700::6810:7c", "2606:4700::6810:7d", "2606:4700:0:1::", "2606:4701::"),
        *("2001:db8::1", "2001:db8:8000::1", "fd00::1"),
    )
)
PORTS = ((443, "TCP"), (444, "TCP"), (80, "TCP"), (443, "UDP"), (443, "SCTP"))
_PODS: tuple[Manifest, ...] = (
    {},
    {"matchLabels": {"app": "web"}},
    {"matchLabels": {"app": "web", "tier": "front"}},
    {"matchLabels": {"app": "db"}},
    {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]},
    {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]},
    {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
    {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back", "middle"]}],
    },
)
POD_LABELS: tuple[dict[str, str], ...] = (
    {"app": "web", "tier": "front"},
    {"app": "web", "tier": "back"},
    {"app": "web"},
    {"app": "db"},
    {},
)
_PORTS: tuple[Manifest, ...] = (
    {"port": 443},
    {"port": 443, "protocol": "TCP"},
    {"port": 80, "endPort": 443},
    {"port": 443, "endPort": 443},
    {"port": 444, "endPort": 65535, "protocol": "TCP"},
    {"port": 443, "protocol": "UDP"},
    {"port": 1, "endPort": 65535, "protocol": "SCTP"},
    {"protocol": "TCP"},
    {"protocol": "SCTP"},
    {},
    {"port": "https"},
    {"port": "https", "protocol": "UDP"},
)
_SELECTED: tuple[Manifest, ...] = (
    {"podSelector": {}},
    {"namespaceSelector": {}},
    {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}},
)


def _wild_block(random: Random) -> Manifest:
    cidr = random.choice(_CIDRS)
    whole = ip_network(cidr, strict=False)
    inside = [
        text
        for text in _CIDRS
        if (hole := ip_network(text, strict=False)).prefixlen > whole.prefixlen
        and hole.version == whole.version
        and hole.network_address in whole
    ]
    return block(cidr, *random.sample(inside, random.randint(0, min(3, len(inside)))))


def _wild_rule(random: Random) -> Manifest:
    rule: Manifest = {}
    if random.random() < 0.9:
        rule["to"] = [
            _wild_block(random) if random.random() < 0.8 else dict(random.choice(_SELECTED))
            for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3)))
        ]
    if random.random() < 0.7:
        rule["ports"] = random.sample(_PORTS, random.choice((0, 1, 1, 2, 3)))
    return rule


def wild_policies(random: Random, namespace: str = NAMESPACE) -> list[Manifest]:
    """Up to five policies that the API server would take, for one namespace."""
    return [
        network_policy(
            f"policy-{number}",
            *(_wild_rule(random) for _ in range(random.choice((0, 1, 1, 2, 3)))),
            pods=random.choice((*_PODS, {}, {})),
            namespace=namespace,
            policyTypes=random.choice(
                (*[["Egress"]] * 4, ["Egress", "Ingress"], ["Ingress"], [], None)
            ),
        )
        for number in range(random.choice((0, 1, 1, 2, 2, 3, 4, 5)))
    ]


def selects(selector: Manifest, labels: Labels) -> bool:
    """Whether a LabelSelector matches, said a second time and without the code's words."""
    for key, value in selector.get("matchLabels", {}).items():
        if key not in labels or labels[key] != value:
            return False
    for one in selector.get("matchExpressions", []):
        there = one["key"] in labels
        among = there and labels[one["key"]] in one.get("values", [])
        if one["operator"] == "In" and not among:
            return False
        if one["operator"] == "NotIn" and among:
            return False
        if one["operator"] == "Exists" and not there:
            return False
        if one["operator"] == "DoesNotExist" and there:
            return False
    return True


def isolating(policies: Iterable[Manifest], labels: Labels) -> list[Manifest]:
    """Those that isolate a pod for egress, likewise."""
    return [
        policy
        for policy in map(as_stored, policies)
        if "Egress" in policy["spec"]["policyTypes"]
        and selects(policy["spec"].get("podSelector", {}), labels)
    ]


def as_stored(policy: Manifest) -> Manifest:
    """With what the API server fills in; see pkg/apis/networking/v1/defaults.go of Kubernetes."""
    spec = dict(policy["spec"])
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return {**policy, "spec": spec}


def singles(addresses: Sequence[Any]) -> list[Any]:
    """Addresses as networks of one."""
    return [ip_network(address) for address in addresses]


SMALL_RANGE = IPv4Network("34.107.157.24/29")
"""Few enough to be asked for one by one; generated blocks and exceptions cut through it."""
