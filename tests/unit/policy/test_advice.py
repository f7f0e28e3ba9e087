"""What the author of a policy is told of likely mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.policy.advice import surroundings as surroundings_module
from fleet_telemetry.policy.advice.advise import advise
from fleet_telemetry.policy.advice.surroundings import Surroundings
from fleet_telemetry.workloads.workload import Workload
from tests.support.builders import (
    DTRACK_4,
    EMQX,
    LATER,
    LONG_AGO,
    NAMESPACE,
    NOW,
    SONARQUBE,
    catalogue,
    container,
    manifest,
    own_product,
    policy,
    workload,
)

SONAR = workload(manifest(container(SONARQUBE), name="sonar", labels={"team": "a"}))
DTRACK = workload(
    manifest(container(DTRACK_4), kind="StatefulSet", name="dtrack", namespace="other")
)
LABELS = {NAMESPACE: {"env": "prod"}, "other": {"env": "dev"}, "kube-system": {}}
ENOUGH = {"runtime": {"credentials": [{"product": "sonarqube", "secretRef": {"name": "key"}}]}}


def around(
    *workloads: Workload,
    policies: tuple[Policy, ...] = (),
    labels: Mapping[str, Mapping[str, str]] = LABELS,
    products: Catalogue | None = None,
) -> Surroundings:
    return Surroundings(
        now=NOW,
        catalogue=products or builtin(),
        namespaces=labels,
        workloads={one.ref: one for one in workloads or (SONAR, DTRACK)},
        policies=policies,
    )


def told(given: Policy, surroundings: Surroundings | None = None) -> list[str]:
    return list(advise(given, surroundings or around()))


def only(given: Policy, surroundings: Surroundings | None = None) -> str:
    (found,) = told(given, surroundings)
    return found


@pytest.mark.parametrize(
    "given",
    [
        policy(),
        policy(cluster=True),
        policy(products=["sonarqube"]),
        policy(selector={"matchLabels": {"team": "a"}}, **ENOUGH),
        policy(mode="Audit"),
        policy(mode="Audit", injection={"when": "Always", "onConflict": "Keep"}),
        policy(submission="Enabled"),
        policy(injection={"when": "Never"}),
        policy(injection={"rollout": "Immediate", "arguments": True, "doNotTrack": True}),
        policy(cluster=True, namespaceSelector={"matchLabels": {"env": "dev"}}),
        policy(egress={}),
        policy(egress={"action": "Isolate", "reachable": [{"podSelector": {}}]}),
        policy(exceptions=[{"workload": {"kind": "Deployment", "name": "sonar"}, "reason": "x"}]),
        policy(
            exceptions=[
                {
                    "workload": {"kind": "Deployment", "name": "sonar"},
                    "reason": "x",
                    "expiresAt": LATER.isoformat(),
                }
            ]
        ),
        policy(channels=["Usage", "UpdateCheck"], products=["sonarqube"]),
        policy(runtime={"action": "Off"}),
    ],
)
def test_a_sound_policy_gets_no_advice(given: Policy) -> None:
    assert told(given) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            policy(cluster=True, namespaceSelector={"matchLabels": {"env": "test"}}),
            "spec.namespaceSelector selects no namespace now; it may be intended",
        ),
        (
            policy(
                cluster=True,
                namespaceSelector={
                    "matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]
                },
            ),
            "no workload of the namespaces that spec.namespaceSelector selects",
        ),
        (policy(namespace="kube-system"), "no workload of namespace kube-system runs a known"),
        (
            policy(selector={"matchLabels": {"team": "b"}}),
            "spec.selector selects no workload that runs a known product now; it may be intended",
        ),
        (
            policy(selector={"matchLabels": {"app": "it"}}),
            "it matches labels of the pods of Deployment sonar, and is compared with the labels",
        ),
        (
            policy(products=["emqx", "sourcegraph"]),
            "selects runs none of them now: emqx, sourcegraph; what runs there: sonarqube",
        ),
        (policy(cluster=True, products=["emqx"]), "what runs there: dependency-track, sonarqube"),
        (policy(channels=["License"]), "spec.channels: nothing that runs there now has such"),
    ],
)
def test_a_policy_that_covers_nothing(given: Policy, words: str) -> None:
    assert words in only(given)


def test_a_cluster_policy_without_selectors_may_wait_for_workloads() -> None:
    assert told(policy(cluster=True), replace(around(), workloads={})) == []
    assert told(policy(cluster=True), around(labels={})) == []


def test_a_product_that_runs_without_the_channel() -> None:
    found = told(policy(products=["sonarqube"], channels=["License"]))
    assert found == [
        "spec.channels: none of them is a channel of sonarqube, which runs there",
        "spec.channels: the catalogue knows no channel License of sonarqube",
    ]


def test_a_telemetry_product_has_to_be_named() -> None:
    own = own_product("acme", channels=[{"name": "Usage"}])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    assert "has to be in spec.additionalProducts: acme" in only(policy(), here)
    for covered in ({"additionalProducts": ["acme"]}, {"products": ["acme"]}):
        assert not any("additional" in one for one in told(policy(**covered), here))


def exempting(name: str, kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    where = {"namespace": more.pop("namespace")} if "namespace" in more else {}
    return {"workload": {"kind": kind, "name": name, **where}, "reason": "because", **more}


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (exempting("sonar", expiresAt=NOW.isoformat()), "is in the past, so nothing is exempt"),
        (exempting("gone", expiresAt=LONG_AGO.isoformat()), "is in the past, so nothing is exempt"),
        (
            exempting("gone"),
            "no such workload that runs a known product: Deployment gone; it may be",
        ),
        (exempting("sonar", "StatefulSet"), "StatefulSet sonar; there is a Deployment sonar"),
        (exempting("dtrack", "StatefulSet"), "StatefulSet dtrack; it may be intended"),
    ],
)
def test_an_exception_that_exempts_nothing(exception: dict[str, Any], words: str) -> None:
    assert words in only(policy(exceptions=[exception]))


def test_an_exception_of_what_is_not_covered() -> None:
    sonar = exempting("sonar")
    assert told(policy(exceptions=[sonar], selector={"matchLabels": {"team": "b"}}))[1:] == [
        (
            "spec.exceptions: there is nothing to exempt in what the policy does not cover: "
            "Deployment sonar"
        )
    ]
    selector = {"matchLabels": {"env": "prod"}}
    exception = exempting("dtrack", "StatefulSet", namespace="other")
    given = policy(cluster=True, namespaceSelector=selector, exceptions=[exception])
    assert "does not cover: StatefulSet other/dtrack" in only(given)


def test_an_exception_that_names_another_namespace() -> None:
    given = policy(cluster=True, exceptions=[exempting("dtrack", "StatefulSet", namespace="x")])
    assert "there is a StatefulSet dtrack in namespace other" in only(given)


def test_exceptions_are_said_together() -> None:
    absent = [exempting(f"gone-{number}") for number in range(7)]
    expired = [exempting(f"old-{n}", expiresAt=LONG_AGO.isoformat()) for n in range(2)]
    first, second = told(policy(exceptions=absent + expired))
    assert "Deployment old-0, Deployment old-1" in first
    assert "Deployment gone-0, Deployment gone-1, Deployment gone-2 and 4 more" in second


@pytest.mark.parametrize(
    ("section", "spec"),
    [
        (
            "injection.settings",
            {
                "injection": {
                    "settings": [{"product": "emqx", "env": [{"name": "A", "value": "1"}]}]
                }
            },
        ),
        (
            "runtime.credentials",
            {"runtime": {"credentials": [{"product": "emqx", "secretRef": {"name": "key"}}]}},
        ),
        (
            "runtime.endpoints",
            {
                "runtime": {
                    **ENOUGH["runtime"],
                    "endpoints": [{"product": "emqx", "service": {"name": "a", "port": 1}}],
                }
            },
        ),
        (
            "egress.hosts",
            {"egress": {"hosts": [{"product": "emqx", "host": "a.example.com"}]}},
        ),
    ],
)
def test_an_entry_for_a_product_outside(section: str, spec: dict[str, Any]) -> None:
    outside = f"spec.{section} has no effect for products that are not in spec.products: emqx"
    assert outside in told(policy(products=["sonarqube"], **spec))
    assert outside not in told(policy(products=["sonarqube", "emqx"], **spec))
    assert outside not in told(policy(products=["sonarqube"], additionalProducts=["emqx"], **spec))
    assert outside not in told(policy(**spec))


IMMEDIATE = {"rollout": "Immediate"}
SETTINGS = {"settings": [{"product": "sonarqube", "env": [{"name": "A", "value": "1"}]}]}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"mode": "Audit", "injection": {**IMMEDIATE, **SETTINGS}, "egress": {}},
            (
                "mode: Audit writes nothing; without effect until Enforce: spec.injection.rollout: "
                "Immediate, spec.injection.settings, spec.egress"
            ),
        ),
        (
            {"mode": "Audit", "runtime": {"action": "Remediate", **ENOUGH["runtime"]}},
            "without effect until Enforce: spec.runtime.action: Remediate",
        ),
        (
            {"injection": {"when": "Never", **IMMEDIATE}},
            (
                "spec.injection.when: Never adds nothing; without effect but with Always or "
                "FirstInstallOrUpgrade: rollout: Immediate"
            ),
        ),
        (
            {"injection": {"when": "Never", **SETTINGS, "doNotTrack": True, "arguments": True}},
            "OrUpgrade: settings, arguments, doNotTrack",
        ),
        (
            {"submission": "Enabled", "injection": {"doNotTrack": True}},
            "spec.injection.doNotTrack has no effect with submission: Enabled",
        ),
        (
            {"runtime": {"action": "Off", "credentials": ENOUGH["runtime"]["credentials"]}},
            "Off makes no request",
        ),
        (
            {"channels": ["UpdateCheck"], **ENOUGH},
            "spec.runtime has no effect: the APIs of products report the channel Usage",
        ),
        ({"runtime": {}}, "spec.runtime has no credentials"),
        ({"runtime": {"action": "Remediate"}}, "spec.runtime has no credentials"),
        (
            {
                "runtime": {
                    **ENOUGH["runtime"],
                    "endpoints": [{"product": "emqx", "service": {"name": "a", "port": 1}}],
                }
            },
            "spec.runtime.credentials has none for them: emqx",
        ),
        (
            {"runtime": {"credentials": [{"product": "grafana", "secretRef": {"name": "key"}}]}},
            "the operator supports no API of them: grafana",
        ),
        ({"egress": {"action": "Isolate"}}, "not even their database"),
        (
            {
                "egress": {
                    "action": "Isolate",
                    "sharedAddresses": "Accept",
                    "reachable": [{"podSelector": {}}],
                }
            },
            "spec.egress.sharedAddresses has an effect with action: Deny only",
        ),
    ],
)
def test_a_field_without_effect(spec: dict[str, Any], words: str) -> None:
    assert words in only(policy(**spec))


REACHABLE = [{"namespaceSelector": {"matchLabels": {"env": env}}} for env in ("prod", "none")]


def test_reachable_namespaces_that_are_not_there() -> None:
    isolated = {"egress": {"action": "Isolate", "reachable": REACHABLE}}
    found = only(policy(cluster=True, **isolated))
    assert "spec.egress.reachable[1]: namespaceSelector selects no namespace now" in found


def test_a_namespaced_policy_learns_nothing_of_other_namespaces() -> None:
    """Whoever may write one could ask for any label and any name."""
    assert told(policy(egress={"action": "Isolate", "reachable": REACHABLE})) == []
    found = only(policy(exceptions=[exempting("dtrack", "StatefulSet")]))
    assert "other" not in found
    everything = policy(
        products=["emqx"],
        exceptions=[exempting("dtrack", "StatefulSet"), exempting("dtrack")],
        egress={"action": "Isolate", "reachable": REACHABLE},
        runtime={},
    )
    assert not any("dependency" in one or "other" in one for one in told(everything))


def credential(**more: Any) -> Policy:
    reference = {"name": "key", **more.pop("secret", {})}
    given = {"product": "sonarqube", "secretRef": reference, **more}
    selector = {"matchLabels": {"env": "prod"}}
    return policy(cluster=True, namespaceSelector=selector, runtime={"credentials": [given]})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            credential(secret={"namespace": "vault"}, namespaces=[NAMESPACE]),
            "is of namespace vault, which is not there",
        ),
        (credential(namespaces=[NAMESPACE, "nowhere"]), "is for nowhere, which is not there"),
        (
            credential(namespaceSelector={"matchLabels": {"env": "none"}}),
            "the selector of the credential for sonarqube selects no namespace now",
        ),
        (credential(namespaces=["other"]), "that spec.namespaceSelector leaves out"),
        (
            credential(namespaceSelector={"matchLabels": {"env": "dev"}}),
            "that spec.namespaceSelector leaves out",
        ),
    ],
)
def test_a_credential_that_reaches_nothing(given: Policy, words: str) -> None:
    assert words in only(given)


def test_a_credential_that_reaches_something() -> None:
    assert told(credential()) == []
    assert told(credential(secret={"namespace": "other"}, namespaces=[NAMESPACE, "other"])) == []


def test_a_switch_that_is_an_argument() -> None:
    words = {"disabled": "--reporting=false", "dashes": "Two", "programs": ["acme"]}
    switch = {"semantics": "Start", "argument": {"flag": "reporting", **words}}
    channel = {"name": "Usage", "rules": [{"default": "On", "switches": [switch]}]}
    channel["hosts"] = [{"host": "a.example.com"}]
    own = own_product("acme", channels=[channel])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    found = only(policy(products=["acme"]), here)
    assert found.startswith("nothing is set for acme: its switch is an argument")
    assert told(policy(products=["acme"], injection={"arguments": True}), here) == []
    assert told(policy(products=["acme"], mode="Audit"), here) == []


def test_a_switch_that_is_in_the_products_api() -> None:
    channel = {
        "name": "Usage",
        "rules": [{"default": "On", "switches": [{"semantics": "Runtime"}]}],
    }
    own = own_product("acme", channels=[channel])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    assert "its switch is in its own API" in only(policy(products=["acme"]), here)
    assert not any(
        "own API" in one
        for one in told(policy(products=["acme"], runtime={"action": "Remediate"}), here)
    )


def test_a_switch_that_is_in_a_custom_resource() -> None:
    here = around(workload(manifest(container("longhornio/longhorn-manager:v1.5.0"))))
    named: dict[str, Any] = {"products": ["longhorn"], "channels": ["UpdateCheck"]}
    found = told(policy(**named), here)
    assert any("is a field of a custom resource" in one for one in found)
    # It needs no credentials.
    assert told(policy(**named, runtime={"action": "Remediate"}), here) == []


def test_a_channel_without_a_switch_and_a_host() -> None:
    own = own_product("acme", channels=[{"name": "Usage", "rules": [{"default": "On"}]}])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    assert "neither a switch nor a host that is known" in only(policy(products=["acme"]), here)
    first, _ = told(policy(products=["acme"], egress={}), here)
    assert "spec.egress denies nothing: no host that pods of acme connect to is known" in first
    named = {"egress": {"hosts": [{"product": "acme", "host": "a.example.com"}]}}
    assert not any(
        "denies nothing" in one for one in told(policy(products=["acme"], **named), here)
    )


def test_a_host_that_also_serves_something_else() -> None:
    host = {"host": "a.example.com", "alsoServes": "downloads"}
    own = own_product("acme", channels=[{"name": "Usage", "hosts": [host]}])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    found = only(policy(products=["acme"], egress={}), here)
    assert "only with sharedAddresses: Accept: a.example.com" in found
    accepted = policy(products=["acme"], egress={"sharedAddresses": "Accept"})
    assert told(accepted, here) == []


def test_an_unknown_product_hides_what_the_others_lack() -> None:
    """It may have the channel, and the TelemetryProduct may come later."""
    assert told(policy(products=["sonarqube", "acme"], channels=["License", "Usage"])) == []


OLDER = NOW - timedelta(days=20)


@pytest.mark.parametrize(
    ("mine", "other", "words"),
    [
        (
            policy(submission="Enabled"),
            policy("strict", cluster=True),
            (
                "submission: Enabled is overruled for Deployment sonar by "
                "ClusterTelemetryPolicy strict"
            ),
        ),
        (
            policy(egress={"sharedAddresses": "Accept"}),
            policy("strict", cluster=True, egress={}),
            "spec.egress is not used for Deployment sonar: that of ClusterTelemetryPolicy strict",
        ),
        (
            policy(injection={"when": "Always"}),
            policy("older", created=OLDER, injection={"when": "Never"}),
            "spec.injection is not used for Deployment sonar",
        ),
        (
            policy(**ENOUGH),
            policy("older", created=OLDER, runtime={"action": "Off"}),
            "spec.runtime is not used for Deployment sonar",
        ),
    ],
)
def test_another_policy_has_precedence(mine: Policy, other: Policy, words: str) -> None:
    assert words in only(mine, around(policies=(other,)))


@pytest.mark.parametrize(
    "other",
    [
        policy(created=OLDER, egress={}, submission="Disabled"),  # an earlier version
        policy("elsewhere", namespace="other", created=OLDER, egress={}),
        policy("same", created=OLDER, egress={"sharedAddresses": "Accept"}),
        policy("younger", created=NOW, egress={}),
        policy("audit", cluster=True, mode="Audit", egress={}),
        policy("narrow", cluster=True, selector={"matchLabels": {"team": "b"}}, egress={}),
    ],
)
def test_another_policy_that_changes_nothing(other: Policy) -> None:
    assert told(policy(egress={"sharedAddresses": "Accept"}), around(policies=(other,))) == []


def test_an_exempt_workload_is_overruled_by_nobody() -> None:
    mine = policy(submission="Enabled", exceptions=[exempting("sonar")])
    assert told(mine, around(policies=(policy("strict", cluster=True),))) == []


def test_nothing_is_said_of_products_beyond_what_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = policy(products=["emqx"])
    assert "runs none of them" in only(given)
    monkeypatch.setattr(surroundings_module, "MOST_IMAGES", 0)
    assert told(given) == []


def test_many_images_are_looked_up_once_each() -> None:
    """A fleet of ten thousand workloads of one image costs one look."""
    fleet = [workload(manifest(container(EMQX), name=f"emqx-{number}")) for number in range(200)]
    assert "what runs there: emqx" in only(policy(products=["sonarqube"]), around(*fleet))


def test_a_host_of_a_channel_that_the_policy_leaves_out() -> None:
    other = {"name": "UpdateCheck", "hosts": [{"host": "a.example.com"}]}
    own = own_product("acme", channels=[{"name": "Usage"}, other])
    here = around(workload(manifest(container("acme/acme:1"))), products=catalogue(own))
    assert any("denies nothing" in one for one in told(policy(products=["acme"], egress={}), here))


PART = "only what was read is known"
GONE = {"workload": {"kind": "Deployment", "name": "gone"}, "reason": "x"}


def part_of(surroundings: Surroundings) -> Surroundings:
    return replace(surroundings, is_whole=False)


@pytest.mark.parametrize(
    "given",
    [
        policy(cluster=True, namespaceSelector={"matchLabels": {"env": "test"}}),
        policy(namespace="third"),
        policy(selector={"matchLabels": {"team": "b"}}, **ENOUGH),
        policy(products=["emqx"]),
        policy(exceptions=[GONE]),
    ],
)
def test_of_a_part_nothing_is_said_to_be_missing(given: Policy) -> None:
    """It may only not have been read."""
    whole, part = only(given), only(given, part_of(around()))
    assert part.endswith(f"; {PART}")
    assert "comes later" not in part
    assert part.removesuffix(f"; {PART}") == whole.removesuffix(
        "; it may be intended, for what comes later"
    )


def test_an_exception_in_a_namespace_that_was_not_read_is_no_mistake() -> None:
    unread = {"workload": {"kind": "Deployment", "namespace": "unread", "name": "x"}, "reason": "x"}
    given = policy(cluster=True, exceptions=[unread])
    assert "there is no such workload" in only(given)
    assert told(given, part_of(around())) == []


def test_an_exception_that_has_expired_has_expired_whatever_was_read() -> None:
    past = {**GONE, "expiresAt": LONG_AGO.isoformat()}
    given = policy(exceptions=[past])
    assert only(given, part_of(around())) == only(given)
