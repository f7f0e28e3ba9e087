from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, PublishedRanges
from fleet_telemetry.egress.addresses import OwnNetwork
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_lists import (
    allowlist,
    denylist,
    host_facts,
    is_complete,
    shared_addresses,
)
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_step import next_lookup, step_host
from fleet_telemetry.egress.model import Address, Lookup
from tests.support.host_histories import (
    DAY,
    HOST,
    HOUR,
    MINUTE,
    RULES,
    START,
    History,
    ok,
    says,
    v4,
)

A, B, C, D = (v4(number) for number in range(4))
A6 = IPv6Address("2600::a")
B6 = IPv6Address("2600::b")
SECOND = timedelta(seconds=1)
FAILURE = says(LookupResult.TRANSIENT)
NX = says(LookupResult.NX_DOMAIN)
NO_IPV6 = says(LookupResult.NO_DATA, AddressFamily.IPV6)


@pytest.fixture
def host() -> History:
    return History()


class TestLists:
    def test_are_empty_before_anything_is_known(self, host: History) -> None:
        assert allowlist(host.state, RULES) == ()
        assert denylist(host.state, RULES) == ()
        assert host_facts(host.state, RULES) == HostFacts()

    def test_have_an_address_at_once(self, host: History) -> None:
        host.hears(*ok(B, A, A6, name_server="a"), *ok(C, name_server="b"))

        assert host.allow == host.deny == [A, B, C, A6]

    def test_a_mapped_address_counts_as_what_it_maps(self, host: History) -> None:
        mapped = IPv6Address(f"::ffff:{A}")
        host.hears(Lookup("a", AddressFamily.IPV6, LookupResult.OK, (mapped, A6), 60))

        assert host.allow == [A, A6]

    def test_facts_for_decisions(self, host: History) -> None:
        shared = ip_address("104.16.1.1")
        host.hears(*ok(A, shared))
        ranges = PublishedRanges(
            provider="Cloudflare", etag="x", cidrs=("104.16.0.0/13", "2606:4700::/32")
        )
        host.state = replace(host.state, ranges=ranges)

        facts = host_facts(host.state, replace(RULES, families=frozenset({AddressFamily.IPV4})))

        assert facts == HostFacts(
            allow=(ip_network(A), ip_network(shared)),
            deny=(ip_network(A), ip_network(shared)),
            ranges=(ip_network("104.16.0.0/13"),),
            complete=True,
            shared_by="Cloudflare",
        )
        assert shared_addresses(host.state, RULES) == {shared: "Cloudflare"}


class TestTime:
    def test_an_address_stays_its_ttl_and_an_hour_in_the_allowlist(self, host: History) -> None:
        host.hears(*ok(A, B, ttl=600))
        host.hears(*ok(A), after=HOUR + 9 * MINUTE)
        assert host.allow == [A, B]

        host.hears(*ok(A), after=MINUTE + 10 * MINUTE)
        assert host.allow == [A]
        assert host.deny == [A, B]

    def test_an_address_stays_a_week_in_the_denylist(self, host: History) -> None:
        host.hears(*ok(A, B, ttl=600))
        host.hears(*ok(A), after=7 * DAY + 9 * MINUTE)
        assert host.deny == [A, B]

        host.hears(*ok(A), after=MINUTE + 10 * MINUTE)
        assert host.deny == [A]

    def test_a_ttl_is_at_most_a_day(self, host: History) -> None:
        host.hears(*ok(A, B, ttl=2**31 - 1))
        host.hears(*ok(A), after=25 * HOUR - MINUTE)
        assert host.allow == [A, B]

        host.hears(*ok(A), after=11 * MINUTE)
        assert host.allow == [A]

    def test_a_negative_ttl_counts_as_none(self, host: History) -> None:
        host.hears(*ok(A, B, ttl=-(10**12)))
        host.hears(*ok(A), after=HOUR - SECOND)
        assert host.allow == [A, B]

    def test_what_is_left_of_a_ttl_in_a_cache_does_not_shorten_the_stay(
        self, host: History
    ) -> None:
        host.hears(*ok(A, B, ttl=4 * 3600))
        host.hears(*ok(A, B, ttl=1), after=MINUTE)
        host.hears(*ok(A), after=5 * HOUR - 2 * MINUTE)
        assert host.allow == [A, B]
        host.hears(*ok(A), after=7 * DAY - HOUR, every=10 * MINUTE)
        assert host.deny == [A, B]

    def test_it_is_renewed_by_being_seen(self, host: History) -> None:
        host.hears(*ok(A, B))
        for _ in range(5):
            host.hears(*ok(A), after=HOUR)
            host.hears(*ok(A, B), after=MINUTE)
        assert host.allow == [A, B]

    def test_the_lists_do_not_change_while_nobody_asks(self, host: History) -> None:
        host.hears(*ok(A))
        before = host.state
        host.jumps(400 * DAY)
        host.hears()
        assert host.state == before
        assert host.allow == [A]


