"""What is in the rendered chart, whatever the values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import pytest

from dev.cluster.cluster import HelmProgram
from dev.harness.operator import CHART, NAMESPACE
from tests.support.rendering import CERTIFICATE, MATRIX, Manifest, Values, manifests, render

pytestmark = pytest.mark.cluster


@cache
def _rendered(name: str) -> str:
    return render(MATRIX[name])


def rendered(name: str, kind: str = "") -> list[Manifest]:
    found = manifests(_rendered(name))
    return [manifest for manifest in found if kind in ("", manifest["kind"])]


def pod_specs(name: str) -> Iterator[tuple[str, Manifest]]:
    for manifest in rendered(name):
        if manifest["kind"] in ("Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]


@pytest.mark.parametrize("values", list(MATRIX.values()), ids=list(MATRIX))
def test_two_renders_are_the_same_byte_by_byte(values: Values) -> None:
    assert render(values) == render(values)


@pytest.mark.parametrize("values", list(MATRIX.values()), ids=list(MATRIX))
def test_both_helms_render_the_same(values: Values) -> None:
    of_four, of_three = (
        sorted(json.dumps(one) for one in manifests(render(values, program=program)))
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
        assert labels["app.kubernetes.io/name"] == "fleet-telemetry-operator"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert all(isinstance(value, str) for value in labels.values())
        if name == "everything":
            assert labels["cost-center"] == "4711"
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
        assert bool(annotations) == (given.get("source") == "CertManager")
    assert CERTIFICATE.startswith("-----")


@pytest.mark.parametrize("name", list(MATRIX))
def test_workloads_fail_open_and_only_our_own_kinds_fail_closed(name: str) -> None:
    mutating, of_products = rendered(name, "MutatingWebhookConfiguration")
    # The controller owns the field; an empty list would take it away at every upgrade.
    assert "webhooks" not in of_products
    for webhook in mutating["webhooks"]:
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["timeoutSeconds"] <= 2
        assert webhook["reinvocationPolicy"] == "IfNeeded"
        assert webhook["matchConditions"]
        (where,) = webhook["namespaceSelector"]["matchExpressions"]
        assert NAMESPACE in where["values"]
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
    assert len(policies) == (0 if name == "bare" else 4)
    assert [p["metadata"]["name"] for p in policies] == [b["spec"]["policyName"] for b in bindings]
    for policy in policies:
        (condition,) = policy["spec"]["matchConditions"]
        assert condition["expression"].startswith("request.userInfo.username ")
        assert f"'system:serviceaccount:{NAMESPACE}:" in condition["expression"]
        for validation in policy["spec"]["validations"]:
            # Another reason counts as a conflict, which is retried without a word.
            assert validation["reason"] == "Forbidden"
            assert validation["message"]


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
    for path in ("rbac.yaml", "rbac-egress.yaml", "rbac-users.yaml", "uninstall.yaml"):
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
