"""Where the credential of a policy may be sent: what a tenant would try, and what people need."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.checks import Check, result_without_check
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import Pod
from tests.support.builders import (
    DTRACK_5,
    LATER,
    LONG_AGO,
    NAMESPACE,
    catalogue,
    container,
    manifest,
    pod_of,
    policy,
    product,
    under,
)
from tests.support.depth import examples

DTRACK = "dependency-track"
EVIL = "evil.example/dependencytrack/apiserver:5.0.4"
LABELS = {"kubernetes.io/metadata.name": NAMESPACE, "team": "security"}


def asking(*, name: str = "opt-out", runtime: Any = None, **credential: Any) -> Policy:
    """A cluster policy with a credential from another namespace."""
    reference = {"name": "key", "namespace": "vault"}
    of_product = {"product": DTRACK, "secretRef": reference, "requireTLS": False, **credential}
    return policy(name, cluster=True, runtime={"credentials": [of_product], **(runtime or {})})


def check(
    *policies: Policy,
    image: str = DTRACK_5,
    labels: dict[str, str] | None = None,
    pods: tuple[Pod, ...] = (),
    **more: Any,
) -> Check:
    cluster = under(*policies, namespace_labels=LABELS if labels is None else labels, **more)
    given_input = cluster.input(manifest(container(image)), Trigger.RECONCILE, pods=pods)
    (found,) = decide(given_input).checks
    return found


def withheld(*policies: Policy, **more: Any) -> Reason | None:
    """Why the credential is not sent."""
    found = check(*policies, **more)
    assert found.grant is not None
    told = result_without_check(found)
    return told.fault if told is not None else None


# Namespaces


BY_NAME_LABEL = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}


@pytest.mark.parametrize(
    "scope",
    [
        {"namespaces": [NAMESPACE]},
        {"namespaces": ["other", NAMESPACE]},
        {"namespaceSelector": BY_NAME_LABEL},
        {"namespaceSelector": {"matchLabels": {"team": "security"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}},
    ],
)
def test_a_credential_is_sent_where_its_policy_allows_it(scope: Any) -> None:
    assert withheld(asking(**scope)) is None


@pytest.mark.parametrize(
    "scope",
    [
        {"namespaces": ["other"]},
        {"namespaces": [NAMESPACE + "-2", NAMESPACE[:-1]]},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}},
        {"namespaceSelector": {"matchLabels": {"team": "other"}}},
        {"namespaceSelector": {"matchLabels": {"absent": ""}}},
        {
            "namespaceSelector": {
                "matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["security"]}]
            }
        },
    ],
)
def test_a_credential_is_not_sent_to_another_namespace(scope: Any) -> None:
    assert withheld(asking(**scope)) is Reason.CREDENTIAL_NOT_FOR_NAMESPACE


@pytest.mark.parametrize(
    "labels", [{}, {"team": "security"}, {**LABELS, "kubernetes.io/metadata.name": "x"}]
)
@pytest.mark.parametrize(
    "expression",
    [
        {"key": "x", "operator": "DoesNotExist"},
        {"key": "x", "operator": "NotIn", "values": ["y"]},
        {"key": "team", "operator": "NotIn", "values": ["tenants"]},
    ],
)
def test_labels_that_are_not_known_match_no_selector(
    labels: dict[str, str], expression: Any
) -> None:
    scope = {"namespaceSelector": {"matchExpressions": [expression]}}
    assert withheld(asking(**scope), labels=labels) is Reason.CREDENTIAL_NOT_FOR_NAMESPACE


@pytest.mark.parametrize("scope", [{}, {"namespaceSelector": {}}, {"registries": ["docker.io"]}])
def test_a_policy_of_an_earlier_version_that_does_not_say_where_sends_nothing(scope: Any) -> None:
    assert withheld(asking(**scope)) is Reason.CREDENTIAL_SCOPE_MISSING


def test_without_a_namespace_the_secret_is_that_of_the_workloads_own_namespace() -> None:
    found = check(asking(secretRef={"name": "key"}))
    assert found.secret == (NAMESPACE, "key")
    assert found.withheld is None
    # It may be restricted all the same.
    restricted = asking(secretRef={"name": "key"}, namespaces=["other"])
    assert withheld(restricted) is Reason.CREDENTIAL_NOT_FOR_NAMESPACE


def test_the_secret_of_a_namespaced_policy_is_that_of_its_own_namespace() -> None:
    # The API server prunes these; an object that holds them all the same gains nothing.
    reference = {"name": "key", "namespace": "vault"}
    own = policy(runtime={"credentials": [{"product": DTRACK, "secretRef": reference}]})
    assert check(own).secret == (NAMESPACE, "key")
    elsewhere = policy("x", namespace="tenant", runtime=own.spec.runtime)
    assert (
        decide(under(elsewhere).input(manifest(container(DTRACK_5)), Trigger.CREATE)).checks == ()
    )


def test_the_reason_names_the_policy_and_what_to_do() -> None:
    verdict = _verdict(asking(namespaces=["other"]))
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, Reason.CREDENTIAL_NOT_FOR_NAMESPACE)
    assert "change namespaces or namespaceSelector" in verdict.message
    assert f"ClusterTelemetryPolicy opt-out; namespace: {NAMESPACE}" in verdict.message
    seen = verdict.observed("reported")
    assert (seen.setting, seen.reason) == (Setting.UNKNOWN, Reason.CREDENTIAL_NOT_FOR_NAMESPACE)
    assert seen.message == verdict.message
    # It does not name the Secret, which is nobody's business there.
    assert "vault" not in verdict.message


def _verdict(*policies: Policy, **more: Any) -> Verdict:
    given_input = under(*policies, namespace_labels=LABELS).input(
        manifest(container(DTRACK_5)), Trigger.RECONCILE, **more
    )
    return decide(given_input).verdicts[0]


def test_an_earlier_report_no_longer_counts_where_the_credential_may_not_be_sent() -> None:
    before = {(DTRACK, "Usage"): Reported(setting=Setting.DISABLED)}
    allowed = asking(namespaces=[NAMESPACE])
    assert _verdict(allowed, reported=before).observed("reported").setting is Setting.DISABLED
    for told in ("reported", "reported_before"):
        verdict = _verdict(asking(namespaces=["other"]), **{told: before})
        assert verdict.observed("reported").setting is Setting.UNKNOWN


# Several policies


def test_the_reason_names_the_policy_that_the_section_is_from() -> None:
    first = policy("a", cluster=True, created=LONG_AGO)
    found = check(first, asking(name="b", namespaces=["other"]))
    assert found.withheld is not None
    assert "Policy: ClusterTelemetryPolicy b;" in found.withheld.message


def test_of_several_policies_the_first_decides_and_the_next_does_not_stand_in() -> None:
    # A section is taken whole: the credential of the other would come without its endpoints.
    first = asking(name="a", namespaces=["other"])
    second = asking(name="b", namespaces=[NAMESPACE])
    assert withheld(first, second) is Reason.CREDENTIAL_NOT_FOR_NAMESPACE
    assert withheld(second, first) is Reason.CREDENTIAL_NOT_FOR_NAMESPACE


def test_a_tenants_endpoint_is_never_used_with_a_cluster_policys_credential() -> None:
    endpoint = {"product": DTRACK, "service": {"name": "collector", "port": 1}}
    tenants = policy("t", created=LONG_AGO, runtime={"endpoints": [endpoint]})
    found = check(tenants, asking(namespaces=[NAMESPACE]))
    assert (found.secret, found.service) == (("vault", "key"), None)


SCOPES = st.sampled_from(
    [
        {},
        {"namespaces": [NAMESPACE]},
        {"namespaces": ["other"]},
        {"namespaceSelector": {"matchLabels": {"team": "security"}}},
        {"namespaceSelector": {"matchLabels": {"team": "other"}}},
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> list[Policy]:
    """Policies whose credentials and endpoints are named after them."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        name, cluster = f"p{number}", draw(st.booleans())
        reference = {"name": name, **({"namespace": "vault"} if cluster else {})}
        scope = draw(SCOPES) if cluster else {}
        credential = {"product": DTRACK, "secretRef": reference, "requireTLS": False, **scope}
        endpoint = {"product": DTRACK, "service": {"name": name, "port": 80}}
        runtime = {
            **({"credentials": [credential]} if draw(st.booleans()) else {}),
            **({"endpoints": [endpoint]} if draw(st.booleans()) else {}),
        }
        found.append(
            policy(
                name,
                cluster=cluster,
                created=draw(st.sampled_from([LONG_AGO, LATER])),
                submission=draw(st.sampled_from(["Enabled", "Disabled"])),
                mode=draw(st.sampled_from(["Enforce", "Audit"])),
                **draw(st.sampled_from([{}, {"runtime": runtime}])),
            )
        )
    return found


