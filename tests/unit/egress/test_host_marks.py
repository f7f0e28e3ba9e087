"""Hosts to which browsers connect, and hosts that also serve something else."""

from __future__ import annotations

from itertools import product as every
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.product import ProductError
from fleet_telemetry.egress.desired import EgressPlan, plan_egress
from fleet_telemetry.egress.dialects.object_state import ObjectResult, ObjectState
from fleet_telemetry.egress.facts import EgressInput
from fleet_telemetry.egress.host_use import HostRule, find_host_rules, find_needs, find_uses
from fleet_telemetry.evidence.egress import EgressFinding
from tests.support.builders import catalogue, policy, product
from tests.support.depth import examples
from tests.support.egress_inputs import NOTHING, except_for, facts, finding, net, situation

KEY = ("acme", ChannelName.USAGE)
POD, BROWSER, SHARED = "pod.acme.example", "browser.acme.example", "shared.acme.example"
HOSTS = {POD: facts("54.1.1.1"), BROWSER: facts("54.2.2.2"), SHARED: facts("54.3.3.3")}
OF_POD = {"host": POD}
OF_BROWSER = {"host": BROWSER, "sentBy": "Browser"}
OF_BOTH = {"host": SHARED, "alsoServes": "the updates of the product"}
DENIED, ALLOWED = EgressVerdict.DENIED, EgressVerdict.ALLOWED
OPEN, UNKNOWN = EgressVerdict.OPEN, EgressVerdict.UNKNOWN
ACCEPT = {"sharedAddresses": "Accept"}
CILIUM = (EgressDialect.NETWORK_POLICY, EgressDialect.CILIUM)


def acme(*hosts: dict[str, Any], **more: Any) -> Catalogue:
    rules = [{"default": "On"}]
    channels = [{"name": "Usage", "hosts": list(hosts), "rules": rules}]
    for name, own in more.items():
        channels.append({"name": name, "hosts": own, "rules": rules})
    return catalogue(product("acme", channels=channels))


def deny(**egress: Any) -> Any:
    return policy(egress={"action": "Deny", **egress})


def given_(*policies: Any, known: Catalogue, **more: Any) -> EgressInput:
    return situation(
        *policies, images=("acme/acme:1.0.0",), known=known, **{"hosts": HOSTS, **more}
    )


def found(*policies: Any, known: Catalogue, **more: Any) -> EgressFinding:
    return finding(given_(*policies, known=known, **more), KEY)


def denied_hosts(plan: EgressPlan) -> set[str]:
    return {to.host for one in plan.policies for to in one.desired.destinations}


def rules_of(asked: EgressInput) -> tuple[HostRule, ...]:
    return find_host_rules(find_uses(asked.targets, asked.effective), asked.effective)


def needs_of(asked: EgressInput) -> set[str]:
    uses = find_uses(asked.targets, asked.effective)
    return {need.host for need in find_needs(uses, asked.effective)}


# Hosts to which browsers connect.


def test_a_browsers_host_is_in_no_network_policy_in_no_allowlist_and_not_looked_up() -> None:
    known = acme(OF_POD, OF_BROWSER)
    allow = policy(submission="Enabled", egress={"action": "Allow"})
    for one, served in every((deny(), allow), (CILIUM, CILIUM[:1])):
        asked = given_(one, known=known, network=[NOTHING], served=served)
        assert denied_hosts(plan_egress(asked)) <= {POD}
        assert {rule.host for rule in rules_of(asked)} == {POD}
        assert needs_of(asked) == {POD}
    only = given_(deny(), known=acme(OF_BROWSER))
    assert (plan_egress(only).policies, needs_of(only), rules_of(only)) == ((), set(), ())


def test_a_channel_that_browsers_send_is_never_denied_as_a_whole() -> None:
    written = except_for("54.1.1.1/32")
    assert found(deny(), known=acme(OF_POD), network=[written]).verdict is DENIED
    result = found(deny(), known=acme(OF_POD, OF_BROWSER), network=[written])
    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.SENT_BY_BROWSERS)
    assert f"Browsers connect to {BROWSER}." in result.message
    assert "Content-Security-Policy" in result.message
    # Also where the pods reach nothing at all, with and without a policy.
    for one in (deny(), policy(), policy(egress={"action": "Isolate"})):
        isolated = found(one, known=acme(OF_POD, OF_BROWSER), network=[NOTHING])
        assert isolated.verdict is UNKNOWN


