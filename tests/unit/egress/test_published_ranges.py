"""A provider's document is believed whole or not at all, and a sudden change not at once."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.channel import Host
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.published_ranges import (
    CLOUDFLARE,
    CONFIRMATIONS,
    CONFIRMED_AFTER,
    DAY_SECONDS,
    PROVIDERS,
    Ranges,
    RangesError,
    RangesState,
    parse,
    restored,
    step_ranges,
    wait_seconds,
)
from tests.support.every import every

SEED = CLOUDFLARE.seed
V4 = [str(n) for n in SEED.networks if n.version == 4]
V6 = [str(n) for n in SEED.networks if n.version == 6]
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ETAG = "38f79d050aa027e3be3865e495dcc9bc"


def document(**result: Any) -> dict[str, Any]:
    whole = {"ipv4_cidrs": V4, "ipv6_cidrs": V6, "etag": ETAG, **result}
    return {"result": whole, "success": True, "errors": [], "messages": []}


def read(content: object) -> Ranges:
    return parse(CLOUDFLARE, json.dumps(content).encode())


def refused(content: object) -> str:
    with pytest.raises(RangesError) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith("Cloudflare's published ranges: ")
    return message.removeprefix("Cloudflare's published ranges: ")


# Documents


def test_cloudflares_document_is_read() -> None:
    ranges = read(document())
    assert ranges == Ranges("Cloudflare", ETAG, SEED.networks)
    assert len(ranges.networks) == 22
    assert ranges.size(AddressFamily.IPV4) == 1_524_736
    assert not ranges.is_built_in


def test_the_order_and_the_spelling_of_the_ranges_make_no_difference() -> None:
    shuffled = document(
        ipv4_cidrs=V4[::-1], ipv6_cidrs=[cidr.upper().replace("::", ":0:0::") for cidr in V6[::-1]]
    )
    assert read(shuffled).networks == SEED.networks


def test_fields_that_are_not_known_are_ignored() -> None:
    content = document(jdcloud_cidrs=["10.0.0.0/8"]) | {"messages": ["hello"], "result_info": {}}
    assert read(content).networks == SEED.networks


@pytest.mark.parametrize("networks", [V4[:1], V4[:8]])
def test_a_range_that_lies_in_another_counts_once(networks: list[str]) -> None:
    inner = [str(next(IPv4Network(cidr).subnets(1))) for cidr in networks]
    ranges = read(document(ipv4_cidrs=[*inner, *V4, *networks]))
    assert ranges.networks == SEED.networks


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the response is not JSON (0 bytes)"),
        (b"<html>Just a moment...</html>", "the response is not JSON (29 bytes)"),
        (b"173.245.48.0/20\n103.21.244.0/22", "the response is not JSON (31 bytes)"),
        (json.dumps(document()).encode()[:-3], "the response is not JSON (534 bytes)"),
        (b"[" * 100_000, "the response is not JSON (100000 bytes)"),
        (b"\xff\xfe\xff", "the response is not JSON (3 bytes)"),
        (b"[]", "the document is not a JSON object"),
        (b"null", "the document is not a JSON object"),
        (b'"some text"', "the document is not a JSON object"),
    ],
)
def test_what_is_no_such_document_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RangesError) as caught:
        parse(CLOUDFLARE, body)
    assert str(caught.value) == f"Cloudflare's published ranges: {why}"


@pytest.mark.parametrize("success", [False, None, "true", 1, [True]])
def test_success_has_to_be_true_and_nothing_like_it(success: object) -> None:
    assert refused(document() | {"success": success}) == "success is not true"


def test_success_has_to_be_there() -> None:
    content = document()
    del content["success"]
    assert refused(content) == "success is not true"


def test_success_with_errors_is_none() -> None:
    content = document() | {"errors": [{"code": 10000, "message": "Authentication error"}]}
    assert refused(content) == "success is true, and yet there are errors"


@pytest.mark.parametrize("errors", [None, []])
def test_no_errors_are_no_errors(errors: object) -> None:
    assert read(document() | {"errors": errors}).networks == SEED.networks


@pytest.mark.parametrize("result", [None, [], "x", 7])
def test_the_result_has_to_be_an_object(result: object) -> None:
    assert refused(document() | {"result": result}) == "result is no object"


@pytest.mark.parametrize(("key", "family"), [("ipv4_cidrs", "IPv4"), ("ipv6_cidrs", "IPv6")])
@pytest.mark.parametrize("cidrs", [[], None, "1.2.3.0/24", {}, 0])
def test_neither_family_may_be_missing(key: str, family: str, cidrs: object) -> None:
    expected = f"{key} has no {family} range" if cidrs == [] else f"{key} is not a list"
    assert refused(document(**{key: cidrs})) == expected


@every(
    "cidr",
    [
        "104.16.0.0",
        "104.16.0.0/",
        "104.16.0.0/33",
        "104.16.0.0/-1",
        "104.16.0.0/+13",
        "104.16.0.0/255.248.0.0",
        "104.16.0.0/0.7.255.255",
        "104.16.0.0 /13",
        " 104.16.0.0/13",
        "104.16.0.0/13\n",
        "104.16.0/13",
        "104.016.0.0/13",
        "104.16.0.0/\u0661\u0663",
        "2606:4700::/32",
        "::ffff:104.16.0.0/109",
        "api.cloudflare.com",
        "",
        None,
        1745879040,
        ["104.16.0.0/13"],
    ],
)
def test_what_is_no_range_is_refused_and_shown(cidr: object) -> None:
    message = refused(document(ipv4_cidrs=[*V4[:3], cidr]))
    expected = f"ipv4_cidrs[3], {cidr!a}, is no IPv4 range with its prefix length"
    assert message == expected


@pytest.mark.parametrize(
    "cidr", ["104.16.0.0/13", "2606:4700::", "2606:4700::%1/32", "2606:4700/32", "2606:4700::/129"]
)
def test_what_is_no_ipv6_range_is_refused(cidr: str) -> None:
    message = refused(document(ipv6_cidrs=[cidr]))
    assert message == f"ipv6_cidrs[0], '{cidr}', is no IPv6 range with its prefix length"


def test_something_long_is_not_shown_whole() -> None:
    assert len(refused(document(ipv4_cidrs=["x" * 10_000]))) < 160


@pytest.mark.parametrize(
    ("key", "cidr", "network"),
    [
        ("ipv4_cidrs", "104.16.0.1/13", "104.16.0.0/13"),
        ("ipv4_cidrs", "104.20.0.0/13", "104.16.0.0/13"),
        ("ipv6_cidrs", "2606:4700::1/32", "2606:4700::/32"),
    ],
)
def test_host_bits_are_refused(key: str, cidr: str, network: str) -> None:
    message = refused(document(**{key: [cidr]}))
    assert message == f"{key}[0], '{cidr}', has host bits set; use {network}"


@pytest.mark.parametrize(
    ("key", "cidr", "widest"),
    [
        ("ipv4_cidrs", "0.0.0.0/0", 12),
        ("ipv4_cidrs", "0.0.0.0/1", 12),
        ("ipv4_cidrs", "104.0.0.0/11", 12),
        ("ipv6_cidrs", "::/0", 28),
        ("ipv6_cidrs", "2000::/3", 28),
        ("ipv6_cidrs", "2606:4700::/27", 28),
    ],
)
def test_a_range_that_is_too_wide_is_refused(key: str, cidr: str, widest: int) -> None:
    assert refused(document(**{key: [cidr]})) == f"{key}[0], '{cidr}', is wider than /{widest}"


@pytest.mark.parametrize(
    ("key", "cidr"),
    [
        ("ipv4_cidrs", "104.16.0.0/12"),
        ("ipv4_cidrs", "1.1.1.1/32"),
        ("ipv6_cidrs", "2a06:98c0::/28"),
        ("ipv6_cidrs", "2606:4700::1111/128"),
    ],
)
def test_the_borders_of_what_is_believed(key: str, cidr: str) -> None:
    assert ip_network(cidr) in read(document(**{key: [cidr]})).networks


@pytest.mark.parametrize(
    ("cidr", "reserved"),
    [
        ("10.0.0.0/12", "10.0.0.0/8"),
        ("10.1.2.3/32", "10.0.0.0/8"),
        ("172.16.0.0/12", "172.16.0.0/12"),
        # Both ends of it are public.
        ("192.160.0.0/12", "192.168.0.0/16"),
        ("192.0.0.0/23", "192.0.0.0/24"),
        ("100.64.0.0/12", "100.64.0.0/10"),
        ("127.0.0.1/32", "127.0.0.0/8"),
        ("169.254.169.254/32", "169.254.0.0/16"),
        ("198.16.0.0/12", "198.18.0.0/15"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("224.0.0.0/12", "224.0.0.0/4"),
        ("255.255.255.255/32", "240.0.0.0/4"),
        ("0.0.0.0/32", "0.0.0.0/8"),
        ("2002:a00::/28", "2002::/16"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001::/32", "2001::/23"),
    ],
)
def test_a_range_with_anything_that_is_not_public_is_refused(cidr: str, reserved: str) -> None:
    key = "ipv6_cidrs" if ":" in cidr else "ipv4_cidrs"
    message = refused(document(**{key: [cidr]}))
    assert message == f"{key}[0], '{cidr}', is not public: it overlaps {reserved}"


@pytest.mark.parametrize("cidr", ["fd00::/28", "fe80::/64", "::1/128", "64:ff9b::/96", "ff02::/32"])
def test_an_ipv6_range_outside_of_global_unicast_is_refused(cidr: str) -> None:
    message = refused(document(ipv6_cidrs=[cidr]))
    assert message == f"ipv6_cidrs[0], '{cidr}', is not public: it is outside of 2000::/3"


@given(st.integers(0, 2**32 - 1), st.integers(12, 32), st.integers(0, 2**32 - 1))
def test_every_address_of_a_believed_range_is_public(number: int, prefix: int, any_: int) -> None:
    """Against Python's own table, one address at a time."""
    network = IPv4Network((number, prefix), strict=False)
    address = network[any_ % network.num_addresses]
    with suppress(RangesError):
        read(document(ipv4_cidrs=[str(network)]))
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**32 - 1))
def test_a_single_address_is_believed_if_it_is_public_and_only_then(number: int) -> None:
    address = IPv4Address(number)
    # What Python counts in: parts for protocols, and relays to 6to4, all given up.
    unlike = any(address in IPv4Network(n) for n in ("192.0.0.0/24", "192.88.99.0/24"))
    content = document(ipv4_cidrs=[f"{address}/32"])
    if address.is_global and not address.is_multicast and not unlike:
        assert IPv4Network(address) in read(content).networks
    else:
        assert "is not public" in refused(content)


