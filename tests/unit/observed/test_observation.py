"""From lookups to the contacts of workloads, and for which time they are all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.evidence.contacts import Contacts
from fleet_telemetry.observed.address_book import Unattributed
from fleet_telemetry.observed.canary import CANARY_ZONE
from fleet_telemetry.observed.ledger import HostClass, ProductUse
from fleet_telemetry.observed.lookup import LookupSink
from fleet_telemetry.observed.observation import DnsObservation
from fleet_telemetry.observed.waiting_lookups import MOST_DECIDED, MOST_WAITING
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate, WorkloadRef
from tests.support.depth import examples
from tests.support.lookups import (
    HOST,
    HOSTS,
    OTHER,
    REF,
    SHARED_HOST,
    Clock,
    a_pod,
    a_question,
    an_answer,
    at,
)

A, B, NODE, SERVER = "10.0.0.1", "10.0.0.2", "10.8.0.1", "10.9.0.1"
SOURCE = f"{SERVER}#1"
SHORT = "example.com"


@dataclass
class Watched:
    """An observation with one name server, and its clock."""

    clock: Clock = field(default_factory=Clock)
    proves_hosts: bool = False
    tokens: int = 0
    it: DnsObservation = field(init=False)

    def __post_init__(self) -> None:
        self.it = DnsObservation(self.clock, proves_hosts=self.proves_hosts)
        self.it.set_hosts(HOSTS)
        self.it.set_name_servers([SERVER])
        self.it.connected(SOURCE)

    def pods(self, *pods: Pod, ref: WorkloadRef = REF) -> Watched:
        self.it.set_pods(ref, pods, ["product"])
        return self

    def prove(self, *, search: bool = False) -> Watched:
        self.tokens += 1
        token = f"token{self.tokens}"
        self.it.canary_sent(SERVER, token, search=search)
        tail = ".team.svc.cluster.local" if search else ""
        question = a_question("10.1.1.1", self.clock.seconds, f"{token}.{CANARY_ZONE}{tail}")
        self.it.looked_up(SOURCE, question)
        return self

    def ask(
        self, client: str = A, name: str = HOST, *, ago: float = 0, source: str = SOURCE
    ) -> Watched:
        self.it.looked_up(source, a_question(client, self.clock.seconds - ago, name))
        return self

    def later(self, seconds: float = 11) -> frozenset[WorkloadRef]:
        self.clock.seconds += seconds
        return self.it.tick().workloads

    def keep(self, seconds: float) -> Watched:
        """Let time pass, in which the canaries come back."""
        for _ in range(int(seconds // 120)):
            self.later(120)
            self.prove()
        return self

    def contacts(self, ref: WorkloadRef = REF, *hosts: str) -> Contacts:
        return self.it.contacts_of(ref, hosts or (HOST,))


def watched(*, proves_hosts: bool = False) -> Watched:
    """Two workloads with a pod each, proven since second 20."""
    one = Watched(proves_hosts=proves_hosts)
    one.pods(a_pod("one", A, node=NODE)).pods(a_pod("two", B, node=NODE), ref=OTHER)
    one.later(20)
    one.prove()
    one.it.tick()
    return one


def test_it_is_what_the_receiver_calls() -> None:
    sink: LookupSink = watched().it
    assert sink is not None


def test_a_lookup_is_the_workloads_whose_pod_asked() -> None:
    one = watched().ask().ask()
    one.it.looked_up(SOURCE, an_answer(A, 20, refused=True))
    assert one.later(9) == frozenset()
    assert one.later(1) == {REF}
    (contact,) = one.contacts().seen
    assert (contact.pod_uid, contact.lookups, contact.refused) == ("one", 2, True)
    assert one.contacts(OTHER) == Contacts(complete_since=at(20))
    assert one.it.lookups() == {(REF, "product", HostClass.EXCLUSIVE): 2}
    assert one.it.records_of(REF)[0].lookups == 2


def test_a_pod_may_ask_before_its_address_is_known() -> None:
    one = watched()
    one.pods(a_pod("one", A), a_pod("new"))
    one.ask("10.0.0.9")
    one.later(4)
    one.pods(a_pod("one", A), a_pod("new", "10.0.0.9", started=20))
    one.later(7)
    assert [contact.pod_uid for contact in one.contacts().seen] == ["new"]
    assert set(one.it.unattributed().values()) == {0}


def test_an_address_that_goes_to_another_pod_while_a_lookup_waits_is_neither_s() -> None:
    one = watched()
    one.clock.seconds = 100
    one.ask(A)
    one.pods(a_pod("three", A, started=99))
    one.later()
    assert one.contacts().seen == ()
    assert one.it.unattributed()[Unattributed.SHARED] == 1
    # It can be no other workload's.
    assert one.contacts().reason is ObservedReason.NOT_ATTRIBUTED
    assert one.contacts(OTHER).reason is None


@pytest.mark.parametrize(
    ("client", "why"),
    [
        ("10.0.0.77", Unattributed.UNKNOWN),
        ("fd00::77", Unattributed.UNKNOWN),
        (NODE, Unattributed.NODE),
        (f"::ffff:{NODE}", Unattributed.NODE),
    ],
)
def test_a_lookup_that_is_nobodys_leaves_every_user_of_the_host_in_doubt(
    client: str, why: Unattributed
) -> None:
    one = watched().ask(client)
    assert one.later() == {REF, OTHER}
    assert one.it.unattributed()[why] == 1
    for ref in (REF, OTHER):
        found = one.contacts(ref)
        assert (found.complete_since, found.reason) == (None, ObservedReason.NOT_ATTRIBUTED)
        assert found.detail.startswith(f"{client.removeprefix('::ffff:')} asked for {HOST}: ")
    assert one.contacts(REF, SHARED_HOST).complete_since == at(20)


def test_an_attempt_that_is_nobodys_is_one_with_all_search_domains() -> None:
    one = watched()
    for tail in (".team.svc.cluster.local", ""):
        one.ask(NODE, f"{HOST}{tail}")
    one.later()
    assert one.it.unattributed()[Unattributed.NODE] == 1
    one.it.set_autopath(SERVER, in_use=True)
    one.prove(search=True)
    one.later()
    one.ask(NODE, f"{HOST}.team.svc.cluster.local")
    one.later()
    assert one.it.unattributed()[Unattributed.NODE] == 2


def test_a_doubt_is_said_once_and_ends_after_a_day() -> None:
    one = watched().ask(NODE)
    one.later()
    said = one.contacts()
    one.keep(3600).ask("10.0.0.77")
    assert one.later() == frozenset()
    assert one.contacts() == said
    ended = one.clock.seconds - 11
    one.keep(25 * 3600)
    assert one.contacts() == said
    one.keep(2 * 3600)
    assert one.contacts() == Contacts(complete_since=at(ended))
    one.ask(NODE)
    assert one.later() == {REF, OTHER}
    assert one.contacts().reason is ObservedReason.NOT_ATTRIBUTED


def test_a_doubt_from_before_the_chain_was_whole_is_none() -> None:
    one = Watched().pods(a_pod("one", A)).ask(NODE)
    one.clock.seconds = 5
    one.prove()
    one.later(20)
    assert one.it.unattributed()[Unattributed.UNKNOWN] == 1
    assert one.contacts() == Contacts(complete_since=at(5))
    one.ask(NODE)
    one.later()
    assert one.contacts().reason is ObservedReason.NOT_ATTRIBUTED


def test_the_end_of_a_doubt_is_a_change() -> None:
    one = watched().ask(NODE)
    one.later()
    changed = one.later(27 * 3600)
    assert changed == {REF, OTHER}


def test_an_address_that_changes_hands_within_a_second_is_neither_s() -> None:
    one = watched()
    one.clock.seconds = 100
    one.ask(A)
    one.clock.seconds = 100.9
    one.ask(A)
    one.pods(replace(a_pod("one", A), phase=PodPhase.FAILED, containers_ended=at(99.5)))
    one.later()
    assert one.contacts().seen == ()


def test_answers_alone_leave_no_doubt() -> None:
    one = watched()
    one.it.looked_up(SOURCE, an_answer(NODE, 20))
    one.later()
    assert one.contacts().complete_since == at(20)


def test_the_operators_own_lookups_are_nobodys() -> None:
    one = watched(proves_hosts=True)
    assert one.contacts().reason is ObservedReason.HOST_NOT_TAPPED
    one.ask("10.7.0.1")
    # It may be asked before the address is known.
    one.it.set_own_addresses(["::ffff:10.7.0.1"])
    one.later()
    assert one.contacts() == Contacts(complete_since=at(20))
    assert set(one.it.unattributed().values()) == {0}


def test_an_own_address_that_is_a_pods_or_a_nodes_is_that() -> None:
    one = watched()
    # That of a former leader, and that of the node in whose network the operator runs.
    one.it.set_own_addresses([A, NODE])
    one.ask(A)
    one.later()
    assert len(one.contacts().seen) == 1
    one.ask(NODE)
    one.later()
    assert one.contacts().reason is ObservedReason.NOT_ATTRIBUTED


@pytest.mark.parametrize(
    "template", [PodTemplate((), own_dns=True), PodTemplate((), host_network=True)]
)
def test_pods_that_may_ask_elsewhere_are_not_known(template: PodTemplate) -> None:
    one = watched()
    own = a_pod("own", "10.0.0.9", template=template)
    one.pods(a_pod("one", A), own)
    found = one.contacts()
    assert (found.reason, found.detail) == (ObservedReason.OTHER_NAME_SERVERS, "pod pod-own")
    assert one.contacts(OTHER).reason is None
    one.clock.seconds = 50
    one.pods(a_pod("one", A), replace(own, phase=PodPhase.FAILED))
    assert one.contacts() == Contacts(complete_since=at(50))
    one.clock.seconds = 60
    one.pods(a_pod("one", A))
    assert one.contacts() == Contacts(complete_since=at(50))


def test_pods_that_asked_elsewhere_may_have_asked_until_they_were_gone() -> None:
    one = watched()
    one.pods(a_pod("own", "10.0.0.9", template=PodTemplate((), own_dns=True)))
    one.clock.seconds = 70
    one.pods(a_pod("one", A))
    assert one.contacts() == Contacts(complete_since=at(70))


def test_a_workload_whose_pods_are_not_known_is_not_known() -> None:
    ref = replace(REF, name="unknown")
    assert watched().contacts(ref).reason is ObservedReason.NOT_PROVEN_YET


def test_a_host_counts_from_when_it_was_looked_for() -> None:
    one = watched()
    one.clock.seconds = 50
    new = "new.example.com"
    assert one.contacts(REF, new).reason is ObservedReason.NOT_PROVEN_YET
    one.it.set_hosts({**HOSTS, new: (ProductUse("product", HostClass.EXCLUSIVE),)})
    assert one.contacts(REF, HOST, new).complete_since == at(50)
    assert one.contacts(REF, HOST).complete_since == at(20)


def test_nobody_is_called_quiet_since_a_time_before_a_contact_that_was_dropped() -> None:
    one = watched()
    one.clock.seconds = 40
    one.ask()
    one.later()
    one.pods(a_pod("newer", "10.0.0.9", started=45))
    assert one.later() == {REF}
    assert one.contacts() == Contacts(complete_since=at(40))


def test_a_time_is_in_whole_seconds_and_never_too_early() -> None:
    one = Watched().pods(a_pod("one", A))
    one.clock.seconds = 7.25
    one.prove()
    assert one.contacts().complete_since == at(8)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (f"{HOST}.team.svc.cluster.local", True),
        (f"{HOST}.svc.cluster.local", False),
        (f"{HOST}.cluster.local", False),
        (f"{HOST}.other.svc.cluster.local", False),
        (f"{SHORT}.team.svc.cluster.local", False),
        (f"x{HOST}", False),
        (f"a.{HOST}", False),
        (f"{HOST}.", False),
        ("team.svc.cluster.local", False),
        (".svc.cluster.local", False),
        ("", False),
    ],
)
def test_only_the_host_and_its_first_search_domain_count(name: str, *, counts: bool) -> None:
    one = watched()
    one.it.set_hosts({**HOSTS, SHORT: (ProductUse("product", HostClass.EXCLUSIVE),)})
    one.ask(A, name)
    one.later()
    assert len(one.contacts().seen) == counts


def test_an_attempt_with_all_search_domains_is_one() -> None:
    one = watched()
    for tail in (".team.svc.cluster.local", ".svc.cluster.local", ".cluster.local", ""):
        for _ in ("A", "AAAA"):
            one.ask(A, f"{HOST}{tail}")
            one.it.looked_up(
                SOURCE, an_answer(A, 20.5 if tail else 20, f"{HOST}{tail}", refused=bool(tail))
            )
    one.later()
    (contact,) = one.contacts().seen
    assert (contact.lookups, contact.refused) == (2, False)


def test_where_all_is_tapped_a_pod_that_asks_nothing_may_ask_elsewhere() -> None:
    one = watched()
    one.ask(B, "kubernetes.default.svc.cluster.local")
    one.later()
    found = one.contacts()
    assert (found.reason, found.detail) == (ObservedReason.NO_QUESTIONS, "pod pod-one")
    assert one.contacts(OTHER).complete_since == at(20)
    one.ask(A, "www.example.org")
    assert one.later(1) == {REF}
    assert one.contacts().complete_since == at(20)


def test_names_below_a_host_do_not_show_that_all_is_tapped() -> None:
    one = watched().ask(B, f"a.b.{HOST}")
    assert one.contacts().complete_since == at(20)


def test_a_question_before_the_chain_was_whole_does_not_show_where_a_pod_asks() -> None:
    one = watched().ask(A, "www.example.org")
    one.later(100)
    assert one.contacts().complete_since == at(20)
    one.it.lost(SOURCE, 1)
    one.prove()
    one.later(70)
    assert one.contacts().reason is ObservedReason.NO_QUESTIONS


def test_without_autopath_a_host_of_two_labels_is_as_any_other() -> None:
    one = Watched()
    one.it.set_hosts({**HOSTS, SHORT: (ProductUse("product", HostClass.EXCLUSIVE),)})
    one.pods(a_pod("one", A)).prove()
    assert one.contacts(REF, SHORT).reason is None


def test_autopath_with_everything_tapped_hides_only_names_of_two_labels() -> None:
    one = watched()
    one.it.set_hosts({**HOSTS, SHORT: (ProductUse("product", HostClass.EXCLUSIVE),)})
    one.it.set_autopath(SERVER, in_use=True)
    assert one.contacts().reason is ObservedReason.AUTOPATH_IN_USE
    one.prove(search=True)
    assert one.contacts().reason is None
    assert one.contacts(REF, SHORT).reason is ObservedReason.AUTOPATH_IN_USE


def test_a_lookup_of_a_name_server_with_a_wrong_clock_is_nobodys() -> None:
    one = watched()
    one.clock.seconds = 500
    one.ask(A, ago=-4)
    one.it.connected("10.9.0.7#2")
    one.ask(A, ago=60, source="10.9.0.7#2")
    one.ask(A, ago=60)
    one.later()
    assert one.it.unattributed()[Unattributed.CLOCKS_DIFFER] >= 2
    assert one.contacts().seen == ()


def test_a_lookup_that_a_proven_source_reports_late_counts() -> None:
    one = watched()
    one.clock.seconds = 200
    one.ask(A, ago=100)
    one.later()
    assert one.contacts().seen[0].first == at(100)


def test_a_lookup_after_its_workload_is_gone_is_no_contact() -> None:
    one = watched().ask()
    one.it.forget(REF)
    one.later()
    assert one.contacts().seen == ()
    assert one.it.lookups() == {}


def test_a_pod_that_another_workload_adopts_is_that_ones() -> None:
    one = watched()
    one.pods(a_pod("one", A), ref=OTHER)
    one.pods()
    one.later(30)
    one.ask()
    one.later()
    assert [contact.pod_uid for contact in one.contacts(OTHER).seen] == ["one"]


def test_a_tick_says_that_the_chain_changed() -> None:
    one = watched()
    assert not one.it.tick().chain
    one.it.lost(SOURCE, 1)
    assert one.it.tick().chain
    assert one.it.chain_state().reason is ObservedReason.LOOKUPS_LOST
    assert one.it.connections() == (SOURCE,)
    one.it.disconnected(SOURCE)
    assert one.it.tick().chain


def test_what_an_earlier_leader_stored_is_shown() -> None:
    one = watched().ask()
    one.later()
    after = watched()
    after.it.restore(REF, one.it.records_of(REF))
    assert after.contacts().seen == one.contacts().seen
    assert after.it.dropped_contacts == 0


@pytest.mark.thorough
def test_what_waits_is_bounded_and_what_is_too_much_is_nobodys() -> None:
    one = watched()
    for number in range(MOST_WAITING + 5):
        one.ask(f"10.{number // 250 // 250}.{number // 250 % 250}.{number % 250}")
    assert len(one.it._waiting) == MOST_WAITING
    assert one.it.unattributed()[Unattributed.TOO_MANY] == 5
    assert one.contacts().reason is ObservedReason.NOT_ATTRIBUTED
    one.later(60)
    assert len(one.it._waiting) == MOST_WAITING - MOST_DECIDED


def test_pods_and_workloads_that_come_and_go_take_no_memory() -> None:
    one = watched()
    for number in range(500):
        ref = replace(REF, name=f"job-{number}")
        address = f"10.5.{number % 200}.1"
        one.pods(a_pod(str(number), address, started=one.clock.seconds), ref=ref)
        one.ask(address)
        one.later(10)
        one.it.forget(ref)
    held = one.it._pods, one.it._fed, one.it._waiting, one.it._gone, one.it._doubts
    assert all(len(each) < 50 for each in held)
    assert len(one.it.lookups()) == 0
    assert one.it._running == {"product": {REF, OTHER}}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "search", "other", "pods", "gone", "lose", "prove", "tick"]),
        st.sampled_from([REF, OTHER]),
        st.integers(0, 5),
        st.sampled_from([0.0, 0.5, 3.0, 12.0, 70.0]),
    ),
    max_size=60,
)


@dataclass
class History:
    """An observation, and what it may say."""

    one: Watched = field(default_factory=watched)
    asked: int = 0
    hidden: float = 0
    """When a lookup may last have been lost."""

    def ask(self, ref: WorkloadRef, client: str) -> None:
        self.one.ask(client, f"{HOST}.team.svc.cluster.local" if ref == OTHER else HOST)
        self.asked += 1

    def other(self, _: WorkloadRef, client: str) -> None:
        self.one.ask(client, "www.example.org")

    def pods(self, ref: WorkloadRef, client: str) -> None:
        uid = f"{ref.name}-{client}"
        self.one.pods(a_pod(uid, client, started=self.one.clock.seconds), ref=ref)

    def gone(self, ref: WorkloadRef, _: str) -> None:
        self.one.pods(ref=ref)

    def lose(self, _: WorkloadRef, __: str) -> None:
        self.one.it.lost(SOURCE, 1)
        self.hidden = self.one.clock.seconds

    def prove(self, _: WorkloadRef, __: str) -> None:
        self.one.prove()

    @property
    def decided(self) -> int:
        return sum(self.one.it.lookups().values()) + sum(self.one.it.unattributed().values())

    def check(self, ref: WorkloadRef) -> Contacts:
        found = self.one.contacts(ref)
        assert (found.complete_since is None) == (found.reason is not None)
        assert found.complete_since is None or found.complete_since >= at(self.hidden)
        assert found == self.one.contacts(ref)
        return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "other", "pods", "gone", "lose", "prove"]),
            st.sampled_from([REF, OTHER]),
            st.integers(0, 5),
            st.sampled_from([0.0, 0.5, 3.0, 12.0, 70.0]),
        ),
        max_size=60,
    )
)
@examples(300)
def test_every_question_is_a_pods_or_counted_and_nothing_is_claimed_before_it_is_known(
    steps: list[tuple[str, WorkloadRef, int, float]],
) -> None:
    history = History()
    for step, ref, number, wait in steps:
        before = {each: history.one.contacts(each).seen for each in (REF, OTHER)}
        changed = history.one.later(wait)
        for each, seen in before.items():
            assert (history.check(each).seen != seen) <= (each in changed)
        getattr(history, step)(ref, f"10.0.0.{number}")
        assert history.decided <= history.asked
        history.check(REF)
        history.check(OTHER)
    history.one.later(20)
    if not any(step == "ask" and ref == OTHER for step, ref, *_ in steps):
        # Without search domains, none is left out.
        assert history.decided == history.asked