def test_what_the_pods_reach_is_told_first() -> None:
    result = found(deny(), known=acme(OF_POD, OF_BROWSER))
    assert (result.verdict, result.reason) == (OPEN, EgressReason.AWAITING_WRITE)
    assert f"Browsers connect to {BROWSER}." in result.message
    lets = net("lets", egress=[{"to": [{"ipBlock": {"cidr": "54.1.0.0/16"}}]}])
    result = found(policy(), known=acme(OF_POD, OF_BROWSER), network=[lets])
    assert (result.verdict, result.reason) == (ALLOWED, EgressReason.LET_THROUGH)


def test_what_a_browsers_host_also_serves_is_said() -> None:
    known = acme({**OF_BROWSER, "alsoServes": "templates"})
    assert f"{BROWSER} (it also serves templates)." in found(deny(), known=known).message


@pytest.mark.parametrize("network", [(), (NOTHING,)])
def test_only_browsers_send_it(network: Any) -> None:
    for one in (deny(), policy(), policy(egress={"action": "Isolate"})):
        result = found(one, known=acme(OF_BROWSER), network=network)
        assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.SENT_BY_BROWSERS)


@pytest.mark.parametrize("action", ["Deny", "Isolate"])
def test_the_status_of_our_object_does_not_speak_of_browsers(action: str) -> None:
    asked = given_(policy(egress={"action": action}), known=acme(OF_POD, OF_BROWSER), served=CILIUM)
    (planned,) = plan_egress(asked).policies
    in_effect = {planned.role: ObjectResult(ObjectState.ENFORCED)}
    result = finding(asked, KEY, in_effect)
    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.SENT_BY_BROWSERS)


def test_a_host_to_which_pods_connect_as_well_is_denied_for_the_pods() -> None:
    known = acme({"host": BROWSER}, OF_BROWSER)
    asked = given_(deny(), known=known)
    assert denied_hosts(plan_egress(asked)) == {BROWSER}
    result = found(deny(), known=known, network=[except_for("54.2.2.2/32")])
    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.SENT_BY_BROWSERS)


def test_a_browsers_host_of_another_channel_lifts_no_denial() -> None:
    known = acme(OF_POD, UpdateCheck=[{"host": POD, "sentBy": "Browser"}])
    assert denied_hosts(plan_egress(given_(deny(), known=known))) == {POD}


# Hosts that also serve something else.


def test_a_host_that_also_serves_is_denied_only_where_that_is_accepted() -> None:
    known = acme(OF_POD, OF_BOTH)
    refused, accepted = given_(deny(), known=known), given_(deny(**ACCEPT), known=known)
    assert denied_hosts(plan_egress(refused)) == {POD}
    note = plan_egress(refused).notes[KEY]
    assert note.reason is EgressReason.ALSO_SERVES
    assert f"{SHARED} also serves the updates of the product" in note.detail
    assert {rule.host for rule in rules_of(refused)} == {POD}
    assert denied_hosts(plan_egress(accepted)) == {POD, SHARED}
    assert KEY not in plan_egress(accepted).notes
    assert {rule.host for rule in rules_of(accepted)} == {POD, SHARED}


def test_the_verdict_says_why_the_host_is_reachable() -> None:
    known = acme(OF_POD, OF_BOTH)
    result = found(deny(), known=known, network=[except_for("54.1.1.1/32")])
    assert (result.verdict, result.reason) == (OPEN, EgressReason.ALSO_SERVES)
    assert "sharedAddresses: Accept" in result.message
    both = except_for("54.1.1.1/32", "54.3.3.3/32")
    assert found(deny(**ACCEPT), known=known, network=[both]).verdict is DENIED
    # What others deny is denied.
    assert found(deny(), known=known, network=[NOTHING]).verdict is DENIED