def test_at_most_64_ranges_are_believed() -> None:
    v4 = [f"104.{n}.0.0/16" for n in range(16, 16 + 57)]
    assert len(read(document(ipv4_cidrs=v4)).networks) == 64
    too_many = document(ipv4_cidrs=[*v4, v4[0]])
    assert refused(too_many) == "65 ranges; at most 64 are accepted"


# The etag


@pytest.mark.parametrize("etag", [None, "", " ", "a b", "x" * 257, "a\nb", "\ud800", 7, [], "é"])
def test_where_there_is_no_etag_it_is_our_own_digest(etag: object) -> None:
    ranges = read(document(etag=etag))
    assert re.fullmatch("sha256:[0-9a-f]{64}", ranges.etag)
    assert ranges == read(document(etag=etag, ipv4_cidrs=V4[::-1]))
    assert ranges.etag != read(document(etag=etag, ipv4_cidrs=V4[1:])).etag


@pytest.mark.parametrize("etag", ["x" * 256, 'W/"5f-x"', "a=", "-_.+"])
def test_a_plain_token_is_taken_as_it_is(etag: str) -> None:
    assert read(document(etag=etag)).etag == etag


def test_no_document_passes_for_what_is_built_in() -> None:
    assert SEED.is_built_in
    assert not read(document(etag=SEED.etag)).is_built_in


