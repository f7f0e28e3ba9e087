"""Long histories of wild answers and a wild clock: what holds whatever happens.

``Witnessed`` says what has to hold in its own words; it knows nothing of how it is done.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, TelemetryHostStatus
from fleet_telemetry.egress.addresses import OwnNetwork, refusal_of
from fleet_telemetry.egress.host_lists import allowlist, denylist, is_complete
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_status_codec import decode_status, encode_status, status_to_write
from fleet_telemetry.egress.host_step import step_host
from fleet_telemetry.egress.model import Address, Lookup, family_of
from tests.support.depth import scaled
from tests.support.host_histories import DAY, HOST, HOUR, MINUTE, START, ok, says, v4

RULES = Retention(own=OwnNetwork(ranges=(ip_network("34.9.0.0/16"),)))
ONLY_IPV4 = replace(RULES, families=frozenset({AddressFamily.IPV4}))
SHORT = replace(RULES, longest_ttl=HOUR, freeze=2 * HOUR, deny_grace=4 * HOUR)
GAP = RULES.longest_gap
LIVING = [*(v4(number) for number in range(9)), *(IPv6Address("2600::") + n for n in range(4))]
BAD = [ip_address(text) for text in ("10.0.0.1", "0.0.0.0", "::", "34.9.0.1", "64:ff9b::a00:1")]
MAPPED = IPv6Address(f"::ffff:{LIVING[0]}")
SEEDS = frozenset({LIVING[0], LIVING[-1], v4(77)})
VIEWS = ("a", "b", "c")
WILD = settings(max_examples=scaled(60), deadline=None)
# Fewer where each example takes a host through many rounds.
LONG = settings(max_examples=scaled(40), deadline=None)

TTLS = st.sampled_from((0, 60, 3600, 10**6))


def one_answer(view: str, family: AddressFamily) -> st.SearchStrategy[Lookup]:
    living = [one for one in LIVING if family_of(one) is family]
    good = st.lists(st.sampled_from(living), min_size=1, max_size=8, unique=True)
    bad = st.sampled_from([one for one in (*BAD, MAPPED) if family_of(one) is family])
    spoilt = st.builds(lambda some, one: [*some, one], good, bad)
    addresses = st.one_of(good, good, good, spoilt)
    full = st.builds(
        lambda found, ttl: Lookup(view, family, LookupResult.OK, tuple(found), ttl), addresses, TTLS
    )
    outcomes = (
        LookupResult.NX_DOMAIN,
        LookupResult.NO_DATA,
        LookupResult.TRANSIENT,
        LookupResult.FAULT,
    )
    empty = st.builds(
        lambda outcome, ttl: Lookup(view, family, outcome, ttl=ttl),
        st.sampled_from(outcomes),
        TTLS,
    )
    return st.one_of(full, full, empty)


# Made once: a strategy that is made for an example takes longer than what it draws.
OF_VIEWS = {
    views: st.tuples(*(one_answer(view, family) for view in views for family in AddressFamily))
    for number in range(1, len(VIEWS) + 1)
    for views in permutations(VIEWS, number)
}
ROUNDS = st.lists(st.sampled_from(VIEWS), min_size=1, max_size=3, unique=True).flatmap(
    lambda views: OF_VIEWS[tuple(views)]
)


@dataclass(frozen=True)
class Step:
    """The same answers again and again."""

    answers: tuple[Lookup, ...]
    every: timedelta
    times: int
    jump: timedelta
    """Before the first time."""


STEPS = st.builds(
    Step,
    ROUNDS,
    st.sampled_from((timedelta(seconds=30), 5 * MINUTE, 10 * MINUTE, 11 * MINUTE, HOUR)),
    st.sampled_from((1, 1, 2, 3, 8)),
    st.sampled_from((*(timedelta(0) for _ in range(6)), HOUR, -HOUR, 30 * DAY, -400 * DAY)),
)
HISTORIES = st.lists(STEPS, max_size=8)


@dataclass
class Witnessed:
    """What somebody who writes down every answer has to see in the lists."""

    rules: Retention
    clock: timedelta = timedelta(0)
    """Only time in which somebody asked counts."""
    allowed_until: dict[Address, timedelta] = field(default_factory=dict)
    denied_until: dict[Address, timedelta] = field(default_factory=dict)
    last_seen: dict[Address, timedelta] = field(default_factory=dict)
    good_since: set[Address] = field(default_factory=set)
    """Addresses after which there was an answer with addresses that it was not in."""
    settled: set[AddressFamily] = field(default_factory=set)
    denials: dict[AddressFamily, list[timedelta]] = field(default_factory=dict)
    """When it was said in a row that there is nothing."""

    @property
    def longest_ttl(self) -> int:
        return int(self.rules.longest_ttl.total_seconds())

    def hears(self, answers: Sequence[Lookup], elapsed: timedelta) -> None:
        self.clock += elapsed
        answers = [answer for answer in answers if answer.family in self.rules.families]
        spoilt = {
            answer.name_server
            for answer in answers
            for address in answer.addresses
            if refusal_of(address, self.rules.own)
        }
        answers = [answer for answer in answers if answer.name_server not in spoilt]
        told: dict[Address, int] = {}
        for answer in answers:
            for given_address in answer.addresses:
                address = getattr(given_address, "ipv4_mapped", None) or given_address
                if family_of(address) in self.rules.families:
                    told[address] = max(told.get(address, 0), min(answer.ttl, self.longest_ttl))
        if told:
            self.good_since |= self.last_seen.keys() - told.keys()
        for family in self.rules.families:
            self._hears_of(family, {one.outcome for one in answers if one.family is family})
        for address, ttl in told.items():
            stay = self.clock + timedelta(seconds=ttl)
            self.last_seen[address] = self.clock
            self.good_since.discard(address)
            for until, grace in (
                (self.allowed_until, HOUR),
                (self.denied_until, self.rules.deny_grace),
            ):
                until[address] = max(until.get(address, timedelta(0)), stay + grace)

    def _hears_of(self, family: AddressFamily, outcomes: set[LookupResult]) -> None:
        if LookupResult.OK in outcomes:
            self.settled.add(family)
            self.denials[family] = []
        elif outcomes & {LookupResult.NO_DATA, LookupResult.NX_DOMAIN}:
            times = self.denials.setdefault(family, [])
            times.append(self.clock)
            if len(times) >= 3 and self.clock - times[0] >= 15 * MINUTE:
                # It may be believed; whether it has to be depends on the views.
                for address in self.allowed_until:
                    if family_of(address) is family:
                        self.allowed_until[address] = timedelta(0)

    def judges(self, state: HostState) -> None:
        allow, deny = set(allowlist(state, self.rules)), set(denylist(state, self.rules))
        seeds = {one for one in SEEDS if family_of(one) in self.rules.families}
        # Nothing is in a list that nobody gave, or that may not be.
        assert deny <= self.last_seen.keys() | seeds
        assert seeds <= deny
        assert not {one for one in deny if refusal_of(one, self.rules.own)}
        assert {family_of(one) for one in deny} <= self.rules.families
        # Nothing leaves early.
        for address, until in self.allowed_until.items():
            assert until <= self.clock or address in allow, f"{address} left the allowlist early"
        for address, until in self.denied_until.items():
            assert until <= self.clock or address in deny, f"{address} left the denylist early"
        for address in self.last_seen.keys() - deny:
            assert address in self.good_since, f"{address} left the denylist without a good answer"
        # Nothing stays for ever.
        known = {one.address for one in state.known if one.expires_at is not None}
        for address in known:
            late = self.clock - self.last_seen[address]
            assert late <= 28 * HOUR, f"{address} stays in the allowlist"
        for one in state.known:
            assert (one.expires_at or one.seen_at) <= one.seen_at + self.rules.longest_allowed
            assert state.as_of is not None
            assert one.deny_expires_at <= state.as_of + self.rules.longest_denied
        # And how the lists hang together.
        assert allow - known <= {one for one in seeds if family_of(one) not in self.settled}
        assert allow <= deny
        assert len(state.known) <= self.rules.most_addresses
        assert is_complete(state, self.rules)


class Run:
    """A host taken through steps."""

    def __init__(self, rules: Retention = RULES) -> None:
        self.rules = rules
        self.state = HostState(HOST, SEEDS)
        self.now = START
        self.witnessed = Witnessed(rules)

    def takes(self, step: Step) -> None:
        self.now += step.jump
        for _ in range(step.times):
            self.now += step.every
            before = self.state.as_of
            self.state = step_host(self.state, step.answers, self.now, self.rules)
            elapsed = timedelta(0)
            if before is not None:
                elapsed = min(max(self.now - before, timedelta(0)), GAP)
            self.witnessed.hears(step.answers, elapsed)
            self.witnessed.judges(self.state)


@pytest.mark.thorough
@pytest.mark.parametrize("rules", [RULES, ONLY_IPV4], ids=["both", "ipv4"])
@settings(WILD, max_examples=scaled(100))
@given(steps=HISTORIES)
def test_nothing_leaves_early_and_nothing_stays_for_ever(
    rules: Retention, steps: list[Step]
) -> None:
    run = Run(rules)
    run.witnessed.judges(run.state)
    for step in steps:
        run.takes(step)


@LONG
@given(
    steps=HISTORIES,
    truth=st.lists(st.sampled_from(LIVING[:9]), min_size=1, max_size=8, unique=True),
    ipv6=st.lists(st.sampled_from(LIVING[9:]), max_size=3, unique=True),
)
def test_the_lists_become_what_dns_says_for_long_enough(
    steps: list[Step], truth: list[Address], ipv6: list[Address]
) -> None:
    run = Run(SHORT)
    for step in steps:
        run.takes(step)
    answers = ok(*truth, *ipv6, ttl=300)
    if not ipv6:
        answers += says(LookupResult.NO_DATA, AddressFamily.IPV6)

    # Nothing was seen later than now, so at the latest: freeze, grace, hold and coalescing later.
    run.takes(Step(answers, GAP, 6 * 6, timedelta(0)))
    assert set(allowlist(run.state, SHORT)) == {*truth, *ipv6}

    run.takes(Step(answers, GAP, 6 * 6, timedelta(0)))
    assert set(allowlist(run.state, SHORT)) == {*truth, *ipv6}
    assert set(denylist(run.state, SHORT)) == {*truth, *ipv6, *SEEDS}


def through_the_api(status: TelemetryHostStatus) -> TelemetryHostStatus:
    return msgspec.json.decode(msgspec.json.encode(status), type=TelemetryHostStatus)


@WILD
@given(steps=HISTORIES, more=STEPS)
def test_a_restart_loses_nothing(steps: list[Step], more: Step) -> None:
    run = Run()
    for step in steps:
        run.takes(step)
    saved = through_the_api(encode_status(run.state, RULES))
    restarted = decode_status(HOST, saved, SEEDS, RULES)

    assert allowlist(restarted, RULES) == allowlist(run.state, RULES)
    assert denylist(restarted, RULES) == denylist(run.state, RULES)
    now = run.now + more.jump
    for _ in range(more.times):
        now += more.every
        run.state = step_host(run.state, more.answers, now, RULES)
        restarted = step_host(restarted, more.answers, now, RULES)
        # What was refused before the restart is not told again, and how often to ask is found anew.
        forgotten: dict[str, Any] = {"refusals": (), "quiet": 0, "interval": 0.0}
        assert replace(restarted, **forgotten) == replace(run.state, **forgotten)


@WILD
@given(steps=HISTORIES)
def test_it_is_saved_when_something_changed_and_only_then(steps: list[Step]) -> None:
    run = Run()
    saved = TelemetryHostStatus()
    for step in steps:
        for time in range(step.times):
            before = run.state
            run.takes(replace(step, times=1, jump=timedelta(0) if time else step.jump))
            changed = [
                (allowlist(state, RULES), denylist(state, RULES)) for state in (before, run.state)
            ]
            has_to = status_to_write(saved, run.state, run.now, RULES)
            if changed[0] != changed[1]:
                assert has_to
            if has_to:
                saved = through_the_api(encode_status(run.state, RULES, saved.conditions))
            assert not status_to_write(saved, run.state, run.now, RULES)
            restarted = decode_status(HOST, saved, SEEDS, RULES)
            assert allowlist(restarted, RULES) == allowlist(run.state, RULES)
            assert denylist(restarted, RULES) == denylist(run.state, RULES)


@WILD
@given(steps=HISTORIES, seed=st.integers())
def test_the_order_of_answers_does_not_matter(steps: list[Step], seed: int) -> None:
    chance = random.Random(seed)
    run, other = Run(), Run()
    for step in steps:
        run.takes(step)
        answers = [
            replace(one, addresses=tuple(chance.sample(one.addresses, len(one.addresses))))
            for one in step.answers
        ]
        other.takes(replace(step, answers=tuple(chance.sample(answers, len(answers)))))
    assert other.state == run.state


@WILD
@given(
    rounds=st.lists(
        st.tuples(
            ROUNDS,
            st.sampled_from((timedelta(0), MINUTE, 5 * MINUTE, GAP)),
            st.sampled_from((timedelta(0), HOUR, 3 * DAY, 4000 * DAY)),
        ),
        max_size=30,
    )
)
def test_a_wild_clock_makes_the_same_lists_as_a_tame_one(
    rounds: list[tuple[tuple[Lookup, ...], timedelta, timedelta]],
) -> None:
    tame = wild = HostState(HOST, SEEDS)
    tame_now = wild_now = START
    for answers, elapsed, jump in rounds:
        tame_now += elapsed
        # Ahead it cannot be told from a long gap, back not from a short one.
        wild_now += elapsed
        if elapsed == GAP:
            wild_now += jump
        elif not elapsed:
            wild_now -= jump
        tame = step_host(tame, answers, tame_now, RULES)
        wild = step_host(wild, answers, wild_now, RULES)
        assert allowlist(wild, RULES) == allowlist(tame, RULES)
        assert denylist(wild, RULES) == denylist(tame, RULES)


POOL = [v4(number) for number in range(300)]


@LONG
@given(
    rounds=st.lists(
        st.tuples(st.integers(1, 150), st.integers(0, 299), st.integers(0, 80), st.integers(0, 30)),
        max_size=40,
    )
)
def test_too_many_addresses_never_become_more(
    rounds: list[tuple[int, int, int, int]],
) -> None:
    state, now = HostState(HOST), START
    for count, first, count6, hours in rounds:
        now += MINUTE
        told = [POOL[(first + number) % 300] for number in range(count)]
        told6 = [IPv6Address("2600::") + number for number in range(count6)]
        before = state
        state = step_host(state, ok(*told, *told6, ttl=60), now, RULES)
        allow, deny = set(allowlist(state, RULES)), set(denylist(state, RULES))
        assert len(deny) <= 64
        if len({*denylist(before, RULES), *told, *told6}) > 64:
            assert not is_complete(state, RULES)
            assert len(deny) == 64
        else:
            assert {*told, *told6} <= allow
        # Neither family crowds out the other.
        for family, some in ((AddressFamily.IPV4, told), (AddressFamily.IPV6, told6)):
            kept = {one for one in allow if family_of(one) is family}
            assert len(kept) >= min(32, len(some))
        # The same again adds nothing.
        again = step_host(state, ok(*told, *told6, ttl=60), now + MINUTE, RULES)
        assert set(allowlist(again, RULES)) <= allow
        for _ in range(hours):
            now += HOUR
            state = step_host(state, ok(POOL[0]), now, RULES)