class TestFamilies:
    def test_go_by_themselves(self, host: History) -> None:
        host.hears(*ok(A, A6))
        host.hears(*ok(A), *NO_IPV6, after=20 * MINUTE)
        assert host.allow == [A]
        assert host.deny == [A, A6]

        host.hears(*says(LookupResult.NX_DOMAIN), *ok(A6), after=20 * MINUTE)
        assert host.allow == [A6]

    @pytest.mark.thorough
    def test_what_dns_no_longer_has_of_one_leaves_the_denylist_after_a_week(
        self, host: History
    ) -> None:
        host.hears(*ok(A, A6))
        host.hears(*ok(A), *NO_IPV6, after=7 * DAY)
        assert host.deny == [A, A6]
        host.hears(*ok(A), *NO_IPV6, after=HOUR)
        assert host.deny == [A]

    def test_an_unwanted_one_is_ignored(self) -> None:
        host = History(replace(RULES, families=frozenset({AddressFamily.IPV4})), frozenset({A6, B}))
        sinkhole = IPv6Address("::")
        host.hears(*ok(A, sinkhole))
        host.hears(
            Lookup("a", AddressFamily.IPV6, LookupResult.OK, (A6,), 60), *ok(A), after=MINUTE
        )

        assert host.allow == [A]
        assert host.deny == [A, B]
        assert host.said("Sinkholed") == ("False", "NotSinkholed")
        assert host.said("Fresh") == ("True", "Answered")

    def test_mapped_into_a_wanted_one_it_is_unwanted_still(self) -> None:
        host = History(replace(RULES, families=frozenset({AddressFamily.IPV6})))
        host.hears(
            Lookup("a", AddressFamily.IPV6, LookupResult.OK, (IPv6Address(f"::ffff:{A}"), A6), 60)
        )
        assert host.deny == [A6]

    def test_nothing_but_unwanted_answers_is_no_round(self) -> None:
        host = History(replace(RULES, families=frozenset({AddressFamily.IPV4})))
        host.hears(*ok(A6))
        assert host.state == HostState(HOST)

    def test_switching_one_off_takes_its_addresses_out(self, host: History) -> None:
        host.hears(*ok(A, A6))
        host.has_rules(replace(RULES, families=frozenset({AddressFamily.IPV4})))
        assert host.allow == host.deny == [A]

        host.hears(*ok(A), after=MINUTE)
        host.has_rules(RULES)
        assert host.deny == [A]

    def test_one_that_is_not_in_a_round_stands_still(self, host: History) -> None:
        host.hears(*ok(A, A6))
        host.hears(*ok(A), after=24 * HOUR)
        assert host.allow == [A, A6]


class TestRefusedAnswers:
    PRIVATE = ip_address("10.0.0.1")

    def test_everything_of_the_view_is_put_aside(self, host: History) -> None:
        host.hears(*ok(self.PRIVATE, A, A6, name_server="bad"), *ok(B, name_server="good"))

        assert host.allow == host.deny == [B]
        assert host.said("Fresh") == ("False", "AnswersRefused")  # nobody else has IPv6
        assert "bad: 10.0.0.1 is private" in host.condition("Fresh").message

    def test_other_views_answers_are_used(self, host: History) -> None:
        host.hears(*ok(self.PRIVATE, name_server="bad"), *ok(B, B6, name_server="good"))
        assert host.allow == [B, B6]
        assert host.said("Fresh") == ("True", "SomeAnswersRefused")

    def test_its_denials_are_put_aside_as_well(self, host: History) -> None:
        host.hears(*ok(A, A6))
        bad = (*ok(ip_address("0.0.0.0")), *NO_IPV6)
        host.hears(*bad, after=2 * HOUR)
        assert host.allow == [A, A6]
        assert host.said("Sinkholed") == ("True", "BlockedByNameServer")
        assert "0.0.0.0" in host.condition("Sinkholed").message

    @pytest.mark.thorough
    def test_a_day_of_them_empties_the_allowlist_and_never_the_denylist(
        self, host: History
    ) -> None:
        host.hears(*ok(A))
        host.hears(*ok(ip_address("0.0.0.0")), after=24 * HOUR)
        assert host.allow == [A]
        host.hears(*ok(ip_address("0.0.0.0")), after=2 * HOUR)
        assert host.allow == []
        host.hears(*ok(ip_address("0.0.0.0")), after=30 * DAY, every=10 * MINUTE)
        assert host.deny == [A]

    @pytest.mark.parametrize("text", ["0.0.0.0", "::", "127.0.0.1", "::1", "64:ff9b::"])
    def test_a_sinkhole_is_told_for_a_quarter_of_an_hour(self, host: History, text: str) -> None:
        host.hears(*ok(A, A6))
        host.hears(*ok(ip_address(text), name_server="b"), *ok(A, A6), after=MINUTE)
        assert host.said("Sinkholed") == ("True", "BlockedByNameServer")
        host.hears(*ok(A, A6), after=14 * MINUTE)
        assert host.said("Sinkholed") == ("True", "BlockedByNameServer")
        host.hears(*ok(A, A6), after=MINUTE)
        assert host.said("Sinkholed") == ("False", "NotSinkholed")

    def test_of_several_mistakes_the_sinkhole_is_told(self, host: History) -> None:
        host.hears(*ok(self.PRIVATE, ip_address("127.0.0.1"), ip_address("224.0.0.1")))
        assert host.said("Sinkholed")[0] == "True"

    def test_the_cluster_s_own_addresses_are_refused(self) -> None:
        host = History(replace(RULES, own=OwnNetwork(ranges=(ip_network("34.0.0.0/30"),))))
        host.hears(*ok(A, v4(9)))
        assert host.deny == []

    def test_ranges_that_turn_out_to_be_the_cluster_s_own_leave_the_lists(
        self, host: History
    ) -> None:
        host.hears(*ok(A, v4(9)))
        host.has_rules(replace(RULES, own=OwnNetwork(ranges=(ip_network("34.0.0.0/30"),))))
        assert host.allow == host.deny == [v4(9)]
        host.hears(*ok(v4(9)), after=MINUTE)
        assert [one.address for one in host.state.known] == [v4(9)]

    def test_no_addresses_in_a_good_answer_is_a_failure(self, host: History) -> None:
        host.hears(*ok(A))
        host.hears(Lookup("a", AddressFamily.IPV4, LookupResult.OK, (), 60), after=3 * HOUR)
        assert host.allow == [A]

    def test_only_so_many_are_remembered(self, host: History) -> None:
        for number in range(40):
            host.hears(*ok(self.PRIVATE, name_server=f"view-{number}"), after=SECOND)
        assert len(host.state.refusals) == 16
        assert host.state.refusals[-1].name_server == "view-39"