@examples(300)
@given(policies())
def test_credential_and_endpoint_are_of_one_policy_that_allows_the_namespace(
    several: list[Policy],
) -> None:
    found = check(*several)
    if found.grant is None:
        return
    owner = next(one for one in several if one.name == found.grant.secret[1])
    assert found.grant.policy == str(owner)
    assert found.service is None or found.service.name == owner.name
    if found.withheld is None and owner.namespace == "":
        assert owner.spec.runtime is not None
        (credential,) = owner.spec.runtime.credentials
        by_name = NAMESPACE in credential.namespaces
        selector = credential.namespace_selector
        assert by_name or (selector is not None and selector.matches(LABELS))


# Images


@pytest.mark.parametrize(
    "image",
    [
        "dependencytrack/apiserver:5.0.4",
        "docker.io/dependencytrack/apiserver:5.0.4",
        "index.docker.io/dependencytrack/apiserver:5.0.4",
        "registry-1.docker.io/dependencytrack/apiserver:5.0.4",
        "DOCKER.IO/dependencytrack/apiserver:5.0.4",
        "docker.io/dependencytrack/apiserver:5.0.4@sha256:" + "0a" * 32,
        "docker.io/dependencytrack/bundled:5.0.4",
    ],
)
def test_the_vendors_own_repositories_get_a_cluster_policys_credential(image: str) -> None:
    assert withheld(asking(namespaces=[NAMESPACE]), image=image) is None


