from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet_telemetry.api.conditions import ConditionStatus
from fleet_telemetry.api.telemetry_host import (
    AddressFamily,
    HostAddress,
    HostFamily,
    HostNameServer,
    LookupResult,
    PublishedRanges,
    TelemetryHostStatus,
    read_host_status,
)
from fleet_telemetry.egress.addresses import OwnNetwork
from fleet_telemetry.egress.host_lists import allowlist, denylist
from fleet_telemetry.egress.host_state import HostState
from fleet_telemetry.egress.host_status_codec import decode_status, encode_status, status_to_write
from fleet_telemetry.egress.host_step import step_host
from fleet_telemetry.egress.model import Address, Lookup
from tests.support.depth import scaled
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

A, B, C = (v4(number) for number in range(3))
A6 = IPv6Address("2600::a")
NO_IPV6 = says(LookupResult.NO_DATA, AddressFamily.IPV6)
RANGES = PublishedRanges(provider="Cloudflare", etag="x", cidrs=("104.16.0.0/13",))


def saved(host: History) -> TelemetryHostStatus:
    return encode_status(host.state, host.rules)


def restored(status: TelemetryHostStatus, *seeds: Address) -> History:
    host = History(now=START)
    host.state = decode_status(HOST, status, seeds, RULES)
    return host


class TestSaving:
    def test_what_is_written(self) -> None:
        host = History()
        host.hears(*ok(A, B, ttl=60), *NO_IPV6)
        host.state = replace(host.state, ranges=RANGES)
        host.hears(*ok(A, ttl=60), *NO_IPV6, after=80 * MINUTE)

        assert msgspec.json.decode(msgspec.json.encode(saved(host))) == {
            "asOf": "2026-11-20T09:20:00Z",
            "addresses": [
                {
                    "ip": str(A),
                    "seenAt": "2026-11-20T09:20:00Z",
                    "expiresAt": "2026-11-20T10:21:00Z",
                    "denyExpiresAt": "2026-11-27T09:21:00Z",
                },
                {
                    "ip": str(B),
                    "seenAt": "2026-11-20T08:00:00Z",
                    "denyExpiresAt": "2026-11-27T08:01:00Z",
                },
            ],
            "families": [
                {
                    "family": "IPv4",
                    "settled": True,
                    "lastAnsweredAt": "2026-11-20T09:20:00Z",
                    "lastOutcome": "Ok",
                    "views": [{"name": "a", "answeredAt": "2026-11-20T09:20:00Z"}],
                },
                {
                    "family": "IPv6",
                    "settled": True,
                    "lastAnsweredAt": "2026-11-20T09:20:00Z",
                    "lastOutcome": "NoData",
                    "negatives": 3,
                    "negativeSince": "2026-11-20T08:00:00Z",
                },
            ],
            "ranges": {"provider": "Cloudflare", "etag": "x", "cidrs": ["104.16.0.0/13"]},
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": host.condition(kind).message,
                    "lastTransitionTime": "2026-11-20T09:20:00Z",
                }
                for kind, status, reason in (
                    ("Resolved", "True", "AddressesKnown"),
                    ("Fresh", "True", "Answered"),
                    ("Held", "False", "NothingHeld"),
                    ("Sinkholed", "False", "NotSinkholed"),
                    ("CollateralRisk", "True", "SharedAddresses"),
                    ("Complete", "True", "AllAddressesKept"),
                )
            ],
        }

    def test_a_condition_keeps_its_time_while_its_status_does(self) -> None:
        host = History()
        host.hears(*ok(A), *NO_IPV6)
        first = saved(host)
        host.hears(*says(LookupResult.TRANSIENT), *NO_IPV6, after=HOUR)
        second = encode_status(host.state, RULES, first.conditions)

        times = {one.type: one.last_transition_time for one in second.conditions}
        assert times["Resolved"] == START
        assert times["Fresh"] == START + HOUR

    def test_long_names_and_many_of_them_fit(self) -> None:
        host = History()
        host.hears(
            *(one for number in range(80) for one in ok(A, name_server=f"{number:03}" + "x" * 300))
        )
        status = saved(host)

        assert len(status.families[0].views) == 64
        read = msgspec.convert(msgspec.to_builtins(status), TelemetryHostStatus)
        assert read == status

    def test_before_anything_is_known_there_is_nothing_to_write(self) -> None:
        state = HostState(HOST, frozenset({A}))
        assert encode_status(state, RULES) == TelemetryHostStatus()
        assert not status_to_write(TelemetryHostStatus(), state, START, RULES)