@pytest.mark.parametrize("outcome", [LookupResult.TRANSIENT, LookupResult.FAULT])
class TestFailures:
    def test_allow_for_a_day(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A, B, C, D, v4(5)))
        host.hears(*says(outcome), after=24 * HOUR)
        assert len(host.allow) == 5
        host.hears(*says(outcome), after=70 * MINUTE)
        assert host.allow == []

    @pytest.mark.thorough
    def test_deny_for_ever(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A, B))
        host.hears(*says(outcome), after=60 * DAY, every=10 * MINUTE)
        assert host.deny == [A, B]

        host.hears(*ok(A), after=7 * DAY - HOUR)
        assert host.deny == [A, B]
        host.hears(*ok(A), after=2 * HOUR)
        assert host.deny == [A]

    def test_the_rest_of_the_stay_runs_on_afterwards(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, B))
        host.hears(*ok(A), after=50 * MINUTE)
        host.hears(*says(outcome), after=10 * HOUR)
        host.hears(*ok(A), after=10 * MINUTE)
        assert host.allow == [A, B]
        host.hears(*ok(A), after=15 * MINUTE)
        assert host.allow == [A]

    @pytest.mark.thorough
    def test_of_one_view_keep_what_it_gave_for_a_day(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, name_server="a"), *ok(B, name_server="b"))
        host.hears(
            *ok(A, name_server="a"), *says(outcome, name_server="b"), after=24 * HOUR - MINUTE
        )
        assert host.allow == [A, B]
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"), after=80 * MINUTE)
        assert host.allow == [A]
        host.hears(
            *ok(A, name_server="a"),
            *says(outcome, name_server="b"),
            after=8 * DAY,
            every=10 * MINUTE,
        )
        assert host.deny == [A]

    def test_of_one_view_do_not_lengthen_the_stay_of_what_others_give(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, name_server="a"), *ok(B, name_server="b"))
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"), after=10 * MINUTE)
        first, second = host.state.known
        assert first.expires_at == host.now + HOUR + MINUTE
        assert first.deny_expires_at == host.now + 7 * DAY + MINUTE
        assert second.expires_at == host.now + HOUR + MINUTE  # time stands still
        assert second.seen_at == START

    def test_of_a_view_that_never_answered_keep_nothing(
        self, host: History, outcome: LookupResult
    ) -> None:
        broken = says(outcome, name_server="broken")
        host.hears(*ok(A, B), *broken)
        host.hears(*ok(A), *broken, after=2 * HOUR)
        assert host.allow == [A]

    def test_of_a_view_that_is_no_longer_asked_keep_nothing(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, name_server="a"), *ok(B, name_server="b"))
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"), after=MINUTE)
        host.hears(*ok(A, name_server="a"), after=2 * HOUR)
        assert host.allow == [A]

    def test_are_told_after_a_quarter_of_an_hour(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, A6))
        both = says(outcome, AddressFamily.IPV4, AddressFamily.IPV6)
        host.hears(*both, after=14 * MINUTE)
        assert host.said("Fresh") == ("True", "Answered")
        host.hears(*both, after=MINUTE)
        assert host.said("Fresh") == ("False", "NoAnswer")
        assert host.said("Resolved") == ("True", "AddressesKnown")
        host.hears(*both, after=26 * HOUR)
        assert host.said("Resolved") == ("False", "AddressesExpired")