# What is built in, and the table of providers


def test_the_built_in_list_is_as_a_document_would_be() -> None:
    assert read(document()).networks == SEED.networks
    assert SEED.etag == "built-in:2026-02-11"


def test_every_provider_has_a_seed_and_an_https_url() -> None:
    for name, provider in PROVIDERS.items():
        assert (provider.name, provider.seed.provider) == (name, name)
        assert provider.seed.is_built_in
        assert provider.url.startswith("https://")
        assert restored(provider, provider.seed.etag, list(map(str, provider.seed.networks)))


def test_the_catalogue_can_name_the_providers_of_the_table_and_no_others() -> None:
    wanted = get_type_hints(Host, include_extras=True)["published_ranges"]
    (meta,) = (m for part in get_args(wanted) for m in getattr(part, "__metadata__", ()))
    for name in PROVIDERS:
        assert re.search(meta.pattern, name)
    alternatives = re.fullmatch(r"\^\(([A-Za-z|]+)\)\$", meta.pattern)
    assert alternatives
    assert set(alternatives[1].split("|")) == set(PROVIDERS)


@pytest.mark.parametrize(
    ("address", "covered"),
    [
        ("104.16.0.0", True),
        ("104.27.255.255", True),
        ("104.28.0.0", False),
        ("2606:4700::6810:1", True),
        ("2606:4701::", False),
        # The same number in the other family.
        (str(ip_address(int(ip_address("2606:4700::")) >> 96)), False),
        ("34.107.157.31", False),
    ],
)
def test_an_address_is_told_to_be_the_providers(address: str, covered: bool) -> None:
    assert SEED.covers(ip_address(address)) is covered


