"""The table of ``TelemetryPolicy`` and ``ClusterTelemetryPolicy``."""

from __future__ import annotations

from typing import Any

from fleet_telemetry.api.resources import CLUSTER_TELEMETRY_POLICY, TELEMETRY_POLICY
from tests.support.crd_cases import (
    Array,
    Check,
    Choice,
    Flag,
    Kind,
    Number,
    Object,
    Rule,
    Text,
    Time,
)
from tests.support.crd_values import (
    CHANNEL,
    CHANNELS,
    CONDITION,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    HOST,
    REGISTRY,
    SELECTOR,
    SWITCH_NAME,
    WORKLOAD_KIND,
    beginning,
    conditions,
    selector,
    value,
)


def _full(*, cluster: bool) -> dict[str, Any]:
    namespace = {"namespace": "appsec"} if cluster else {}
    by_selector = {
        "product": "sonarqube",
        "secretRef": {"name": "sonar-telemetry", "namespace": "vault"},
        "namespaceSelector": SELECTOR,
        "requireTLS": True,
    }
    spec = {
        "submission": "Enabled",
        "mode": "Audit",
        "products": ["dependency-track", "sonarqube"],
        "additionalProducts": ["acme-scanner"],
        "channels": ["UpdateCheck"],
        "selector": SELECTOR,
        "injection": {
            "when": "Always",
            "doNotTrack": True,
            "rollout": "Immediate",
            "onConflict": "Keep",
            "arguments": True,
            "settings": [
                {
                    "product": "sonarqube",
                    "env": [{"name": "SONAR_UPDATECENTER_ACTIVATE", "value": "false"}],
                }
            ],
        },
        "egress": {
            "action": "Isolate",
            "dialect": "Cilium",
            "sharedAddresses": "Accept",
            "dns": "None",
            "hosts": [{"product": "sonarqube", "host": "telemetry.example.com", "port": 8443}],
            "reachable": [
                {"cidr": "198.51.100.0/24", "ports": [{"port": 5432, "protocol": "UDP"}]},
                {"namespaceSelector": SELECTOR, "podSelector": SELECTOR},
            ],
        },
        "runtime": {
            "action": "Remediate",
            "interval": "30m",
            "credentials": [
                {
                    "product": "dependency-track",
                    "secretRef": {"name": "dtrack-telemetry", **namespace},
                    "registries": ["harbor.example.com:5000/hub"],
                    "requireTLS": not cluster,
                    **({"namespaces": ["appsec"]} if cluster else {}),
                },
                *([by_selector] if cluster else []),
            ],
            "endpoints": [
                {
                    "product": "sonarqube",
                    "service": {
                        "name": "sonar",
                        "port": 9000,
                        "scheme": "https",
                        "basePath": "/sonar",
                    },
                }
            ],
        },
        "exceptions": [
            {
                "workload": {"kind": "StatefulSet", "name": "legacy", **namespace},
                "reason": "contract until spring",
                "expiresAt": "2027-03-01T00:00:00Z",
            }
        ],
    }
    if cluster:
        spec["namespaceSelector"] = SELECTOR
    status = {
        "observedGeneration": 3,
        "conditions": [CONDITION],
        "summary": {
            "matched": 6,
            "compliant": 1,
            "nonCompliant": 1,
            "pending": 1,
            "unknown": 1,
            "notEnforceable": 1,
            "exempt": 1,
            "idle": 1,
        },
    }
    return {"spec": spec, "status": status}