@pytest.mark.parametrize("outcome", [LookupResult.NO_DATA, LookupResult.NX_DOMAIN])
class TestNothingThere:
    def test_is_believed_after_three_times_in_a_quarter_of_an_hour(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A))
        host.hears(*says(outcome), after=7 * MINUTE, every=HOUR)
        host.hears(*says(outcome), after=10 * MINUTE, every=HOUR)
        assert host.allow == [A]  # twice
        host.hears(*says(outcome), after=SECOND)
        assert host.allow == [A]  # 10 minutes after the first time
        host.hears(*says(outcome), after=5 * MINUTE - 2 * SECOND)
        assert host.allow == [A]
        host.hears(*says(outcome), after=SECOND)
        assert host.allow == []
        assert host.deny == [A]

    def test_a_single_good_answer_begins_anew(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A))
        for _ in range(5):
            host.hears(*ok(A), after=MINUTE)
            host.hears(*says(outcome), after=15 * MINUTE)
            assert host.allow == [A]

    def test_failures_in_between_neither_count_nor_begin_anew(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A))
        host.hears(*says(outcome), after=SECOND)
        host.hears(*FAILURE, after=20 * MINUTE)
        host.hears(*says(outcome), after=SECOND)
        host.hears(*FAILURE, after=20 * MINUTE)
        assert host.allow == [A]
        host.hears(*says(outcome), after=SECOND)
        assert host.allow == []

    def test_against_another_view_it_is_nothing(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"))
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"), after=DAY)
        assert host.allow == [A]

    def test_while_the_view_that_knew_better_fails_it_is_nothing(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, name_server="a"), *says(outcome, name_server="b"))
        failing = (*says(LookupResult.TRANSIENT, name_server="a"), *says(outcome, name_server="b"))
        host.hears(*failing, after=23 * HOUR)
        assert host.allow == [A]
        host.hears(*failing, after=90 * MINUTE)
        assert host.allow == []

    def test_a_view_that_only_fails_does_not_stand_in_the_way(
        self, host: History, outcome: LookupResult
    ) -> None:
        host.hears(*ok(A, name_server="a"), *says(LookupResult.TRANSIENT, name_server="b"))
        host.hears(
            *says(outcome, name_server="a"),
            *says(LookupResult.TRANSIENT, name_server="b"),
            after=20 * MINUTE,
        )
        assert host.allow == []

    @pytest.mark.thorough
    def test_the_denylist_keeps_what_was_there(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A))
        host.hears(
            *says(outcome, AddressFamily.IPV4, AddressFamily.IPV6),
            after=60 * DAY,
            every=10 * MINUTE,
        )
        assert host.deny == [A]
        assert host.state.family(AddressFamily.IPV4).negatives == 3  # and does not grow

    def test_is_told(self, host: History, outcome: LookupResult) -> None:
        host.hears(*ok(A, A6))
        host.hears(*says(outcome, AddressFamily.IPV4, AddressFamily.IPV6), after=20 * MINUTE)
        reason = {LookupResult.NO_DATA: "NoAddress", LookupResult.NX_DOMAIN: "NoSuchName"}[outcome]
        assert host.said("Resolved") == ("False", reason)
        assert host.said("Fresh") == ("True", "Answered")


