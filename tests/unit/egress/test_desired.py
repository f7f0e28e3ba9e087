"""What is ordered for a workload's pods, and what is not, and why."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName, EgressAction, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.egress.conflicts import may_stay
from fleet_telemetry.egress.desired import EgressPlan, plan_egress
from fleet_telemetry.egress.host_use import HostNeed, find_host_rules, find_needs, find_uses
from fleet_telemetry.egress.model import DesiredNetworkPolicy
from fleet_telemetry.egress.selectors import read_selector
from tests.support.builders import (
    DIGEST,
    DTRACK_4,
    FRONTEND,
    LATER,
    NOW,
    SONARQUBE,
    WORKER,
    policy,
)
from tests.support.dialect_cases import dialect_named
from tests.support.egress_inputs import (
    EVERYTHING,
    HOSTS,
    NOTHING,
    SONAR_HOST,
    UPDATES,
    USAGE,
    except_for,
    facts,
    net,
    situation,
)

V1, CILIUM = EgressDialect.NETWORK_POLICY, EgressDialect.CILIUM
EVERY = tuple(EgressDialect.__members__.values())[1:]


def deny(name: str = "opt-out", **egress: Any) -> Any:
    return policy(name, egress={"action": "Deny", **egress})


def allow(name: str = "opt-in", **egress: Any) -> Any:
    return policy(name, submission="Enabled", egress={"action": "Allow", **egress})


def plan(*args: Any, **more: Any) -> EgressPlan:
    return plan_egress(situation(*args, **more))


def only(found: EgressPlan) -> DesiredNetworkPolicy:
    (ordered,) = found.policies
    return ordered.desired


def hosts_in(order: DesiredNetworkPolicy) -> dict[str, list[str]]:
    return {to.host: [str(network) for network in to.networks] for to in order.destinations}


def reason(found: EgressPlan, key: Any = USAGE) -> EgressReason | None:
    note = found.notes.get(key)
    return note.reason if note else None


def test_without_an_egress_section_nothing_is_ordered() -> None:
    assert plan(policy()).policies == ()


def test_a_deny_orders_the_hosts_of_its_channels_only() -> None:
    order = only(plan(deny()))

    assert order.action is EgressAction.DENY
    assert hosts_in(order) == {SONAR_HOST: ["54.230.1.1/32"]}
    assert order.selector == {"matchLabels": {"app": "it"}}


def test_an_exempt_workload_has_no_order() -> None:
    exception = {"workload": {"kind": "Deployment", "name": "it"}, "reason": "x"}

    assert plan(policy(egress={}, exceptions=[exception])).policies == ()


def test_the_policy_owns_what_it_orders() -> None:
    (owner,) = only(plan(deny())).owners

    assert (owner.kind, owner.name, owner.uid) == ("TelemetryPolicy", "opt-out", "uid-of-opt-out")


def test_two_policies_of_one_workload_share_one_deny() -> None:
    # Two NetworkPolicies that each let through all but some would let everything through.
    updates = policy("updates", channels=["UpdateCheck"], egress={})

    order = only(plan(deny(), updates))

    assert set(hosts_in(order)) == {
        SONAR_HOST,
        "downloads.sonarsource.com",
        "update.sonarsource.org",
    }
    assert [owner.name for owner in order.owners] == ["opt-out", "updates"]


def test_where_something_else_isolates_nothing_is_ordered_that_would_widen() -> None:
    for other in (NOTHING, EVERYTHING):
        assert plan(deny(), network=[other]).policies == ()


def test_our_own_policy_does_not_count_as_somebody_elses() -> None:
    assert plan(deny(), network=[except_for("54.230.1.1/32")]).policies


def test_a_policy_for_other_pods_isolates_nothing_here() -> None:
    other = net("other", podSelector={"matchLabels": {"app": "another"}})

    assert plan(deny(), network=[other]).policies


def test_a_policy_for_ingress_isolates_nothing_here() -> None:
    assert plan(deny(), network=[net("ingress", policyTypes=["Ingress"])]).policies


def test_pods_that_run_count_with_the_labels_that_they_have() -> None:
    others = [net("old", podSelector={"matchLabels": {"v": "1"}})]

    assert plan(deny(), network=others).policies
    found = plan(deny(), network=others, pods=[{"app": "it", "v": "1"}])
    assert found.policies == ()
    # Those to come are not isolated, and are told why nothing keeps them from the host.
    assert reason(found) is EgressReason.WOULD_WIDEN
    assert "NetworkPolicy old" in found.notes[USAGE].detail


def test_an_allow_where_nothing_isolates_is_not_ordered() -> None:
    found = plan(allow())

    assert found.policies == ()
    assert reason(found) is EgressReason.NOT_ISOLATED


def test_a_deny_leaves_pods_of_others_alone_that_something_isolates() -> None:
    # They may have the labels of the workload's pods as well, and it would open the internet.
    backup = net("backup", podSelector={"matchLabels": {"job": "backup"}})
    another = net("another", podSelector={"matchLabels": {"app": "another"}})

    order = only(plan(deny(), network=[backup, another]))

    assert read_selector(order.selector) == read_selector(
        {
            "matchLabels": {"app": "it"},
            "matchExpressions": [{"key": "job", "operator": "NotIn", "values": ["backup"]}],
        }
    )


def test_a_deny_that_cannot_leave_them_alone_is_not_ordered() -> None:
    mixed = net("mixed", podSelector={"matchLabels": {"job": "backup", "tier": "web"}})
    pods = [{"app": "it", "job": "backup"}, {"app": "it", "tier": "web"}]

    found = plan(deny(), network=[mixed], pods=pods)

    assert found.policies == ()
    assert reason(found) is EgressReason.WOULD_WIDEN
    assert "mixed" in found.notes[USAGE].detail


def test_a_policy_that_cannot_be_read_may_isolate() -> None:
    found = plan(deny(), network=[net("odd", policyTypes=["Sideways"])])

    assert found.policies == ()
    assert reason(found) is EgressReason.POLICY_NOT_READABLE
    assert "odd" in found.notes[USAGE].detail


def test_what_counts_only_without_network_policies_would_be_lifted_by_a_deny() -> None:
    # Such as a cluster's default in a BaselineAdminNetworkPolicy.
    behind = ("BaselineAdminNetworkPolicy default",)

    found = plan(deny(), lower_tier=behind)

    assert found.policies == ()
    assert reason(found) is EgressReason.WOULD_WIDEN
    assert behind[0] in found.notes[USAGE].detail
    # What isolates by itself lets through no more than it says.
    assert plan(policy(egress={"action": "Isolate"}), lower_tier=behind).policies
    assert plan(deny(dialect="Cilium"), served=EVERY, lower_tier=behind).policies


@pytest.mark.parametrize("dialect", list(EVERY))
@pytest.mark.parametrize("action", list(EgressAction))
def test_what_may_stay_until_something_else_takes_its_place(
    dialect: EgressDialect, action: EgressAction
) -> None:
    shut_off = ({"network": [NOTHING]}, {"lower_tier": ("a cluster's default",)})

    # What lets through goes first, whatever comes.
    assert may_stay(situation(deny()), dialect_named(dialect), action) is (
        action is not EgressAction.ALLOW
    )
    widens = (dialect, action) == (V1, EgressAction.DENY)
    for more in shut_off:
        given = situation(deny(), **more)
        assert may_stay(given, dialect_named(dialect), action) is (
            action is not EgressAction.ALLOW and not widens
        )


def test_an_allow_goes_with_the_last_policy_that_isolates() -> None:
    order = only(plan(allow(), network=[NOTHING, net("b"), net("in", policyTypes=["Ingress"])]))

    assert order.action is EgressAction.ALLOW
    assert hosts_in(order) == {SONAR_HOST: ["54.230.1.1/32"]}
    assert [(o.kind, o.name) for o in order.owners] == [
        ("NetworkPolicy", "b"),
        ("NetworkPolicy", "nothing"),
    ]


def test_an_allow_is_not_ordered_while_some_pods_are_not_isolated() -> None:
    # It would isolate those, and cut all that they reach.
    new = net("new", podSelector={"matchLabels": {"tier": "web"}})

    found = plan(allow(), network=[new], pods=[{"app": "it", "tier": "web"}])

    assert found.policies == ()
    assert reason(found) is EgressReason.NOT_ISOLATED
    assert "NetworkPolicy new" in found.notes[USAGE].detail


def test_an_allow_selects_no_pod_that_nothing_isolates() -> None:
    # Pods of others may have the labels of the workload's pods as well.
    template = {"metadata": {"labels": {"app": "it", "tier": "web"}}}
    web = net("web", podSelector={"matchLabels": {"tier": "web"}})
    given = situation(allow(), network=[web, net("old", podSelector={"matchLabels": {"v": "1"}})])
    given.workload.template.labels.update(template["metadata"]["labels"])

    order = only(plan_egress(given))

    assert order.selector == {"matchLabels": {"app": "it", "tier": "web"}}
    # One that isolates all that are selected is enough, so only with it ours goes.
    assert [owner.name for owner in order.owners] == ["web"]


def test_an_allow_beside_a_policy_for_all_that_it_selects() -> None:
    web = net("web", podSelector={"matchLabels": {"app": "it"}})

    order = only(plan(allow(), network=[web]))

    assert order.selector == {"matchLabels": {"app": "it"}}
    assert [owner.name for owner in order.owners] == ["web"]


def test_an_allow_of_what_is_reached_anyway_is_not_ordered() -> None:
    assert plan(allow(), network=[NOTHING, EVERYTHING]).policies == ()


def test_an_allow_of_what_is_reached_in_part_is_ordered() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", "2600:9000::1")}

    assert plan(allow(), network=[EVERYTHING], hosts=hosts).policies


def test_our_own_allow_does_not_make_itself_unneeded() -> None:
    ours = net(
        "fleet-telemetry-allow-deployment-it",
        labels={"app.kubernetes.io/managed-by": "fleet-telemetry"},
        egress=[{"to": [{"ipBlock": {"cidr": "54.230.1.1/32"}}]}],
    )

    assert plan(allow(), network=[NOTHING, ours]).policies


def test_isolate_when_opted_out_opens_no_telemetry_host() -> None:
    order = only(plan(policy(egress={"action": "Isolate", "reachable": [{"cidr": "10.0.0.0/8"}]})))

    assert order.action is EgressAction.ISOLATE
    assert order.destinations == ()
    assert [str(peer.cidr) for peer in order.reachable] == ["10.0.0.0/8"]


def test_isolate_when_opted_in_opens_the_telemetry_hosts() -> None:
    found = plan(policy(submission="Enabled", egress={"action": "Isolate"}))

    assert hosts_in(only(found)) == {SONAR_HOST: ["54.230.1.1/32"]}


def test_isolate_is_ordered_whatever_else_isolates() -> None:
    assert plan(policy(egress={"action": "Isolate"}), network=[NOTHING, EVERYTHING]).policies


def test_isolate_of_one_channel_takes_the_place_of_the_deny_of_another() -> None:
    # A Deny beside it, which lets everything else through, would undo it.
    isolate = policy("updates", channels=["UpdateCheck"], egress={"action": "Isolate"})

    order = only(plan(deny(), isolate))

    assert order.action is EgressAction.ISOLATE
    assert order.destinations == ()


def test_where_a_denial_is_one_it_stays_beside_an_isolation() -> None:
    # Whoever may write policies for a namespace cannot lift one of the cluster's.
    isolate = policy("updates", channels=["UpdateCheck"], egress={"action": "Isolate"})

    for dialect in ("Cilium", "ClusterNetworkPolicy"):
        strong = policy("strong", cluster=True, egress={"dialect": dialect})
        found = plan(strong, isolate, served=EVERY)
        assert {(one.dialect.name, one.desired.action, one.channels) for one in found.policies} == {
            (EgressDialect(dialect), EgressAction.DENY, frozenset({USAGE})),
            (CILIUM, EgressAction.ISOLATE, frozenset({UPDATES})),
        }


def test_each_isolation_is_written_as_its_policy_asks() -> None:
    strong = policy(
        "strong", cluster=True, egress={"action": "Isolate", "dialect": "ClusterNetworkPolicy"}
    )
    mine = policy("mine", channels=["UpdateCheck"], egress={"action": "Isolate"})

    found = plan(strong, mine)
    assert [one.dialect.name for one in found.policies] == [V1]
    found = plan(strong, mine, served=(V1, EgressDialect.CLUSTER_NETWORK_POLICY))
    assert {(one.dialect.name, one.channels) for one in found.policies} == {
        (EgressDialect.CLUSTER_NETWORK_POLICY, frozenset({USAGE})),
        (V1, frozenset({UPDATES})),
    }


def test_where_the_cluster_isolates_a_namespace_adds_nothing_reachable() -> None:
    near, far = {"cidr": "10.0.0.0/8"}, {"cidr": "128.0.0.0/1"}
    strong = policy("strong", cluster=True, egress={"action": "Isolate", "reachable": [near]})
    mine = policy(
        "mine", channels=["UpdateCheck"], egress={"action": "Isolate", "reachable": [far]}
    )

    assert [str(peer.cidr) for peer in only(plan(strong, mine)).reachable] == ["10.0.0.0/8"]
    assert [str(peer.cidr) for peer in only(plan(mine)).reachable] == ["128.0.0.0/1"]


@pytest.mark.parametrize("action", ["Allow", "Isolate"])
def test_a_namespace_opens_nothing_that_the_cluster_shuts(action: str) -> None:
    # What a ClusterNetworkPolicy accepts, no NetworkPolicy of anybody can deny.
    wish = {"action": action, "dialect": "ClusterNetworkPolicy"}

    mine = plan(policy(submission="Enabled", egress=wish), served=EVERY)
    assert mine.policies == ()
    assert reason(mine) is EgressReason.DIALECT_CANNOT
    assert plan(policy(cluster=True, submission="Enabled", egress=wish), served=EVERY).policies


def test_reachable_pods_keep_their_selectors_as_manifests_write_them() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"team": "db"}},
        "ports": [{"port": 5432}],
    }

    (found,) = only(plan(policy(egress={"action": "Isolate", "reachable": [peer]}))).reachable

    assert found.namespace_selector == {"matchLabels": {"team": "db"}}
    assert found.pod_selector is None
    assert found.ports == (("TCP", 5432),)


def test_audit_orders_nothing() -> None:
    found = plan(policy(mode="Audit", egress={}))

    assert found.policies == ()
    assert reason(found) is EgressReason.AUDIT_ONLY


def test_pods_without_labels_cannot_be_selected() -> None:
    given = situation(deny())
    object.__setattr__(given.workload, "pod_selector", {})

    found = plan_egress(given)

    assert found.policies == ()
    assert reason(found) is EgressReason.PODS_NOT_SELECTABLE


@pytest.mark.parametrize(
    ("asked", "served", "ordered"),
    [
        ("Auto", (V1,), V1),
        ("Auto", EVERY, CILIUM),
        ("NetworkPolicy", (V1,), V1),
        ("Cilium", EVERY, CILIUM),
        ("ClusterNetworkPolicy", EVERY, EgressDialect.CLUSTER_NETWORK_POLICY),
    ],
)
def test_the_dialect(asked: str, served: Any, ordered: EgressDialect) -> None:
    assert [o.dialect.name for o in plan(deny(dialect=asked), served=served).policies] == [ordered]


@pytest.mark.parametrize("asked", ["Cilium", "ClusterNetworkPolicy"])
def test_a_dialect_that_the_cluster_does_not_have(asked: str) -> None:
    found = plan(deny(dialect=asked))

    assert found.policies == ()
    assert reason(found) is EgressReason.DIALECT_NOT_SERVED
    assert asked in found.notes[USAGE].detail


def test_on_cilium_a_network_policy_does_not_deny() -> None:
    found = plan(deny(dialect="NetworkPolicy"), served=EVERY)

    assert found.policies == ()
    assert reason(found) is EgressReason.DIALECT_CANNOT


def test_other_dialects_deny_whatever_network_policies_there_are() -> None:
    assert plan(deny(), served=EVERY, network=[EVERYTHING]).policies
    assert plan(allow(), served=EVERY).policies


def test_a_host_without_an_address_is_told_and_the_others_are_denied() -> None:
    hosts = {**HOSTS, "update.sonarsource.org": facts()}

    found = plan(policy(channels=["UpdateCheck"], egress={}), hosts=hosts)

    assert set(hosts_in(only(found))) == {"downloads.sonarsource.com"}
    assert reason(found, UPDATES) is EgressReason.HOSTS_NOT_RESOLVED
    assert "update.sonarsource.org" in found.notes[UPDATES].detail


def test_no_address_at_all_orders_nothing() -> None:
    for wish in (deny(), allow()):
        found = plan(wish, hosts={}, network=[NOTHING] if wish.name == "opt-in" else [])
        assert found.policies == ()
        assert reason(found) is EgressReason.HOSTS_NOT_RESOLVED


def test_what_was_denied_stays_so_while_nobody_says_where_a_host_is() -> None:
    # The operator was restarted, what it knew is lost, and DNS is down.
    given = situation(deny(), hosts={SONAR_HOST: facts(unresolved=True)})
    given = replace(given, previously_denied={SONAR_HOST: (ip_network("54.230.7.7"),)})

    found = plan_egress(given)

    assert hosts_in(only(found)) == {SONAR_HOST: ["54.230.7.7/32"]}
    assert reason(found) is EgressReason.HOSTS_NOT_RESOLVED
    # Seeds are no answer.
    seeded = replace(given, hosts={SONAR_HOST: facts("54.230.1.1", unresolved=True)})
    assert hosts_in(only(plan_egress(seeded))) == {SONAR_HOST: ["54.230.1.1/32", "54.230.7.7/32"]}
    assert reason(plan_egress(seeded)) is EgressReason.HOSTS_NOT_RESOLVED
    # Once DNS has said anything, that is what counts.
    heard = replace(given, hosts={SONAR_HOST: facts("54.230.1.1")})
    assert hosts_in(only(plan_egress(heard))) == {SONAR_HOST: ["54.230.1.1/32"]}
    assert reason(plan_egress(heard)) is None


def test_a_capped_host_is_denied_as_far_as_it_is_known_and_told() -> None:
    found = plan(deny(), hosts={SONAR_HOST: facts("54.230.1.1", complete=False)})

    assert found.policies
    assert reason(found) is EgressReason.TOO_MANY_ADDRESSES


def test_a_shared_address_is_denied_only_where_that_is_accepted() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", shared_by="CloudFront")}

    refused = plan(deny(), hosts=hosts)
    assert refused.policies == ()
    assert reason(refused) is EgressReason.SHARED_ADDRESSES
    assert "CloudFront" in refused.notes[USAGE].detail
    assert plan(deny(sharedAddresses="Accept"), hosts=hosts).policies


def test_one_shared_address_does_not_lift_the_denial_of_the_others() -> None:
    # Whoever can have a name server say one more address could lift it otherwise.
    known = facts("54.230.1.1", "104.18.0.1", "172.64.1.1")
    hosts = {
        SONAR_HOST: replace(
            known,
            shared=(ip_network("104.18.0.1"),),
            shared_by="Cloudflare",
            ranges=(ip_network("172.64.0.0/13"),),
        )
    }

    found = plan(deny(), hosts=hosts)

    assert hosts_in(only(found)) == {SONAR_HOST: ["54.230.1.1/32"]}
    assert reason(found) is EgressReason.SHARED_ADDRESSES
    accepted = only(plan(deny(sharedAddresses="Accept"), hosts=hosts))
    assert hosts_in(accepted) == {SONAR_HOST: ["54.230.1.1/32", "104.18.0.1/32", "172.64.0.0/13"]}


def test_on_cilium_a_host_is_denied_whole_or_not_at_all() -> None:
    # One group holds its addresses for all workloads, whatever their policies accept.
    known = facts("54.230.1.1", "104.18.0.1")
    shared = replace(known, shared=(ip_network("104.18.0.1"),), shared_by="Cloudflare")

    found = plan(deny(), hosts={SONAR_HOST: shared}, served=EVERY)

    assert found.policies == ()
    assert reason(found) is EgressReason.SHARED_ADDRESSES


def test_a_shared_address_may_be_allowed() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", shared_by="CloudFront")}

    assert plan(allow(), hosts=hosts, network=[NOTHING]).policies


def test_a_deny_holds_what_the_host_had_for_longer_than_an_allow() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", deny=(ip_network("54.230.9.9"),))}

    assert hosts_in(only(plan(deny(), hosts=hosts))) == {SONAR_HOST: ["54.230.9.9/32"]}
    assert hosts_in(only(plan(allow(), hosts=hosts, network=[NOTHING]))) == {
        SONAR_HOST: ["54.230.1.1/32"]
    }


# Sourcegraph before 5.2.0 sends its pings to the host that its licence is checked with.
_OLD_FRONTEND = "sourcegraph/frontend:5.1.0"
_SOURCEGRAPH = ("sourcegraph", ChannelName.USAGE)


def test_a_host_that_the_licence_needs_is_not_denied_for_the_sake_of_usage() -> None:
    found = plan(
        deny(sharedAddresses="Accept"),
        images=(_OLD_FRONTEND,),
        hosts={"sourcegraph.com": facts("104.18.0.1")},
    )

    assert found.policies == ()
    assert reason(found, _SOURCEGRAPH) is EgressReason.NEEDED_BY_OTHER_CHANNEL
    assert "License" in found.notes[_SOURCEGRAPH].detail


def test_a_host_at_the_licence_hosts_address_is_not_denied_either() -> None:
    hosts = {
        "pings.sourcegraph.com": facts("104.18.0.1"),
        "sourcegraph.com": facts("104.18.0.1"),
    }

    found = plan(deny(), images=(FRONTEND,), hosts=hosts)

    assert found.policies == ()
    assert reason(found, _SOURCEGRAPH) is EgressReason.NEEDED_BY_OTHER_CHANNEL


@pytest.mark.parametrize("host", [SONAR_HOST, "c2.attacker.example"])
@pytest.mark.parametrize("action", ["Allow", "Deny"])
def test_no_host_that_a_tenant_names_is_taken_out_of_a_cluster_policys_denial(
    host: str, action: str
) -> None:
    named = [{"product": "sonarqube", "host": host, "port": 443}]
    mine = policy(
        "mine",
        submission="Enabled",
        channels=["UpdateCheck"],
        egress={"action": action, "hosts": named},
    )
    theirs = policy("opt-out", cluster=True, egress={"action": "Deny"})
    hosts = {SONAR_HOST: facts("54.230.1.1"), "c2.attacker.example": facts("54.230.1.1")}

    found = plan(theirs, mine, hosts=hosts)

    denying = next(
        one for one in found.policies if ("sonarqube", ChannelName.USAGE) in one.channels
    )
    assert hosts_in(denying.desired)[SONAR_HOST] == ["54.230.1.1/32"]
    assert ("sonarqube", ChannelName.USAGE) not in found.notes


def test_one_address_of_the_licence_does_not_lift_the_denial_of_the_others() -> None:
    hosts = {
        "pings.sourcegraph.com": facts("34.36.231.254", "104.18.0.1"),
        "sourcegraph.com": facts("104.18.0.1"),
    }

    found = plan(deny(), images=(FRONTEND,), hosts=hosts)

    assert hosts_in(only(found)) == {"pings.sourcegraph.com": ["34.36.231.254/32"]}
    assert reason(found, _SOURCEGRAPH) is EgressReason.NEEDED_BY_OTHER_CHANNEL


@pytest.mark.parametrize(
    "hosts",
    [
        {
            "pings.sourcegraph.com": facts(
                "34.36.231.254", ranges=(ip_network("104.16.0.0/13"),), shared_by="Cloudflare"
            ),
            "sourcegraph.com": facts("104.18.0.1"),
        },
        {
            "pings.sourcegraph.com": facts("34.36.231.254", "104.18.0.1", shared_by="Cloudflare"),
            "sourcegraph.com": facts(ranges=(ip_network("104.16.0.0/13"),)),
        },
    ],
    ids=["in the host's own ranges", "in the licence's ranges"],
)
def test_ranges_that_the_licence_may_be_in_are_left_out_even_where_shared_ones_are_accepted(
    hosts: Any,
) -> None:
    order = only(plan(deny(sharedAddresses="Accept"), images=(FRONTEND,), hosts=hosts))

    assert hosts_in(order) == {"pings.sourcegraph.com": ["34.36.231.254/32"]}


def test_a_host_that_both_channels_deny_in_different_ways_is_denied() -> None:
    dialect = EgressDialect.CLUSTER_NETWORK_POLICY
    own = {"product": "sonarqube", "host": SONAR_HOST}
    updates = policy(
        "updates", channels=["UpdateCheck"], egress={"dialect": dialect.value, "hosts": [own]}
    )

    found = plan(deny(), updates, served=(V1, dialect))

    assert {one.dialect.name for one in found.policies} == {V1, dialect}
    assert reason(found) is None


def test_who_denies_the_licence_too_gets_what_they_ask_for() -> None:
    both = policy(
        channels=["Usage", "License"], egress={"action": "Deny", "sharedAddresses": "Accept"}
    )

    found = plan(both, images=(_OLD_FRONTEND,), hosts={"sourcegraph.com": facts("104.18.0.1")})

    assert hosts_in(only(found)) == {"sourcegraph.com": ["104.18.0.1/32"]}


def test_each_version_has_its_own_hosts() -> None:
    hosts = {
        "pings.sourcegraph.com": facts("34.36.231.254"),
        "telemetry-gateway.sourcegraph.com": facts("34.107.157.31"),
        "sourcegraph.com": facts("104.18.0.1"),
    }

    assert set(hosts_in(only(plan(deny(), images=(FRONTEND,), hosts=hosts)))) == {
        "pings.sourcegraph.com"
    }
    assert set(hosts_in(only(plan(deny(), images=(WORKER,), hosts=hosts)))) == {
        "telemetry-gateway.sourcegraph.com"
    }


def test_an_unreadable_version_is_denied_every_host_and_allowed_none() -> None:
    image = f"sourcegraph/worker{DIGEST}"
    hosts = {"telemetry-gateway.sourcegraph.com": facts("34.107.157.31")}

    assert set(hosts_in(only(plan(deny(), images=(image,), hosts=hosts)))) == {
        "telemetry-gateway.sourcegraph.com"
    }
    allowed = plan(allow(), images=(image,), hosts=hosts, network=[NOTHING])
    assert allowed.policies == ()
    assert reason(allowed, _SOURCEGRAPH) is EgressReason.VERSION_UNREADABLE


def test_a_policy_brings_hosts_of_its_own() -> None:
    own = {"product": "sonarqube", "host": "proxy.example.com", "port": 8443}
    other = {"product": "emqx", "host": "emqx.example.com"}

    found = plan(
        deny(hosts=[own, other]), hosts={**HOSTS, "proxy.example.com": facts("198.51.100.9")}
    )

    assert hosts_in(only(found))["proxy.example.com"] == ["198.51.100.9/32"]
    assert "emqx.example.com" not in hosts_in(only(found))


def test_several_products_in_one_workload_share_one_order() -> None:
    order = only(plan(deny(), images=(SONARQUBE, DTRACK_4)))

    assert set(hosts_in(order)) == {SONAR_HOST, "metrics.dependencytrack.org"}


def test_the_section_of_a_policy_that_lost_does_not_count() -> None:
    assert plan(policy("no"), allow("yes"), network=[NOTHING]).policies == ()


def test_the_section_may_come_from_another_policy_that_wishes_the_same() -> None:
    strong = policy("strong", cluster=True)

    (ordered,) = plan(strong, deny()).policies

    assert [owner.name for owner in ordered.desired.owners] == ["opt-out"]


def test_addresses_are_sorted_and_none_stands_twice() -> None:
    hosts = {
        SONAR_HOST: facts(
            "54.230.1.1",
            deny=tuple(
                ip_network(text) for text in ("2600::1", "54.230.1.9", "54.230.1.8", "54.0.0.0/8")
            ),
        )
    }

    assert hosts_in(only(plan(deny(), hosts=hosts))) == {SONAR_HOST: ["54.0.0.0/8", "2600::1/128"]}


def test_only_products_with_an_egress_section_are_looked_up() -> None:
    def needs(*policies: Any) -> frozenset[HostNeed]:
        given = situation(*policies, images=(SONARQUBE, FRONTEND))
        return find_needs(find_uses(given.targets, given.effective), given.effective)

    assert needs(policy()) == frozenset()
    (pings, licence) = sorted(
        needs(policy(products=["sourcegraph"], egress={})), key=lambda need: need.host
    )
    assert pings.host == "pings.sourcegraph.com"
    assert [str(seed) for seed in pings.seeds] == ["34.36.231.254"]
    # Not to be denied with it, so it has to be known.
    assert (licence.host, licence.provider) == ("sourcegraph.com", "Cloudflare")


def test_an_exempt_workloads_hosts_are_not_looked_up() -> None:
    exception = {
        "workload": {"kind": "Deployment", "name": "it"},
        "reason": "x",
        "expiresAt": LATER.isoformat(),
    }
    given = situation(policy(egress={}, exceptions=[exception]))

    assert NOW < LATER
    assert find_needs(find_uses(given.targets, given.effective), given.effective) == frozenset()


def host_rules(*policies: Any, **more: Any) -> set[tuple[str, bool, bool]]:
    given = situation(*policies, **more)
    uses = find_uses(given.targets, given.effective)
    return {(w.host, w.opens, w.takes_ranges) for w in find_host_rules(uses, given.effective)}


def test_firewalls_outside_are_told_what_is_wished() -> None:
    assert host_rules(policy()) == set()
    assert host_rules(deny()) == {(SONAR_HOST, False, False)}
    assert host_rules(allow()) == {(SONAR_HOST, True, False)}
    assert host_rules(allow(sharedAddresses="Accept")) == {(SONAR_HOST, True, True)}
    assert host_rules(policy(mode="Audit", egress={})) == set()


def test_firewalls_outside_are_not_told_to_deny_what_the_licence_needs() -> None:
    usage, licence = deny(), policy("licence", channels=["License"], egress={})

    assert host_rules(usage, images=(_OLD_FRONTEND,)) == set()
    both = policy("both", channels=["Usage", "License"], egress={})
    assert host_rules(both, images=(_OLD_FRONTEND,)) == {("sourcegraph.com", False, False)}
    # Nobody decides on a channel without rules but who names it.
    assert host_rules(usage, licence, images=(_OLD_FRONTEND,)) == set()


def test_firewalls_outside_are_told_to_open_only_for_hosts_that_are_surely_used() -> None:
    image = f"sourcegraph/worker{DIGEST}"

    assert host_rules(allow(), images=(image,)) == set()
    assert host_rules(deny(), images=(image,)) == {
        ("telemetry-gateway.sourcegraph.com", False, False)
    }
