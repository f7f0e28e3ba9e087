"""values.schema.json accepts what is meant and refuses what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.harness.operator import CHART
from hack.chart_values import Value, ValuesError, read_values, values_schema
from tests.support.rendering import MATRIX, RenderError, Values, manifests, render

TEXT = (CHART / "values.yaml").read_text()
VALUES = read_values(TEXT)
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def objects() -> Iterator[tuple[str, ...]]:
    """Every mapping of the chart's own."""
    yield ()
    for value in VALUES:
        if not value.is_leaf and value.path != ("global",):
            yield value.path


@pytest.mark.cluster
@pytest.mark.parametrize("path", list(objects()), ids=".".join)
def test_a_misspelt_value_is_refused_at_every_level(path: tuple[str, ...]) -> None:
    with pytest.raises(RenderError, match="misspelt"):
        render(nested((*path, "misspelt"), 1))


WRONG: list[tuple[str, Any]] = [
    ("image.digest", "sha256:abc"),
    ("image.pullPolicy", "Sometimes"),
    ("image.pullSecrets", [""]),
    ("image.pullSecrets", [1]),
    ("image.pullSecrets", [{"secret": "name"}]),
    ("nameOverride", "Telemetry"),
    ("clusterName", "prod eu"),
    ("clusterName", "$(POD_NAME)"),
    ("clusterName", "x" * 129),
    ("commonAnnotations", {"a": True}),
    ("serviceAccount.create", "false"),
    ("serviceAccount.name", "a/b"),
    ("serviceAccount.annotations", ["a"]),
    ("tolerations", [1]),
    ("nodeSelector", {"a": 1}),
    ("affinity", []),
    ("topologySpreadConstraints", {"maxSkew": 1}),
    ("webhook.failurePolicy", "fail"),
    ("webhook.failurePolicy", ""),
    ("webhook.timeoutSeconds", 0),
    ("webhook.timeoutSeconds", 31),
    ("webhook.timeoutSeconds", "2s"),
    ("webhook.timeoutSeconds", 2.5),
    ("webhook.hostNetwork", "yes"),
    ("webhook.dnsPolicy", "None"),
    ("webhook.httpPort", 80),
    ("webhook.namespaceSelector", "stage=prod"),
    ("webhook.namespaceSelector", {"stage": "prod"}),
    ("webhook.namespaceSelector", {"matchLabels": {"a b": "c"}}),
    ("webhook.namespaceSelector", {"matchLabels": {"a": "$(POD_NAME)"}}),
    ("webhook.namespaceSelector", {"matchExpressions": [{"key": "a", "operator": "In"}]}),
    (
        "webhook.namespaceSelector",
        {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
    ),
    ("webhook.namespaceSelector", {"matchExpressions": [{"key": "a", "operator": "in"}]}),
    ("metrics.teamLabel", "a b"),
    ("metrics.teamLabel", "$(POD_NAME)"),
    ("metrics.podMonitor.interval", 30),
    ("metrics.podMonitor.relabelings", ["a"]),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryUnknown": {}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryNoLeader": {"threshold": 5}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryEgressStale": {"threshold": 0}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryEgressStale": {"threshold": "1h"}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryNoLeader": {"for": "5 minutes"}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryNoLeader": {"enabled": "no"}}),
    ("metrics.prometheusRule.alerts", {"FleetTelemetryNoLeader": False}),
    ("image.repository", ""),
    ("commonLabels", {"a": 1}),
    ("webhook.replicas", 0),
    ("webhook.replicas", "2"),
    ("webhook.port", 443),
    ("webhook.service.port", 70000),
    ("webhook.certificate.source", "Openssl"),
    ("webhook.certificate.source", "ExistingSecret"),
    ("webhook.certificate.ca", "/etc/ca.crt"),
    ("webhook.drainSeconds", 60),
    ("webhook.excludedNamespaces", "kube-system"),
    ("webhook.resources", {"limit": {"memory": "1Gi"}}),
    ("webhook.extraEnv", [{"value": "x"}]),
    ("webhook.nodeSelector", ["linux"]),
    ("controller.tolerations", {"key": "a"}),
    ("controller.podDisruptionBudget.enabled", "yes"),
    ("runAsUser", 0),
    ("crds.keep", "true"),
    ("runtime.secrets", [{"name": "x"}]),
    ("runtime.secrets", [{"namespace": "a", "names": "x"}]),
    ("egress.families", []),
    ("egress.families", ["IPv5"]),
    ("egress.enforced", ["Calico"]),
    ("egress.clusterRanges", ["192.0.2.1"]),
    ("egress.nat64Prefixes", ["2001:db8::/97"]),
    ("egress.publishedRanges", True),
    ("egress.allowlistRequests", "tenants"),
    ("egress.onUninstall", "Delete"),
    ("networkPolicy.apiServerPorts", ["https"]),
    ("observed.enabled", "true"),
    ("observed.port", 53),
    ("observed.port", "6000"),
    ("observed.port", 65536),
    ("observed.service.clusterIP", "None"),
    ("observed.service.clusterIP", "dnstap.example.com"),
    ("observed.dnsService.namespace", ""),
    ("observed.dnsService.namespace", "kube-system/kube-dns"),
    ("observed.dnsService.name", "kube_dns"),
    ("observed.sources", "10.0.0.0/8"),
    ("observed.sources", ["10.0.0.1"]),
    ("observed.sources", ["nodes"]),
    ("observed.sources", [{"cidr": "10.0.0.0/8"}]),
    ("observed.clusterDomain", ""),
    ("observed.clusterDomain", "cluster.local."),
    ("observed.clusterDomain", "$(POD_NAME)"),
    ("observed.tls.secretName", "Secret"),
    ("observed.tls.secretName", " "),
    ("observed.networkPolicy.enabled", "no"),
    ("observed.networkPolicy.podSelector", {"k8s-app": "kube-dns"}),
    ("metrics.serviceMonitor.interval", 30),
    ("logLevel", "trace"),
    ("fullnameOverride", "Telemetry"),
    ("extraObjects", {"kind": "ConfigMap"}),
]