class TestHold:
    EIGHT = tuple(map(v4, range(8)))

    def test_a_large_loss_is_held_for_an_hour(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(A), after=HOUR + 2 * MINUTE)
        assert len(host.allow) == 8
        assert host.said("Held") == ("True", "SetShrank")
        host.hears(*ok(A), after=55 * MINUTE)
        assert len(host.allow) == 8
        host.hears(*ok(A), after=6 * MINUTE)
        assert host.allow == [A]
        assert host.said("Held") == ("False", "NothingHeld")

    def test_and_for_ten_rounds(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(A), after=HOUR + 10 * MINUTE, every=10 * MINUTE)
        host.hears(*ok(A), after=80 * MINUTE, every=10 * MINUTE)
        assert len(host.allow) == 8  # an hour, but 9 rounds
        host.hears(*ok(A), after=10 * MINUTE)
        assert host.allow == [A]

    def test_failures_in_between_do_not_count(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(A), after=HOUR + 2 * MINUTE)
        host.hears(*FAILURE, after=5 * HOUR)
        assert len(host.allow) == 8
        assert host.said("Held") == ("True", "SetShrank")

    def test_ends_when_they_are_back(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(A), after=HOUR + 30 * MINUTE)
        host.hears(*ok(*self.EIGHT[:4]), after=MINUTE)
        assert host.said("Held") == ("False", "NothingHeld")
        # The others are gone in the ordinary way, and the next hold begins anew.
        assert host.allow == list(self.EIGHT[:4])

    def test_half_is_not_more_than_half(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(*self.EIGHT[:4]), after=HOUR + 15 * MINUTE)
        assert host.allow == list(self.EIGHT[:4])

    def test_three_are_too_few_to_hold(self, host: History) -> None:
        host.hears(*ok(A, B, C))
        host.hears(*ok(A), after=HOUR + 15 * MINUTE)
        assert host.allow == [A]

    def test_a_host_that_moves_is_not_held(self, host: History) -> None:
        moved = tuple(map(v4, range(20, 28)))
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(*moved), after=HOUR + 15 * MINUTE)
        assert host.allow == list(moved)

    def test_a_name_that_is_gone_is_held_as_well(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*NX, after=60 * MINUTE)
        assert len(host.allow) == 8
        assert host.said("Held") == ("True", "SetShrank")
        host.hears(*NX, after=20 * MINUTE)
        assert host.allow == []

    def test_families_are_held_by_themselves(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT, A6, B6))
        host.hears(*ok(*self.EIGHT, A6), after=HOUR + 15 * MINUTE)
        assert host.allow == [*self.EIGHT, A6]
        host.hears(*ok(A, A6), after=HOUR + 15 * MINUTE)
        assert host.allow == [*self.EIGHT, A6]

    def test_does_not_outlast_a_long_failure(self, host: History) -> None:
        host.hears(*ok(*self.EIGHT))
        host.hears(*ok(A), after=HOUR + 2 * MINUTE)
        host.hears(*FAILURE, after=27 * HOUR)
        assert host.allow == []
        assert host.said("Held") == ("False", "NothingHeld")


class TestTooMany:
    def test_sixty_four_are_kept_always_the_same(self, host: History) -> None:
        all_of_them = list(map(v4, range(200)))
        host.hears(*ok(*all_of_them))
        first = host.allow
        assert len(first) == len(host.deny) == 64
        for seed in range(10):
            random.Random(seed).shuffle(all_of_them)
            host.hears(*ok(*all_of_them), after=MINUTE)
            assert host.allow == first
        assert host.said("Complete") == ("False", "TooManyAddresses")
        assert not is_complete(host.state, RULES)

    def test_what_is_returned_now_goes_before_all_that_was(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(100, 164)), ttl=86_400))
        host.hears(*ok(*map(v4, range(3)), ttl=86_400), after=SECOND)
        assert set(map(v4, range(3))) < set(host.deny)
        assert set(map(v4, range(3))) < set(host.allow)
        assert len(host.deny) == 64
        host.hears(*ok(*map(v4, range(64))), after=MINUTE)
        assert host.allow == host.deny == list(map(v4, range(64)))

    def test_a_host_with_more_than_are_kept_is_not_looked_up_every_second(
        self, host: History
    ) -> None:
        for turn in range(60):
            host.hears(*ok(*map(v4, range(turn * 8, turn * 8 + 8))), after=SECOND)
            assert set(map(v4, range(turn * 8, turn * 8 + 8))) <= set(host.deny)
        assert host.state.interval == RULES.shortest_interval.total_seconds()

    @given(
        st.lists(
            st.lists(st.integers(0, 200), min_size=1, max_size=64, unique=True),
            min_size=1,
            max_size=6,
        ),
        st.integers(0, 86_400),
    )
    def test_what_is_returned_is_denied_at_once(self, rounds: list[list[int]], ttl: int) -> None:
        host = History()
        for numbers in rounds:
            host.hears(*ok(*map(v4, numbers), ttl=ttl), after=MINUTE)
            assert set(map(v4, numbers)) <= set(host.deny)
            assert len(host.deny) <= 64

    def test_those_that_wait_to_leave_make_room(self, host: History) -> None:
        many = tuple(map(v4, range(64)))
        host.hears(*ok(*many))
        host.hears(*ok(A), after=HOUR + 2 * MINUTE)
        assert host.allow == list(many)  # held
        host.hears(*ok(A, *map(v4, range(100, 110))), after=SECOND)
        assert set(map(v4, (0, *range(100, 110)))) < set(host.allow)
        assert len(host.allow) == 64

    def test_those_that_are_allowed_go_before_those_that_are_not(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(40))))
        host.hears(*ok(*map(v4, range(100, 130))), after=MINUTE)
        host.hears(*ok(*map(v4, range(100, 130))), after=3 * HOUR)
        assert len(host.allow) == 30
        assert len(host.deny) == 64
        host.hears(*ok(*map(v4, range(200, 250))), after=MINUTE)
        assert len(host.allow) == 64
        assert host.deny == host.allow

    def test_of_those_that_are_only_denied_the_last_ones_stay(self, host: History) -> None:
        for first in range(0, 100, 20):
            host.hears(*ok(*map(v4, range(first, first + 20))), after=MINUTE)
            host.hears(*ok(*map(v4, range(first, first + 20))), after=3 * HOUR)
        assert host.deny == list(map(v4, (*range(20, 24), *range(40, 100))))

    def test_families_take_turns(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(64))))
        host.hears(*ok(*map(v4, range(64)), *(A6 + number for number in range(10))), after=MINUTE)
        assert sum(one.version == 6 for one in host.allow) == 10
        host.hears(*ok(*map(v4, range(64)), *(A6 + number for number in range(64))), after=MINUTE)
        assert sum(one.version == 6 for one in host.allow) == 32
        assert len(host.allow) == 64

    @pytest.mark.thorough
    def test_is_told_for_as_long_as_denials_may_be_missing(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(65))))
        host.hears(*ok(A), after=7 * DAY - MINUTE)
        assert host.said("Complete") == ("False", "TooManyAddresses")
        host.hears(*ok(A), after=MINUTE)
        assert host.said("Complete") == ("True", "AllAddressesKept")
        assert is_complete(host.state, RULES)

    @pytest.mark.thorough
    def test_is_told_for_as_long_whatever_the_clock_does(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(65))))
        host.jumps(30 * DAY)
        host.hears(*ok(A))
        assert host.said("Complete") == ("False", "TooManyAddresses")
        host.jumps(-60 * DAY)
        host.hears(*ok(A), after=7 * DAY, every=10 * MINUTE)
        assert host.said("Complete") == ("True", "AllAddressesKept")

    def test_exactly_as_many_are_not_too_many(self, host: History) -> None:
        host.hears(*ok(*map(v4, range(64))))
        assert is_complete(host.state, RULES)

    def test_seeds_are_not_counted(self) -> None:
        host = History(seeds=frozenset({v4(1000)}))
        host.hears(*ok(*map(v4, range(64))))
        assert len(host.deny) == 65
        assert is_complete(host.state, RULES)