class TestWhetherToSave:
    @pytest.fixture
    def host(self) -> History:
        host = History()
        host.hears(*ok(A, B, A6), *ok(C, name_server="b"))
        return host

    def has_to(self, status: TelemetryHostStatus, host: History) -> bool:
        return status_to_write(status, host.state, host.now, RULES)

    def test_the_first_time(self, host: History) -> None:
        assert self.has_to(TelemetryHostStatus(), host)
        assert not self.has_to(saved(host), host)

    def test_not_for_times(self, host: History) -> None:
        status = saved(host)
        host.hears(*ok(A, B, A6, ttl=30), *ok(C, name_server="other"), after=29 * MINUTE)
        assert not self.has_to(status, host)

    def test_when_half_of_the_time_is_over(self, host: History) -> None:
        status = saved(host)
        host.hears(*ok(A, B, C, A6), after=30 * MINUTE)
        assert not self.has_to(status, host)
        host.hears(*ok(A, B, C, A6), after=30 * timedelta(seconds=1))
        assert self.has_to(status, host)
        assert not self.has_to(saved(host), host)

    def test_half_of_a_longer_time(self) -> None:
        host = History()
        host.hears(*ok(A, ttl=3 * 3600), *NO_IPV6)
        host.hears(*ok(A, ttl=3 * 3600), *NO_IPV6, after=20 * MINUTE)
        status = saved(host)
        host.hears(*ok(A, ttl=3 * 3600), *NO_IPV6, after=2 * HOUR - MINUTE)
        assert not self.has_to(status, host)
        host.hears(*ok(A, ttl=3 * 3600), *NO_IPV6, after=MINUTE)
        assert self.has_to(status, host)

    def test_half_of_what_a_denylist_keeps(self) -> None:
        host = History()
        host.hears(*ok(A), *NO_IPV6)
        gone = says(LookupResult.NX_DOMAIN, AddressFamily.IPV4, AddressFamily.IPV6)
        host.hears(*gone, after=2 * HOUR)
        status = saved(host)
        host.hears(*gone, after=3 * DAY)
        assert not self.has_to(status, host)
        host.hears(*gone, after=DAY)
        assert self.has_to(status, host)

    def test_when_an_address_comes_or_leaves_a_list(self, host: History) -> None:
        status = saved(host)
        first, *others = host.state.known
        for known in (
            (first, *others, replace(first, address=v4(9))),
            (replace(first, expires_at=None), *others),
            tuple(others),
        ):
            host.state = replace(host.state, known=known)
            assert self.has_to(status, host)

    def test_when_dns_answers_for_the_first_time(self) -> None:
        host = History()
        host.hears(*says(LookupResult.NX_DOMAIN), after=HOUR)
        status = saved(host)
        family = host.state.family(AddressFamily.IPV4)
        assert family.settled
        others = tuple(one for one in host.state.families if one.family is AddressFamily.IPV6)
        host.state = replace(host.state, families=(replace(family, settled=False), *others))
        assert self.has_to(status, host)

    def test_when_ranges_change(self, host: History) -> None:
        host.state = replace(host.state, ranges=RANGES)
        status = saved(host)
        host.state = replace(host.state, ranges=replace_ranges("104.24.0.0/14"))
        assert self.has_to(status, host)
        host.state = replace(host.state, ranges=None)
        assert self.has_to(status, host)

    def test_when_a_condition_changes(self, host: History) -> None:
        status = saved(host)
        host.hears(*ok(A, B, A6), *ok(C, ip_address("0.0.0.0"), name_server="b"), after=MINUTE)
        assert self.has_to(status, host)
        status = saved(host)
        host.hears(*ok(A, B, C, A6), *ok(ip_address("127.0.0.1"), name_server="c"), after=MINUTE)
        assert not self.has_to(status, host)  # another message only

    def test_when_the_clock_was_put_back(self, host: History) -> None:
        status = saved(host)
        host.now -= DAY
        host.hears(*ok(A, B, C, A6))
        assert self.has_to(status, host)
        assert not self.has_to(saved(host), host)