# What is kept


def test_what_was_held_is_restored() -> None:
    ranges = read(document())
    assert restored(CLOUDFLARE, ranges.etag, list(map(str, ranges.networks))) == ranges
    kept = restored(CLOUDFLARE, SEED.etag, [*V6, *V4])
    assert kept == SEED
    assert kept.is_built_in


@pytest.mark.parametrize(
    ("cidrs", "why"),
    [
        ([], "cidrs has no IPv4 range"),
        (V4, "cidrs has no IPv6 range"),
        (V6, "cidrs has no IPv4 range"),
        ([*V4, *V6, "0.0.0.0/0"], "cidrs[15], '0.0.0.0/0', is wider than /12"),
        ([*V4, *V6, "10.0.0.0/16"], "cidrs[15], '10.0.0.0/16', is not public: it overlaps"),
        ([*V4, *V6, ""], "cidrs[15], '', is no IPv4 range with its prefix length"),
    ],
)
def test_what_was_spoilt_in_the_meantime_is_refused(cidrs: list[str], why: str) -> None:
    with pytest.raises(RangesError) as caught:
        restored(CLOUDFLARE, ETAG, cidrs)
    assert str(caught.value).startswith(
        f"Cloudflare's published ranges: the saved ranges are malformed: {why}"
    )


# Believing


def ranges_of(*cidrs: str, etag: str = "e2") -> Ranges:
    v4 = [cidr for cidr in cidrs if ":" not in cidr]
    v6 = [cidr for cidr in cidrs if ":" in cidr]
    return read(document(ipv4_cidrs=v4, ipv6_cidrs=v6, etag=etag))