class TestSeeds:
    def test_are_in_both_lists_until_dns_answers(self) -> None:
        host = History(seeds=frozenset({B, A, B6}))
        assert host.allow == host.deny == [A, B, B6]
        assert host.said("Resolved") == ("Unknown", "NotResolvedYet")
        assert host.said("CatalogueAgrees") == ("Unknown", "SeedsNotCompared")
        host.hears(
            *FAILURE, *says(LookupResult.TRANSIENT, AddressFamily.IPV6), after=30 * DAY, every=HOUR
        )
        assert host.allow == host.deny == [A, B, B6]

        host.hears(*ok(C), *says(LookupResult.TRANSIENT, AddressFamily.IPV6), after=MINUTE)
        assert host.allow == [C, B6]
        assert host.deny == [A, B, C, B6]
        host.hears(*ok(C, A6), after=MINUTE)
        assert host.allow == [C, A6]
        assert host.deny == [A, B, C, A6, B6]

    @pytest.mark.thorough
    def test_are_never_pruned_from_the_denylist(self) -> None:
        host = History(seeds=frozenset({A}))
        host.hears(*ok(A, B))
        host.hears(*ok(B), after=30 * DAY, every=10 * MINUTE)
        assert host.deny == [A, B]
        host.hears(*NX, after=30 * DAY, every=10 * MINUTE)
        assert host.deny == [A, B]

    def test_leave_the_allowlist_when_dns_surely_has_nothing(self) -> None:
        host = History(seeds=frozenset({A}))
        host.hears(*NX, after=10 * MINUTE)
        assert host.allow == [A]
        host.hears(*NX, after=10 * MINUTE)
        assert host.allow == []

    def test_do_not_come_back_when_dns_fails(self) -> None:
        host = History(seeds=frozenset({A}))
        host.hears(*ok(B))
        host.hears(*FAILURE, after=30 * HOUR)
        assert host.allow == []

    def test_confirmed_and_contradicted(self) -> None:
        host = History(seeds=frozenset({A, B}))
        host.hears(*ok(A, B, C))
        assert host.said("CatalogueAgrees") == ("True", "SeedsConfirmed")
        host.hears(*ok(A, C), after=2 * HOUR)
        assert host.said("CatalogueAgrees") == ("False", "SeedsContradicted")
        assert str(B) in host.condition("CatalogueAgrees").message

    def test_that_can_be_no_host_s_are_not_used(self) -> None:
        host = History(seeds=frozenset({A, ip_address("10.0.0.1"), ip_address("::ffff:0.0.0.0")}))
        assert host.deny == [A]
        assert host.said("CatalogueAgrees") == ("False", "SeedsRefused")
        assert "10.0.0.1 is private" in host.condition("CatalogueAgrees").message

    def test_of_an_unwanted_family_are_not_used(self) -> None:
        host = History(replace(RULES, families=frozenset({AddressFamily.IPV4})), frozenset({A, A6}))
        assert host.allow == host.deny == [A]

    def test_change_with_the_catalogue(self, host: History) -> None:
        host.hears(*ok(A))
        with pytest.raises(ValueError, match="unpack"):
            host.said("CatalogueAgrees")
        host.has_seeds(B)
        assert host.deny == [A, B]
        host.has_seeds()
        assert host.deny == [A]


