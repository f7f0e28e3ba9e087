"""What is asked, by whose wish, and with which credentials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy, RuntimeAction, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import AdapterName
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.checks import Check, read_interval
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_5,
    FRONTEND,
    LATER,
    LONG_AGO,
    NAMESPACE,
    NGINX,
    NOW,
    SONARQUBE,
    WORKER,
    catalogue,
    container,
    manifest,
    policy,
    product,
    under,
)
from tests.support.depth import examples


def checks(*policies: Policy, images: tuple[str, ...] = (DTRACK_5,), **more: Any) -> list[Check]:
    cluster = under(*policies, **more)
    containers = (container(image, name=f"c{number}") for number, image in enumerate(images))
    return list(decide(cluster.input(manifest(*containers), Trigger.RECONCILE)).checks)


def check(*policies: Policy, **more: Any) -> Check:
    (found,) = checks(*policies, **more)
    return found


def runtime(name: str, *, namespace: str = "", port: int = 0, **more: Any) -> dict[str, Any]:
    """A section with a credential and, where a port is named, an endpoint of that name."""
    reference = {"name": name, **({"namespace": namespace} if namespace else {})}
    service = {"name": name, "port": port}
    return {
        "credentials": [{"product": "dependency-track", "secretRef": reference}],
        **({"endpoints": [{"product": "dependency-track", "service": service}]} if port else {}),
        **more,
    }


def test_nobody_is_asked_without_a_policy() -> None:
    assert checks() == []
    assert checks(policy(products=["sonarqube"])) == []
    assert checks(policy(channels=["UpdateCheck"])) == []


def test_a_policy_that_says_nothing_of_it_verifies_every_hour() -> None:
    found = check(policy())
    assert (found.product, found.api.adapter) == ("dependency-track", AdapterName.DEPENDENCY_TRACK)
    assert (found.action, found.interval) == (RuntimeAction.VERIFY, 3600)
    assert (found.secret, found.service) == (None, None)
    assert found.desired is Submission.DISABLED
    assert check(policy(submission="Enabled")).desired is Submission.ENABLED


def test_a_secret_is_the_policys_own_namespaces() -> None:
    found = check(policy(runtime=runtime("own", port=8081, action="Remediate", interval="2m")))
    assert found.secret == (NAMESPACE, "own")
    assert found.service is not None
    assert (found.service.name, found.service.port) == ("own", 8081)
    assert (found.action, found.interval) == (RuntimeAction.REMEDIATE, 120)


def test_a_cluster_policy_says_in_which_namespace_its_secret_is() -> None:
    found = check(policy(cluster=True, runtime=runtime("shared", namespace="vault")))
    assert found.secret == ("vault", "shared")


def test_a_section_is_taken_whole_so_that_no_credential_meets_anothers_endpoint() -> None:
    cluster = policy("c", cluster=True, runtime=runtime("shared", namespace="vault"))
    own = policy("a", created=LONG_AGO, runtime=runtime("own", port=1, action="Remediate"))
    found = check(own, cluster)
    assert (found.secret, found.service) == (("vault", "shared"), None)
    assert found.action is RuntimeAction.VERIFY
    # Also a section that says almost nothing.
    silent = policy("c", cluster=True, runtime={"interval": "5m"})
    found = check(own, silent)
    assert (found.secret, found.service, found.interval) == (None, None, 300)
    # And nothing of a credential for another product.
    other = {"credentials": [{"product": "sonarqube", "secretRef": {"name": "s"}}]}
    older = policy("b", created=LONG_AGO - timedelta(days=1), runtime=other)
    assert check(own, older).secret is None


def test_a_policy_without_the_section_leaves_it_to_the_next_that_asks_for_the_same() -> None:
    own = policy("a", runtime=runtime("own", port=1))
    assert check(own, policy("c", cluster=True)).secret == (NAMESPACE, "own")
    # One that asks for the contrary, or only audits, is not heard.
    contrary = policy("c", cluster=True, submission="Disabled")
    lost = policy("a", submission="Enabled", runtime=runtime("own", port=1))
    assert check(lost, contrary).secret is None
    audit = policy("a", mode="Audit", runtime=runtime("own", port=1))
    assert check(audit, contrary).secret is None


def test_a_credential_is_only_for_its_own_product() -> None:
    found = checks(policy(runtime=runtime("own", port=1)), images=(DTRACK_5, SONARQUBE))
    assert {one.product: (one.secret, one.service is None) for one in found} == {
        "dependency-track": ((NAMESPACE, "own"), False),
        "sonarqube": (None, True),
    }


def test_an_audit_only_looks() -> None:
    found = check(policy(mode="Audit", runtime=runtime("own", action="Remediate")))
    assert found.action is RuntimeAction.VERIFY
    assert found.secret == (NAMESPACE, "own")


def test_off_asks_nothing() -> None:
    assert checks(policy(runtime=runtime("own", action="Off"))) == []
    assert checks(policy(mode="Audit", runtime={"action": "Off"})) == []


def test_an_exempt_workload_is_not_asked_until_the_exception_ends() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "it"}, "reason": "contract"}
    assert checks(policy(exceptions=[exception], runtime=runtime("own"))) == []
    ended = {**exception, "expiresAt": NOW.isoformat()}
    assert check(policy(exceptions=[ended], runtime=runtime("own"))).secret is not None
    # What lifts a namespaced policy leaves a cluster policy in force, and its own section.
    lifted = policy(exceptions=[{**exception, "expiresAt": LATER.isoformat()}], runtime={})
    cluster = policy("c", cluster=True, runtime=runtime("shared", namespace="vault"))
    assert check(lifted, cluster).secret == ("vault", "shared")


def test_only_the_component_that_has_the_api_is_asked() -> None:
    assert checks(policy(), images=(WORKER,)) == []
    assert [one.product for one in checks(policy(), images=(FRONTEND,))] == ["sourcegraph"]
    assert [one.product for one in checks(policy(), images=(WORKER, FRONTEND))] == ["sourcegraph"]


def test_a_product_in_several_containers_is_asked_once() -> None:
    assert len(checks(policy(), images=(DTRACK_5, DTRACK_5))) == 1


def test_what_is_unknown_or_has_no_api_is_not_asked() -> None:
    assert checks(policy(), images=(NGINX,)) == []
    own = product("widget", channels=[{"name": "Usage"}])
    assert checks(policy(), images=("acme/widget:1.0",), catalogue=catalogue(own)) == []


USAGE = ("dependency-track", ChannelName.USAGE)


@pytest.mark.parametrize("told", ["reported", "reported_before"])
@pytest.mark.parametrize(
    ("given_policy", "reported"),
    [
        (policy(asked=True), Setting.DISABLED),
        (policy(), Setting.UNKNOWN),
        (policy(asked=True, runtime={"action": "Off"}), Setting.UNKNOWN),
        (policy(products=["sonarqube"]), Setting.UNKNOWN),
    ],
)
def test_what_was_said_counts_only_where_it_is_still_asked(
    given_policy: Policy, reported: Setting, told: str
) -> None:
    said: dict[str, Any] = {told: {USAGE: Reported(setting=Setting.DISABLED)}}
    given = under(given_policy).input(manifest(container(DTRACK_5)), Trigger.RECONCILE, **said)
    (verdict,) = (found for found in decide(given).verdicts if found.channel is ChannelName.USAGE)
    assert verdict.observed("reported").setting is reported


def test_what_is_said_now_counts_more_than_what_was_said_before() -> None:
    given = under(policy(asked=True)).input(
        manifest(container(DTRACK_5)),
        Trigger.RECONCILE,
        reported_before={USAGE: Reported(setting=Setting.DISABLED)},
        reported={USAGE: Reported(setting=Setting.ENABLED)},
    )
    (verdict,) = (found for found in decide(given).verdicts if found.channel is ChannelName.USAGE)
    assert verdict.observed("reported").setting is Setting.ENABLED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90s", 90),
        ("2m30s", 150),
        ("1s", 60),
        ("60s", 60),
        ("0.5m", 60),
        ("1m1s", 61),
        ("", 60),
    ],
)
def test_an_interval_is_read_and_at_least_a_minute(text: str, seconds: float) -> None:
    assert read_interval(text) == seconds


@examples(100)
@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_an_interval_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    expected = min(max(60, hours * 3600 + minutes * 60 + seconds), 86400)
    assert read_interval(f"{hours}h{minutes}m{seconds}s") == expected
