"""What is said of a policy or a product when it is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.admission import validation as validation_module
from fleet_telemetry.admission.validation import Validation, validate
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.policy.advice.surroundings import Surroundings
from tests.support.admission_requests import policy_manifest
from tests.support.admission_strategies import broken
from tests.support.builders import (
    NAMESPACE,
    NOW,
    SONAR_SWITCH,
    SONAR_UPDATES,
    SONARQUBE,
    Manifest,
    catalogue,
    container,
    manifest,
    own_product,
    workload,
)
from tests.support.depth import examples

POLICY_KINDS = ["TelemetryPolicy", "ClusterTelemetryPolicy"]


def validated(kind: Any, spec: Any, name: Any = "it") -> Validation:
    shown = {"kind": kind, "metadata": {"name": name}, "spec": spec}
    return validate({"kind": {"kind": kind}, "object": shown}, builtin())


@pytest.mark.parametrize("kind", POLICY_KINDS)
@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"submission": "Enabled", "products": ["sonarqube"], "channels": ["Usage"]},
        {"selector": {"matchLabels": {"a": "b"}}, "injection": {"when": "Never"}},
        # A newer CRD may have fields that this version does not know.
        {"somethingNew": {"a": 1}},
    ],
)
def test_a_good_policy(kind: str, spec: dict[str, Any]) -> None:
    assert validated(kind, spec) == Validation()


@pytest.mark.parametrize("kind", POLICY_KINDS)
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"submission": "Perhaps"}, "submission"),
        ({"products": ["Not A Name"]}, "products"),
        ({"products": []}, "products"),
        ({"channels": "Usage"}, "channels"),
        ({"exceptions": [{"reason": "x"}]}, "exceptions"),
        ("text", "Expected `object`"),
        (5, "Expected `object`"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(kind: str, spec: Any, words: str) -> None:
    found = validated(kind, spec)
    assert words in found.refusal
    assert found.warnings == ()


def test_only_a_cluster_policy_names_namespaces() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "x"}, "reason": "because"}
    assert validated("TelemetryPolicy", {"exceptions": [exception]}).refusal == ""
    found = validated("ClusterTelemetryPolicy", {"exceptions": [exception]})
    assert "namespace" in found.refusal


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_mistakes_are_refused_and_the_rest_is_a_warning(kind: str) -> None:
    env = [{"name": name, "value": "true"} for name in (SONAR_SWITCH, "A", SONAR_UPDATES)]
    spec = {
        "products": ["sonarcube"],
        "channels": ["Usage", "UpdateCheck"],
        "injection": {"settings": [{"product": "sonarqube", "env": env}]},
    }
    found = validated(kind, spec)
    assert found.refusal.count(";") >= 1
    assert f"{SONAR_SWITCH} is a switch of sonarqube" in found.refusal
    assert f"{SONAR_UPDATES} is a switch of sonarqube" in found.refusal
    (warning,) = found.warnings
    assert "'sonarcube'" in warning


PRODUCT = {
    "title": "Acme",
    "images": [{"pattern": "acme/acme"}],
    "channels": [{"name": "Usage", "rules": [{"versions": [">=1.0"], "default": "On"}]}],
}


def test_a_good_product() -> None:
    assert validated("TelemetryProduct", PRODUCT, "acme") == Validation()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": ""}, "title"),
        ({"images": []}, "images"),
        (
            {
                "channels": [
                    {
                        "name": "Usage",
                        "rules": [
                            {"versions": [">=1.0"], "default": "On"},
                            {"versions": ["<2.0"], "default": "Off"},
                        ],
                    }
                ]
            },
            "product acme: channel Usage: two rules overlap for acme/acme",
        ),
        (
            {"channels": [{"name": "Usage", "rules": [{"versions": [">=x <y"], "default": "On"}]}]},
            "versions",
        ),
    ],
)
def test_a_product_that_contradicts_itself_is_refused(changes: Any, words: str) -> None:
    assert words in validated("TelemetryProduct", PRODUCT | changes, "acme").refusal


def test_replacing_a_built_in_product_is_said_explicitly() -> None:
    own = PRODUCT | {"images": [{"pattern": "emqx/emqx"}]}
    assert "spec.overridesBuiltin: true" in validated("TelemetryProduct", own, "emqx").refusal
    found = validated("TelemetryProduct", own | {"overridesBuiltin": True}, "emqx")
    assert found == Validation(
        warnings=("TelemetryProduct emqx: it replaces the built-in product emqx, whole",)
    )
    useless = validated("TelemetryProduct", PRODUCT | {"overridesBuiltin": True}, "acme")
    assert (useless.refusal, len(useless.warnings)) == ("", 1)


@pytest.mark.parametrize("overrides", [True, False])
@pytest.mark.parametrize(("pattern", "winner"), [("emqx/emq?", "emqx"), ("acme/taken", "first")])
def test_an_image_of_another_product_is_refused(
    pattern: str, winner: str, *, overrides: bool
) -> None:
    images = [{"pattern": "acme/tak*"}]
    first = own_product("first", images=images, channels=[{"name": "Usage"}])
    taken = {"images": [{"pattern": "acme/acme"}, {"pattern": pattern}]}
    spec = PRODUCT | taken | {"overridesBuiltin": overrides}
    shown = {"kind": "TelemetryProduct", "metadata": {"name": "acme"}, "spec": spec}
    request = {"kind": {"kind": "TelemetryProduct"}, "object": shown}
    assert f"the image {pattern} belongs to" in validate(request, catalogue(first)).refusal
    assert f" {winner} " in validate(request, catalogue(first)).refusal
    # It is none of a conflict with itself.
    again = {**request, "object": {**shown, "metadata": {"name": winner}}}
    if winner == "first":
        assert validate(again, catalogue(first)).refusal == ""


def ld_preload(kind: str) -> dict[str, Any]:
    if kind != "TelemetryProduct":
        env = [{"name": "LD_PRELOAD", "value": "/tmp/x.so"}]
        return {"injection": {"settings": [{"product": "sonarqube", "env": env}]}}
    switch = {"semantics": "Start", "env": {"name": "LD_PRELOAD", "disabled": "/tmp/x.so"}}
    channel = {"name": "Usage", "rules": [{"default": "On", "switches": [switch]}]}
    return PRODUCT | {"channels": [channel]}


@pytest.mark.parametrize("kind", [*POLICY_KINDS, "TelemetryProduct"])
def test_a_variable_that_loads_code_is_refused(kind: str) -> None:
    found = validated(kind, ld_preload(kind), "acme")
    assert "LD_PRELOAD" in found.refusal
    assert "/tmp/x.so" not in found.refusal


@pytest.mark.parametrize("kind", [*POLICY_KINDS, "TelemetryProduct"])
def test_an_object_of_before_the_rule_can_be_labelled(kind: str) -> None:
    spec = ld_preload(kind)
    stored = {"kind": kind, "metadata": {"name": "acme"}, "spec": spec}
    request = {"kind": {"kind": kind}, "object": stored, "oldObject": stored}
    found = validate(request, builtin())
    assert found.refusal == ""
    assert any("LD_PRELOAD" in warning for warning in found.warnings)
    changed = {**stored, "spec": spec | {"title": "Other", "mode": "Audit"}}
    assert "LD_PRELOAD" in validate({**request, "object": changed}, builtin()).refusal


@pytest.mark.parametrize("kind", ["WorkloadTelemetry", "Deployment", "", None, 5, ["x"]])
def test_other_kinds_are_none_of_its_business(kind: Any) -> None:
    assert validated(kind, {"anything": 1}) == Validation()


REQUESTS: list[Manifest] = [
    {
        "kind": {"kind": "TelemetryPolicy"},
        "object": policy_manifest(
            products=["sonarqube"],
            selector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
            exceptions=[
                {
                    "workload": {"kind": "Deployment", "name": "x"},
                    "reason": "because",
                    "expiresAt": "2027-03-01T00:00:00Z",
                }
            ],
            injection={"settings": [{"product": "emqx", "env": [{"name": "A", "value": "1"}]}]},
        ),
    },
    {
        "kind": {"kind": "TelemetryProduct"},
        "object": {"metadata": {"name": "acme"}, "spec": PRODUCT},
    },
]


@examples(120)
@given(broken(REQUESTS[0]))
def test_a_broken_policy_never_raises(request_: Manifest) -> None:
    validate(request_, builtin())


@examples(100)
@given(broken(REQUESTS[1]))
def test_a_broken_product_never_raises(request_: Manifest) -> None:
    validate(request_, builtin())


def credential(**more: Any) -> dict[str, Any]:
    reference = {"name": "key", "namespace": "vault"}
    of_product = {"product": "sonarqube", "secretRef": reference, **more}
    return {"runtime": {"credentials": [of_product]}}


def test_a_credential_without_a_scope_is_a_warning_because_the_crd_refuses_new_ones() -> None:
    # An object of an earlier version may still be labelled and deleted.
    found = validated("ClusterTelemetryPolicy", credential())
    assert found.refusal == ""
    (warning,) = found.warnings
    assert "add namespaces or namespaceSelector" in warning
    assert validated("ClusterTelemetryPolicy", credential(namespaces=["a"])) == Validation()


def test_a_cluster_policy_that_sends_credentials_in_clear_is_warned_of() -> None:
    found = validated("ClusterTelemetryPolicy", credential(namespaces=["a"], requireTLS=False))
    assert found == Validation(
        warnings=(
            (
                "ClusterTelemetryPolicy it: Credentials are sent in clear where the endpoint is "
                "http, because requireTLS is false: sonarqube"
            ),
        )
    )
    assert validated("TelemetryPolicy", credential()) == Validation()


def test_a_credential_for_an_unknown_product_is_a_warning() -> None:
    (warning,) = validated("TelemetryPolicy", credential(product="sonarcube")).warnings
    assert "unknown product 'sonarcube'" in warning


def in_a_cluster(**spec: Any) -> tuple[Manifest, Surroundings]:
    """A request to create a policy, and a cluster where SonarQube runs."""
    request = {
        "kind": {"kind": "TelemetryPolicy"},
        "namespace": NAMESPACE,
        "object": policy_manifest(**spec),
    }
    sonar = workload(manifest(container(SONARQUBE), name="sonar"))
    return request, Surroundings(NOW, builtin(), {NAMESPACE: {}}, {sonar.ref: sonar})


NOTHING_SELECTED = {"selector": {"matchLabels": {"team": "none"}}}


def test_a_selector_that_selects_nothing_is_a_warning() -> None:
    request, around = in_a_cluster(**NOTHING_SELECTED)
    found = validate(request, builtin(), around)
    (warning,) = found.warnings
    assert found.refusal == ""
    assert warning.startswith(
        f"TelemetryPolicy {NAMESPACE}/opt-out: spec.selector selects no workload"
    )


def test_what_is_not_known_is_no_mistake() -> None:
    """As long as the webhook has not listed everything."""
    request, _ = in_a_cluster(**NOTHING_SELECTED)
    assert validate(request, builtin(), None) == Validation()


def test_an_update_that_changes_no_spec_gives_no_advice() -> None:
    request, around = in_a_cluster(products=["sonarcube"], **NOTHING_SELECTED)
    labelled = {**request, "oldObject": request["object"]}
    assert validate(labelled, builtin(), around) == Validation()
    other = {**request["object"], "spec": {**request["object"]["spec"], "mode": "Audit"}}
    assert len(validate({**request, "oldObject": other}, builtin(), around).warnings) == 2


def test_a_refused_policy_gets_no_advice() -> None:
    env = [{"name": SONAR_SWITCH, "value": "1"}]
    settings = {"injection": {"settings": [{"product": "sonarqube", "env": env}]}}
    request, around = in_a_cluster(**settings, **NOTHING_SELECTED)
    found = validate(request, builtin(), around)
    assert found.refusal
    assert found.warnings == ()


def test_a_bug_in_the_advice_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(validation_module, "advise", fail)
    request, around = in_a_cluster(**NOTHING_SELECTED)
    assert validate(request, builtin(), around) == Validation()
    assert "no advice on TelemetryPolicy" in caplog.text


WRONG = {
    "products": [f"unknown-{'x' * 50}-{number}" for number in range(4)],
    "channels": ["License"],
    "injection": {"when": "Never", "rollout": "Immediate"},
    "egress": {"action": "Isolate"},
    "exceptions": [
        {"workload": {"kind": "Job", "name": "n" * 200 + str(number)}, "reason": "because"}
        for number in range(3)
    ],
}


def test_of_many_warnings_the_first_are_shown() -> None:
    request, around = in_a_cluster(**WRONG)
    found = validate(request, builtin(), around).warnings
    assert len(found) == validation_module.MOST_WARNINGS
    assert found[-1].endswith(" more warnings; correct these first")
    assert all("unknown product" in one for one in found[:4])


@examples(150)
@given(broken(in_a_cluster(**WRONG)[0]), st.text(max_size=400))
def test_warnings_are_few_and_short_whatever_is_sent(request_: Manifest, name: str) -> None:
    """The API server drops what has a control character, and truncates what is longer."""
    _, around = in_a_cluster()
    if isinstance(request_.get("object"), dict):
        metadata = request_["object"].get("metadata")
        if isinstance(metadata, dict):
            metadata["name"] = name
    found = validate(request_, builtin(), around)
    assert len(found.warnings) <= 5
    for warning in found.warnings:
        assert warning.isprintable()
        assert len(warning.encode()) < 256
