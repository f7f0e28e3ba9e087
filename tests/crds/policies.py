"""The table of ``TelemetryPolicy`` and ``ClusterTelemetryPolicy``."""

from __future__ import annotations

from typing import Any

from fleet_telemetry.model.resources import CLUSTER_TELEMETRY_POLICY, TELEMETRY_POLICY
from tests.crds.kit import Array, Check, Choice, Kind, Number, Object, Rule, Text, Time
from tests.crds.words import (
    CHANNEL,
    CHANNELS,
    CONDITION,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    ENV_NAME,
    SELECTOR,
    WORKLOAD_KIND,
    beginning,
    conditions,
    selector,
    text,
)


def _full(*, cluster: bool) -> dict[str, Any]:
    namespace = {"namespace": "appsec"} if cluster else {}
    spec = {
        "submission": "Enabled",
        "mode": "Audit",
        "products": ["dependency-track", "sonarqube"],
        "channels": ["UpdateCheck"],
        "selector": SELECTOR,
        "injection": {
            "when": "Always",
            "rollout": "Immediate",
            "onConflict": "Keep",
            "settings": [
                {
                    "product": "sonarqube",
                    "env": [{"name": "SONAR_UPDATECENTER_ACTIVATE", "value": "false"}],
                }
            ],
        },
        "egress": {"action": "Isolate", "dialect": "Cilium", "sharedAddresses": "Accept"},
        "runtime": {
            "action": "Remediate",
            "interval": "30m",
            "credentials": [
                {
                    "product": "dependency-track",
                    "secretRef": {"name": "dtrack-telemetry", **namespace},
                }
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
        "spec.injection.onConflict": Choice(of=("Override", "Keep"), default="Override"),
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
        f"{setting}.env[0].name": ENV_NAME,
        f"{setting}.env[0].value": text(4096),
    }


def _egress() -> dict[str, Check]:
    return {
        "spec.egress": Object(),
        "spec.egress.action": Choice(of=("Deny", "Allow", "Isolate"), default="Deny"),
        "spec.egress.dialect": Choice(
            of=("Auto", "NetworkPolicy", "Cilium", "ClusterNetworkPolicy"), default="Auto"
        ),
        "spec.egress.sharedAddresses": Choice(of=("Refuse", "Accept"), default="Refuse"),
    }


def _runtime(*, cluster: bool) -> dict[str, Check]:
    credential, endpoint = "spec.runtime.credentials[0]", "spec.runtime.endpoints[0]"
    secret = {"name": "secret", "namespace": "appsec"} if cluster else {"name": "secret"}
    return {
        "spec.runtime": Object(),
        "spec.runtime.action": Choice(of=("Verify", "Remediate", "Off"), default="Verify"),
        "spec.runtime.interval": Text(
            default="1h",
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
        credential: Object(required=("product", "secretRef")),
        f"{credential}.product": DNS_LABEL,
        f"{credential}.secretRef": Object(required=("name", "namespace") if cluster else ("name",)),
        f"{credential}.secretRef.name": DNS_SUBDOMAIN,
        **({f"{credential}.secretRef.namespace": DNS_LABEL} if cluster else {}),
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
        "spec": Object(),
        "spec.submission": Choice(of=("Disabled", "Enabled"), default="Disabled"),
        "spec.mode": Choice(of=("Enforce", "Audit"), default="Enforce"),
        "spec.products": Array(
            item=lambda index: f"product-{index}", kind="set", shortest=1, longest=256
        ),
        "spec.products[0]": DNS_LABEL,
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