class TestDamping:
    def test_a_removal_waits_for_others(self, host: History) -> None:
        five = tuple(map(v4, range(5)))
        host.hears(*ok(*five, v4(10), v4(11)))
        host.hears(*ok(*five, v4(11)), after=4 * MINUTE)
        seen = []
        for _ in range(100):
            host.hears(*ok(*five), after=MINUTE)
            seen.append(len(host.allow))
        assert sorted(set(seen)) == [5, 7]  # never 6: they went together
        assert 60 < seen.index(5) < 72

    def test_a_removal_goes_with_an_addition(self, host: History) -> None:
        five = tuple(map(v4, range(5)))
        host.hears(*ok(*five, v4(10)))
        host.hears(*ok(*five), after=HOUR + 2 * MINUTE)
        assert v4(10) in host.allow
        host.hears(*ok(*five, v4(20)), after=SECOND)
        assert host.allow == [*five, v4(20)]

    def test_what_the_cap_keeps_out_is_no_addition(self, host: History) -> None:
        many = tuple(map(v4, range(70)))
        host.hears(*ok(*many[:64]))
        host.hears(*ok(*many[:63]), after=HOUR + MINUTE + SECOND)
        host.hears(*ok(*many), after=SECOND)
        first = host.allow
        host.hears(*ok(*many), after=3 * MINUTE)
        assert host.allow == first == list(many[:64])

    def test_a_denial_s_removal_waits_as_well(self, host: History) -> None:
        host.hears(*ok(A, B))
        host.hears(*ok(A, C), after=4 * MINUTE)
        sizes = set()
        for _ in range(8):
            host.hears(*ok(A), after=DAY - 10 * MINUTE, every=10 * MINUTE)
            for _ in range(10):
                host.hears(*ok(A), after=MINUTE)
                sizes.add(len(host.deny))
        assert sizes == {1, 3}


class TestClock:
    @pytest.mark.thorough
    @pytest.mark.parametrize(
        "jump", [-3 * DAY, 3 * DAY, -400 * DAY, 400 * DAY, timedelta(hours=-1), HOUR], ids=str
    )
    def test_a_jump_drops_nothing_and_keeps_nothing(self, host: History, jump: timedelta) -> None:
        host.hears(*ok(A, B))
        host.hears(*ok(A), after=30 * MINUTE)
        host.jumps(jump)
        host.hears(*ok(A), after=15 * MINUTE)
        assert host.allow == [A, B]
        # Less than 5 minutes are lost or won: those of the round in which it happens.
        host.hears(*ok(A), after=35 * MINUTE)
        assert host.allow == [A]
        host.jumps(-jump)
        host.hears(*ok(A), after=6 * DAY, every=10 * MINUTE)
        assert host.deny == [A, B]
        host.hears(*ok(A), after=DAY, every=10 * MINUTE)
        assert host.deny == [A]

    def test_days_alone_do_not_use_up_the_freeze(self, host: History) -> None:
        host.hears(*ok(A))
        host.jumps(10 * DAY)
        host.hears(*FAILURE, after=23 * HOUR)
        assert host.allow == [A]
        host.hears(*FAILURE, after=3 * HOUR)
        assert host.allow == []

    def test_rare_rounds_do_not_drop_either(self, host: History) -> None:
        # As when the operator is restarted again and again: six rounds are an hour.
        host.hears(*ok(A, B))
        for rounds in range(1, 8):
            host.jumps(5 * HOUR)
            host.hears(*ok(A))
            assert (B in host.allow) == (rounds < 8)
        host.jumps(5 * HOUR)
        host.hears(*ok(A))
        assert host.allow == [A]

    @pytest.mark.parametrize("year", [1, 1999, 2000, 8999, 9999])
    def test_an_absurd_year_does_no_harm(self, host: History, year: int) -> None:
        host.hears(*ok(A, B))
        now = host.now
        host.now = datetime(year, 12, 31, 23, tzinfo=UTC) - 2 * HOUR
        host.hears(*ok(A), after=30 * MINUTE)
        assert host.allow == [A, B]
        host.now = now
        host.hears(*ok(A), after=2 * HOUR)
        assert host.allow == [A]
        assert host.deny == [A, B]

    def test_parts_of_seconds_and_time_zones_do_not_matter(self) -> None:
        zone = datetime.fromisoformat("2026-11-20T10:00:00.987654+02:00")
        one = step_host(HostState(HOST), ok(A), START, RULES)
        assert step_host(HostState(HOST), ok(A), zone, RULES) == one