@pytest.mark.cluster
@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{n}={v}" for n, v in WRONG])
def test_a_wrong_value_is_refused_and_named(name: str, value: Any) -> None:
    path = tuple(name.split("."))
    with pytest.raises(
        RenderError, match=path[-1] if path[-1] != "source" else "secretName|source"
    ):
        render(nested(path, value))


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("clusterRanges", "203.0.113.7/24", "the range begins at 203.0.113.0"),
        ("clusterRanges", "300.1.1.1/99", "it is no IPv4 range"),
        ("clusterRanges", "2001:db8:0:ab01::/56", "the range begins at another address"),
        ("clusterRanges", "0.0.0.0/0", "it contains every address"),
        ("nat64Prefixes", "2001:db8::1/96", "the range begins at another address"),
        ("nat64Prefixes", "2001:db8/96", "it is no IPv6 range"),
        ("dnsServers", "dns.example.com", '"dns.example.com" is no IP address'),
        ("dnsServers", "corp=10.96.0.256", '"10.96.0.256" is no IP address'),
        ("dnsServers", "[10.96.0.10]:53", "is no IP address"),
        ("dnsServers", "a=b=10.96.0.10", '"a=b" is no name'),
        ("dnsServers", "10.96.0.10:70000", '"70000" is no port'),
        ("dnsServers", "ff02::fb", "ff02::fb is the address of no server"),
    ],
)
def test_an_address_that_the_controller_would_not_start_with_is_refused(
    name: str, value: str, why: str
) -> None:
    with pytest.raises(RenderError) as found:
        render({"egress": {name: [value]}})
    assert f"egress.{name} contains {value}: " in str(found.value)
    assert why in str(found.value)


@pytest.mark.cluster
@pytest.mark.parametrize("labels", [None, {"grafana_dashboard": None}, {}])
def test_dashboards_need_no_labels_of_their_own(labels: Any) -> None:
    values = {"metrics": {"dashboards": {"enabled": True, "labels": labels}}}
    found = [
        one for one in manifests(render(values)) if one["metadata"]["name"].endswith("-dashboards")
    ]
    assert [one["metadata"]["labels"]["app.kubernetes.io/managed-by"] for one in found] == ["Helm"]


@pytest.mark.cluster
@pytest.mark.parametrize("values", list(MATRIX.values()), ids=list(MATRIX))
def test_the_matrix_is_accepted(values: Values) -> None:
    assert render(values)


@pytest.mark.cluster
def test_it_can_be_a_dependency_of_another_chart() -> None:
    assert render({"enabled": True, "global": {"imageRegistry": "r.example", "others": {"a": 1}}})


def leaves() -> list[Value]:
    return [value for value in VALUES if value.is_leaf]


def test_the_schema_has_every_default_and_describes_every_value() -> None:
    assert len(leaves()) > 60
    for value in leaves():
        schema = SCHEMA
        for key in value.path:
            schema = schema["properties"][key]
        assert schema["description"] == value.description
        assert schema["default"] == value.default
        assert {"type", "enum", "allOf"} & schema.keys()


def test_the_readme_lists_every_value() -> None:
    text = (CHART / "README.md").read_text()
    for value in leaves():
        assert f"| `{'.'.join(value.path)}` |" in text


def test_the_matrix_sets_every_value_to_something_else() -> None:
    """A value that no test sets may well do nothing."""

    def is_set(value: Value) -> bool:
        for values in MATRIX.values():
            found: Any = values
            for key in value.path:
                found = found.get(key, {}) if isinstance(found, dict) else {}
            if found not in ({}, value.default):
                return True
        return False

    unset = {".".join(value.path) for value in leaves() if not is_set(value)}
    # That one means nothing here.
    assert unset == {"enabled"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n", "a has no comment"),
        ("# A.\nb:\n  c: x\n", "b.c has no comment"),
        ("# A.\na: []\n", "a needs an @schema"),
        ("# A.\na: {}\n", "a needs an @schema"),
        ("# A.\n\na: 1\n", "a has no comment"),
    ],
)
def test_a_value_that_says_too_little_is_no_value(text: str, problem: str) -> None:
    with pytest.raises(ValuesError, match=problem):
        values_schema(text)


def test_comments_become_descriptions_and_constraints() -> None:
    text = '# One\n# two.\n# @schema {$ref: "#/definitions/port", minimum: 3}\na: 5\n'
    (found,) = json.loads(values_schema(text))["properties"].items()
    assert found == (
        "a",
        {
            "description": "One two.",
            "allOf": [{"$ref": "#/definitions/port"}],
            "minimum": 3,
            "default": 5,
        },
    )