def _injection() -> dict[str, Check]:
    setting = "spec.injection.settings[0]"
    return {
        "spec.injection": Object(),
        "spec.injection.when": Choice(
            of=("FirstInstallOrUpgrade", "Always", "Never"), default="FirstInstallOrUpgrade"
        ),
        "spec.injection.rollout": Choice(
            of=("OnNextRollout", "Immediate"), default="OnNextRollout"
        ),
        "spec.injection.doNotTrack": Flag(default=False),
        "spec.injection.onConflict": Choice(of=("Override", "Keep"), default="Override"),
        "spec.injection.arguments": Flag(default=False),
        "spec.injection.settings": Array(
            item=lambda index: {
                "product": f"product-{index}",
                "env": [{"name": "A", "value": "b"}],
            },
            kind="map",
            key="product",
            twin={"product": "product-0", "env": [{"name": "C", "value": "d"}]},
            longest=64,
        ),
        setting: Object(required=("product", "env")),
        f"{setting}.product": DNS_LABEL,
        f"{setting}.env": Array(
            item=lambda index: {"name": f"NAME_{index}", "value": "value"},
            kind="map",
            key="name",
            twin={"name": "NAME_0", "value": "another value"},
            shortest=1,
            longest=32,
        ),
        f"{setting}.env[0]": Object(required=("name", "value")),
        f"{setting}.env[0].name": SWITCH_NAME,
        f"{setting}.env[0].value": value(4096),
    }


def _egress() -> dict[str, Check]:
    host, peer, pods = (
        f"spec.egress.{name}" for name in ("hosts[0]", "reachable[0]", "reachable[1]")
    )
    return {
        "spec.egress": Object(
            rules=(
                Rule(
                    message="reachable is only allowed with action: Isolate",
                    accepts=(
                        {"action": "Isolate", "reachable": [{"cidr": "198.51.100.0/24"}]},
                        {"action": "Isolate"},
                    ),
                    rejects=({"action": "Allow", "reachable": [{"cidr": "198.51.100.0/24"}]},),
                ),
            ),
        ),
        "spec.egress.action": Choice(
            of=("Deny", "Allow", "Isolate"),
            default="Deny",
            given={"reachable": [], "/spec.submission": "Disabled"},
            beside={
                "Deny": {"reachable": [], "/spec.submission": "Disabled"},
                "Allow": {"reachable": [], "/spec.submission": "Enabled"},
            },
        ),
        "spec.egress.dialect": Choice(
            of=("Auto", "NetworkPolicy", "Cilium", "ClusterNetworkPolicy"), default="Auto"
        ),
        "spec.egress.sharedAddresses": Choice(of=("Refuse", "Accept"), default="Refuse"),
        "spec.egress.dns": Choice(
            of=("None", "Refuse"),
            beside={"Refuse": {"/spec.submission": "Disabled"}},
        ),
        "spec.egress.hosts": Array(
            item=lambda index: {"product": f"product-{index}", "host": "telemetry.example.com"},
            kind="map",
            key="product host port",
            twin={"product": "product-0", "host": "telemetry.example.com", "port": 443},
            longest=64,
        ),
        host: Object(required=("product", "host")),
        f"{host}.product": DNS_LABEL,
        f"{host}.host": HOST,
        f"{host}.port": Number(lowest=1, highest=65535, default=443),
        "spec.egress.reachable": Array(
            item=lambda index: {"cidr": f"198.51.100.{index}/32"}, kind="atomic", longest=64
        ),
        peer: Object(
            rules=(
                Rule(
                    message="name either a cidr or pods by namespaceSelector and podSelector",
                    accepts=(
                        {"cidr": "2001:db8::/32"},
                        {"namespaceSelector": {}},
                        {"podSelector": {}},
                    ),
                    rejects=(
                        {},
                        {"ports": [{"port": 443}]},
                        {"cidr": "198.51.100.0/24", "podSelector": {}},
                        {"cidr": "198.51.100.0/24", "namespaceSelector": {}},
                    ),
                ),
            ),
        ),
        f"{peer}.cidr": Text(
            longest=43,
            given={"podSelector": {}},
            says="write a range as its first address and its prefix length, such as "
            "198.51.100.0/24",
            matches=("198.51.100.0/24", "2001:DB8::/32"),
            mismatches=("", "198.51.100.7", "example.com/24", "\u00e9", "198.51.100.0/24 "),
            shape=lambda length: "2001:0db8:0000:0000:0000:0000:0000:0000/128".ljust(length, "0"),
            rules=(
                Rule(
                    message="write a range as its first address and its prefix length, such as "
                    "198.51.100.0/24",
                    accepts=("198.51.100.7/32", "2001:db8::/32", "::1/128"),
                    rejects=(
                        "198.51.100.7/24",
                        "198.51.100.0/33",
                        "2001:db8::1/32",
                        "198.51.100/24",
                    ),
                ),
                Rule(
                    message="a range of all addresses would isolate nothing",
                    accepts=("128.0.0.0/1",),
                    rejects=("0.0.0.0/0", "::/0"),
                ),
            ),
        ),
        f"{peer}.ports": Array(
            item=lambda index: {"port": 1000 + index},
            kind="map",
            key="port protocol",
            twin={"port": 1000, "protocol": "TCP"},
            longest=32,
        ),
        f"{peer}.ports[0]": Object(required=("port",)),
        f"{peer}.ports[0].port": Number(lowest=1, highest=65535),
        f"{peer}.ports[0].protocol": Choice(of=("TCP", "UDP", "SCTP"), default="TCP"),
        **selector(f"{pods}.namespaceSelector"),
        **selector(f"{pods}.podSelector"),
    }