def replace_ranges(*cidrs: str) -> PublishedRanges:
    return PublishedRanges(provider="Cloudflare", etag="x", cidrs=cidrs)


class TestRestoring:
    def test_nothing(self) -> None:
        assert decode_status(HOST, TelemetryHostStatus(), {A}, RULES) == HostState(
            HOST, frozenset({A})
        )

    def test_a_cold_start_has_the_seeds_and_a_warm_one_what_dns_said(self) -> None:
        assert restored(TelemetryHostStatus(), B).allow == [B]
        host = History(seeds=frozenset({B}))
        host.hears(*ok(A), *NO_IPV6)
        warm = restored(saved(host), B)
        assert warm.allow == [A]
        assert warm.deny == [A, B]

    def test_after_years_the_lists_are_as_they_were(self) -> None:
        host = History()
        host.hears(*ok(A, B), *NO_IPV6)
        later = restored(saved(host))
        later.now = START + 2000 * DAY
        assert later.allow == [A, B]
        later.hears(*ok(A), *NO_IPV6, after=30 * MINUTE)
        assert later.allow == [A, B]
        later.hears(*ok(A), *NO_IPV6, after=HOUR)
        assert later.allow == [A]

    def test_a_hold_and_a_denial_in_a_row_go_on(self) -> None:
        eight = tuple(map(v4, range(8)))
        host = History()
        host.hears(*ok(*eight, A6))
        gone = (*ok(A), *says(LookupResult.NO_DATA, AddressFamily.IPV6))
        host.hears(*gone, after=HOUR + 10 * MINUTE)
        assert host.said("Held")[0] == "True"
        again = restored(saved(host))
        again.now = host.now
        again.hears(*gone, after=56 * MINUTE)
        assert again.allow == [A]

    def test_a_witness_is_still_one(self) -> None:
        host = History()
        host.hears(*ok(A, name_server="a"), *ok(B, name_server="b"))
        again = restored(saved(host))
        again.hears(
            *ok(A, name_server="a"), *says(LookupResult.TRANSIENT, name_server="b"), after=10 * HOUR
        )
        assert again.allow == [A, B]

    def test_the_cap_is_still_told(self) -> None:
        host = History()
        host.hears(*ok(*map(v4, range(70))))
        assert restored(saved(host)).said("Complete") == ("False", "TooManyAddresses")

    def test_ranges_are_their_keeper_s(self) -> None:
        host = History()
        host.hears(*ok(A))
        host.state = replace(host.state, ranges=RANGES)
        assert restored(saved(host)).state.ranges is None

    def test_what_an_older_operator_wrote(self) -> None:
        status = TelemetryHostStatus(
            addresses=(
                HostAddress(ip=str(A), expires_at=START + 30 * MINUTE),
                HostAddress(ip=str(B), expires_at=START - DAY),
            )
        )
        host = restored(status, C)
        assert host.allow == [A, B]
        assert host.deny == [A, B, C]
        host.hears(*ok(v4(9)), after=20 * MINUTE)
        assert host.allow == [A, v4(9)]  # the time of B was over before that of A began
        host.hears(*ok(v4(9)), after=2 * HOUR)
        assert host.allow == [v4(9)]
        assert host.deny == [A, B, C, v4(9)]
        host.hears(*ok(v4(9)), after=8 * DAY, every=10 * MINUTE)
        assert host.deny == [C, v4(9)]

    def test_addresses_alone_are_enough(self) -> None:
        host = restored(TelemetryHostStatus(addresses=(HostAddress(ip=str(A)),)))
        assert host.allow == []
        assert host.deny == [A]
        host.hears(*ok(B), after=6 * DAY, every=10 * MINUTE)
        assert host.deny == [A, B]

    def test_what_makes_no_sense_is_left_out(self) -> None:
        soon = START + HOUR
        texts = ("nonsense", "10.0.0.1", "0.0.0.0", "fe80::1%x", "34.0.0.0", "::ffff:34.0.0.0")
        status = TelemetryHostStatus(
            as_of=START,
            addresses=tuple(HostAddress(ip=text, expires_at=soon) for text in texts),
        )
        host = restored(status)
        assert host.deny == [A]
        rules = replace(RULES, own=OwnNetwork(ranges=(ip_network("34.0.0.0/24"),)))
        assert decode_status(HOST, status, (), rules).known == ()
        assert decode_status(HOST, status, (), replace(RULES, families=frozenset())).families == ()

    def test_more_addresses_than_are_kept(self) -> None:
        status = TelemetryHostStatus(
            as_of=START,
            addresses=(
                *(HostAddress(ip=str(v4(n)), deny_expires_at=START + DAY) for n in range(60)),
                *(HostAddress(ip=str(v4(n)), expires_at=START + HOUR) for n in range(100, 110)),
            ),
        )
        host = restored(status)
        assert len(host.deny) == 64
        assert host.allow == list(map(v4, range(100, 110)))

    @pytest.mark.thorough
    def test_times_that_cannot_be_are_brought_to_what_can(self) -> None:
        far = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        status = TelemetryHostStatus(
            as_of=START,
            addresses=(HostAddress(ip=str(A), seen_at=far, expires_at=far, deny_expires_at=far),),
            families=(
                HostFamily(
                    family=AddressFamily.IPV4,
                    views=(HostNameServer(name="x", answered_at=far),),
                    negatives=10**9,
                    negative_since=far,
                    held_since=far,
                    held_answers=10**9,
                    last_answered_at=far,
                ),
            ),
            capped_at=far,
        )
        host = restored(status)
        (known,) = host.state.known
        assert known.seen_at == START
        assert known.expires_at == START + 25 * HOUR
        assert known.deny_expires_at == START + 8 * DAY
        host.hears(*ok(B), *says(LookupResult.TRANSIENT, name_server="x"), after=23 * HOUR)
        assert host.allow == [A, B]
        host.hears(*ok(B), after=27 * HOUR)
        assert host.allow == [B]
        host.hears(*ok(B), after=9 * DAY, every=10 * MINUTE)
        assert host.deny == [B]


TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
TEXTS = st.sampled_from((str(A), str(B), str(A6), "10.0.0.1", "", "::ffff:34.0.0.0", "x" * 45))
STATUSES = st.builds(
    TelemetryHostStatus,
    as_of=TIMES,
    addresses=st.lists(
        st.builds(HostAddress, ip=TEXTS, seen_at=TIMES, expires_at=TIMES, deny_expires_at=TIMES),
        max_size=5,
    ).map(tuple),
    families=st.lists(
        st.builds(
            HostFamily,
            family=st.sampled_from(AddressFamily),
            settled=st.booleans(),
            last_answered_at=TIMES,
            last_outcome=st.none() | st.sampled_from(LookupResult),
            negatives=st.integers(0, 10**18),
            negative_since=TIMES,
            held_since=TIMES,
            held_answers=st.integers(0, 10**18),
            views=st.lists(
                st.builds(
                    HostNameServer,
                    name=st.sampled_from(("a", "b")),
                    answered_at=st.datetimes(timezones=st.just(UTC)),
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    capped_at=TIMES,
)


class TestAnyStatus:
    @settings(max_examples=scaled(100), deadline=None)
    @given(status=STATUSES, now=st.datetimes(timezones=st.just(UTC)))
    def test_can_be_gone_on_from(self, status: TelemetryHostStatus, now: datetime) -> None:
        state = decode_status(HOST, status, {C}, RULES)
        answers = (*ok(B, ttl=0), *says(LookupResult.TRANSIENT, AddressFamily.IPV6))
        for _ in range(3):
            state = step_host(state, answers, now, RULES)
            assert status_to_write(TelemetryHostStatus(), state, now, RULES)
            written = encode_status(state, RULES)
            assert not status_to_write(written, state, now, RULES)
            assert set(denylist(state, RULES)) >= {B, C}
            again = decode_status(HOST, written, {C}, RULES)
            assert allowlist(again, RULES) == allowlist(state, RULES)
            assert denylist(again, RULES) == denylist(state, RULES)
        known = [one for one in state.known if one.address != B]
        assert state.as_of is not None
        for one in known:
            assert one.expires_at is None or one.expires_at <= state.as_of + 25 * HOUR
            assert one.deny_expires_at <= state.as_of + 8 * DAY


class TestReading:
    WHOLE = TelemetryHostStatus(
        as_of=START,
        addresses=(HostAddress(ip=str(A), seen_at=START, expires_at=START + HOUR),),
        families=(HostFamily(family=AddressFamily.IPV4, settled=True),),
        capped_at=START,
        ranges=RANGES,
    )

    def test_what_we_wrote(self) -> None:
        assert read_host_status(msgspec.to_builtins(self.WHOLE)) == self.WHOLE
        assert read_host_status({}) == TelemetryHostStatus()

    @pytest.mark.parametrize(
        "spoilt",
        [
            {"conditions": [{"type": "Fresh"}]},
            {"conditions": 7},
            {"capped_at": 7, "cappedAt": "yesterday"},
        ],
    )
    def test_what_is_spoilt_is_left_out_alone(self, spoilt: dict[str, Any]) -> None:
        read = read_host_status({**msgspec.to_builtins(self.WHOLE), **spoilt})
        assert read.addresses == self.WHOLE.addresses
        assert read.families == self.WHOLE.families
        assert read.ranges == RANGES
        assert read.as_of == START

    def test_of_a_list_only_the_spoilt_parts_are(self) -> None:
        whole = msgspec.to_builtins(self.WHOLE)
        spoilt = [{"ip": 7}, "text", None, {"ip": str(B), "expiresAt": "soon"}]
        whole["addresses"] = [*spoilt, *whole["addresses"]]
        whole["families"] = [{"family": "IPv5"}, *whole["families"]]
        whole["ranges"] = {"provider": "Cloudflare"}
        whole["asOf"] = "2026"
        read = read_host_status(whole)
        assert read.addresses == self.WHOLE.addresses
        assert read.families == self.WHOLE.families
        assert read.ranges is None
        assert read.as_of is None

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(("asOf", "addresses", "families", "ip", "ranges", "family")),
                    inner,
                    max_size=3,
                )
            ),
        )
    )
    def test_anything_at_all(self, anything: Any) -> None:
        read = read_host_status(anything if isinstance(anything, dict) else {"asOf": anything})
        decode_status(HOST, read, (), RULES)


