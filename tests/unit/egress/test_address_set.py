"""Sets of addresses, held against sets of Python's own where these are small enough."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.model import Address, Network
from tests.support.depth import examples


def addresses(*texts: str) -> AddressSet:
    return AddressSet.of(ip_network(text) for text in texts)


def test_what_touches_or_overlaps_is_one_stretch() -> None:
    assert addresses("10.0.0.0/25", "10.0.0.128/25") == addresses("10.0.0.0/24")
    assert addresses("10.0.0.0/24", "10.0.0.7/32") == addresses("10.0.0.0/24")
    assert addresses("10.0.0.0/24", "10.0.0.0/16", "10.0.3.0/24") == addresses("10.0.0.0/16")
    assert len(addresses("10.0.0.0/24", "10.0.2.0/24").edges) == 4


def test_the_order_does_not_matter() -> None:
    assert addresses("2001:db8::/32", "10.0.0.0/8") == addresses("10.0.0.0/8", "2001:db8::/32")


def test_everywhere_is_both_families() -> None:
    assert addresses("0.0.0.0/0", "::/0") == EVERYWHERE
    assert addresses("0.0.0.0/0") != EVERYWHERE
    assert addresses("::/0") != EVERYWHERE
    assert EVERYWHERE.minus(addresses("0.0.0.0/0")) == addresses("::/0")
    assert EVERYWHERE.minus(addresses("::/0")) == addresses("0.0.0.0/0")
    assert not EVERYWHERE.minus(EVERYWHERE)


def test_the_families_do_not_mix() -> None:
    # ::1.2.3.4 and 1.2.3.4 are the same number, and ::ffff:1.2.3.4 stands for the latter.
    four = addresses("1.2.3.4/32")
    for text in ("::102:304/128", "::ffff:1.2.3.4/128", "::/0"):
        assert not four.meets(addresses(text))
        assert not addresses(text).meets(four)
        assert four.minus(addresses(text)) == four
    assert not addresses("0.0.0.0/0").meets(addresses("::/128"))
    assert not addresses("255.255.255.255/32").meets(addresses("::/0"))


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("10.0.0.0", True),
        ("10.0.0.255", True),
        ("10.0.1.0", False),
        ("9.255.255.255", False),
        ("2001:db8::", True),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db9::", False),
        ("::a00:0", False),
    ],
)
def test_the_ends_belong_to_it(text: str, inside: bool) -> None:
    assert (ip_address(text) in addresses("10.0.0.0/24", "2001:db8::/32")) is inside


def test_nothing_is_in_the_empty_set() -> None:
    nothing = AddressSet.of([])
    assert not nothing
    assert nothing == AddressSet.union([])
    assert ip_address("1.2.3.4") not in nothing
    assert not nothing.meets(EVERYWHERE)
    assert not EVERYWHERE.meets(nothing)
    assert EVERYWHERE.minus(nothing) == EVERYWHERE
    assert nothing.minus(EVERYWHERE) == nothing


def test_a_hole_leaves_two_stretches() -> None:
    left = addresses("10.0.0.0/24").minus(addresses("10.0.0.64/26"))
    assert left == addresses("10.0.0.0/26", "10.0.0.128/25")
    assert addresses("10.0.0.0/24").minus(addresses("10.0.0.0/25")) == addresses("10.0.0.128/25")
    assert addresses("10.0.0.0/24").minus(addresses("10.0.0.128/25")) == addresses("10.0.0.0/25")


# The first 16 addresses of IPv4, its last 16 (where IPv6 is next) and the first 16 of IPv6.
_small = st.one_of(
    st.builds(
        lambda base, at, bits: IPv4Network((base + (at >> bits << bits), 32 - bits)),
        st.sampled_from([0, 2**32 - 16]),
        st.integers(0, 15),
        st.integers(0, 4),
    ),
    st.builds(
        lambda at, bits: IPv6Network((at >> bits << bits, 128 - bits)),
        st.integers(0, 15),
        st.integers(0, 4),
    ),
)
_networks = st.lists(_small, max_size=6)


def _members(networks: list[Network]) -> set[Address]:
    return {address for network in networks for address in network}


def _listed(found: AddressSet) -> set[Address]:
    """Everything in it, by asking for each address there is in these tests."""
    universe = _members(
        [IPv4Network("0.0.0.0/28"), IPv4Network("255.255.255.240/28"), IPv6Network("::/124")]
    )
    assert not found.minus(AddressSet.of(ip_network(address) for address in universe))
    return {address for address in universe if address in found}


@examples(400)
@given(_networks, _networks)
def test_it_counts_as_sets_do(ones: list[Network], others: list[Network]) -> None:
    one, other = AddressSet.of(ones), AddressSet.of(others)
    ours, theirs = _members(ones), _members(others)
    assert _listed(one) == ours
    assert _listed(one.minus(other)) == ours - theirs
    assert one.meets(other) is bool(ours & theirs)
    union = AddressSet.union([one, other])
    assert _listed(union) == ours | theirs
    # One way of writing each set: comparing them compares what is in them.
    assert (one == other) is (ours == theirs)
    assert union.minus(other) == one.minus(other)
    for found in (one, other, union, one.minus(other)):
        assert list(found.edges) == sorted(set(found.edges))
        assert len(found.edges) % 2 == 0


@examples(200)
@given(
    st.lists(
        st.builds(
            lambda at, bits: IPv4Network((at >> bits << bits, 32 - bits)),
            st.integers(0, 2**32 - 1),
            st.integers(0, 32),
        ),
        max_size=8,
    ),
    st.integers(0, 2**32 - 1),
)
def test_networks_of_any_size_hold_what_they_hold(networks: list[IPv4Network], at: int) -> None:
    address = IPv4Address(at)
    inside = any(address in network for network in networks)
    found = AddressSet.of(networks)
    assert (address in found) is inside
    assert (address in EVERYWHERE.minus(found)) is not inside


@pytest.mark.thorough
def test_large_sets() -> None:
    holes = [IPv4Network((number << 16, 24)) for number in range(1 << 16)]
    rest = EVERYWHERE.minus(AddressSet.of(holes))
    assert rest.minus(addresses("128.0.0.0/1")).meets(addresses("127.255.1.0/24"))
    assert not rest.meets(addresses("127.255.0.0/24"))