_FROM_ELSEWHERE = {"product": "a", "secretRef": {"name": "secret", "namespace": "vault"}}
_FROM_WORKLOADS_NAMESPACE = {"product": "a", "secretRef": {"name": "secret"}}
_BY_LABEL = {"matchLabels": {"kubernetes.io/metadata.name": "appsec"}}
_CLUSTER_CREDENTIAL_RULES = (
    Rule(
        message="a credential from a given namespace says where it may be sent: add namespaces or "
        "namespaceSelector, or leave out secretRef.namespace to use a Secret of each workload's "
        "own namespace",
        accepts=(
            {**_FROM_ELSEWHERE, "namespaces": ["appsec", "vault"]},
            {**_FROM_ELSEWHERE, "namespaceSelector": _BY_LABEL},
            _FROM_WORKLOADS_NAMESPACE,
        ),
        rejects=(_FROM_ELSEWHERE, {**_FROM_ELSEWHERE, "registries": ["docker.io"]}),
    ),
    Rule(
        message="name either namespaces or a namespaceSelector",
        accepts=({**_FROM_WORKLOADS_NAMESPACE, "namespaces": ["appsec"]},),
        rejects=(
            {**_FROM_ELSEWHERE, "namespaces": ["appsec"], "namespaceSelector": _BY_LABEL},
            {**_FROM_WORKLOADS_NAMESPACE, "namespaces": ["a"], "namespaceSelector": _BY_LABEL},
        ),
    ),
)


def _cluster_credential(credential: str) -> dict[str, Check]:
    other = "spec.runtime.credentials[1]"
    return {
        f"{credential}.secretRef.namespace": DNS_LABEL,
        f"{credential}.namespaces": Array(
            item=lambda index: f"namespace-{index}",
            kind="set",
            shortest=1,
            longest=256,
            given={"secretRef": {"name": "secret"}},
        ),
        f"{credential}.namespaces[0]": DNS_LABEL,
        **selector(
            f"{other}.namespaceSelector",
            rules=(_NOT_EMPTY,),
            given={"secretRef": {"name": "secret"}},
        ),
    }