OTHERS = [
    EVIL,
    "docker.io.evil.example/dependencytrack/apiserver:5.0.4",
    "docker.io:5000/dependencytrack/apiserver:5.0.4",
    "evil.example/docker.io/dependencytrack/apiserver:5.0.4",
    "docker.io/evil/dependencytrack/apiserver:5.0.4",
    "evil/dependencytrack/apiserver:5.0.4",
    "EVIL/dependencytrack/apiserver:5.0.4",
    "docker.io/library/dependencytrack/apiserver:5.0.4",
    "docker.io//dependencytrack/apiserver:5.0.4",
    "localhost/dependencytrack/apiserver:5.0.4",
    "evil:5000/dependencytrack/apiserver:5.0.4",
    "[::1]:5000/dependencytrack/apiserver:5.0.4",
    "evil.example/dependencytrack/apiserver:5.0.4@sha256:" + "0a" * 32,
]


@pytest.mark.parametrize("image", OTHERS)
def test_another_registry_does_not_get_a_cluster_policys_credential(image: str) -> None:
    for scope in ({"namespaces": [NAMESPACE]}, {"secretRef": {"name": "key"}}):
        assert withheld(asking(**scope), image=image) is Reason.CREDENTIAL_NOT_FOR_IMAGE
    # Nor does one that resembles what the author listed.
    listed = asking(namespaces=[NAMESPACE], registries=["harbor.example/hub", "evil.example/x"])
    assert withheld(listed, image=image) is Reason.CREDENTIAL_NOT_FOR_IMAGE


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("harbor.example/dependencytrack/apiserver:5.0.4", "harbor.example"),
        ("harbor.example/hub/dependencytrack/apiserver:5.0.4", "harbor.example/hub"),
        ("harbor.example/hub/dependencytrack/apiserver:5.0.4", "harbor.example"),
        ("harbor.example:5000/dependencytrack/apiserver", "harbor.example:5000"),
        ("acme/dependencytrack/apiserver:5.0.4", "docker.io/acme"),
        ("acme/dependencytrack/apiserver:5.0.4", "index.docker.io/acme"),
    ],
)
def test_a_listed_registry_gets_the_credential(image: str, registry: str) -> None:
    listed = asking(namespaces=[NAMESPACE], registries=[registry])
    assert withheld(listed, image=image) is None
    # The vendor's own still do.
    assert withheld(listed) is None


