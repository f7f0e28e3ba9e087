"""Whose an address was: never guessed, and bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.observed.address_book import (
    CLOCK_TOLERANCE,
    AddressBook,
    Holder,
    NoHolder,
    Unattributed,
)
from fleet_telemetry.observed.chain import CLOCK_OFFSET
from fleet_telemetry.observed.spelling import canonical_address
from fleet_telemetry.workloads.workload import PodPhase, PodTemplate
from tests.support.depth import examples
from tests.support.lookups import a_pod, at

A, B = "10.0.0.1", "10.0.0.2"


def whose(book: AddressBook, address: str, seconds: float) -> str:
    """The UID of the pod, or why there is none."""
    found = book.holder(address, at(seconds))
    return found.uid if isinstance(found, Holder) else found.why.value


def test_an_address_is_the_pods_from_its_first_container_on() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, started=10), at(14))
    assert book.holder(A, at(10)) == Holder("team", "pod-one", "one")
    assert book.holder(A, at(9)) == NoHolder(Unattributed.UNKNOWN, ("one",))
    assert book.holder(A, at(1)) == NoHolder(Unattributed.UNKNOWN)


def test_without_a_known_start_it_is_the_pods_since_it_was_seen() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, started=None), at(14))
    assert whose(book, A, 13) == "Unknown"
    assert whose(book, A, 14) == "one"


def test_a_pod_whose_containers_start_later_holds_its_address_from_when_it_was_seen() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, started=None), at(5))
    book.put("team", a_pod("one", A, started=8), at(9))
    assert whose(book, A, 5) == "one"
    book.put("team", a_pod("one", A, started=3), at(10))
    assert whose(book, A, 3) == "one"


def test_a_start_in_the_future_is_a_wrong_clock() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, started=1000), at(5))
    assert whose(book, A, 5) == "one"


def test_an_ended_pod_keeps_its_address_to_the_end_of_its_last_container() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A), at(1))
    book.put("team", a_pod("one", A, ended=20, phase=PodPhase.FAILED), at(25))
    assert whose(book, A, 20.9) == "one"
    assert book.holder(A, at(22)) == NoHolder(Unattributed.UNKNOWN, ("one",))
    assert whose(book, A, 30) == "Unknown"


def test_a_pod_that_is_being_deleted_still_asks_until_its_containers_ended() -> None:
    book = AddressBook()
    pod = replace(a_pod("one", A), terminating=True)
    book.put("team", pod, at(1))
    assert whose(book, A, 5) == "one"
    book.put("team", replace(pod, containers_ended=at(6)), at(9))
    assert whose(book, A, 8) == "Unknown"


def test_a_pod_that_had_ended_when_it_was_first_seen_is_nobody() -> None:
    book = AddressBook()
    book.put("team", a_pod("job", A, phase=PodPhase.SUCCEEDED), at(60))
    assert whose(book, A, 30) == "Unknown"
    assert len(book) == 0


def test_a_pod_that_lived_for_a_second_had_its_address_then() -> None:
    book = AddressBook()
    book.put("team", a_pod("job", A, started=30, ended=31, phase=PodPhase.SUCCEEDED), at(33))
    assert whose(book, A, 31) == "job"
    assert whose(book, A, 60) == "Unknown"
    book.put("team", a_pod("old", B, started=30, ended=31, phase=PodPhase.SUCCEEDED), at(3000))
    assert len(book) == 1


def test_a_pod_that_ended_nobody_knows_when_leaves_its_address_unsure() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, started=20), at(21))
    book.put("team", a_pod("job", A, phase=PodPhase.SUCCEEDED), at(24))
    assert whose(book, A, 25) == "Reused"
    assert whose(book, A, 30) == "one"


@pytest.mark.parametrize(
    ("gap", "asked", "expected"),
    [
        (0, 98, "Reused"),
        (0, 100, "Shared"),
        (1, 102, "Reused"),
        (60, 90, "one"),
        (60, 130, "Unknown"),
        (60, 159, "Unknown"),
        (60, 160, "two"),
        (60, 300, "two"),
        (8, 102, "Unknown"),
        (8, 104, "Reused"),
    ],
)
def test_time_decides_between_two_pods(gap: float, asked: float, expected: str) -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A), at(0))
    book.remove("one", at(100))
    book.put("team", a_pod("two", A, started=100 + gap), at(104 + gap))
    assert whose(book, A, asked) == expected


def test_two_pods_at_once_are_neither() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A), at(0))
    book.put("team", a_pod("two", A), at(0))
    assert book.holder(A, at(50)) == NoHolder(Unattributed.SHARED, ("one", "two"))
    book.remove("one", at(60))
    assert whose(book, A, 70) == "two"


def test_a_pod_that_was_deleted_by_force_and_comes_back_has_held_its_address() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A), at(0))
    book.remove("one", at(100))
    assert whose(book, A, 110) == "Unknown"
    book.put("team", a_pod("one", A), at(120))
    assert whose(book, A, 110) == "one"
    book.forget(at(100_000))
    assert whose(book, A, 99_999) == "one"
    book.remove("one", at(100_000))
    assert whose(book, A, 100_030) == "Unknown"


def test_a_pod_of_the_same_name_is_another_one() -> None:
    book = AddressBook()
    book.put("team", replace(a_pod("one", A), name="web-0"), at(0))
    book.remove("one", at(100))
    book.put("team", replace(a_pod("two", B, started=101), name="web-0"), at(102))
    assert whose(book, A, 130) == "Unknown"
    assert whose(book, B, 130) == "two"


def test_an_address_that_changed_is_the_pods_since_it_was_seen() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A), at(0))
    book.put("team", a_pod("one", B), at(100))
    assert whose(book, B, 90) == "Unknown"
    assert whose(book, B, 100) == "one"
    assert whose(book, A, 130) == "Unknown"
    # The kubelet may leave the address out for a while.
    book.put("team", a_pod("one"), at(110))
    book.put("team", a_pod("one", B), at(112))
    assert whose(book, B, 111) == "one"


def test_an_address_of_a_node_is_no_pods() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, node=B), at(0))
    book.put("team", a_pod("two", A, "fd00::2", template=PodTemplate((), host_network=True)), at(0))
    assert whose(book, B, 5) == "Node"
    assert whose(book, "fd00::2", 5) == "Node"
    assert whose(book, A, 5) == "Node"
    book.remove("two", at(10))
    assert whose(book, A, 30) == "one"
    book.remove("one", at(40))
    assert whose(book, B, 44) == "Node"
    book.forget(at(5000))
    assert whose(book, B, 44) == "Unknown"


@pytest.mark.parametrize(
    ("given_", "asked"),
    [
        ("fd00::1", "fd00:0:0:0::0:1"),
        ("FD00::A", "fd00::a"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "::FFFF:0a00:0001"),
        ("010.000.0.1", "10.0.0.1"),
        ("fd00::1%eth0", "fd00::1"),
        (" 10.0.0.1 ", "10.0.0.1"),
    ],
)
def test_an_address_has_one_spelling(given_: str, asked: str) -> None:
    book = AddressBook()
    book.put("team", a_pod("one", given_), at(0))
    assert whose(book, asked, 5) == "one"


def test_all_addresses_of_a_pod_count() -> None:
    book = AddressBook()
    book.put("team", a_pod("one", A, "fd00::1"), at(0))
    book.put("team", replace(a_pod("two"), address=B), at(0))
    assert [whose(book, one, 5) for one in (A, "fd00::1", B)] == ["one", "one", "two"]


@pytest.mark.parametrize("text", ["", "web", "10.0.0", "10.0.0.256", "1" * 99, "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_nobodys(text: str) -> None:
    book = AddressBook()
    book.put("team", a_pod("one", text, A), at(0))
    assert canonical_address(text) is None
    assert whose(book, text, 5) == "Unknown"
    assert whose(book, A, 5) == "one"


@given(st.text(max_size=60))
@examples(200)
def test_no_text_breaks_the_spelling(text: str) -> None:
    once = canonical_address(text)
    assert once is None or canonical_address(once) == once


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_times_that_cannot_be_break_nothing(year: int) -> None:
    book = AddressBook()
    time = datetime(year, 1, 1, tzinfo=UTC)
    pod = replace(a_pod("one", A, node=B), started=time, containers_started=time)
    book.put("team", pod, at(0))
    assert whose(book, A, 0) == "one"
    assert whose(book, B, 0) == "Node"
    book.put("team", replace(pod, containers_ended=datetime(9998, 1, 1, tzinfo=UTC)), at(5))
    assert isinstance(book.holder(A, time), NoHolder | Holder)
    assert whose(book, A, 30) == "Unknown"


def test_a_pod_without_a_uid_is_nobody() -> None:
    book = AddressBook()
    book.put("team", a_pod("", A), at(0))
    assert whose(book, A, 5) == "Unknown"


def test_what_ended_is_dropped_and_its_time_is_nobodys() -> None:
    book = AddressBook(kept_for=timedelta(minutes=5))
    book.put("team", a_pod("one", A), at(0))
    book.remove("one", at(100))
    book.forget(at(399))
    assert whose(book, A, 100) == "one"
    book.put("team", a_pod("two", B), at(400))
    book.forget(at(401))
    assert len(book) == 1
    assert whose(book, A, 100) == "Unknown"
    assert whose(book, B, 100) == "Unknown"


def test_the_number_of_pods_is_bounded_and_those_that_ended_go_first() -> None:
    book = AddressBook(most_pods=2)
    book.put("team", a_pod("one", A), at(0))
    book.put("team", a_pod("two", B), at(0))
    book.put("team", a_pod("three", "10.0.0.3"), at(1))
    assert (len(book), book.left_out, whose(book, "10.0.0.3", 5)) == (2, 1, "Unknown")
    book.remove("one", at(10))
    book.put("team", a_pod("four", "10.0.0.4"), at(11))
    assert (len(book), book.left_out, whose(book, "10.0.0.4", 11)) == (2, 1, "four")
    assert whose(book, A, 9) == "Unknown"


@pytest.mark.parametrize("ended", [True, False])
def test_more_pods_at_an_address_than_are_kept_make_it_unsure(*, ended: bool) -> None:
    book = AddressBook()
    for number in range(9):
        book.put("team", a_pod(str(number), A, started=number), at(number))
    if ended:
        for number in range(1, 9):
            book.remove(str(number), at(100))
    assert whose(book, A, 200) == "Reused"


def test_addresses_of_pods_that_come_and_go_take_no_memory() -> None:
    book = AddressBook()
    for number in range(2000):
        book.put("team", a_pod(str(number), f"10.1.{number % 250}.1", node=B), at(number))
        book.remove(str(number), at(number + 1))
        book.forget(at(number))
    assert len(book) < 400
    held = book._at, book._nodes, book._ended, book._left
    assert all(len(one) < 400 for one in held)


@dataclass(frozen=True)
class Tenant:
    """What truly happened: who had the address from when to when, all in seconds."""

    uid: str
    address: str
    begins: float
    ends: float
    fed: bool
    """Whether the book is told of it: it runs a product."""
    seen_late: float
    end_seen_late: float
    skew: float
    """Of its node's clock."""
    says_end: bool
    """The API says when its containers ended; else it is deleted once they have."""