TEN = [f"104.16.{n}.0/24" for n in range(10)]
TEN_V6 = [f"2606:4700:{n}::/48" for n in range(1, 11)]
HELD = ranges_of(*TEN, *TEN_V6, etag="e1")
FEWER = ranges_of(*TEN[:6], *TEN_V6)


def held_back(fresh: Ranges, held: Ranges = HELD) -> str:
    state = step_ranges(RangesState(held), fresh, NOW)
    if state.hold is None:
        assert state.ranges == fresh
        return ""
    assert state.ranges == held
    return state.hold.why


def test_the_first_document_is_measured_against_what_is_built_in() -> None:
    assert step_ranges(RangesState(SEED), read(document()), NOW) == RangesState(read(document()))
    half = read(document(ipv4_cidrs=[c for c in V4 if c != "104.16.0.0/13"]))
    assert held_back(half, SEED) == "34 % of the IPv4 addresses would be gone"


@pytest.mark.parametrize(
    ("cidrs", "why"),
    [
        ([*TEN[:7], *TEN_V6], ""),
        ([*TEN[:6], *TEN_V6], "40 % of the IPv4 addresses would be gone"),
        ([*TEN, *TEN_V6[:7]], ""),
        ([*TEN, *TEN_V6[:6]], "40 % of the IPv6 addresses would be gone"),
        # Just beyond 30 %.
        ([*TEN[:6], "104.16.6.0/25", "104.16.6.128/26", *TEN_V6], "32 %"),
        ([*TEN[:6], "104.16.6.0/24", *TEN_V6], ""),
        # As many as before, and others.
        ([*(f"108.162.{n}.0/24" for n in range(10)), *TEN_V6], "100 % of the IPv4"),
        ([*TEN[:6], *(f"108.162.{n}.0/24" for n in range(192, 196)), *TEN_V6], "40 % of the IPv4"),
        # Parted and put together: the same addresses.
        ([*(f"104.16.{n // 2}.{n % 2 * 128}/25" for n in range(20)), *TEN_V6], ""),
        (["104.16.0.0/21", "104.16.8.0/23", *TEN_V6], ""),
        # More, and far more.
        ([*(f"104.16.{n}.0/24" for n in range(20)), *TEN_V6], ""),
        (
            [*(f"104.16.{n}.0/24" for n in range(21)), *TEN_V6],
            "the IPv4 addresses would grow to 210 %",
        ),
        (["104.16.0.0/12", *TEN_V6], "the IPv4 addresses would grow to 40960 %"),
        ([*TEN, "2606:4700::/32"], "the IPv6 addresses would grow to 655360 %"),
    ],
)
def test_a_sharp_change_is_held_back(cidrs: list[str], why: str) -> None:
    found = held_back(ranges_of(*cidrs))
    assert found.startswith(why) if why else found == ""


def test_repeated_ranges_hide_no_shrink() -> None:
    assert held_back(ranges_of(*TEN[:6], *TEN[:4], *TEN_V6)) == held_back(FEWER)


def test_other_ranges_under_the_same_etag_are_held_back() -> None:
    nine = ranges_of(*TEN[:9], *TEN_V6, etag="e1")
    assert held_back(nine) == "there are other ranges under the same etag"
    assert held_back(replace(nine, etag="e2")) == ""


def test_another_etag_for_the_same_ranges_is_taken_along() -> None:
    again = replace(HELD, etag="e7")
    assert step_ranges(RangesState(HELD), again, NOW) == RangesState(again)


def reading(held: RangesState, *documents: tuple[float, Ranges]) -> RangesState:
    """What stands after documents that were read after so many hours each."""
    for hours, fresh in documents:
        held = step_ranges(held, fresh, NOW + timedelta(hours=hours))
    return held