@pytest.mark.parametrize(
    "image",
    [
        "harbor.example/hub2/dependencytrack/apiserver:5.0.4",
        "harbor.example/a/hub/dependencytrack/apiserver:5.0.4",
        "harbor.example:5000/hub/dependencytrack/apiserver:5.0.4",
        "harbor.example/dependencytrack/apiserver:5.0.4",
    ],
)
def test_of_a_listed_path_only_whole_segments_count(image: str) -> None:
    listed = asking(namespaces=[NAMESPACE], registries=["harbor.example/hub"])
    assert withheld(listed, image=image) is Reason.CREDENTIAL_NOT_FOR_IMAGE


def test_the_images_of_the_pods_count_too() -> None:
    allowed = asking(namespaces=[NAMESPACE])
    good, evil, other = (
        pod_of(manifest(container(image)), name)
        for image, name in ((DTRACK_5, "a"), (EVIL, "b"), ("nginx:1", "c"))
    )
    assert withheld(allowed, pods=(good,)) is None
    # A rollout that was paused, or a pod that was adopted.
    assert withheld(allowed, pods=(good, evil)) is Reason.CREDENTIAL_NOT_FOR_IMAGE
    assert withheld(allowed, pods=(good, other)) is Reason.CREDENTIAL_NOT_FOR_IMAGE


def test_a_sidecar_may_be_of_any_registry() -> None:
    allowed = asking(namespaces=[NAMESPACE])
    both = manifest(container(DTRACK_5), container("mesh.example/proxy:1", name="proxy"))
    assert withheld(allowed, pods=(pod_of(both),)) is None


def test_a_host_in_upper_case_is_no_user_of_docker_hub() -> None:
    listed = asking(namespaces=[NAMESPACE], registries=["docker.io"])
    assert withheld(listed, image="evil/dependencytrack/apiserver:5.0.4") is None
    image = "EVIL/dependencytrack/apiserver:5.0.4"
    assert withheld(listed, image=image) is Reason.CREDENTIAL_NOT_FOR_IMAGE


def test_a_namespaced_policy_asks_any_image_unless_it_lists_registries() -> None:
    credential: dict[str, Any] = {"product": DTRACK, "secretRef": {"name": "key"}}
    free = policy(runtime={"credentials": [credential]})
    assert withheld(free, image=EVIL) is None
    listed = policy(runtime={"credentials": [{**credential, "registries": ["harbor.example"]}]})
    assert withheld(listed, image=EVIL) is Reason.CREDENTIAL_NOT_FOR_IMAGE
    assert withheld(listed) is None


def test_a_product_without_repositories_needs_listed_registries() -> None:
    own = product(
        "widget",
        channels=[{"name": "Usage", "rules": [{"default": "On"}]}],
        api={"adapter": "DependencyTrack", "port": 8080},
    )
    scope = {"product": "widget", "namespaces": [NAMESPACE]}
    more = {"image": "acme/widget:1.0", "catalogue": catalogue(own)}
    assert withheld(asking(**scope), **more) is Reason.CREDENTIAL_NOT_FOR_IMAGE
    assert withheld(asking(**scope, registries=["docker.io/acme"]), **more) is None


# TLS


def of_scheme(scheme: str, **credential: Any) -> Policy:
    service = {"name": "dtrack", "port": 8443, "scheme": scheme}
    endpoints = {"endpoints": [{"product": DTRACK, "service": service}]}
    return asking(namespaces=[NAMESPACE], runtime=endpoints, **credential)


def test_a_cluster_policys_credential_is_sent_by_https_only_unless_the_policy_says_otherwise() -> (
    None
):
    assert withheld(of_scheme("http", requireTLS=True)) is Reason.TLS_REQUIRED
    assert withheld(of_scheme("https", requireTLS=True)) is None
    assert withheld(of_scheme("http", requireTLS=False)) is None
    reference = {"name": "key"}
    given_policies = {
        cluster: policy(
            cluster=cluster, runtime={"credentials": [{"product": DTRACK, "secretRef": reference}]}
        )
        for cluster in (True, False)
    }
    grants = {cluster: check(found).grant for cluster, found in given_policies.items()}
    assert {cluster: grant and grant.require_tls for cluster, grant in grants.items()} == {
        True: True,
        False: False,
    }