@st.composite
def tenancies(draw: st.DrawFn) -> list[Tenant]:
    """Pods that follow each other at some addresses."""
    found = []
    for address in (A, "fd00::1"):
        time = 100.0
        for number in range(draw(st.integers(1, 5))):
            fed = draw(st.booleans())
            # One that is not known to the book takes an address over after the clocks' tolerance.
            # The API says late what happened to one that is known.
            least = 0.0 if fed and (not found or found[-1].fed) else 16.0
            time += least + draw(st.sampled_from([0.0, 0.2, 1.0, 4.0, 9.0, 60.0]))
            ends = time + draw(st.sampled_from([0.5, 2.0, 6.0, 30.0, 90.0]))
            found.append(
                Tenant(
                    f"{address}/{number}",
                    draw(st.sampled_from([address, f"::ffff:{address}"]))
                    if "." in address
                    else address,
                    time,
                    ends,
                    fed,
                    draw(st.sampled_from([0.0, 1.0, 8.0])),
                    draw(st.sampled_from([0.0, 1.0, 8.0])),
                    draw(st.sampled_from([-1.0, 0.0, 1.0])),
                    draw(st.booleans()),
                )
            )
            time = ends
    return found


def history(tenants: list[Tenant], asked_at: float) -> AddressBook:
    """What the book knows 10 seconds after a lookup."""
    events: list[tuple[float, int, Tenant]] = []
    for one in tenants:
        if one.fed:
            seen = one.begins + one.seen_late
            gone = max(one.ends + one.end_seen_late, seen)
            events += [(seen, 0, one), (gone, 1, one)]
    book = AddressBook()
    for time, step, one in sorted(events, key=lambda event: (event[0], event[1], event[2].uid)):
        if time > asked_at + 10:
            continue
        pod = a_pod(one.uid, one.address, started=float(int(one.begins + one.skew)))
        if step == 0:
            if one.ends > time or not one.says_end:
                book.put("team", pod, at(time))
        elif one.says_end:
            ended = a_pod(one.uid, one.address, ended=float(int(one.ends + one.skew)))
            book.put("team", replace(ended, phase=PodPhase.SUCCEEDED), at(time))
        else:
            book.remove(one.uid, at(time))
        book.forget(at(time))
    return book


@given(tenancies(), st.floats(0.0, 1.0), st.sampled_from([-3.0, -1.0, 0.0, 1.0, 3.0]), st.data())
@examples(400)
def test_no_lookup_is_ever_another_pods(
    tenants: list[Tenant], part: float, offset: float, data: st.DataObject
) -> None:
    asking = data.draw(st.sampled_from(tenants))
    when = asking.begins + part * (asking.ends - asking.begins)
    found = history(tenants, when).holder(asking.address, at(when + offset))
    if isinstance(found, Holder):
        assert found.uid == asking.uid


def test_the_tolerance_covers_both_clocks_and_whole_seconds() -> None:
    assert timedelta(seconds=2) + CLOCK_OFFSET <= CLOCK_TOLERANCE
