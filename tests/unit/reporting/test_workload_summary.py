"""The worst of all channels of a workload, and the labels to select workloads by."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import (
    ChannelStatus,
    Sends,
    State,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.reporting.workload_status import build_workload_status
from fleet_telemetry.reporting.workload_summary import is_labelled, labels_of, summarize
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    DTRACK_4,
    EMQX_6,
    NOW,
    SONAR_SWITCH,
    SONAR_UPDATES,
    SONARQUBE,
    V4_SWITCH,
    Manifest,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)

MANAGED = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
OFF = {SONAR_SWITCH: "false"}


def record(present: Manifest, *policies: Policy) -> WorkloadTelemetryStatus:
    cluster = under(*policies)
    plan = decide(cluster.input(present, Trigger.RECONCILE, pods=(pod_of(present),)))
    return build_workload_status(workload(present), plan, None, NOW)


def sonar(**env: str) -> Manifest:
    return claimed(manifest(container(SONARQUBE, env=env)), but=env)


def channel(name: ChannelName, sends: Sends | None, state: State | None) -> ChannelStatus:
    return ChannelStatus(
        name=name, sends=sends, state=state, declared=Setting.UNSET, running=Setting.UNSET
    )


def most_urgent(*channels: tuple[Sends | None, State | None]) -> int:
    """The place of the channel that is shown."""
    names = [*ChannelName]
    found = [channel(name, *one) for name, one in zip(names, channels, strict=False)]
    verdicts = [Verdict("acme", one.name) for one in found]
    summary = summarize(verdicts, found)
    assert summary is not None
    return names.index(summary.channel)


YES, NO, UNKNOWN = Sends.YES, Sends.NO, Sends.UNKNOWN


@pytest.mark.parametrize(
    ("channels", "shown"),
    [
        # What sends comes first, whatever the states are.
        (((NO, State.COMPLIANT), (YES, None)), 1),
        (((UNKNOWN, State.NON_COMPLIANT), (YES, State.EXEMPT)), 1),
        (((NO, None), (UNKNOWN, None)), 1),
        # Then the state that needs attention most.
        (((YES, None), (YES, State.NON_COMPLIANT)), 1),
        (((YES, State.COMPLIANT), (YES, None)), 1),
        (((YES, State.PENDING), (YES, None)), 0),
        (((UNKNOWN, State.PENDING), (UNKNOWN, State.UNKNOWN)), 1),
        # Then the first.
        (((YES, None), (YES, None)), 0),
        (((None, None), (NO, None)), 1),
    ],
)
def test_what_sends_is_shown_first(
    channels: tuple[tuple[Sends | None, State | None], ...], shown: int
) -> None:
    assert most_urgent(*channels) == shown


def test_nothing_is_shown_of_nothing() -> None:
    assert summarize((), ()) is None


def test_the_state_is_the_worst_of_what_policies_cover() -> None:
    both = record(sonar(**OFF, **{SONAR_UPDATES: "false"}), policy()).summary
    assert both is not None
    assert (both.sends, both.channel) == ("No", "UpdateCheck")
    assert (both.state, both.state_channel, both.policy) == ("Compliant", "Usage", "opt-out")
    every = record(sonar(**OFF), policy(channels=["Usage", "UpdateCheck"])).summary
    assert every is not None
    assert (every.sends, every.channel) == ("Yes", "UpdateCheck")
    assert (every.state, every.state_channel) == ("NonCompliant", "UpdateCheck")
    assert (every.policy, every.desired, every.reason) == (
        "opt-out",
        "Disabled",
        "AwaitingUpgrade",
    )
    without = record(sonar()).summary
    assert without is not None
    assert (without.sends, without.channel, without.reason) == ("Yes", "Usage", "DefaultApplies")
    assert (without.state, without.state_channel, without.policy) == (None, None, None)


def test_the_product_of_the_summary_is_that_of_its_channel() -> None:
    two = manifest(
        container(DTRACK_4, env={V4_SWITCH: "false"}), container(SONARQUBE, name="sonar")
    )
    found = record(two)
    assert found.product == "dependency-track"
    assert found.summary is not None
    assert found.summary.product == "sonarqube"


@pytest.mark.parametrize(
    ("present", "policies", "expected"),
    [
        (sonar(), (), {"sends": "Yes"}),
        (sonar(**OFF), (), {"sends": "Yes"}),
        (sonar(**OFF, **{SONAR_UPDATES: "false"}), (), {"sends": "No"}),
        (sonar(**OFF), (policy(),), {"sends": "Yes", "state": "Compliant"}),
        (
            sonar(**OFF),
            (policy(channels=["Usage", "UpdateCheck"]),),
            {"sends": "Yes", "state": "NonCompliant"},
        ),
    ],
)
def test_the_labels(
    present: Manifest, policies: tuple[Policy, ...], expected: dict[str, str]
) -> None:
    found = labels_of(record(present, *policies))
    assert found == {
        **MANAGED,
        "fleettelemetry.io/product": "sonarqube",
        "product.fleettelemetry.io/sonarqube": "true",
        **{f"fleettelemetry.io/{key}": value for key, value in expected.items()},
    }


def test_each_of_several_products_has_a_label() -> None:
    several = manifest(
        container(EMQX_6), container(SONARQUBE, name="b"), container(SONARQUBE, name="c")
    )
    found = labels_of(record(several))
    assert found["fleettelemetry.io/product"] == "emqx"
    own = {key for key in found if key.startswith("product.fleettelemetry.io/")}
    assert own == {"product.fleettelemetry.io/emqx", "product.fleettelemetry.io/sonarqube"}


_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


@given(st.lists(st.text(max_size=70), min_size=1, max_size=3))
def test_whatever_products_are_called_the_labels_are_valid(names: list[str]) -> None:
    channels = tuple(
        ChannelStatus(
            name=ChannelName.USAGE,
            product=name,
            declared=Setting.UNSET,
            running=Setting.UNSET,
        )
        for name in names
    )
    found = labels_of(WorkloadTelemetryStatus(product=names[0], channels=channels))
    for key, value in found.items():
        _, _, name = key.rpartition("/")
        for one in (name, value):
            assert len(one) <= 63
            assert _NAME.fullmatch(one)


def test_what_is_labelled_already_is_not_labelled_again() -> None:
    before, after = record(sonar(), policy()), record(sonar(**OFF), policy())
    gone = record(sonar())
    live = dict(labels_of(before))
    assert is_labelled(live, before, before)
    # The state is another one.
    assert not is_labelled(live, before, after)
    assert is_labelled(dict(labels_of(after)), before, after)
    # The policy is gone, and its label has to go. Once it went, nothing is written.
    assert not is_labelled(live, before, gone)
    assert is_labelled(dict(labels_of(gone)), gone, gone)
    # What others write stays, and what they change of ours does not.
    assert is_labelled({**live, "team": "a", "fleettelemetry.io/mine": "b"}, before, before)
    assert not is_labelled({**live, "fleettelemetry.io/sends": "No"}, before, before)
    # Objects of earlier releases had one label.
    assert not is_labelled(MANAGED, before, before)


def _plan(present: Manifest) -> Plan:
    return decide(under().input(present, Trigger.RECONCILE, pods=(pod_of(present),)))


def test_channels_have_their_hosts_once_and_in_order() -> None:
    twice = manifest(container(SONARQUBE), container(SONARQUBE, name="b"))
    usage, updates = build_workload_status(workload(twice), _plan(twice), None, NOW).channels
    assert usage.hosts == ("telemetry.sonarsource.com",)
    assert "downloads.sonarsource.com" in updates.hosts