_NOT_EMPTY = Rule(
    message="an empty selector would send the credential to every namespace; select by a label",
    accepts=(
        {"matchLabels": {"a": "b"}},
        {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
    ),
    rejects=({}, {"matchLabels": {}}, {"matchExpressions": []}),
)


def _runtime(*, cluster: bool) -> dict[str, Check]:
    credential, endpoint = "spec.runtime.credentials[0]", "spec.runtime.endpoints[0]"
    secret = {"name": "secret"}
    return {
        "spec.runtime": Object(),
        "spec.runtime.action": Choice(of=("Verify", "Remediate", "Off"), default="Verify"),
        "spec.runtime.interval": Text(
            default="1h",
            says="an interval is a number and h, m or s without blanks, or several of them, such "
            "as 30m or 1h30m; write days in hours",
            matches=("1h", "30m", "90m", "1h30m", "1h0m0s", "1.5h", "0.5h", "3600s", "8760h"),
            mismatches=(
                "",
                "1",
                "h",
                "1d",
                "1h ",
                "-1h",
                "1 h",
                "1.h",
                ".5h",
                "1H",
                "600ms",
                "1h30",
            ),
            longest=32,
            shape=lambda length: "1h".rjust(length, "0"),
            rules=(
                Rule(
                    message="an interval is at least 1m",
                    accepts=("1m", "60s", "0h1m", "1.0m", "0.5m30s"),
                    # The last is more than Go's 292 years.
                    rejects=("59s", "59.9s", "0.5m", "0h", "0.01h", "30s29s", "2562048h"),
                ),
            ),
        ),
        "spec.runtime.credentials": Array(
            item=lambda index: {"product": f"product-{index}", "secretRef": secret},
            kind="map",
            key="product",
            twin={"product": "product-0", "secretRef": {**secret, "name": "another"}},
            longest=64,
        ),
        credential: Object(
            required=("product", "secretRef"), rules=_CLUSTER_CREDENTIAL_RULES if cluster else ()
        ),
        f"{credential}.product": DNS_LABEL,
        f"{credential}.secretRef": Object(required=("name",)),
        f"{credential}.secretRef.name": DNS_SUBDOMAIN,
        f"{credential}.registries": Array(
            item=lambda index: f"registry-{index}.example.com", kind="set", longest=32
        ),
        f"{credential}.registries[0]": REGISTRY,
        f"{credential}.requireTLS": Flag(default=cluster),
        **(_cluster_credential(credential) if cluster else {}),
        "spec.runtime.endpoints": Array(
            item=lambda index: {
                "product": f"product-{index}",
                "service": {"name": "web", "port": 80},
            },
            kind="map",
            key="product",
            twin={"product": "product-0", "service": {"name": "web", "port": 81}},
            longest=64,
        ),
        endpoint: Object(required=("product", "service")),
        f"{endpoint}.product": DNS_LABEL,
        f"{endpoint}.service": Object(required=("name", "port")),
        f"{endpoint}.service.name": DNS_LABEL,
        f"{endpoint}.service.port": Number(lowest=1, highest=65535),
        f"{endpoint}.service.scheme": Choice(of=("http", "https"), default="http"),
        f"{endpoint}.service.basePath": Text(
            says="a path begins with a slash, such as /sonar, and has letters, digits, dots, "
            "dashes, underscores and tildes between its slashes",
            matches=("", "/", "/sonar", "/a/b", "/a/b/", "/.~_-9A"),
            mismatches=("sonar", "//", "/a//b", "/a b", "/a?x", "/a#x", "/é", "/%41", "http://a"),
            longest=256,
            shape=beginning("/"),
        ),
    }


def _exceptions(*, cluster: bool) -> dict[str, Check]:
    exception = "spec.exceptions[0]"
    namespace = {"namespace": "appsec"} if cluster else {}
    return {
        "spec.exceptions": Array(
            item=lambda index: {
                "workload": {"kind": "Job", "name": f"name-{index}", **namespace},
                "reason": "a reason",
            },
            kind="atomic",
            longest=256,
        ),
        exception: Object(required=("workload", "reason")),
        f"{exception}.workload": Object(
            required=("kind", "name", "namespace") if cluster else ("kind", "name")
        ),
        f"{exception}.workload.kind": WORKLOAD_KIND,
        f"{exception}.workload.name": DNS_SUBDOMAIN,
        **({f"{exception}.workload.namespace": DNS_LABEL} if cluster else {}),
        f"{exception}.reason": Text(
            shortest=1,
            longest=1024,
            rules=(
                Rule(
                    message="an exception needs a reason",
                    accepts=("x", " x", "a reason", "é"),
                    rejects=(" ", "\t\n", "   "),
                ),
            ),
        ),
        f"{exception}.expiresAt": Time(),
    }


def _status() -> dict[str, Check]:
    counts = (
        "matched",
        "compliant",
        "nonCompliant",
        "pending",
        "unknown",
        "notEnforceable",
        "exempt",
        "idle",
    )
    return {
        "status": Object(),
        "status.observedGeneration": Number(lowest=0),
        **conditions(16),
        "status.summary": Object(),
        **{f"status.summary.{name}": Number(lowest=0, default=0) for name in counts},
    }


def _table(*, cluster: bool) -> dict[str, Check]:
    return {
        "": Object(required=("spec",)),
        "spec": Object(
            rules=(
                Rule(
                    message="egress.action Deny requires submission: Disabled, and Allow "
                    "requires submission: Enabled; Isolate goes with either",
                    accepts=(
                        {"egress": {}},
                        {"submission": "Enabled", "egress": {"action": "Allow"}},
                        {"submission": "Enabled", "egress": {"action": "Isolate"}},
                        {"submission": "Disabled", "egress": {"action": "Isolate"}},
                        {"submission": "Enabled"},
                    ),
                    rejects=(
                        {"submission": "Enabled", "egress": {}},
                        {"submission": "Disabled", "egress": {"action": "Allow"}},
                    ),
                ),
                Rule(
                    message="egress.dns Refuse requires submission: Disabled; with Enabled, name "
                    "servers have to answer",
                    accepts=(
                        {"egress": {"dns": "Refuse"}},
                        {"submission": "Disabled", "egress": {"dns": "Refuse"}},
                        {"egress": {"action": "Isolate", "dns": "Refuse"}},
                        {"submission": "Enabled", "egress": {"action": "Allow", "dns": "None"}},
                    ),
                    rejects=(
                        {"submission": "Enabled", "egress": {"action": "Allow", "dns": "Refuse"}},
                        {"submission": "Enabled", "egress": {"action": "Isolate", "dns": "Refuse"}},
                    ),
                ),
            ),
        ),
        "spec.submission": Choice(of=("Disabled", "Enabled"), default="Disabled"),
        "spec.mode": Choice(of=("Enforce", "Audit"), default="Enforce"),
        "spec.products": Array(
            item=lambda index: f"product-{index}", kind="set", shortest=1, longest=256
        ),
        "spec.products[0]": DNS_LABEL,
        "spec.additionalProducts": Array(
            item=lambda index: f"product-{index}", kind="set", longest=256
        ),
        "spec.additionalProducts[0]": DNS_LABEL,
        "spec.channels": Array(
            item=lambda index: (*CHANNELS, "Nonsense")[index],
            kind="set",
            shortest=1,
            longest=4,
            default=["Usage"],
        ),
        "spec.channels[0]": CHANNEL,
        **selector("spec.selector"),
        **(selector("spec.namespaceSelector") if cluster else {}),
        **_injection(),
        **_egress(),
        **_runtime(cluster=cluster),
        **_exceptions(cluster=cluster),
        **_status(),
    }


POLICY = Kind(
    resource=TELEMETRY_POLICY,
    full=_full(cluster=False),
    bare={"spec": {}},
    table=_table(cluster=False),
)
CLUSTER_POLICY = Kind(
    resource=CLUSTER_TELEMETRY_POLICY,
    full=_full(cluster=True),
    bare={"spec": {}},
    table=_table(cluster=True),
)