def test_conditions_fit_into_the_status() -> None:
    host = History(seeds=frozenset(ip_address(f"10.0.0.{number}") for number in range(64)))
    host.hears(
        *(
            one
            for number in range(40)
            for one in ok(ip_address("0.0.0.0"), name_server="v" * 250 + f"{number:03}")
        ),
        *ok(*(ip_address("104.16.0.0") + number for number in range(63)), A6),
    )
    status = saved(host)
    read = msgspec.convert(msgspec.to_builtins(status), TelemetryHostStatus)
    assert {one.type: one.status for one in read.conditions} == {
        "Resolved": ConditionStatus.TRUE,
        "Fresh": ConditionStatus.TRUE,
        "Held": ConditionStatus.FALSE,
        "Sinkholed": ConditionStatus.TRUE,
        "CollateralRisk": ConditionStatus.TRUE,
        "Complete": ConditionStatus.TRUE,
        "CatalogueAgrees": ConditionStatus.FALSE,
    }


def test_answers_of_the_same_round_in_another_family_s_answer() -> None:
    state = step_host(
        HostState(HOST),
        [Lookup("a", AddressFamily.IPV6, LookupResult.OK, (IPv6Address(f"::ffff:{A}"),), 60)],
        START,
        RULES,
    )
    assert allowlist(state, RULES) == (A,)
    assert state.family(AddressFamily.IPV6).outcome is LookupResult.NO_DATA
    assert (
        decode_status(HOST, encode_status(state, RULES), (), RULES)
        .family(AddressFamily.IPV4)
        .settled
    )


