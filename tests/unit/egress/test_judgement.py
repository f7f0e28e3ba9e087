"""What the network is found to do with a channel, by the policies as they stand."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName, EgressAction, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.api.workload_telemetry import EgressVerdict
from fleet_telemetry.egress.desired import plan_egress
from fleet_telemetry.egress.dialects.object_state import ObjectResult, ObjectState
from fleet_telemetry.egress.host_lists import host_facts
from fleet_telemetry.egress.host_state import Retention
from fleet_telemetry.evidence.egress import EgressFinding
from tests.support.builders import DTRACK_4, SONARQUBE, policy
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
    finding,
    net,
    situation,
)
from tests.support.host_histories import HOUR, History, ok, says

DENIED, ALLOWED = EgressVerdict.DENIED, EgressVerdict.ALLOWED
OPEN, UNKNOWN = EgressVerdict.OPEN, EgressVerdict.UNKNOWN
CILIUM = EgressDialect.CILIUM
DENY = policy(egress={})
ALLOW = policy(submission="Enabled", egress={"action": "Allow"})
ISOLATE = policy(egress={"action": "Isolate"})
WRITTEN = except_for("54.230.1.1/32")
LETS_THROUGH = net(
    "sonar", egress=[{"to": [{"ipBlock": {"cidr": "54.230.0.0/16"}}], "ports": [{"port": 443}]}]
)


def found(*args: Any, **more: Any) -> tuple[EgressVerdict, EgressReason]:
    result: EgressFinding = finding(situation(*args, **more))
    return result.verdict, result.reason


def test_nothing_isolates() -> None:
    assert found(policy()) == (OPEN, EgressReason.NOTHING_ISOLATES)
    assert found() == (OPEN, EgressReason.NOTHING_ISOLATES)


def test_without_an_egress_section_nothing_is_looked_up() -> None:
    assert found(policy(), network=[LETS_THROUGH], hosts={}) == (
        UNKNOWN,
        EgressReason.NOT_EVALUATED,
    )


def test_what_lets_nothing_through_needs_no_looking_up() -> None:
    assert found(policy(), network=[NOTHING], hosts={}) == (
        DENIED,
        EgressReason.EVERY_ADDRESS_DENIED,
    )


def test_our_policy_is_awaited_then_seen() -> None:
    assert found(DENY) == (OPEN, EgressReason.AWAITING_WRITE)
    assert found(DENY, network=[WRITTEN]) == (DENIED, EgressReason.EVERY_ADDRESS_DENIED)


def test_an_address_that_our_policy_does_not_have_yet() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", "54.230.1.2")}

    assert found(DENY, network=[WRITTEN], hosts=hosts) == (OPEN, EgressReason.AWAITING_WRITE)


def test_nothing_shows_that_network_policies_are_enforced() -> None:
    assert found(DENY, network=[WRITTEN], enforced=False) == (
        UNKNOWN,
        EgressReason.ENFORCEMENT_NOT_SHOWN,
    )


def test_policies_of_kinds_that_are_not_read_may_let_it_through() -> None:
    result = finding(situation(DENY, network=[WRITTEN], others=("GlobalNetworkPolicy",)))

    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.OTHER_POLICY_KINDS)
    assert "GlobalNetworkPolicy" in result.message


def test_a_policy_that_lets_it_through_is_named() -> None:
    result = finding(situation(DENY, network=[NOTHING, EVERYTHING]))

    assert (result.verdict, result.reason) == (ALLOWED, EgressReason.NEGATED_BY_POLICY)
    assert "everything" in result.message
    assert "nothing" not in result.detail


def test_one_more_beside_ours_negates_it() -> None:
    result = finding(situation(DENY, network=[WRITTEN, EVERYTHING]))

    assert result.reason is EgressReason.NEGATED_BY_POLICY
    assert "everything" in result.detail
    assert "fleet-telemetry" not in result.detail


def test_only_some_culprits_are_named() -> None:
    many = [net(f"p{number}", egress=[{}]) for number in range(9)]

    assert finding(situation(DENY, network=many)).detail == "NetworkPolicy p0, p1, p2 and 6 more."


def test_somebody_elses_isolation_denies_as_well() -> None:
    assert found(DENY, network=[NOTHING]) == (DENIED, EgressReason.EVERY_ADDRESS_DENIED)


def test_a_port_that_is_not_the_hosts_lets_nothing_through() -> None:
    other = net("other", egress=[{"ports": [{"port": 80}]}])

    assert found(DENY, network=[other]) == (DENIED, EgressReason.EVERY_ADDRESS_DENIED)


def test_one_pod_that_is_not_isolated_is_enough() -> None:
    given = situation(
        DENY,
        network=[net("new", podSelector={"matchLabels": {"app": "it"}})],
        pods=[{"app": "old"}],
    )

    result = finding(given)

    # Nothing was written for it, because that would open what is shut off for the others.
    assert (result.verdict, result.reason) == (OPEN, EgressReason.WOULD_WIDEN)
    assert "new" in result.detail


def test_an_allow_where_nothing_isolates() -> None:
    assert found(ALLOW) == (OPEN, EgressReason.NOT_ISOLATED)


def test_an_allow_where_something_does() -> None:
    ours = net(
        "fleet-telemetry-allow-deployment-it",
        labels={"app.kubernetes.io/managed-by": "fleet-telemetry"},
        egress=[{"to": [{"ipBlock": {"cidr": "54.230.1.1/32"}}]}],
    )

    assert found(ALLOW, network=[NOTHING]) == (DENIED, EgressReason.AWAITING_WRITE)
    assert found(ALLOW, network=[NOTHING, ours]) == (ALLOWED, EgressReason.LET_THROUGH)


def test_who_lets_it_through_is_named_without_a_policy_too() -> None:
    result = finding(situation(policy(), network=[LETS_THROUGH]))

    assert (result.verdict, result.reason) == (ALLOWED, EgressReason.LET_THROUGH)
    assert "sonar" in result.detail


def test_a_host_that_has_no_address_is_not_called_denied() -> None:
    assert found(DENY, hosts={SONAR_HOST: facts()}, network=[LETS_THROUGH]) == (
        UNKNOWN,
        EgressReason.HOSTS_NOT_RESOLVED,
    )


def test_one_host_without_an_address_leaves_the_channel_unknown() -> None:
    hosts = {**HOSTS, "update.sonarsource.org": facts()}
    given = situation(
        policy(channels=["UpdateCheck"], egress={}),
        hosts=hosts,
        network=[except_for("54.230.2.2/32", "2600:9000::2/128")],
    )

    result = finding(given, UPDATES)

    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.HOSTS_NOT_RESOLVED)


def test_a_capped_host_is_not_called_denied() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", complete=False)}

    assert found(DENY, hosts=hosts, network=[WRITTEN]) == (UNKNOWN, EgressReason.TOO_MANY_ADDRESSES)


def test_a_capped_host_is_denied_where_nothing_is_let_through_at_all() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", complete=False)}

    assert found(DENY, hosts=hosts, network=[NOTHING])[0] is DENIED


def test_a_shared_host_is_not_denied_and_it_is_told() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", shared_by="CloudFront")}

    assert found(DENY, hosts=hosts) == (OPEN, EgressReason.SHARED_ADDRESSES)


def test_a_shared_host_beside_a_denied_one_is_open_whatever_our_policy_says_of_the_other() -> None:
    own = {"product": "sonarqube", "host": "proxy.example.com"}
    hosts = {
        SONAR_HOST: facts("54.230.1.1"),
        "proxy.example.com": facts("198.51.100.9", shared_by="Fastly"),
    }

    assert found(policy(egress={"hosts": [own]}), hosts=hosts, network=[WRITTEN]) == (
        OPEN,
        EgressReason.SHARED_ADDRESSES,
    )


def test_a_channel_without_known_hosts() -> None:
    given = situation(policy(egress={}), images=("emqx/emqx:4.4.0",), network=[LETS_THROUGH])
    assert given.targets

    results = {
        result.reason
        for target in given.targets
        for channel in target.product.spec.channels
        if (result := finding(given, (target.product.name, channel.name)))
    }

    assert results == {EgressReason.NO_HOSTS_KNOWN}


_DNS = net(
    "dns",
    egress=[
        {
            "to": [
                {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
            ],
            "ports": [{"port": 53, "protocol": "UDP"}],
        }
    ],
)
_ALL_BUT_HTTPS = net(
    "most", egress=[{"ports": [{"port": 1, "endPort": 442}, {"port": 444, "endPort": 65535}]}]
)
_UDP = net("udp", egress=[{"ports": [{"protocol": "UDP"}]}])


@pytest.mark.parametrize("policies", [(), (DENY,), (ISOLATE,)], ids=["none", "deny", "isolate"])
@pytest.mark.parametrize(
    "network",
    [[NOTHING], [_DNS], [_ALL_BUT_HTTPS], [_UDP], [NOTHING, LETS_THROUGH]],
    ids=["nothing", "DNS", "all but 443", "UDP", "another host"],
)
@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("emqx/emqx:4.4.0", ("emqx", ChannelName.USAGE)),
        # It asks for a TXT record.
        ("codeberg.org/forgejo/forgejo:8.0.2", ("forgejo", ChannelName.UPDATE_CHECK)),
        ("scylladb/scylla:6.2.3", ("scylladb", ChannelName.UPDATE_CHECK)),
    ],
    ids=["emqx", "forgejo", "scylladb"],
)
def test_what_goes_nobody_knows_where_is_never_called_denied(
    image: str, key: Any, network: list[Any], policies: tuple[Any, ...]
) -> None:
    result = finding(situation(*policies, images=(image,), network=network), key)

    assert result.verdict is UNKNOWN
    assert result.reason in (EgressReason.NO_HOSTS_KNOWN, EgressReason.AWAITING_WRITE)


CRON_JOB = {"kind": "CronJob"}
_JOBS_MAY = [{"key": "job-name", "operator": "Exists"}]
_FIRST_POD = {"statefulset.kubernetes.io/pod-name": "it-0"}


@pytest.mark.parametrize(
    ("workload", "selector", "verdict"),
    [
        (CRON_JOB, {"matchExpressions": _JOBS_MAY}, ALLOWED),
        (CRON_JOB, {"matchLabels": {"batch.kubernetes.io/job-name": "it-28500000"}}, ALLOWED),
        (CRON_JOB, {"matchLabels": {"batch.kubernetes.io/job-name": "another-1"}}, DENIED),
        ({"kind": "StatefulSet"}, {"matchLabels": _FIRST_POD}, ALLOWED),
        ({"kind": "StatefulSet", "name": "its"}, {"matchLabels": _FIRST_POD}, DENIED),
        ({"kind": "Deployment"}, {"matchExpressions": _JOBS_MAY}, DENIED),
        (
            {"kind": "Deployment"},
            {"matchExpressions": [{"key": "pod-template-hash", "operator": "Exists"}]},
            ALLOWED,
        ),
        (
            {"kind": "DaemonSet"},
            {"matchExpressions": [{"key": "controller-revision-hash", "operator": "NotIn",
                                   "values": ["x"]}]},
            ALLOWED,
        ),
    ],
)  # fmt: skip
def test_pods_to_come_have_labels_that_no_template_has(
    workload: dict[str, Any], selector: Any, verdict: EgressVerdict
) -> None:
    lets_through = {**EVERYTHING, "spec": {**EVERYTHING["spec"], "podSelector": selector}}

    assert found(workload=workload, network=[NOTHING, lets_through])[0] is verdict


@pytest.mark.parametrize("selector", [{}, {"matchLabels": None}, {"matchExpressions": [
    {"key": "app", "operator": "In", "values": []}]}])  # fmt: skip
def test_a_selector_of_the_workload_may_be_odd(selector: Any) -> None:
    """Not every definition checks it, such as that of Rollouts."""
    given = situation(DENY, network=[NOTHING])
    odd = replace(given, workload=replace(given.workload, pod_selector=selector))

    assert finding(odd).verdict is DENIED


def test_ours_is_not_kept_apart_from_the_pods_it_is_for() -> None:
    """Pods of a CronJob have the label by which somebody isolates pods of Jobs."""
    isolates = {
        **NOTHING,
        "spec": {**NOTHING["spec"], "podSelector": {"matchExpressions": _JOBS_MAY}},
    }
    given = situation(DENY, workload=CRON_JOB, network=[isolates])

    assert plan_egress(given).policies == ()
    assert finding(given).verdict is DENIED


def test_every_channel_has_a_finding() -> None:
    given = situation(DENY, images=(DTRACK_4,), network=[NOTHING])

    for target in given.targets:
        for channel in target.product.spec.channels:
            assert finding(given, (target.product.name, channel.name)).verdict is DENIED


CILIUM_CASES = [
    (None, UNKNOWN, EgressReason.AWAITING_WRITE),
    (ObjectState.MISSING, UNKNOWN, EgressReason.AWAITING_WRITE),
    (ObjectState.WRITTEN, UNKNOWN, EgressReason.ENFORCEMENT_NOT_SHOWN),
    (ObjectState.ENFORCED, DENIED, EgressReason.EVERY_ADDRESS_DENIED),
    (ObjectState.NAME_TAKEN, UNKNOWN, EgressReason.NAME_TAKEN),
    (ObjectState.REFUSED, UNKNOWN, EgressReason.DIALECT_CANNOT),
]


@pytest.mark.parametrize("wish", [DENY, ISOLATE], ids=["deny", "isolate"])
@pytest.mark.parametrize(("standing", "verdict", "reason"), CILIUM_CASES)
def test_another_dialect_counts_by_what_became_of_the_order(
    standing: ObjectState | None, verdict: EgressVerdict, reason: EgressReason, wish: Any
) -> None:
    given = situation(wish, served=(EgressDialect.NETWORK_POLICY, CILIUM))
    action = EgressAction.DENY if wish is DENY else EgressAction.ISOLATE
    outcomes = {(CILIUM, action): ObjectResult(standing, "Detail.")} if standing else {}

    result = finding(given, USAGE, outcomes)

    assert (result.verdict, result.reason) == (verdict, reason)


def condition(kind: str, status: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


@pytest.mark.parametrize(
    ("conditions", "standing"),
    [
        ([], ObjectState.WRITTEN),
        ([condition("Valid", "True")], ObjectState.ENFORCED),
        ([condition("Valid", "Unknown")], ObjectState.WRITTEN),
        ([condition("Other", "False"), condition("Accepted", "True")], ObjectState.ENFORCED),
        ([condition("Valid", "False", message="No such label.")], ObjectState.REFUSED),
        # One that refuses it is enough, in whatever order they stand.
        ([condition("Accepted", "True"), condition("Ready", "False")], ObjectState.REFUSED),
        ([condition("Ready", "False"), condition("Accepted", "True")], ObjectState.REFUSED),
        # What is said of an older specification says nothing of this one.
        ([condition("Valid", "True", observedGeneration=2)], ObjectState.WRITTEN),
        ([condition("Valid", "True", observedGeneration=3)], ObjectState.ENFORCED),
        ([condition("Valid", "False", observedGeneration=2)], ObjectState.WRITTEN),
    ],
)
def test_what_the_network_plug_in_says_of_an_object(
    conditions: list[Any], standing: ObjectState
) -> None:
    live = {"metadata": {"generation": 3}, "status": {"conditions": conditions}}

    found = dialect_named(CILIUM).read_status(live)

    assert found.state is standing
    if standing is ObjectState.REFUSED and "message" in conditions[0]:
        assert found.detail == "No such label."


V1, CLUSTER = EgressDialect.NETWORK_POLICY, EgressDialect.CLUSTER_NETWORK_POLICY


def shown(
    *policies: Any, dialect: EgressDialect = CILIUM, key: Any = USAGE, **more: Any
) -> tuple[EgressVerdict, EgressReason]:
    """What is found where the network plug-in acts on everything that is ordered."""
    given = situation(*policies, served=(V1, dialect), **more)
    orders = plan_egress(given).policies
    outcomes = {one.role: ObjectResult(ObjectState.ENFORCED) for one in orders}
    result = finding(given, key, outcomes)
    return result.verdict, result.reason


def asking(dialect: EgressDialect, action: str = "Deny", **more: Any) -> Any:
    return policy(egress={"action": action, "dialect": dialect.value, **more}, cluster=True)


ADMIN = ("ClusterNetworkPolicy", "AdminNetworkPolicy")


@pytest.mark.parametrize("action", ["Deny", "Isolate"])
@pytest.mark.parametrize("other", ADMIN)
def test_another_administrators_policy_may_come_before_ours(action: str, other: str) -> None:
    wish = asking(CLUSTER, action)

    assert shown(wish, dialect=CLUSTER)[0] is DENIED
    assert shown(wish, dialect=CLUSTER, others=(other,)) == (
        UNKNOWN,
        EgressReason.OTHER_POLICY_KINDS,
    )
    # Others count only for what it does not speak of.
    assert shown(wish, dialect=CLUSTER, others=("CiliumNetworkPolicy",))[0] is DENIED
    assert shown(wish, dialect=CLUSTER, network=[EVERYTHING])[0] is DENIED


def test_ciliums_denial_beats_whatever_lets_through() -> None:
    others = (*ADMIN, "CiliumNetworkPolicy")

    assert shown(asking(CILIUM), others=others, network=[EVERYTHING])[0] is DENIED


def test_ciliums_isolation_adds_up_with_what_others_let_through() -> None:
    wish = asking(CILIUM, "Isolate")

    assert shown(wish) == (DENIED, EgressReason.EVERY_ADDRESS_DENIED)
    assert shown(wish, network=[NOTHING])[0] is DENIED
    assert shown(wish, network=[EVERYTHING]) == (ALLOWED, EgressReason.NEGATED_BY_POLICY)
    assert shown(wish, others=("CiliumNetworkPolicy",)) == (
        UNKNOWN,
        EgressReason.OTHER_POLICY_KINDS,
    )
    assert shown(wish, network=[net("odd", egress=[{"to": "all"}])]) == (
        UNKNOWN,
        EgressReason.POLICY_NOT_READABLE,
    )


@pytest.mark.parametrize("dialect", [V1, CILIUM, CLUSTER])
def test_a_reachable_range_with_the_host_in_it(dialect: EgressDialect) -> None:
    def found(port: int, cidr: str) -> tuple[EgressVerdict, EgressReason]:
        reachable = [{"cidr": cidr, "ports": [{"port": port}]}]
        wish = asking(dialect, "Isolate", reachable=reachable)
        rule = {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"port": port}]}
        ours = net(
            "fleet-telemetry-isolate-deployment-it",
            labels={"app.kubernetes.io/managed-by": "fleet-telemetry"},
            egress=[rule],
        )
        return shown(wish, dialect=dialect, network=[ours] if dialect is V1 else [])

    assert found(443, "54.0.0.0/8") == (ALLOWED, EgressReason.IN_REACHABLE_RANGE)
    assert found(5432, "54.0.0.0/8")[0] is DENIED
    assert found(443, "55.0.0.0/8")[0] is DENIED


def test_ours_for_another_workload_may_let_the_same_pods_through() -> None:
    # Their selectors overlap, and NetworkPolicies add up.
    another = except_for("198.51.100.1/32", name="fleet-telemetry-deny-deployment-another")
    given = situation(DENY, network=[WRITTEN, another])
    order = (V1, EgressAction.DENY)

    result = finding(given, USAGE, {order: ObjectResult(ObjectState.WRITTEN)})

    assert (result.verdict, result.reason) == (ALLOWED, EgressReason.NEGATED_BY_POLICY)
    assert "another" in result.detail
    assert "fleet-telemetry-deployment-it" not in result.detail


@pytest.mark.parametrize("action", ["Deny", "Isolate"])
@pytest.mark.parametrize("dialect", [CILIUM, CLUSTER])
def test_a_channel_without_hosts_is_not_called_denied_for_the_others_sake(
    dialect: EgressDialect, action: str
) -> None:
    images = ("emqx/emqx:4.4.0", SONARQUBE)
    emqx = ("emqx", ChannelName.USAGE)
    wish = asking(dialect, action)

    assert shown(wish, dialect=dialect, images=images)[0] is DENIED
    assert shown(wish, dialect=dialect, images=images, key=emqx) == (
        UNKNOWN,
        EgressReason.NO_HOSTS_KNOWN,
    )


@pytest.mark.parametrize("dialect", [CILIUM, CLUSTER])
def test_pods_that_the_selector_does_not_select_are_not_called_denied(
    dialect: EgressDialect,
) -> None:
    # Such as those of a CronJob's older Jobs.
    wish = asking(dialect)

    assert shown(wish, dialect=dialect, pods=[{"app": "it", "v": "1"}])[0] is DENIED
    assert shown(wish, dialect=dialect, pods=[{"app": "it"}, {"app": "old"}]) == (
        UNKNOWN,
        EgressReason.PODS_NOT_SELECTABLE,
    )


def test_a_host_of_which_nobody_has_said_anything_is_not_called_denied() -> None:
    # The vendor publishes an address; DNS may know more.
    hosts = {SONAR_HOST: facts("54.230.1.1", unresolved=True)}

    assert found(DENY, hosts=hosts, network=[WRITTEN]) == (UNKNOWN, EgressReason.HOSTS_NOT_RESOLVED)
    assert found(DENY, hosts=hosts, network=[NOTHING])[0] is DENIED


def test_another_dialect_lets_through() -> None:
    given = situation(ALLOW, served=(EgressDialect.NETWORK_POLICY, CILIUM))

    result = finding(
        given, USAGE, {(CILIUM, EgressAction.ALLOW): ObjectResult(ObjectState.ENFORCED)}
    )

    assert result.verdict is ALLOWED


def test_what_another_dialect_leaves_out_is_not_called_denied() -> None:
    own = {"product": "sonarqube", "host": "proxy.example.com"}
    given = situation(
        policy(egress={"hosts": [own]}), served=(EgressDialect.NETWORK_POLICY, CILIUM)
    )

    result = finding(
        given, USAGE, {(CILIUM, EgressAction.DENY): ObjectResult(ObjectState.ENFORCED)}
    )

    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.HOSTS_NOT_RESOLVED)


def test_a_name_that_is_taken_is_told_of_a_network_policy_too() -> None:
    order = (EgressDialect.NETWORK_POLICY, EgressAction.DENY)

    result = finding(situation(DENY), USAGE, {order: ObjectResult(ObjectState.NAME_TAKEN)})

    assert (result.verdict, result.reason) == (OPEN, EgressReason.NAME_TAKEN)


def test_audit_is_told() -> None:
    assert found(policy(mode="Audit", egress={})) == (OPEN, EgressReason.AUDIT_ONLY)


def test_pods_on_the_nodes_network_are_bound_by_no_policy() -> None:
    host = {"pod": {"hostNetwork": True}}
    given = situation(DENY, network=[NOTHING], workload=host)

    assert plan_egress(given).policies == ()
    result = finding(given)
    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.HOST_NETWORK)


def test_some_pods_that_run_are_on_the_nodes_network() -> None:
    given = replace(situation(DENY, network=[WRITTEN]), on_host_network=True)

    result = finding(given)
    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.HOST_NETWORK)


def test_that_nothing_isolates_is_said_of_network_policies_only() -> None:
    for wish in (policy(), ALLOW):
        result = finding(situation(wish, others=("GlobalNetworkPolicy",)))
        assert result.verdict is OPEN
        assert "GlobalNetworkPolicy" in result.detail


@pytest.mark.parametrize(
    "odd",
    [
        net("odd", egress=[{"to": "everybody"}]),
        net("odd", policyTypes=["Sideways"]),
        net("odd", podSelector={"matchLabels": 5}),
    ],
)
def test_a_policy_that_cannot_be_read_is_named(odd: Any) -> None:
    result = finding(situation(DENY, network=[odd]))

    assert (result.verdict, result.reason) == (UNKNOWN, EgressReason.POLICY_NOT_READABLE)
    assert "odd" in result.message


# A family that no name server has answered for


IPV4, IPV6 = AddressFamily.IPV4, AddressFamily.IPV6


@pytest.mark.parametrize("unanswered", [(IPV6,), (IPV4,), (IPV4, IPV6)])
def test_a_family_that_was_never_answered_is_not_denied(
    unanswered: tuple[AddressFamily, ...],
) -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", "2600:9000::1", unanswered=unanswered)}
    given = situation(
        policy(egress={}),
        hosts=hosts,
        network=[except_for("54.230.1.1/32", "2600:9000::1/128")],
    )
    found = finding(given)
    assert found.verdict is EgressVerdict.UNKNOWN
    assert found.reason is EgressReason.FAMILY_NOT_ANSWERED
    assert found.detail == f"{SONAR_HOST}: no name server answers for {' and '.join(unanswered)}."
    heard = replace(given, hosts={SONAR_HOST: replace(hosts[SONAR_HOST], unanswered=())})
    assert finding(heard).verdict is EgressVerdict.DENIED


def test_without_a_policy_of_ours_it_is_not_denied_either() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", unanswered=(IPV6,))}
    v6 = net("v6", egress=[{"to": [{"ipBlock": {"cidr": "2000::/3"}}]}])
    found = finding(situation(policy(egress={}), hosts=hosts, network=[v6]))
    assert (found.verdict, found.reason) == (
        EgressVerdict.UNKNOWN,
        EgressReason.FAMILY_NOT_ANSWERED,
    )


def test_where_nothing_of_the_family_is_let_through_it_is_denied_all_the_same() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", unanswered=(IPV6,))}
    v4 = net("v4", egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    found = finding(situation(policy(egress={}), hosts=hosts, network=[v4]))
    assert found.verdict is EgressVerdict.DENIED


def test_nor_by_the_status_of_an_object() -> None:
    hosts = {SONAR_HOST: facts("54.230.1.1", unanswered=(IPV6,))}
    given = situation(policy(egress={}), hosts=hosts, served=[EgressDialect.CILIUM])
    (planned,) = plan_egress(given).policies
    found = finding(given, results={planned.role: ObjectResult(ObjectState.ENFORCED)})
    assert (found.verdict, found.reason) == (
        EgressVerdict.UNKNOWN,
        EgressReason.FAMILY_NOT_ANSWERED,
    )


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_a_family_is_heard_once_a_name_server_says_anything_of_it(family: AddressFamily) -> None:
    other = IPV4 if family is IPV6 else IPV6
    for outcome in (LookupResult.TRANSIENT, LookupResult.FAULT):
        host = History()
        host.hears(*says(LookupResult.NO_DATA, other), *says(outcome, family))
        assert host_facts(host.state, host.rules).unanswered == (family,)
        host.hears(*says(LookupResult.NX_DOMAIN, family))
        assert host_facts(host.state, host.rules).unanswered == ()
        # A later failure does not take that back: what was denied stays denied.
        host.hears(*says(outcome, family), after=HOUR)
        assert host_facts(host.state, host.rules).unanswered == ()


@pytest.mark.thorough
@pytest.mark.parametrize("silent", [(IPV4,), (IPV6,), (IPV4, IPV6)])
@pytest.mark.parametrize("outcome", [LookupResult.TRANSIENT, LookupResult.FAULT])
def test_what_was_heard_of_a_family_counts_for_a_day(
    silent: tuple[AddressFamily, ...], outcome: LookupResult
) -> None:
    host = History()
    host.hears(*ok(ip_address("54.230.1.1")), *says(LookupResult.NO_DATA, IPV6))
    denied = host_facts(host.state, host.rules).deny
    for round_ in range(6 * 24):
        assert host_facts(host.state, host.rules).unanswered == (), round_
        host.hears(
            *(says(outcome, IPV4) if IPV4 in silent else ok(ip_address("54.230.1.1"))),
            *says(outcome if IPV6 in silent else LookupResult.NO_DATA, IPV6),
            after=HOUR / 6,
        )
    found = host_facts(host.state, host.rules)
    assert found.unanswered == silent
    assert found.deny == denied


def test_a_family_that_is_turned_off_is_not_waited_for() -> None:
    host = History(Retention(families=frozenset({IPV4})))
    host.hears(*ok(ip_address("54.230.1.1")), *says(LookupResult.TRANSIENT, IPV6))
    assert host_facts(host.state, host.rules).unanswered == ()
