"""What lookups show: which count against a channel, which are told, and which say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import EgressReason, ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import (
    ChannelStatus,
    EgressVerdict,
    ObservedVerdict,
    Sends,
    State,
)
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.decision import Plan, decide, with_egress
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contact, Contacts
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.lookups import COUNTS_FOR
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.verdict import Verdict, worst_state
from fleet_telemetry.reporting.workload_status import build_workload_status, stored_reports
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import Pod, PodPhase
from tests.support.builders import (
    DTRACK_4,
    EMQX,
    EMQX_SWITCH,
    FRONTEND_7,
    LONG_AGO,
    NGINX,
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    Manifest,
    catalogue,
    container,
    manifest,
    pod_of,
    policy,
    product,
    under,
    workload,
)
from tests.support.decision_strategies import SWITCH_OF_IMAGE, manifests, policy_sets
from tests.support.depth import examples

USAGE, UPDATES = ChannelName.USAGE, ChannelName.UPDATE_CHECK
HOST, OTHER_HOST, SHARED = "telemetry.acme.example", "updates.acme.example", "acme.example"
STARTED = NOW - timedelta(days=1)
HOUR = timedelta(hours=1)
SWITCH = {"semantics": "Start", "env": {"name": "ACME", "disabled": "no", "enabled": "yes"}}
SECOND = {"semantics": "Start", "env": {"name": "MORE", "disabled": "no", "enabled": "yes"}}
SEED = {**SWITCH, "semantics": "Seed"}
OFF, ON = {"ACME": "no"}, {"ACME": "yes"}
FROM_MAP = {"ACME": {"configMapKeyRef": {"name": "settings", "key": "acme"}}}
ASKED = {"runtime": {"credentials": [{"product": "acme", "secretRef": {"name": "key"}}]}}
WHOLE = Contacts(complete_since=LONG_AGO)


def rule(*switches: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"default": "On", "switches": list(switches), **more}


def usage(*hosts: dict[str, Any], rules: Iterable[dict[str, Any]] = (rule(SWITCH),)) -> Any:
    return {"name": "Usage", "hosts": list(hosts or [{"host": HOST}]), "rules": list(rules)}


def contact(host: str = HOST, pod: str = "it-1", *, last: datetime = NOW, **more: Any) -> Contact:
    given = {"first": last, **more}
    return Contact(host=host, pod=pod, pod_uid=f"uid-of-{pod}", last=last, **given)


def seen(*contacts: Contact, **more: Any) -> Contacts:
    return Contacts(seen=contacts or (contact(),), **{"complete_since": LONG_AGO, **more})


def acme(env: Mapping[str, Any] | None = None, tag: str = "2.0.0", **shape: Any) -> Manifest:
    return manifest(container(f"acme/acme:{tag}", env=OFF if env is None else env), **shape)


def pod(
    of: Manifest, name: str = "it-1", *, started: datetime | None = STARTED, **more: Any
) -> Pod:
    return pod_of(of, name, started=started, **more)


def plan_of(
    present: Manifest | None = None,
    *,
    channels: Iterable[Any] = (usage(),),
    contacts: Contacts = NO_CONTACTS,
    pods: Iterable[Pod] | None = None,
    reported: Reported | None = None,
    policies: Iterable[Policy] | None = None,
    known: Catalogue | None = None,
    now: datetime = NOW,
) -> Plan:
    present = present or acme()
    own = product("acme", channels=list(channels), api={"adapter": "EMQX", "port": 80})
    cluster = under(
        *(policies if policies is not None else [policy(additionalProducts=["acme"], **ASKED)]),
        catalogue=known or catalogue(own),
        now=now,
    )
    return decide(
        cluster.input(
            present,
            Trigger.RECONCILE,
            contacts=contacts,
            pods=tuple(pods) if pods is not None else (pod(present),),
            reported={("acme", USAGE): reported} if reported is not None else {},
        )
    )


def verdict_of(plan: Plan, channel: ChannelName = USAGE, name: str = "") -> Verdict:
    (found,) = (
        one for one in plan.verdicts if one.channel is channel and (not name or one.product == name)
    )
    return found


def status_of(plan: Plan, channel: ChannelName = USAGE, name: str = "") -> ChannelStatus:
    status = build_workload_status(workload(acme()), plan, None, NOW)
    (found,) = (
        one
        for one in status.channels
        if one.name is channel and (not name or one.product in (name, None))
    )
    return found


def states(plan: Plan) -> list[tuple[str | None, str | None]]:
    every = [*plan.verdicts, *(one for found in plan.by_policy for one in found.verdicts)]
    return [(one.state, one.reason) for one in every]


NOT_COMPLIANT = (State.NON_COMPLIANT, Reason.OBSERVED_CONTACT)
COMPLIANT = (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD)


def test_a_lookup_by_a_pod_that_was_started_with_the_setting_shows_that_it_has_no_effect() -> None:
    asked = contact(first=NOW - HOUR, lookups=4)
    plan = plan_of(contacts=seen(asked))

    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]
    status = status_of(plan)
    assert status.sends is Sends.YES
    assert status.sends_reason == Reason.OBSERVED_CONTACT
    for said in (status.message, status.sends_message, status.observed_message):
        assert (
            "Pod it-1 asked for telemetry.acme.example 4 times, from 2026-11-20 07:00:00 UTC to "
            in (said or "")
        )
        assert "sent to" not in (said or "")
    assert "it would be Compliant, RunningInEveryPod" in (status.message or "")
    assert "spec.egress" in (status.remedy or "")
    assert status.observed is ObservedVerdict.CONTACTED
    assert status.observed_since is None
    assert status.last_observed_time == NOW


@pytest.mark.parametrize(
    ("channels", "asked", "says"),
    [
        ([usage({"host": HOST, "alsoServes": "models"})], contact(), "also serves something else"),
        (
            [usage({"host": HOST, "sentBy": "Browser"}, {"host": HOST, "port": 80})],
            contact(),
            "Brow",
        ),
        ([usage({"host": HOST}, {"host": HOST, "port": 80, "alsoServes": "x"})], contact(), "(x)"),
        ([usage(rules=[rule(SWITCH, graceSeconds=86400)])], contact(), "Within 86400 s"),
        ([usage()], contact(last=STARTED, pod="it-9"), ""),
    ],
    ids=["it serves more", "a browser too", "it serves more on another port", "the grace", "gone"],
)
def test_what_is_told_and_not_judged(channels: list[Any], asked: Contact, says: str) -> None:
    plan = plan_of(channels=channels, contacts=seen(asked))
    assert states(plan) == [COMPLIANT, COMPLIANT]
    assert status_of(plan).sends is Sends.NO
    assert says in (status_of(plan).observed_message or "")


@pytest.mark.parametrize(
    ("after", "started", "state"),
    [
        (600, STARTED, State.COMPLIANT),
        (601, STARTED, State.NON_COMPLIANT),
        (-5, STARTED, State.COMPLIANT),
        (601, None, State.COMPLIANT),
        (10**6, STARTED, State.COMPLIANT),
    ],
    ids=["within", "after", "by a slow clock", "when it started is not known", "in the future"],
)
def test_the_grace_begins_with_the_pod(after: int, started: datetime | None, state: State) -> None:
    asked = contact(last=STARTED + timedelta(seconds=after))
    channels = [usage(rules=[rule(SWITCH, graceSeconds=600)])]
    present = acme()
    pods = [pod(present, started=started)]
    plan = plan_of(present, channels=channels, contacts=seen(asked), pods=pods)
    assert verdict_of(plan).state is state
    assert verdict_of(plan).observed("observed").observed is not None


def test_without_a_grace_the_clocks_do_not_matter() -> None:
    for last in (STARTED - HOUR, NOW + timedelta(days=400), datetime.max.replace(tzinfo=UTC)):
        plan = plan_of(contacts=seen(contact(last=last)))
        assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]
        assert (status_of(plan).last_observed_time or NOW) <= NOW


def test_sonarqube_may_report_its_opt_out_once() -> None:
    present = manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"}))
    for after, state in ((90, State.COMPLIANT), (10_801, State.NON_COMPLIANT)):
        asked = contact("telemetry.sonarsource.com", last=STARTED + timedelta(seconds=after))
        pods = [pod(present)]
        plan = plan_of(
            present, contacts=seen(asked), pods=pods, policies=[policy()], known=builtin()
        )
        assert verdict_of(plan).state is state


def test_emqx_that_was_switched_on_again_is_found() -> None:
    present = manifest(container(EMQX, env={EMQX_SWITCH: "false"}))
    asked = seen(contact("telemetry.emqx.io"))
    plan = plan_of(present, contacts=asked, policies=[policy()], known=builtin())
    assert (verdict_of(plan).state, verdict_of(plan).reason) == NOT_COMPLIANT


# Other channels of the host


def both(*, second: Mapping[str, Any] = SECOND, host: str = HOST) -> list[Any]:
    updates = {"name": "UpdateCheck", "hosts": [{"host": host}], "rules": [rule(second)]}
    return [usage(), updates]


@pytest.mark.parametrize(
    ("env", "state"),
    [
        ({**OFF, "MORE": "no"}, State.NON_COMPLIANT),
        ({**OFF, "MORE": "yes"}, State.COMPLIANT),
        ({**OFF}, State.COMPLIANT),
        ({**OFF, "MORE": {"fieldRef": {"fieldPath": "metadata.name"}}}, State.COMPLIANT),
    ],
    ids=["is off", "is on", "sends by default", "is not known"],
)
def test_another_channel_of_the_host_may_have_asked(env: dict[str, Any], state: State) -> None:
    plan = plan_of(acme(env), channels=both(), contacts=seen())
    assert verdict_of(plan).state is state
    assert "The host is also that of UpdateCheck of acme." in (
        status_of(plan).observed_message or ""
    )


def test_both_channels_of_a_host_are_in_doubt_if_both_are_off() -> None:
    wants = policy(additionalProducts=["acme"], channels=["Usage", "UpdateCheck"])
    plan = plan_of(acme({**OFF, "MORE": "no"}), channels=both(), contacts=seen(), policies=[wants])
    assert set(states(plan)) == {NOT_COMPLIANT}


def test_a_channel_of_another_host_has_nothing_to_do_with_it() -> None:
    plan = plan_of(acme({**OFF}), channels=both(host=OTHER_HOST), contacts=seen())
    assert verdict_of(plan).state is State.NON_COMPLIANT
    plan = plan_of(
        acme({**OFF}), channels=both(host=OTHER_HOST), contacts=seen(contact(OTHER_HOST))
    )
    assert verdict_of(plan).state is State.COMPLIANT
    assert status_of(plan).observed is ObservedVerdict.QUIET
    assert status_of(plan, UPDATES).observed is ObservedVerdict.CONTACTED


def test_another_product_of_the_pod_may_have_asked() -> None:
    channels = [usage()]
    known = catalogue(product("acme", channels=channels), product("other", channels=channels))
    wants = [policy(additionalProducts=["acme", "other"])]
    two = manifest(
        container("acme/acme:2.0.0", env=OFF), container("acme/other:2.0.0", name="b", env=ON)
    )
    plan = plan_of(two, contacts=seen(), known=known, policies=wants)
    assert verdict_of(plan, name="acme").state is State.COMPLIANT
    alone = manifest(container("acme/acme:2.0.0", env=OFF), container(NGINX, name="b"))
    plan = plan_of(alone, contacts=seen(), known=known, policies=wants)
    assert verdict_of(plan, name="acme").state is State.NON_COMPLIANT


# The version


def test_the_version_has_to_have_the_host_for_certain() -> None:
    channels = [usage({"host": HOST, "versions": [">=2.0.0 <3.0.0"]}, {"host": OTHER_HOST})]
    for tag, state in (("2.0.0", State.NON_COMPLIANT), ("3.0.0", State.COMPLIANT)):
        plan = plan_of(acme(tag=tag), channels=channels, contacts=seen())
        assert verdict_of(plan).state is state
    unreadable = plan_of(acme(tag="latest"), channels=channels, contacts=seen())
    assert verdict_of(unreadable).state is State.COMPLIANT
    assert "not certain that the version" in (status_of(unreadable).observed_message or "")
    certain = plan_of(acme(tag="latest"), channels=channels, contacts=seen(contact(OTHER_HOST)))
    assert states(certain) == [NOT_COMPLIANT, NOT_COMPLIANT]


def test_a_version_without_telemetry_that_asks_is_not_without() -> None:
    channels = [usage(rules=[{"default": "NoTelemetry"}])]
    quiet = plan_of(channels=channels)
    assert states(quiet)[0] == (State.COMPLIANT, Reason.NO_TELEMETRY_IN_VERSION)
    assert states(plan_of(channels=channels, contacts=seen()))[0] == NOT_COMPLIANT


# Each other state


def test_older_pods_may_ask_during_a_rollout() -> None:
    new, old = acme(OFF), acme(ON)
    pods = [pod(old), pod(new, "it-2")]
    pending = (State.PENDING, Reason.PODS_OUTDATED)
    plan = plan_of(new, contacts=seen(), pods=pods)
    assert states(plan) == [pending, pending]
    assert status_of(plan).observed is ObservedVerdict.CONTACTED
    # A new one may not.
    plan = plan_of(new, contacts=seen(contact(pod="it-2")), pods=pods)
    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]


def test_a_pod_with_the_opposite_setting_is_judged_by_it() -> None:
    wants = [policy(additionalProducts=["acme"], mode="Audit")]
    plan = plan_of(acme(ON), contacts=seen(), policies=wants)
    assert states(plan)[0] == (State.NON_COMPLIANT, Reason.AUDIT_ONLY)


@pytest.mark.parametrize("env", [FROM_MAP, OFF], ids=["by reference", "a seed"])
def test_a_pod_of_which_the_setting_is_not_known_shows_it_by_asking(env: dict[str, Any]) -> None:
    channels = [usage(rules=[rule(SEED if env is OFF else SWITCH)])]
    assert verdict_of(plan_of(acme(env), channels=channels)).state is State.UNKNOWN
    plan = plan_of(acme(env), channels=channels, contacts=seen())
    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]
    assert "it would be Unknown" in verdict_of(plan).message
    # Before the policy nobody wanted it to be off.
    early = seen(contact(last=NOW - timedelta(days=5)))
    wants = [policy(additionalProducts=["acme"], created=NOW - timedelta(days=4))]
    plan = plan_of(acme(env), channels=channels, contacts=early, policies=wants)
    assert verdict_of(plan).state is State.UNKNOWN


def test_a_product_without_a_switch_stays_not_enforceable_and_says_what_was_seen() -> None:
    channels = [usage(rules=[{"default": "On", "remedy": "Ask the vendor."}])]
    plan = plan_of(channels=channels, contacts=seen())
    assert states(plan)[0] == (State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH)
    assert "Pod it-1 asked for telemetry.acme.example once" in verdict_of(plan).message
    assert "the best evidence there is" in (status_of(plan).observed_message or "")
    quiet = status_of(plan_of(channels=channels, contacts=WHOLE))
    assert quiet.observed is ObservedVerdict.QUIET
    assert "the best evidence there is" in (quiet.observed_message or "")


def test_sourcegraph_7_cannot_be_switched_off() -> None:
    present = manifest(container(FRONTEND_7))
    asked = seen(contact("pings.sourcegraph.com"))
    plan = plan_of(present, contacts=asked, policies=[policy()], known=builtin())
    assert verdict_of(plan).state is State.NOT_ENFORCEABLE
    assert status_of(plan).observed is ObservedVerdict.CONTACTED


def test_what_switches_leave_explains_a_lookup() -> None:
    channels = [usage(rules=[rule(SWITCH, leaves="one event")])]
    plan = plan_of(channels=channels, contacts=seen())
    assert states(plan)[0] == (State.NOT_ENFORCEABLE, Reason.PARTLY_DISABLED)
    assert "asked for telemetry.acme.example" in verdict_of(plan).message
    kept = with_egress(plan, DENIED).verdicts[0]
    assert (kept.state, kept.reason) == (State.COMPLIANT, Reason.REST_DENIED)
    assert "it is kept from them" in kept.message


def test_an_exception_stays() -> None:
    given = {"workload": {"kind": "Deployment", "name": "it"}, "reason": "because"}
    wants = [policy(additionalProducts=["acme"], exceptions=[given])]
    plan = plan_of(contacts=seen(), policies=wants)
    assert verdict_of(plan).state is State.EXEMPT


def test_a_policy_that_wants_it_on_is_content() -> None:
    wants = [policy(additionalProducts=["acme"], submission="Enabled")]
    plan = plan_of(acme(ON), contacts=seen(), policies=wants)
    assert verdict_of(plan).state is State.COMPLIANT


def test_what_waits_for_a_restart_may_ask_until_then() -> None:
    report = Reported(Setting.ENABLED, restart_needed=True, as_of=NOW - HOUR)
    plan = plan_of(contacts=seen(), reported=report)
    assert states(plan)[0] == (State.PENDING, Reason.RESTART_NEEDED)


# When it no longer counts


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (Reported(Setting.DISABLED, as_of=NOW + HOUR), State.COMPLIANT),
        (Reported(Setting.DISABLED, as_of=NOW), State.COMPLIANT),
        (Reported(Setting.DISABLED, as_of=NOW - HOUR), State.NON_COMPLIANT),
        (Reported(Setting.DISABLED), State.NON_COMPLIANT),
        (Reported(Setting.UNKNOWN, as_of=NOW + HOUR), State.NON_COMPLIANT),
    ],
    ids=["later", "as late", "earlier", "of an unknown time", "of nothing"],
)
def test_the_products_own_report_counts_if_it_is_later(report: Reported, state: State) -> None:
    plan = plan_of(contacts=seen(), reported=report)
    assert verdict_of(plan).state is state
    assert status_of(plan).observed is ObservedVerdict.CONTACTED


def test_a_new_leader_believes_a_report_that_the_last_one_had_judged_by() -> None:
    report = Reported(Setting.DISABLED, as_of=NOW)
    plan = plan_of(contacts=seen(contact(last=NOW - HOUR)), reported=report)
    stored = stored_reports(build_workload_status(workload(acme()), plan, None, NOW))
    found = stored["acme", USAGE]
    assert found.as_of == NOW - HOUR
    assert verdict_of(plan_of(contacts=seen(contact(last=NOW - HOUR)), reported=found)).state is (
        State.COMPLIANT
    )
    assert verdict_of(plan_of(contacts=seen(), reported=found)).state is State.NON_COMPLIANT
    # One that it had not judged by is not made later than it was.
    plan = plan_of(contacts=seen(), reported=Reported(Setting.DISABLED, as_of=NOW - HOUR))
    stored = stored_reports(build_workload_status(workload(acme()), plan, None, NOW))
    assert stored["acme", USAGE].as_of is None


def test_after_eight_days_it_counts_no_more() -> None:
    for age, state in ((COUNTS_FOR, State.NON_COMPLIANT), (COUNTS_FOR + HOUR, State.COMPLIANT)):
        plan = plan_of(contacts=seen(contact(last=NOW - age)))
        assert verdict_of(plan).state is state
    status = status_of(plan)
    assert (status.observed, status.observed_since) == (
        ObservedVerdict.QUIET,
        NOW - COUNTS_FOR - HOUR,
    )
    assert status.last_observed_time == NOW - COUNTS_FOR - HOUR


def test_the_plan_says_when_it_changes_by_itself() -> None:
    assert plan_of().holds_until is None
    assert plan_of(contacts=WHOLE).holds_until is None
    assert plan_of(contacts=seen(contact(last=NOW - HOUR))).holds_until == NOW - HOUR + COUNTS_FOR
    told = seen(contact(pod="it-9"))
    assert plan_of(contacts=told).holds_until is None


def test_a_pod_that_is_gone_counts_until_others_run() -> None:
    present = acme()
    asked = seen(contact(pod="gone", last=NOW - HOUR))
    ended = pod(present, "it-2", phase=PodPhase.SUCCEEDED)
    for pods, observed in (
        ([pod(present, "it-2")], ObservedVerdict.QUIET),
        ([], ObservedVerdict.CONTACTED),
        ([ended], ObservedVerdict.CONTACTED),
    ):
        plan = plan_of(present, contacts=asked, pods=pods)
        assert status_of(plan).observed is observed
        assert verdict_of(plan).reason is not Reason.OBSERVED_CONTACT
    assert "Before that: Pod gone asked" in (
        status_of(plan_of(present, contacts=asked, pods=[pod(present, "it-2")])).observed_message
        or ""
    )


# The network


DENIED = {("acme", USAGE): EgressFinding(EgressVerdict.DENIED, EgressReason.EVERY_ADDRESS_DENIED)}


def test_an_attempt_and_a_denial_stand_beside_each_other() -> None:
    plan = with_egress(plan_of(contacts=seen()), DENIED)
    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]
    status = status_of(plan)
    assert (status.sends, status.sends_reason) == (Sends.NO, Reason.HOSTS_DENIED)
    assert "it is kept from them" in (status.message or "")
    assert "it is kept from what it asked for" in (status.observed_message or "")


def test_a_refusal_by_dns_is_told_and_proves_nothing() -> None:
    plan = plan_of(contacts=seen(contact(refused=True)))
    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]
    assert "DNS refused the name" in verdict_of(plan).message
    assert status_of(plan).sends is Sends.YES


# Without a policy


@pytest.mark.parametrize("env", [OFF, FROM_MAP, ON], ids=["off", "not known", "on"])
def test_an_attempt_shows_that_something_is_sent_without_any_policy(env: dict[str, Any]) -> None:
    before = plan_of(acme(env), policies=[])
    after = plan_of(acme(env), policies=[], contacts=seen())
    assert verdict_of(after).state is None
    was, found = verdict_of(before).sends, verdict_of(after).sends
    assert was is not None
    assert found is not None
    assert found.sends is Sends.YES
    assert found.reason is (was.reason if was.sends is Sends.YES else Reason.OBSERVED_CONTACT)


def test_a_lookup_of_a_shared_host_does_not_show_that_something_is_sent() -> None:
    channels = [usage({"host": HOST, "alsoServes": "models"})]
    for env in (OFF, FROM_MAP):
        before = verdict_of(plan_of(acme(env), channels=channels, policies=[]))
        after = verdict_of(plan_of(acme(env), channels=channels, policies=[], contacts=seen()))
        assert before.sends == after.sends


# What is shown where nothing was asked for


def test_quiet_is_shown_since_when_the_chain_works() -> None:
    since = NOW - timedelta(days=2)
    status = status_of(plan_of(contacts=Contacts(complete_since=since)))
    assert (status.observed, status.observed_reason) == ("Quiet", ObservedReason.NO_LOOKUP)
    assert status.observed_since == since
    assert "does not prove" in (status.observed_message or "")


def test_quiet_is_not_shown_since_before_the_workload_was_created_or_after_now() -> None:
    status = status_of(
        plan_of(acme(created=NOW - HOUR), contacts=Contacts(complete_since=LONG_AGO))
    )
    assert status.observed_since == NOW - HOUR
    status = status_of(plan_of(contacts=Contacts(complete_since=NOW + HOUR)))
    assert status.observed_since == NOW


@pytest.mark.parametrize(
    ("contacts", "channels", "reason"),
    [
        (NO_CONTACTS, [usage()], ObservedReason.NOT_OBSERVED),
        (Contacts(reason=ObservedReason.LOOKUPS_LOST), [usage()], ObservedReason.LOOKUPS_LOST),
        (WHOLE, [{**usage(), "hosts": []}], ObservedReason.NO_HOST_KNOWN),
        (WHOLE, [usage({"host": HOST, "sentBy": "Browser"})], ObservedReason.NO_HOST_KNOWN),
        (
            Contacts(seen=(contact(pod="gone"),), reason=ObservedReason.SOURCE_NOT_CONNECTED),
            [usage()],
            ObservedReason.SOURCE_NOT_CONNECTED,
        ),
    ],
)
def test_why_it_is_not_known(
    contacts: Contacts, channels: list[Any], reason: ObservedReason
) -> None:
    status = status_of(plan_of(channels=channels, contacts=contacts))
    assert (status.observed, status.observed_reason) == (ObservedVerdict.UNKNOWN, reason)
    assert status.observed_since is None
    assert (status.observed_message or "").startswith(reason.meaning)


def test_what_is_not_readable_is_not_printed_as_it_is() -> None:
    serves = "a\u202e\nb\x1b[31m"
    plan = plan_of(channels=[usage({"host": HOST, "alsoServes": serves})], contacts=seen())
    assert (status_of(plan).observed_message or "").isprintable()


@pytest.mark.thorough
def test_of_many_lookups_the_newest_are_told() -> None:
    present = acme()
    asked = [contact(pod=f"it-{number}", last=NOW - HOUR * number) for number in range(1, 2000)]
    pods = [pod(present, f"it-{number}") for number in range(1, 2000)]
    plan = plan_of(present, contacts=seen(*asked), pods=pods)
    said = status_of(plan).observed_message or ""
    assert "Pod it-1 " in said
    assert "more by host and pod" in said
    assert len(said) < 1000
    assert states(plan) == [NOT_COMPLIANT, NOT_COMPLIANT]


# Whatever is seen

HOSTS = (
    "telemetry.sonarsource.com",
    "downloads.sonarsource.com",
    "telemetry.emqx.io",
    "metrics.dependencytrack.org",
    "telemetry-gateway.sourcegraph.com",
    "pings.sourcegraph.com",
    "unknown.example",
    "",
)
TIMES = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(-20 * 24, 20 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
)
CONTACTS = st.builds(
    lambda host, pod, first, last, lookups, refused: Contact(
        host=host, pod=pod, pod_uid=pod, first=first, last=last, lookups=lookups, refused=refused
    ),
    st.sampled_from(HOSTS),
    st.sampled_from(("uid-of-it-1", "uid-of-it-2", "uid-of-gone", "")),
    TIMES,
    TIMES,
    st.integers(0, 10**9),
    st.booleans(),
)
_ORDER = (Sends.NO, Sends.UNKNOWN, Sends.YES)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Manifest, tuple[Pod, ...], tuple[Policy, ...]]:
    present = draw(manifests(images=(*SWITCH_OF_IMAGE, NGINX)))
    other = draw(manifests(images=(*SWITCH_OF_IMAGE, NGINX)))
    started = draw(st.one_of(st.none(), TIMES))
    pods = (pod(present, "it-1", started=started), pod(other, "it-2", started=started))
    return present, pods[: draw(st.integers(0, 2))], draw(policy_sets())


@examples(150)
@given(situations(), st.lists(CONTACTS, max_size=4), CONTACTS, st.booleans())
def test_one_more_lookup_makes_nothing_better_and_quiet_changes_nothing(
    situation: tuple[Manifest, tuple[Pod, ...], tuple[Policy, ...]],
    before: list[Contact],
    more: Contact,
    complete: bool,
) -> None:
    present, pods, policies = situation
    cluster = under(*policies)

    def decided(contacts: Contacts) -> Plan:
        return decide(cluster.input(present, Trigger.RECONCILE, pods=pods, contacts=contacts))

    since = LONG_AGO if complete else None
    fewer = decided(Contacts(tuple(before), since))
    after = decided(Contacts((*before, more), since))
    for was, found in zip(fewer.verdicts, after.verdicts, strict=True):
        assert worst_state(filter(None, (was.state, found.state))) is found.state
        assert was.sends is not None
        assert found.sends is not None
        assert _ORDER.index(found.sends.sends) >= _ORDER.index(was.sends.sends)
    for one, two in zip(fewer.by_policy, after.by_policy, strict=True):
        for was, found in zip(one.verdicts, two.verdicts, strict=True):
            assert worst_state(filter(None, (was.state, found.state))) is found.state
    quiet, nothing = decided(Contacts(complete_since=LONG_AGO)), decided(NO_CONTACTS)
    for was, found in zip(quiet.verdicts, nothing.verdicts, strict=True):
        assert replace(was, observations={}) == replace(found, observations={})
    # All of it can be shown.
    status = build_workload_status(workload(present), after, None, NOW)
    for channel in status.channels:
        assert (channel.observed_message or "").isprintable()
        assert channel.observed_since is None or channel.observed_since <= NOW
    assert with_egress(after, {}).verdicts == after.verdicts


def test_a_lookup_of_dependency_track_answers_what_its_database_holds() -> None:
    present = manifest(
        container(DTRACK_4, env={V4_SWITCH: "false", "ALPINE_DATABASE_URL": "jdbc:x"})
    )
    unknown = plan_of(present, policies=[policy()], known=builtin())
    assert verdict_of(unknown).reason is Reason.SEED_NOT_PROVEN
    asked = seen(contact("metrics.dependencytrack.org"))
    plan = plan_of(present, contacts=asked, policies=[policy()], known=builtin())
    assert states(plan)[0] == NOT_COMPLIANT