def test_a_hold_ends_when_the_same_document_was_read_often_and_long_enough() -> None:
    assert (CONFIRMATIONS, timedelta(hours=24)) == (3, CONFIRMED_AFTER)
    believed = RangesState(FEWER)
    assert reading(RangesState(HELD), (0, FEWER), (12, FEWER), (24, FEWER)) == believed
    often = reading(RangesState(HELD), *((n, FEWER) for n in range(24)))
    assert often.ranges == HELD
    assert often.hold
    assert (often.hold.seen, often.hold.since) == (24, NOW)
    assert reading(often, (24, FEWER)) == believed
    # Twice only, however far apart.
    assert reading(RangesState(HELD), (0, FEWER), (99, FEWER)).ranges == HELD


def test_the_old_document_ends_a_hold() -> None:
    state = reading(RangesState(HELD), (0, FEWER), (24, FEWER), (48, HELD))
    assert state == RangesState(HELD)
    assert reading(state, (72, FEWER)).ranges == HELD


def test_another_doubtful_document_begins_anew() -> None:
    fewest = ranges_of(*TEN[:2], *TEN_V6)
    state = reading(RangesState(HELD), (0, FEWER), (24, FEWER), (48, fewest), (72, FEWER))
    assert state.ranges == HELD
    assert state.hold
    assert (state.hold.seen, state.hold.since) == (1, NOW + timedelta(hours=72))


def test_a_harmless_document_ends_a_hold_and_is_in_force() -> None:
    nine = ranges_of(*TEN[:9], *TEN_V6)
    assert reading(RangesState(HELD), (0, FEWER), (24, FEWER), (48, nine)) == RangesState(nine)


def test_a_clock_that_is_put_back_ends_no_hold_early() -> None:
    back = reading(RangesState(HELD), (0, FEWER), (-500, FEWER), (-499, FEWER), (-490, FEWER))
    assert back.ranges == HELD
    assert reading(back, (-476, FEWER)) == RangesState(FEWER)


subsets = st.lists(st.sampled_from(TEN), min_size=1, unique=True)


@given(st.lists(st.tuples(st.floats(0, 100), subsets), max_size=12))
def test_what_is_in_force_never_loses_more_than_a_part_at_once_unless_confirmed(
    steps: list[tuple[float, list[str]]],
) -> None:
    state, now, since = RangesState(HELD), NOW, list[tuple[datetime, Ranges]]()
    for hours, cidrs in steps:
        now += timedelta(hours=hours)
        fresh = ranges_of(*cidrs, *TEN_V6, etag="-".join(sorted(cidrs)))
        before, state = state, step_ranges(state, fresh, now)
        if since and since[-1][1].networks != fresh.networks:
            since.clear()
        since.append((now, fresh))
        assert state.ranges in (before.ranges, fresh)
        if state.ranges.networks == before.ranges.networks:
            continue
        assert state.hold is None
        old, new = (
            {n for n in ranges.networks if n.version == 4} for ranges in (before.ranges, fresh)
        )
        harmless = len(old - new) * 10 <= len(old) * 3 and len(new) <= 2 * len(old)
        assert harmless or (len(since) >= 3 and now - since[0][0] >= timedelta(hours=24))


# When


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        (0, DAY_SECONDS),
        (1, 600),
        (2, 1200),
        (3, 2400),
        (7, 38400),
        (8, 76800),
        (9, DAY_SECONDS),
        (10**9, DAY_SECONDS),
    ],
)
def test_the_next_fetch_is_due_in_a_day_or_sooner_after_a_failure(
    failures: int, seconds: float
) -> None:
    assert wait_seconds(failures, 0.5) == pytest.approx(seconds)
    assert wait_seconds(failures, 0) == pytest.approx(seconds * 0.9)
    assert wait_seconds(failures, 1) == pytest.approx(seconds * 1.1)


@given(st.integers(0, 60), st.floats(0, 1))
def test_no_wait_is_shorter_than_some_minutes_nor_longer_than_about_a_day(
    failures: int, chance: float
) -> None:
    assert 540 <= wait_seconds(failures, chance) <= 1.1 * DAY_SECONDS + 1