def test_it_is_the_host_that_serves_wherever_it_is_said() -> None:
    # In another channel, for another port, or of an older version.
    for known in (
        acme({"host": SHARED}, UpdateCheck=[OF_BOTH]),
        acme({"host": SHARED, "port": 80}, OF_BOTH),
    ):
        asked = given_(deny(), known=known)
        assert plan_egress(asked).policies == ()
        assert rules_of(asked) == ()
        assert plan_egress(asked).notes[KEY].reason in (
            EgressReason.ALSO_SERVES,
            EgressReason.NEEDED_BY_OTHER_CHANNEL,
        )


def test_an_address_that_also_serves_is_not_denied_by_another_name() -> None:
    known = acme(OF_POD, OF_BOTH)
    hosts = {POD: facts("54.1.1.1", "54.3.3.3"), SHARED: facts("54.3.3.3")}
    asked = given_(deny(), known=known, hosts=hosts)
    (planned,) = plan_egress(asked).policies
    (to,) = planned.desired.destinations
    assert [str(one) for one in to.networks] == ["54.1.1.1/32"]
    (rule,) = rules_of(asked)
    assert rule.spares == (SHARED,)


def test_a_policy_that_names_the_host_has_to_accept_it_as_well() -> None:
    named = [{"product": "acme", "host": SHARED, "port": 443}]
    known = acme(OF_BOTH)
    assert plan_egress(given_(deny(hosts=named), known=known)).policies == ()


def test_it_is_allowed_without_more() -> None:
    allow = policy(submission="Enabled", egress={"action": "Allow"})
    asked = given_(allow, known=acme(OF_BOTH), network=[NOTHING])
    assert denied_hosts(plan_egress(asked)) == {SHARED}
    assert plan_egress(asked).notes == {}
    assert [rule.opens for rule in rules_of(asked)] == [True]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"addresses": ["54.1.1.1"]}, "addresses"),
        ({"publishedRanges": "Cloudflare"}, "publishedRanges"),
    ],
)
def test_what_is_for_network_policies_is_no_mark_of_a_browsers_host(
    more: dict[str, Any], name: str
) -> None:
    with pytest.raises(ProductError) as caught:
        acme({**OF_BROWSER, **more})
    (problem,) = caught.value.problems
    assert f"channel Usage, host {BROWSER}: {name} is for network policies" in problem
    acme({**OF_POD, **more})


_ANY_HOST = st.fixed_dictionaries(
    {"host": st.sampled_from((POD, BROWSER, SHARED))},
    optional={"alsoServes": st.just("updates"), "port": st.just(80)},
) | st.fixed_dictionaries(
    {"host": st.sampled_from((POD, BROWSER, SHARED)), "sentBy": st.just("Browser")}
)


@examples(150)
@given(
    usage=st.lists(_ANY_HOST, max_size=4),
    updates=st.lists(_ANY_HOST, max_size=3),
    egress=st.sampled_from(({}, ACCEPT, {"action": "Isolate"})),
    served=st.sampled_from((CILIUM, CILIUM[:1])),
    network=st.sampled_from(((), (NOTHING,), (except_for("54.1.1.1/32"),))),
)
def test_no_denial_goes_beyond_the_marks(
    usage: list[dict[str, Any]],
    updates: list[dict[str, Any]],
    egress: dict[str, Any],
    served: tuple[EgressDialect, ...],
    network: Any,
) -> None:
    known = acme(*usage, UpdateCheck=updates)
    asked = given_(policy(egress=egress), known=known, served=served, network=network)
    plan = plan_egress(asked)
    by_pods = {one["host"] for one in usage if one.get("sentBy") != "Browser"}
    serving = {one["host"] for one in (*usage, *updates) if one.get("alsoServes")}
    permitted = by_pods if egress == ACCEPT else by_pods - serving
    assert denied_hosts(plan) <= permitted
    assert {rule.host for rule in rules_of(asked)} <= permitted
    if any(one.get("sentBy") == "Browser" for one in usage):
        result = finding(asked, KEY)
        assert result.verdict is not DENIED
        assert "Browsers connect to" in result.message