class TestWhyLookupsFail:
    def failing(self, detail: str = "it answered SERVFAIL", *, name_server: str = "a") -> Lookup:
        return Lookup(name_server, AddressFamily.IPV6, LookupResult.TRANSIENT, detail=detail)

    def test_the_condition_says_so_with_server_and_family(self) -> None:
        host = History()
        host.hears(
            *ok(v4(1)), self.failing(), self.failing("no answer within 2 s", name_server="b")
        )

        told = host.condition("Fresh")
        assert (told.status, told.reason) == ("False", "NoAnswer")
        assert told.message.startswith(
            "No response for IPv6 (never). Failed lookups: a, IPv6: it answered SERVFAIL, "
            "b, IPv6: no answer within 2 s."
        )

    def test_families_that_answer_are_not_in_it(self) -> None:
        host = History()
        host.hears(*ok(v4(1), v4(2)), *says(LookupResult.NO_DATA, AddressFamily.IPV6))
        host.hears(*ok(v4(1)), self.failing())
        assert host.said("Fresh") == ("True", "Answered")
        assert "SERVFAIL" not in host.condition("Fresh").message

    def test_what_no_name_server_says_in_a_round_is_forgotten(self) -> None:
        host = History()
        host.hears(self.failing())
        host.hears(*ok(v4(1)), *says(LookupResult.NO_DATA, AddressFamily.IPV6))
        assert host.state.failures == ()

    def test_another_reason_is_written_but_not_each_time_that_reasons_alternate(self) -> None:
        host = History()
        host.hears(*ok(v4(1), ttl=86_400), self.failing())
        status = saved(host)
        writes = 0
        for turn in range(60):
            other = self.failing(f"it answered {('SERVFAIL', 'REFUSED')[turn % 2]}")
            host.hears(*ok(v4(1), ttl=86_400), other, after=MINUTE)
            found = status_to_write(status, host.state, host.now, RULES)
            if found is not None:
                writes, status = writes + 1, found
        assert 1 <= writes <= 8

    def test_another_reason_is_written_after_a_while(self) -> None:
        host = History()
        host.hears(*ok(v4(1), ttl=86_400), self.failing())
        status = saved(host)
        other = self.failing("it answered REFUSED")
        host.hears(*ok(v4(1), ttl=86_400), other, after=MINUTE)
        assert status_to_write(status, host.state, host.now, RULES) is None
        host.hears(*ok(v4(1), ttl=86_400), other, after=10 * MINUTE)
        found = status_to_write(status, host.state, host.now, RULES)
        assert found is not None
        (told,) = [one for one in found.conditions if one.type == "Fresh"]
        assert "REFUSED" in told.message

    def test_the_same_reason_is_not_written_again(self) -> None:
        host = History()
        host.hears(*ok(v4(1), ttl=86_400), self.failing())
        status = saved(host)
        for _ in range(30):
            host.hears(*ok(v4(1), ttl=86_400), self.failing(), after=MINUTE)
            assert status_to_write(status, host.state, host.now, RULES) is None
