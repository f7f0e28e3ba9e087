"""Contacts: what is published of them when, and that they are bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.workload_telemetry import ContactRecord, WorkloadTelemetryStatus
from fleet_telemetry.observed.ledger import (
    MOST_CONTACTS,
    HostClass,
    Ledger,
    PodMark,
    ProductUse,
    Questions,
    contact_of,
    record_of,
)
from tests.support.depth import examples
from tests.support.lookups import HOST, HOSTS, OTHER, REF, SHARED_HOST, at

POD = PodMark("one", "pod-one", at(0))


def a_ledger(*pods: PodMark) -> Ledger:
    """A ledger that knows the pods."""
    ledger = Ledger()
    ledger.set_hosts(HOSTS)
    ledger.set_pods(REF, pods or (POD,), frozenset({"product"}))
    return ledger


def ask(
    ledger: Ledger,
    seconds: float,
    number: int = 1,
    *,
    pod: PodMark = POD,
    host: str = HOST,
    search: bool = False,
) -> None:
    """A pod asks."""
    ledger.asked(REF, pod, host, Questions(at(seconds), at(seconds), number, search=search))


def test_a_new_contact_is_published_at_once_and_refreshed_hourly() -> None:
    ledger = a_ledger()
    ask(ledger, 5, 2)
    assert ledger.seen(REF) == ()
    assert ledger.publish(at(5)) == {REF}
    (contact,) = ledger.seen(REF)
    assert (contact.host, contact.pod, contact.pod_uid) == (HOST, "pod-one", "one")
    assert (contact.first, contact.last, contact.lookups) == (at(5), at(5), 2)
    for second in range(10, 3600, 10):
        ask(ledger, second)
        assert ledger.publish(at(second)) == frozenset()
    assert ledger.seen(REF) == (contact,)
    assert ledger.publish(at(3605)) == {REF}
    assert ledger.seen(REF) == (replace(contact, last=at(3590), lookups=361),)
    assert ledger.publish(at(100_000)) == frozenset()


def test_times_are_whole_seconds_as_a_status_has_them() -> None:
    ledger = a_ledger()
    ask(ledger, 5.75)
    ledger.publish(at(6))
    assert ledger.seen(REF)[0].first == at(5)
    ask(ledger, 5.9)
    assert ledger.publish(at(9000)) == {REF}
    assert ledger.publish(at(9001)) == frozenset()


def test_further_new_contacts_of_a_workload_follow_in_turn() -> None:
    ledger = a_ledger()
    ask(ledger, 0)
    ledger.publish(at(0))
    ask(ledger, 1, host=SHARED_HOST)
    ask(ledger, 2, pod=replace(POD, uid="two"))
    assert ledger.publish(at(3)) == frozenset()
    assert ledger.publish(at(29)) == frozenset()
    assert ledger.publish(at(30)) == {REF}
    assert len(ledger.seen(REF)) == 3


def test_a_refusal_is_published_soon_and_never_often() -> None:
    ledger = a_ledger()
    ask(ledger, 0)
    ledger.answered(REF, POD, HOST, at(0), refused=True)
    ledger.publish(at(0))
    assert ledger.seen(REF)[0].refused
    changes = 0
    for second in range(1, 3600):
        ledger.answered(REF, POD, HOST, at(second), refused=bool(second % 2))
        changes += bool(ledger.publish(at(second)))
    assert 1 <= changes <= 6
    for refused in (True, False):
        ledger.answered(REF, POD, HOST, at(5000), refused=refused)
        ledger.publish(at(9000 - 1000 * refused))
        assert ledger.seen(REF)[0].refused == refused
    assert ledger.publish(at(100_000)) == frozenset()


def test_a_refusal_refreshes_nothing_else() -> None:
    ledger = a_ledger()
    ask(ledger, 0)
    ledger.publish(at(0))
    ask(ledger, 100)
    ledger.answered(REF, POD, HOST, at(100), refused=True)
    ledger.publish(at(700))
    (contact,) = ledger.seen(REF)
    assert (contact.refused, contact.lookups) == (True, 1)
    assert ledger.publish(at(3600)) == {REF}
    assert ledger.seen(REF)[0].lookups == 2
    ask(ledger, 7000)
    ledger.answered(REF, POD, HOST, at(7000), refused=False)
    assert ledger.publish(at(7300)) == {REF}
    ask(ledger, 7400)
    assert ledger.publish(at(10_899)) == frozenset()
    assert ledger.publish(at(10_900)) == {REF}


def test_an_older_answer_changes_nothing_and_answers_do_not_count() -> None:
    ledger = a_ledger()
    ledger.answered(REF, POD, HOST, at(1), refused=True)
    ledger.answered(OTHER, POD, HOST, at(1), refused=True)
    ask(ledger, 5)
    ledger.answered(REF, POD, HOST, at(6), refused=True)
    ledger.answered(REF, POD, HOST, at(5), refused=False)
    ledger.publish(at(7))
    (contact,) = ledger.seen(REF)
    assert contact.refused
    assert contact.lookups == 1


def test_an_attempt_with_and_without_a_search_domain_is_one() -> None:
    ledger = a_ledger()
    ask(ledger, 1, 2, search=True)
    ask(ledger, 1, 2)
    ask(ledger, 2, 2)
    ledger.publish(at(3))
    assert ledger.seen(REF)[0].lookups == 4
    assert ledger.totals == {(REF, "product", HostClass.EXCLUSIVE): 4}


def test_where_autopath_answers_the_name_with_a_search_domain_counts() -> None:
    ledger = a_ledger()
    ask(ledger, 1, 2, search=True)
    ask(ledger, 9, 2, search=True)
    ledger.publish(at(9))
    assert ledger.seen(REF)[0].lookups == 4


def test_a_host_of_no_interest_is_no_contact() -> None:
    ledger = a_ledger()
    ask(ledger, 1, host="www.example.com")
    assert (ledger.publish(at(1)), len(ledger)) == (frozenset(), 0)


def test_a_host_that_is_of_no_interest_any_more_is_dropped() -> None:
    ledger = a_ledger()
    ask(ledger, 1)
    ask(ledger, 1, host=SHARED_HOST)
    ledger.publish(at(1))
    ledger.set_hosts({SHARED_HOST: HOSTS[SHARED_HOST]})
    assert ledger.publish(at(2)) == {REF}
    assert [one.host for one in ledger.seen(REF)] == [SHARED_HOST]
    assert ledger.dropped_until(REF) is None


def test_a_pod_that_is_gone_is_dropped_when_a_newer_one_runs() -> None:
    ledger = a_ledger()
    ask(ledger, 50)
    ledger.publish(at(50))
    newer = PodMark("two", "pod-two", at(100), runs=False)
    ledger.set_pods(REF, [])
    ledger.set_pods(REF, [newer])
    ledger.set_pods(REF, [PodMark("old", "pod-old", at(-100))])
    assert len(ledger.seen(REF)) == 1
    ledger.set_pods(REF, [replace(newer, runs=True), POD])
    assert len(ledger.seen(REF)) == 1
    assert ledger.dropped_until(REF) is None
    ledger.set_pods(REF, [replace(newer, runs=True)])
    assert ledger.seen(REF) == ()
    assert ledger.publish(at(101)) == {REF}
    # Nobody may be called quiet since a time before that lookup.
    assert ledger.dropped_until(REF) == at(50)


def test_a_workload_that_is_gone_leaves_nothing() -> None:
    ledger = a_ledger()
    ask(ledger, 1)
    ledger.forget(REF)
    ledger.forget(REF)
    assert (len(ledger), ledger.totals, ledger.seen(REF)) == (0, {}, ())
    assert ledger.publish(at(9)) == frozenset()
    assert ledger.dropped_until(REF) is None


def test_of_too_many_contacts_those_are_kept_that_matter_for_a_judgement() -> None:
    pods = [PodMark(f"{99 - number:03}", f"pod-{number}", at(number)) for number in range(40)]
    ledger = a_ledger(*pods)
    for pod in pods:
        ask(ledger, 100, pod=pod)
    ask(ledger, 100, pod=pods[0], host=SHARED_HOST)
    ask(ledger, 100, pod=PodMark("gone", "pod-gone", at(500)))
    ledger.publish(at(100))
    seen = ledger.seen(REF)
    assert len(seen) == MOST_CONTACTS
    # Each host once, and of the one that serves telemetry alone, the newest pods that exist.
    assert {one.pod_uid for one in seen if one.host == HOST} == {
        f"{99 - number:03}" for number in range(9, 40)
    }
    assert [one.pod_uid for one in seen if one.host == SHARED_HOST] == ["099"]
    assert ledger.dropped == 10
    assert ledger.dropped_until(REF) is None


def test_what_is_kept_does_not_change_while_the_same_pods_ask() -> None:
    pods = [PodMark(f"{number:03}", f"pod-{number}", at(0)) for number in range(40)]
    ledger = a_ledger(*pods)
    for pod in pods:
        ask(ledger, 1, pod=pod)
    ledger.publish(at(1))
    before = {one.pod_uid for one in ledger.seen(REF)}
    for second in range(100, 3000, 100):
        for pod in reversed(pods):
            ask(ledger, second, pod=pod)
        assert ledger.publish(at(second)) == frozenset()
    assert {one.pod_uid for one in ledger.seen(REF)} == before


def test_all_contacts_together_are_bounded_and_a_dropped_one_is_remembered() -> None:
    ledger = Ledger(most_in_all=3)
    ledger.set_hosts(HOSTS)
    for number in range(5):
        pod = PodMark(str(number), f"pod-{number}")
        ledger.asked(REF if number < 3 else OTHER, pod, HOST, Questions(at(number), at(number)))
    assert (len(ledger), ledger.dropped) == (3, 2)
    assert ledger.dropped_until(OTHER) == at(4)


def test_a_lookup_counts_for_the_product_that_the_workload_runs() -> None:
    ledger = Ledger()
    uses = (ProductUse("another", HostClass.SHARED), ProductUse("product", HostClass.EXCLUSIVE))
    ledger.set_hosts({HOST: uses, SHARED_HOST: ()})
    ledger.set_pods(REF, [POD], frozenset({"product"}))
    ask(ledger, 1)
    ask(ledger, 1, host=SHARED_HOST)
    assert ledger.totals == {(REF, "product", HostClass.EXCLUSIVE): 1}
    ledger.asked(OTHER, POD, HOST, Questions(at(1), at(1)))
    assert ledger.totals[OTHER, "another", HostClass.SHARED] == 1


def a_record(uid: str = "one", host: str = HOST, **changes: object) -> ContactRecord:
    """What an earlier leader stored."""
    record = ContactRecord(
        host=host, pod=f"pod-{uid}", pod_uid=uid, first_time=at(0), last_time=at(60), lookups=7
    )
    return msgspec.structs.replace(record, **changes)


def test_a_restored_contact_is_not_published_again() -> None:
    ledger = a_ledger()
    ledger.restore(REF, [a_record()], at(100))
    assert ledger.records(REF) == (a_record(),)
    assert ledger.publish(at(100)) == frozenset()
    ledger.restore(REF, [a_record(lookups=99)], at(200))
    assert ledger.records(REF) == (a_record(),)
    ask(ledger, 300)
    assert ledger.publish(at(300)) == frozenset()
    assert ledger.publish(at(3660)) == {REF}
    assert ledger.records(REF) == (a_record(last_time=at(300), lookups=8),)
    assert ledger.totals == {(REF, "product", HostClass.EXCLUSIVE): 1}


def test_what_was_seen_before_it_was_restored_is_added() -> None:
    ledger = a_ledger()
    ask(ledger, 300, 2)
    ledger.restore(REF, [a_record()], at(301))
    ledger.publish(at(4000))
    ask(ledger, 4001)
    ledger.publish(at(9000))
    assert ledger.records(REF) == (a_record(last_time=at(4001), lookups=10),)


def test_what_was_stored_wrongly_does_no_harm() -> None:
    ledger = a_ledger()
    ledger.restore(
        REF,
        [
            a_record("future", first_time=at(900), last_time=at(950)),
            a_record("host", host="www.example.com"),
            a_record("count", lookups=-3),
            a_record("turned", first_time=at(60), last_time=at(1)),
            a_record("ahead", last_time=at(10_000)),
            *(a_record(str(number)) for number in range(100)),
        ],
        at(100),
    )
    ledger.publish(at(100))
    found = {one.pod_uid: one for one in ledger.seen(REF)}
    assert len(found) == MOST_CONTACTS - 2
    assert found["count"].lookups == 1
    assert found["turned"].last == at(60)
    assert found["ahead"].last == at(100)


def test_a_record_is_a_contact_and_the_reverse() -> None:
    assert record_of(contact_of(a_record(refused=True))) == a_record(refused=True)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "search", "refuse", "allow", "pods", "publish", "forget", "hosts"]),
        st.sampled_from([REF, OTHER]),
        st.integers(0, 60),
        st.sampled_from([HOST, SHARED_HOST]),
        st.sampled_from([0.0, 1.0, 40.0, 700.0, 4000.0]),
    ),
    max_size=120,
)


@given(STEPS, st.integers(0, 59))
@examples(300)
def test_counts_never_exceed_questions_and_all_is_bounded(
    steps: list[tuple[str, object, int, str, float]], most: int
) -> None:
    ledger = Ledger(most_in_all=most)
    ledger.set_hosts(HOSTS)
    now, questions, totals = 0.0, {}, {}
    for step, ref, number, host, wait in steps:
        now += wait
        pod = PodMark(str(number), f"pod-{number}", at(number))
        key = ref, pod.uid, host
        if step in {"ask", "search"}:
            ledger.asked(ref, pod, host, Questions(at(now), at(now), 2, search=step == "search"))
            questions[key] = questions.get(key, 0) + 2
        elif step in {"refuse", "allow"}:
            ledger.answered(ref, pod, host, at(now), refused=step == "refuse")
        elif step == "pods":
            ledger.set_pods(ref, [pod, replace(POD, uid=str(number + 1))])
        elif step == "publish":
            ledger.publish(at(now))
        elif step == "forget":
            ledger.forget(ref)
            totals = {key: total for key, total in totals.items() if key[0] != ref}
        else:
            ledger.set_hosts({HOST: HOSTS[HOST]} if number % 2 else HOSTS)
        assert len(ledger) <= most
        assert len(ledger) == sum(len(one.rows) for one in ledger._books.values())
        assert all(ledger.totals.get(key, 0) >= total for key, total in totals.items())
        totals = dict(ledger.totals)
        assert sum(totals.values()) <= sum(questions.values())
        for one in (REF, OTHER):
            seen = ledger.seen(one)
            assert len(seen) <= MOST_CONTACTS
            assert all(
                contact.lookups <= questions[one, contact.pod_uid, contact.host]
                and contact.first <= contact.last
                for contact in seen
            )


@given(STEPS)
@examples(200)
def test_what_is_restored_is_what_was_stored(
    steps: list[tuple[str, object, int, str, float]],
) -> None:
    ledger = Ledger()
    ledger.set_hosts(HOSTS)
    now = 0.0
    for step, ref, number, host, wait in steps:
        now += wait
        pod = PodMark(str(number), f"pod-{number}", at(number))
        if step in {"ask", "search"}:
            asked = Questions(at(now + 0.4), at(now + 0.4), search=step == "search")
            ledger.asked(ref, pod, host, asked)
        elif step == "refuse":
            ledger.answered(ref, pod, host, at(now + 0.4), refused=True)
        ledger.publish(at(now + 1))
    stored = msgspec.json.encode(WorkloadTelemetryStatus(contacts=ledger.records(REF)))
    records = msgspec.json.decode(stored, type=WorkloadTelemetryStatus).contacts
    after = Ledger()
    after.set_hosts(HOSTS)
    after.restore(REF, records, at(now + 1))
    assert after.publish(at(now + 1)) == frozenset()
    assert after.seen(REF) == ledger.seen(REF)
    assert after.records(REF) == records


@given(STEPS)
@examples(200)
def test_a_contact_is_published_at_most_hourly(
    steps: list[tuple[str, object, int, str, float]],
) -> None:
    ledger = a_ledger()
    now, published = 0.0, {}
    for step, _, number, host, wait in steps:
        now += wait
        if step in {"ask", "search", "pods"}:
            ask(ledger, now, pod=PodMark(str(number % 3), "pod"), host=host)
        elif step in {"refuse", "allow"}:
            pod = PodMark(str(number % 3), "pod")
            ledger.answered(REF, pod, host, at(now), refused=step == "refuse")
        before = {(one.pod_uid, one.host): one for one in ledger.seen(REF)}
        changed = ledger.publish(at(now))
        after = {(one.pod_uid, one.host): one for one in ledger.seen(REF)}
        assert (changed == {REF}) == (before != after)
        for key, one in after.items():
            old = before.get(key)
            if old is not None and replace(one, refused=old.refused) == old:
                continue
            assert key not in published or now - published[key] >= 3600
            published[key] = now
    later = at(now) + timedelta(hours=1)
    ledger.publish(later)
    assert ledger.publish(later + timedelta(days=9)) == frozenset()