class TestNextQuestion:
    @pytest.mark.parametrize(
        ("ttl", "seconds"), [(0, 30), (59, 30), (62, 31), (300, 150), (600, 300), (86400, 300)]
    )
    def test_is_after_half_the_ttl_within_bounds(
        self, host: History, ttl: int, seconds: int
    ) -> None:
        for _ in range(4):
            host.hears(*ok(A, ttl=ttl), after=MINUTE)
        assert next_lookup(host.state, RULES, 0.5) == seconds

    def test_goes_by_the_shortest_ttl_of_addresses(self, host: History) -> None:
        for _ in range(4):
            host.hears(
                *ok(A, ttl=400), *ok(B, name_server="b", ttl=200),
                *says(LookupResult.NO_DATA, ttl=1, name_server="c"),
                *says(LookupResult.NO_DATA, AddressFamily.IPV6, ttl=5), after=MINUTE,
            )  # fmt: skip
        assert next_lookup(host.state, RULES, 0.5) == 30
        for _ in range(4):
            host.hears(
                *ok(A, ttl=400), *ok(B, name_server="b", ttl=200),
                *says(LookupResult.NO_DATA, AddressFamily.IPV6, ttl=5), after=MINUTE,
            )  # fmt: skip
        assert next_lookup(host.state, RULES, 0.5) == 100

    def test_goes_by_what_there_is_not_where_nothing_is(self, host: History) -> None:
        host.hears(*says(LookupResult.NX_DOMAIN, AddressFamily.IPV4, AddressFamily.IPV6, ttl=900))
        assert next_lookup(host.state, RULES, 0.5) == 300

    def test_is_soon_after_a_failure(self, host: History) -> None:
        host.hears(*FAILURE)
        assert next_lookup(host.state, RULES, 0.5) == 30

    def test_is_never_at_once(self) -> None:
        assert next_lookup(HostState(HOST), RULES, 0.5) == 30

    def test_the_jitter_spreads_by_a_tenth(self, host: History) -> None:
        host.hears(*FAILURE)
        assert next_lookup(host.state, RULES, 0.0) == 27
        assert next_lookup(host.state, RULES, 0.999) == pytest.approx(33, abs=0.1)
        for jitter in (-0.1, 1.0, 2.0):
            with pytest.raises(ValueError, match="jitter"):
                next_lookup(host.state, RULES, jitter)

    def test_a_host_with_few_addresses_is_soon_known(self, host: History) -> None:
        waits = []
        for _ in range(5):
            host.hears(*ok(A, B, ttl=600), after=2 * SECOND)
            waits.append(next_lookup(host.state, RULES, 0.5))
        assert waits == [1, 1, 300, 300, 300]

    def test_a_host_that_rotates_is_asked_until_it_shows_nothing_new(self, host: History) -> None:
        pool = list(map(v4, range(32)))
        for first in range(0, 32, 8):
            host.hears(*ok(*pool[first : first + 8]), after=2 * SECOND)
            assert next_lookup(host.state, RULES, 0.5) == 1
        for quiet in range(1, 10):
            host.hears(*ok(*pool[:8]), after=2 * SECOND)
            assert next_lookup(host.state, RULES, 0.5) == (1 if quiet < 8 else 30)

    @pytest.mark.thorough
    def test_a_host_with_too_many_is_not_asked_for_ever(self, host: History) -> None:
        soon = 0
        for number in range(1900):
            host.hears(*ok(*map(v4, range(8 * number, 8 * number + 8))), after=2 * SECOND)
            soon += next_lookup(host.state, RULES, 0.5) == 1
        assert soon < 60


def test_unusable_rules() -> None:
    with pytest.raises(ValueError, match="deny_grace"):
        Retention(allow_grace=8 * DAY)
    with pytest.raises(ValueError, match="must be positive"):
        Retention(most_addresses=0)


class TestRotatingHost:
    """The figures of a host that shows 8 of its 64 addresses at a time, in small."""

    POOL = tuple(map(v4, range(64)))

    @pytest.mark.thorough
    def test_for_a_quarter_of_a_day(self) -> None:
        chance = random.Random(2)
        host = History()
        asked = missed = changes = writes = 0
        before: tuple[set[Address], list[Address], list[Address]] = (set(), [], [])
        while host.now < START + 6 * HOUR:
            told = chance.sample(self.POOL, 8)
            host.hears(*ok(*told), *NO_IPV6)
            after = (set(told), host.allow, host.deny)
            changes += after[0] != before[0]
            writes += after[1:] != before[1:]
            before = after
            assert host.said("Held")[0] == "False"
            wait = timedelta(seconds=next_lookup(host.state, RULES, chance.random()))
            host.jumps(wait)
            if host.now > START + 3 * MINUTE:
                asked += 8
                missed += sum(one not in host.allow for one in chance.sample(self.POOL, 8))
        assert len(host.allow) == 64
        assert missed == 0
        assert asked > 5_000
        assert writes * 10 <= changes
