"""What is in the rendered chart, whatever the values."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from dev.cluster.cluster import HelmProgram
from dev.harness.operator import CHART, NAMESPACE
from fleet_telemetry.audit.cluster.operators import operators_in
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import LEFT_OUT_LABEL, LEFT_OUT_VALUES
from tests.support.rendering import (
    CERTIFICATE,
    MATRIX,
    Manifest,
    RenderError,
    Values,
    manifests,
    render,
)

pytestmark = pytest.mark.cluster


@cache
def _rendered(name: str) -> str:
    return render(MATRIX[name])


@cache
def _objects(name: str) -> tuple[Manifest, ...]:
    return tuple(manifests(_rendered(name)))


def rendered(name: str, kind: str = "") -> list[Manifest]:
    """The objects, which no test changes."""
    return [manifest for manifest in _objects(name) if kind in ("", manifest["kind"])]


def pod_specs(name: str) -> Iterator[tuple[str, Manifest]]:
    for manifest in rendered(name):
        if manifest["kind"] in ("Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]


@pytest.mark.parametrize("name", MATRIX)
def test_two_renders_are_the_same_byte_by_byte(name: str) -> None:
    assert render(MATRIX[name]) == _rendered(name)


@pytest.mark.parametrize("name", MATRIX)
def test_both_helms_render_the_same(name: str) -> None:
    of_four, of_three = (
        sorted(json.dumps(one) for one in manifests(render(MATRIX[name], program=program)))
        for program in get_args(HelmProgram)
    )
    assert of_four == of_three


def test_nothing_random_is_called() -> None:
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            calls = r"\b(gen[A-Z]\w+|rand\w+|uuidv4|now|lookup|htpasswd|bcrypt)\b"
            code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
            for action in re.findall(r"\{\{.*?\}\}", code, flags=re.DOTALL):
                assert not re.search(calls, action), f"{path.name}: {action}"


@pytest.mark.parametrize("name", list(MATRIX))
def test_objects_have_the_standard_labels_and_a_place(name: str) -> None:
    extra = {"fleet-telemetry-more", "text"}
    for manifest in rendered(name):
        metadata = manifest["metadata"]
        if metadata["name"] in extra:
            continue
        labels = metadata["labels"]
        assert labels["app.kubernetes.io/name"] == (
            "phone-home" if name == "chosen" else "fleet-telemetry-operator"
        )
        if name == "chosen":
            assert metadata["annotations"]["example.com/owner"] == "platform"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert all(isinstance(value, str) for value in labels.values())
        if name == "everything":
            assert labels["cost-center"] == "4711"
            assert labels["app.kubernetes.io/part-of"] == "platform"
            if manifest["kind"] in ("Deployment", "Service"):
                assert labels["app.kubernetes.io/component"] in ("webhook", "controller")
            monitor = manifest["kind"] == "ServiceMonitor"
            assert labels["release"] == ("prometheus" if monitor else "common")
        clusterwide = re.search(
            "^Cluster|Configuration$|CustomResource|AdmissionPolicy", manifest["kind"]
        )
        assert ("namespace" in metadata) == (not clusterwide), manifest["kind"]


@pytest.mark.parametrize("name", list(MATRIX))
def test_no_two_objects_are_the_same(name: str) -> None:
    keys = [
        (m["apiVersion"], m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"])
        for m in rendered(name)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", list(MATRIX))
def test_services_and_budgets_select_the_pods_of_one_role_each(name: str) -> None:
    pods = {
        manifest["metadata"]["name"]: manifest["spec"]["template"]["metadata"]["labels"]
        for manifest in rendered(name, "Deployment")
    }
    assert len(pods) == 2
    selectors = [
        (manifest["metadata"]["name"], manifest["spec"]["selector"])
        for manifest in rendered(name, "Service")
        # The leader writes where this one leads to.
        if not manifest["metadata"]["name"].endswith("-dnstap")
    ]
    selectors += [
        (manifest["metadata"]["name"], manifest["spec"]["selector"]["matchLabels"])
        for manifest in rendered(name)
        if manifest["kind"] in ("Deployment", "PodDisruptionBudget")
    ]
    assert len(selectors) >= 5
    for named, selector in selectors:
        found = [pod for pod, labels in pods.items() if selector.items() <= labels.items()]
        assert [pod for pod in pods if named.startswith(pod)] == found


def test_a_new_version_of_the_chart_alone_rolls_no_pods() -> None:
    for manifest in rendered("defaults", "Deployment"):
        template = json.dumps(manifest["spec"]["template"]["metadata"])
        assert "helm.sh/chart" not in template
        assert "version" not in template


@pytest.mark.parametrize("name", list(MATRIX))
def test_secrets_that_the_webhook_fills_are_empty(name: str) -> None:
    secrets = rendered(name, "Secret")
    own = MATRIX[name].get("webhook", {}).get("certificate", {}).get("source") is None
    assert len(secrets) == (2 if own else 0)
    for secret in secrets:
        assert not {"data", "stringData"} & secret.keys()


@pytest.mark.parametrize("name", list(MATRIX))
def test_the_ca_is_said_by_the_chart_only_where_it_is_given(name: str) -> None:
    configurations = [m for m in rendered(name) if m["kind"].endswith("WebhookConfiguration")]
    assert len(configurations) == 3
    given = MATRIX[name].get("webhook", {}).get("certificate", {})
    for configuration in configurations:
        for webhook in configuration.get("webhooks", []):
            assert ("caBundle" in webhook["clientConfig"]) == ("ca" in given)
        annotations = configuration["metadata"].get("annotations", {})
        injected = "cert-manager.io/inject-ca-from" in annotations
        assert injected == (given.get("source") == "CertManager")
    assert CERTIFICATE.startswith("-----")


@pytest.mark.parametrize("name", list(MATRIX))
def test_workloads_fail_open_and_only_our_own_kinds_fail_closed(name: str) -> None:
    mutating, of_products = rendered(name, "MutatingWebhookConfiguration")
    # The controller owns the field; an empty list would take it away at every upgrade.
    assert "webhooks" not in of_products
    for webhook in mutating["webhooks"]:
        assert webhook["failurePolicy"] == ("Fail" if name == "chosen" else "Ignore")
        assert webhook["timeoutSeconds"] == (10 if name == "chosen" else 2)
        assert webhook["reinvocationPolicy"] == "IfNeeded"
        assert webhook["matchConditions"]
        where, *more = webhook["namespaceSelector"]["matchExpressions"]
        assert NAMESPACE in where["values"]
        chosen = MATRIX[name].get("webhook", {}).get("namespaceSelector", {})
        assert more == chosen.get("matchExpressions", [])
        labels = webhook["namespaceSelector"].get("matchLabels", {})
        assert labels == chosen.get("matchLabels", {})
        assert webhook["objectSelector"] == {
            "matchExpressions": [
                {"key": LEFT_OUT_LABEL, "operator": "NotIn", "values": list(LEFT_OUT_VALUES)}
            ]
        }
        assert ("kube-system" in where["values"]) == (name != "bare")
    (validating,) = rendered(name, "ValidatingWebhookConfiguration")
    for webhook in validating["webhooks"]:
        assert {group for rule in webhook["rules"] for group in rule["apiGroups"]} == {
            "fleettelemetry.io"
        }


@pytest.mark.parametrize("name", list(MATRIX))
def test_admission_policies_concern_the_operators_own_accounts_only(name: str) -> None:
    policies = rendered(name, "ValidatingAdmissionPolicy")
    bindings = rendered(name, "ValidatingAdmissionPolicyBinding")
    observes = MATRIX[name].get("observed", {}).get("enabled", False)
    writes = "customResources" in MATRIX[name]
    assert len(policies) == (0 if name == "bare" else 4 + observes + writes)
    assert [p["metadata"]["name"] for p in policies] == [b["spec"]["policyName"] for b in bindings]
    for policy in policies:
        (condition,) = policy["spec"]["matchConditions"]
        assert condition["expression"].startswith("request.userInfo.username ")
        assert f"'system:serviceaccount:{NAMESPACE}:" in condition["expression"]
        for validation in policy["spec"]["validations"]:
            # Another reason counts as a conflict, which is retried without a word.
            assert validation["reason"] == "Forbidden"
            assert validation["message"]


def _custom_resources(values: dict[str, Any] | None = None) -> set[tuple[str, str, str]]:
    """Resource, name and verb of each right to custom resources."""
    roles = [
        one
        for one in manifests(render(values))
        if one["kind"] == "ClusterRole" and one["metadata"]["name"].endswith("custom-resources")
    ]
    return {
        (resource, name, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for name in rule["resourceNames"]
        for verb in rule["verbs"]
    }


def test_custom_resources_are_got_by_name_and_patched_only_if_it_is_said() -> None:
    names = ("allow-collecting-longhorn-usage-metrics", "upgrade-checker")
    got = {("settings", name, "get") for name in names}
    patched = {("settings", name, "patch") for name in names}
    assert _custom_resources() == got
    assert _custom_resources({"customResources": {"read": False}}) == set()
    assert _custom_resources({"customResources": {"write": ["longhorn"]}}) == got | patched
    own = {"group": "acme.example.com", "resource": "things", "names": ["a"], "path": "spec.b"}
    for write in (None, False, True):
        more = {**own, **({} if write is None else {"write": write})}
        found = _custom_resources({"customResources": {"read": False, "additional": [more]}})
        verbs = ("get", "patch") if write else ("get",)
        assert found == {("things", "a", verb) for verb in verbs}


@pytest.mark.parametrize(
    "values",
    [
        {"write": ["sonarqube"]},
        {"additional": [{"group": "rbac.authorization.k8s.io", "resource": "roles"}]},
        {"additional": [{"group": "fleettelemetry.io", "resource": "telemetrypolicies"}]},
        {"additional": [{"group": "apps", "resource": "deployments"}]},
        {"additional": [{"path": "metadata.labels"}]},
        {"additional": [{"path": "status.a"}]},
        {"additional": [{"resource": "things/status"}]},
        {"additional": [{"names": []}]},
        {"additional": [{"names": ["*"]}]},
    ],
)
def test_what_is_not_the_vendors_is_granted_to_nobody(values: dict[str, Any]) -> None:
    own = {"group": "acme.example.com", "resource": "things", "names": ["a"], "path": "spec.b"}
    given = {**values, "additional": [{**own, **one} for one in values.get("additional", ())]}
    with pytest.raises(RenderError):
        render({"customResources": given})


def test_no_role_may_do_everything_or_read_all_secrets() -> None:
    for name in MATRIX:
        for role in (*rendered(name, "ClusterRole"), *rendered(name, "Role")):
            for rule in role["rules"]:
                assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
                assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
                if "secrets" in rule["resources"]:
                    assert role["kind"] == "Role"
                    assert set(rule["verbs"]) <= {"get", "patch"}
                    whole = role["metadata"]["namespace"] == "b"  # as its values say
                    assert ("resourceNames" in rule) == (not whole)


def test_each_right_of_the_operator_has_a_comment() -> None:
    for path in (
        "rbac.yaml",
        "rbac-egress.yaml",
        "rbac-observed.yaml",
        "rbac-users.yaml",
        "uninstall.yaml",
    ):
        lines = (CHART / "templates" / path).read_text().splitlines()
        commented = False
        for line in lines:
            if line.startswith("rules:"):
                commented = False
            elif line.startswith(("#", "{{- /*")):
                commented = True
            elif line.startswith("- apiGroups:"):
                assert commented, f"{path}: {line}"


@pytest.mark.parametrize("name", list(MATRIX))
def test_every_image_is_the_operators(name: str) -> None:
    expected = {
        "everything": f"registry.example:5000/fleet-telemetry/operator@sha256:{'0' * 64}",
        "mirror": "mirror.example/telemetry:1.2.3",
    }.get(name, "ghcr.io/fleet-telemetry/operator:0.1.0")
    images = {spec["containers"][0]["image"] for _, spec in pod_specs(name)}
    assert images == {expected}


def test_values_reach_their_place() -> None:
    by_name: dict[str, Any] = dict(pod_specs("everything"))
    assert by_name.keys() == {
        "telemetry-webhook",
        "telemetry-controller",
        "telemetry-test-readiness",
        "telemetry-uninstall",
    }
    for spec in by_name.values():
        assert spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    for role in ("webhook", "controller"):
        spec = by_name[f"telemetry-{role}"]
        container, proxy = spec["containers"]
        given = MATRIX["everything"][role]
        for key in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints"):
            assert spec[key] == given[key]
        assert [proxy] == given["extraContainers"]
        assert "--metrics-for=Pod" in container["args"]
        assert spec["priorityClassName"] == given["priorityClassName"]
        assert container["args"][-1:] == given["extraArgs"]
        assert container["env"][-1:] == given["extraEnv"]
        assert container["volumeMounts"][-1:] == given["extraVolumeMounts"]
        assert spec["volumes"][-1:] == given["extraVolumes"]
    for spec in dict(pod_specs("bare")).values():
        assert "runAsUser" not in spec["securityContext"]
    names = {manifest["metadata"]["name"] for manifest in rendered("everything", "ConfigMap")}
    assert {"fleet-telemetry-more", "text"} <= names
    for crd in rendered("everything", "CustomResourceDefinition"):
        assert "helm.sh/resource-policy" not in crd["metadata"].get("annotations", {})
    for crd in rendered("defaults", "CustomResourceDefinition"):
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert rendered("bare", "CustomResourceDefinition") == []
    assert rendered("bare", "PodDisruptionBudget") == []
    assert rendered("single", "PodDisruptionBudget") == []
    assert len(rendered("defaults", "PodDisruptionBudget")) == 2
    assert rendered("defaults", "Job") == []
    aggregated = [
        m for m in rendered("bare", "ClusterRole") if "aggregate" in m["metadata"]["name"]
    ]
    assert aggregated == []


@pytest.mark.parametrize("values", list(MATRIX))
def test_an_audit_finds_the_controller_that_the_chart_deploys(values: str) -> None:
    """Its Lease, for which the role for view has the right, and the namespaces it excludes."""
    found = [
        one
        for manifest in rendered(values, "Deployment")
        for one in operators_in(NAMESPACE, read_template(manifest["spec"]["template"]))
    ]
    (controller,) = found
    assert controller.excludes(NAMESPACE, {})
    viewed = [
        rule["resourceNames"]
        for role in rendered(values, "ClusterRole")
        if role["metadata"]["name"].endswith("-aggregate-to-view")
        for rule in role["rules"]
        if rule["resources"] == ["leases"]
    ]
    assert viewed in ([], [[controller.lease]])
    assert all(controller.excludes(one, {}) for one in excluded_by(values))


def excluded_by(values: str) -> Iterator[str]:
    for word in arguments(values, "controller"):
        if word.startswith("--excluded-namespace="):
            yield word.partition("=")[2]


def arguments(name: str, role: str) -> list[str]:
    (found,) = (spec for named, spec in pod_specs(name) if named.endswith(f"-{role}"))
    args: list[str] = found["containers"][0]["args"]
    return args


def test_the_controller_excludes_what_the_webhook_configuration_does() -> None:
    (mutating, _) = rendered("chosen", "MutatingWebhookConfiguration")
    where, *more = mutating["webhooks"][0]["namespaceSelector"]["matchExpressions"]
    # With Fail, the cluster's own namespace is always left out.
    assert where["values"] == ["ingress", NAMESPACE, "kube-system"]
    args = arguments("chosen", "controller")
    for name in where["values"]:
        assert f"--excluded-namespace={name}" in args
    (given,) = (one for one in args if one.startswith("--namespace-selector="))
    selector = json.loads(given.partition("=")[2])
    assert selector == {"matchLabels": {"fleet": "production"}, "matchExpressions": more}
    assert not any("--namespace-selector" in one for one in arguments("defaults", "controller"))
    (policy,) = (
        one
        for one in rendered("chosen", "ValidatingAdmissionPolicy")
        if one["metadata"]["name"].endswith("-workloads")
    )
    first = policy["spec"]["validations"][0]["expression"]
    assert first == f"!(request.namespace in ['ingress','{NAMESPACE}','kube-system'])"


def test_service_accounts_that_exist_are_used_and_not_created() -> None:
    names = {f"given-{role}" for role in ("webhook", "controller", "uninstall")}
    assert rendered("chosen", "ServiceAccount") == []
    specs = [spec for _, spec in pod_specs("chosen") if "serviceAccountName" in spec]
    assert {spec["serviceAccountName"] for spec in specs} == names
    bindings = [*rendered("chosen", "ClusterRoleBinding"), *rendered("chosen", "RoleBinding")]
    subjects = {subject["name"] for binding in bindings for subject in binding["subjects"]}
    assert subjects == names
    for policy in rendered("chosen", "ValidatingAdmissionPolicy"):
        (condition,) = policy["spec"]["matchConditions"]
        assert f":{NAMESPACE}:given-controller'" in condition["expression"]


def test_annotations_of_service_accounts_are_those_of_all_and_of_the_role() -> None:
    for account in rendered("everything", "ServiceAccount"):
        annotations = account["metadata"]["annotations"]
        if not account["metadata"]["name"].endswith("-uninstall"):
            assert annotations == {"example.com/all": "a", "example.com/role": "r"}


def test_pods_are_scheduled_by_the_role_or_else_as_all() -> None:
    given = MATRIX["chosen"]
    for name, spec in pod_specs("chosen"):
        assert spec["priorityClassName"] == given["priorityClassName"]
        assert spec["tolerations"] == given["tolerations"]
        assert spec["affinity"] == given["affinity"]
        pool = "front" if name.endswith("-webhook") else "infra"
        assert spec["nodeSelector"] == {"pool": pool}
        if name.endswith(("-webhook", "-controller")):
            assert spec["topologySpreadConstraints"] == given["topologySpreadConstraints"]
        assert spec["imagePullSecrets"] == [{"name": "b"}, {"name": "c"}, {"name": "a"}]


def test_the_common_name_ends_with_the_override() -> None:
    names = {manifest["metadata"]["name"] for manifest in rendered("chosen", "Deployment")}
    assert names == {f"fleet-telemetry-phone-home-{role}" for role in ("webhook", "controller")}
    text = render({"nameOverride": "telemetry"})
    assert "name: fleet-telemetry-webhook\n" in text


def test_on_the_nodes_network_no_second_replica_is_needed_on_a_node() -> None:
    by_name = {m["metadata"]["name"]: m["spec"] for m in rendered("host-network", "Deployment")}
    webhook, controller = by_name["fleet-telemetry-webhook"], by_name["fleet-telemetry-controller"]
    pod = webhook["template"]["spec"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert webhook["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    assert ports == {"http": 18080, "webhook": 9443}
    assert "--http-port=18080" in pod["containers"][0]["args"]
    assert "hostNetwork" not in controller["template"]["spec"]
    assert "dnsPolicy" not in controller["template"]["spec"]
    (policy,) = (
        one
        for one in rendered("host-network", "NetworkPolicy")
        if one["metadata"]["name"].endswith("-webhook")
    )
    assert policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 18080}]
    for one in rendered("host-network", "Service"):
        # Those who scrape and probe by the Service see no difference.
        assert one["spec"]["ports"][0]["port"] in (443, 8080)


def test_the_name_of_the_cluster_reaches_metrics_and_processes() -> None:
    (monitor,) = rendered("chosen", "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [
        {"targetLabel": "cluster", "replacement": "prod-eu"},
        {"action": "labeldrop", "regex": "pod"},
    ]
    assert (endpoint["port"], endpoint["interval"], endpoint["scrapeTimeout"]) == (
        "http", "1m", "20s",
    )  # fmt: skip
    assert monitor["spec"]["convertClassicHistogramsToNHCB"] is True
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    for role in ("webhook", "controller"):
        assert "--cluster-name=prod-eu" in arguments("chosen", role)
        assert not any("--cluster-name" in one for one in arguments("defaults", role))
    assert "--team-label=example.com/team" in arguments("chosen", "controller")
    (service_monitor,) = rendered("mirror", "ServiceMonitor")
    assert "relabelings" not in service_monitor["spec"]["endpoints"][0]


def test_a_pod_monitor_selects_the_pods_of_both_roles_and_no_others() -> None:
    (monitor,) = rendered("chosen", "PodMonitor")
    selector = monitor["spec"]["selector"]
    (requirement,) = selector["matchExpressions"]
    pods = [
        m.get("spec", {}).get("template", m)["metadata"]["labels"]
        for m in rendered("chosen")
        if m["kind"] in ("Deployment", "Job", "Pod")
    ]
    selected = [
        labels["app.kubernetes.io/component"]
        for labels in pods
        if selector["matchLabels"].items() <= labels.items()
        and labels[requirement["key"]] in requirement["values"]
    ]
    assert len(pods) == 4
    assert sorted(selected) == ["controller", "webhook"]


def test_alerts_are_changed_as_the_values_say_and_no_others() -> None:
    def alerts(name: str) -> dict[str, Manifest]:
        (rule,) = rendered(name, "PrometheusRule")
        return {
            one["alert"]: one
            for group in rule["spec"]["groups"]
            for one in group["rules"]
            if "alert" in one
        }

    plain, chosen = alerts("mirror"), alerts("chosen")
    expected = {name: dict(one) for name, one in plain.items()}
    del expected["FleetTelemetryMatchConditionErrors"]
    for name, before, after in (
        ("FleetTelemetryExceptionExpiring", "< 7 * 86400", "< 30 * 86400"),
        ("FleetTelemetryCertificateExpiring", "< 7 * 86400", "< 2.5 * 86400"),
        ("FleetTelemetryEgressStale", "> 1800", "> 90 * 60"),
    ):
        assert before in expected[name]["expr"]
        expected[name]["expr"] = expected[name]["expr"].replace(before, after)
    expected["FleetTelemetryEgressStale"]["for"] = "1h"
    expected["FleetTelemetryUnknownTooLong"]["for"] = "7d"
    expected["FleetTelemetryCertificateExpiring"]["labels"] = {"severity": "page"}
    assert chosen == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
            "metrics.podMonitor.enabled",
        ),
        ({"webhook": {"hostNetwork": True}, "metrics": {"for": "Pod"}}, "webhook.hostNetwork"),
        ({"webhook": {"port": 9000, "httpPort": 9000}}, "webhook.httpPort"),
        ({"observed": {"enabled": True, "port": 8080}}, "observed.port is 8080"),
    ],
)
def test_values_that_do_not_go_together_are_refused(values: Values, said: str) -> None:
    with pytest.raises(RenderError, match=said):
        render(values)


EMPTY: Values = {
    "nameOverride": "",
    "commonAnnotations": {},
    "clusterName": "",
    "serviceAccount": {"create": True, "name": "", "annotations": {}},
    "priorityClassName": "",
    "nodeSelector": {},
    "tolerations": [],
    "affinity": {},
    "topologySpreadConstraints": [],
    "webhook": {
        "failurePolicy": "Ignore",
        "timeoutSeconds": 2,
        "namespaceSelector": {},
        "hostNetwork": False,
        "dnsPolicy": "",
        "httpPort": 8080,
    },
    "metrics": {"teamLabel": "", "podMonitor": {"enabled": False}},
}


def test_values_that_say_nothing_change_nothing() -> None:
    assert render(EMPTY) == render()


def test_without_values_pods_and_accounts_are_as_they_always_were() -> None:
    """A change here rolls the pods of everybody who upgrades: it should be meant."""
    found = [
        copy.deepcopy(manifest)
        for manifest in rendered("defaults")
        if manifest["kind"] in ("Deployment", "ServiceAccount", "Service", "PodDisruptionBudget")
    ]
    for manifest in found:
        for key in ("helm.sh/chart", "app.kubernetes.io/version"):
            del manifest["metadata"]["labels"][key]
    golden = Path(__file__).with_name("defaults.yaml")
    assert found == list(yaml.safe_load_all(golden.read_text()))
