from __future__ import annotations

import re
from datetime import date
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.egress import addresses
from fleet_telemetry.egress.addresses import (
    OwnNetwork,
    as_networks,
    in_order,
    is_sinkhole,
    read_address,
    read_nat64_prefix,
    refusal_of,
    shared_by,
    translated,
    unmapped,
)
from fleet_telemetry.egress.model import Network, family_of
from fleet_telemetry.egress.published_ranges import CLOUDFLARE

SHARED_RANGES = Path(addresses.__file__).with_name("shared_ranges.yaml")
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
NETWORKS = st.builds(
    lambda address, length: ip_network((address, min(length, address.max_prefixlen)), strict=False),
    st.one_of(
        st.ip_addresses(v=4, network="8.0.0.0/28"), st.ip_addresses(v=6, network="2600::/124")
    ),
    st.integers(24, 128),
)


class TestReading:
    def test_an_ipv4_address_inside_of_an_ipv6_one_is_taken_out(self) -> None:
        assert read_address("8.8.8.8") == IPv4Address("8.8.8.8")
        assert read_address("::ffff:8.8.8.8") == IPv4Address("8.8.8.8")
        assert read_address("::FFFF:0808:0808") == IPv4Address("8.8.8.8")
        assert read_address("2606:4700::1") == IPv6Address("2606:4700::1")

    @pytest.mark.parametrize("text", ["", "8.8.8", "8.8.8.8/32", "010.8.8.8", "host", "8.8.8.8 "])
    def test_says_what_is_no_address(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} is not an IP address$"):
            read_address(text)

    def test_an_address_with_a_zone_is_no_host_s(self) -> None:
        with pytest.raises(ValueError, match="zone"):
            read_address("fe80::1%eth0")

    @given(st.ip_addresses(v=4))
    def test_only_mapped_addresses_change(self, address: IPv4Address) -> None:
        mapped = IPv6Address((0xFFFF << 32) | int(address))
        compatible = IPv6Address(int(address))

        assert unmapped(mapped) == unmapped(address) == address
        assert unmapped(compatible) == compatible


REFUSED = {
    # Nobody's
    "0.0.0.0": "is of no network (0.0.0.0/8)",
    "0.1.2.3": "is of no network (0.0.0.0/8)",
    "::": "is unspecified",
    "::1": "is a loopback address",
    "127.0.0.1": "is a loopback address",
    "127.255.255.255": "is a loopback address",
    "::ffff:127.0.0.1": "is a loopback address",
    "::8.8.8.8": "is outside of what is handed out as global addresses (2000::/3)",
    # Somebody's at home
    "10.0.0.1": "is private",
    "172.16.0.1": "is private",
    "172.31.255.255": "is private",
    "192.168.255.255": "is private",
    "::ffff:192.168.0.1": "is private",
    "100.64.0.1": "is of a carrier's NAT (100.64.0.0/10)",
    "100.127.255.255": "is of a carrier's NAT (100.64.0.0/10)",
    "fc00::1": "is private",
    "fdff::1": "is private",
    "fec0::1": "is site-local",
    "169.254.0.1": "is link-local",
    "fe80::1": "is link-local",
    "febf::1": "is link-local",
    # Clouds' own
    "169.254.169.254": "is the metadata service of most clouds",
    "fd00:ec2::254": "is the metadata service of Amazon EC2",
    "fd20:ce::254": "is the metadata service of Google Cloud",
    "100.100.100.200": "is the metadata service of Alibaba Cloud",
    "168.63.129.16": "is the metadata service of Azure",
    "::ffff:168.63.129.16": "is the metadata service of Azure",
    # To many, or to nobody
    "224.0.0.1": "is multicast",
    "239.255.255.255": "is multicast",
    "ff02::1": "is multicast",
    "ff0e::1": "is multicast",
    "255.255.255.255": "is reserved (240.0.0.0/4)",
    "240.0.0.1": "is reserved (240.0.0.0/4)",
    "192.0.0.8": "is set aside for protocols (192.0.0.0/24)",
    "192.88.99.1": "is of the abandoned 6to4 relays (192.88.99.0/24)",
    "198.18.0.1": "is for benchmarks only (198.18.0.0/15)",
    "198.19.255.255": "is for benchmarks only (198.18.0.0/15)",
    "100::1": "is for discarding only (100::/64)",
    "5f00::1": "is outside of what is handed out as global addresses (2000::/3)",
    "4000::1": "is outside of what is handed out as global addresses (2000::/3)",
    "1fff:ffff::1": "is outside of what is handed out as global addresses (2000::/3)",
    # In books
    "192.0.2.1": "is for documentation only",
    "198.51.100.1": "is for documentation only",
    "203.0.113.1": "is for documentation only",
    "2001:db8::1": "is for documentation only",
    "3fff::1": "is for documentation only",
    "3fff:fff:ffff::1": "is for documentation only",
    # Carried elsewhere
    "64:ff9b::a00:1": "stands for 10.0.0.1, which is private",
    "64:ff9b::e000:1": "stands for 224.0.0.1, which is multicast",
    "64:ff9b::a83f:8110": "stands for 168.63.129.16, which is the metadata service of Azure",
    "64:ff9b:1::a00:1": "is of a local NAT64 (64:ff9b:1::/48)",
    "64:ff9b:1:ffff::808:808": "is of a local NAT64 (64:ff9b:1::/48)",
    "2002:a00:1::": "stands for 10.0.0.1, which is private",
    "2002:7f00:1::1": "stands for 127.0.0.1, which is a loopback address",
    "2001::1": "is set aside for protocols such as Teredo (2001::/23)",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe": (
        "is set aside for protocols such as Teredo (2001::/23)"
    ),
    "2001:20::1": "is set aside for protocols such as Teredo (2001::/23)",
}
TAKEN = (
    *("1.1.1.1", "8.8.8.8", "34.36.231.254", "34.107.157.31", "9.255.255.255", "11.0.0.0"),
    *("100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.17"),
    *("172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0"),
    *("198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8"),
    *("2606:4700::1", "2001:200::1", "2001:4860:4860::8888", "2a00::1", "3ffe:ffff::1"),
    *("64:ff9b::808:808", "2002:808:808::1", "3fff:1000::1"),
)


class TestRefusals:
    @pytest.mark.parametrize(("text", "why"), REFUSED.items())
    def test_refused(self, text: str, why: str) -> None:
        address = ip_address(text)

        assert refusal_of(address) == f"{unmapped(address)} {why}"

    @pytest.mark.parametrize("text", TAKEN)
    def test_taken(self, text: str) -> None:
        assert refusal_of(ip_address(text)) is None

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("34.1.2.3", "34.1.2.3 is in"),
            ("::ffff:34.1.2.3", "34.1.2.3 is in"),
            ("64:ff9b::2201:203", "64:ff9b::2201:203 stands for 34.1.2.3, which is in"),
            ("2002:2201:203::", "2002:2201:203:: stands for 34.1.2.3, which is in"),
        ],
    )
    def test_the_cluster_s_own_ranges_are_refused(self, text: str, why: str) -> None:
        own = OwnNetwork(ranges=(ip_network("2600:1::/64"), ip_network("34.1.0.0/16")))

        assert refusal_of(ip_address(text), own) == f"{why} the cluster's own range 34.1.0.0/16"
        assert refusal_of(ip_address(text)) is None
        assert refusal_of(ip_address("2600:1::5"), own) == (
            "2600:1::5 is in the cluster's own range 2600:1::/64"
        )

    def test_neighbours_of_own_ranges_are_taken(self) -> None:
        own = OwnNetwork(ranges=(ip_network("34.1.0.0/16"), ip_network("2600:1::/64")))

        for text in ("34.0.255.255", "34.2.0.0", "2600:1:0:1::", "2600::ffff"):
            assert refusal_of(ip_address(text), own) is None

    @given(ADDRESSES)
    def test_nothing_is_taken_that_python_knows_not_to_be_global(
        self, address: IPv4Address | IPv6Address
    ) -> None:
        if refusal_of(address) is None:
            assert address.is_global
            assert not address.is_multicast

    @given(st.ip_addresses(v=4))
    def test_carried_addresses_are_judged_as_those_that_they_carry(
        self, inside: IPv4Address
    ) -> None:
        carriers = (
            IPv6Address((0x64FF9B << 96) | int(inside)),
            IPv6Address((0x2002 << 112) | (int(inside) << 80)),
        )

        for carrier in carriers:
            assert (refusal_of(carrier) is None) == (refusal_of(inside) is None)

    @given(st.ip_addresses(v=4), st.integers(0, 2**64 - 1), st.sampled_from(range(4)))
    def test_isatap_is_judged_by_what_it_carries_in_any_prefix(
        self, inside: IPv4Address, prefix: int, bits: int
    ) -> None:
        identifier = (bits << 24 | 0x5EFE) << 32 | int(inside)
        carrier = IPv6Address(prefix << 64 | identifier)

        if refusal_of(inside) is not None:
            assert refusal_of(carrier) is not None
        elif 0x2600 <= prefix >> 48 < 0x2620:
            assert refusal_of(carrier) is None

    @pytest.mark.parametrize(
        ("text", "inside"),
        [
            ("2600:1::5efe:10.0.0.1", "10.0.0.1"),
            ("2600:1::200:5efe:10.0.0.1", "10.0.0.1"),
            ("2600:1:2:3:0:5efe:169.254.169.254", "169.254.169.254"),
            ("2a00:1450:4001:80b:200:5efe:127.0.0.1", "127.0.0.1"),
            ("2002:808:808::5efe:192.168.1.1", "192.168.1.1"),
            ("2002:a00:1::5efe:8.8.8.8", "10.0.0.1"),
        ],
    )
    def test_isatap_is_told(self, text: str, inside: str) -> None:
        refusal = refusal_of(ip_address(text))
        assert refusal is not None
        assert f"stands for {inside}" in refusal

    @given(st.ip_addresses(v=4))
    def test_forms_that_lead_to_no_host_are_refused_whatever_they_carry(
        self, inside: IPv4Address
    ) -> None:
        number = int(inside)
        for carrier in (
            number,  # compatible, ::a.b.c.d
            0xFFFF0000 << 32 | number,  # translated, ::ffff:0:a.b.c.d
            0x20010000 << 96 | number,  # Teredo
            0x20010000 << 96 | (number ^ 0xFFFFFFFF),
            0x20010000 << 96 | number << 64,
            0x0064FF9B0001 << 80 | number,  # a local NAT64
            0xFE80 << 112 | 0x5EFE << 32 | number,
            0xFD00 << 112 | 0x5EFE << 32 | number,
        ):
            assert refusal_of(IPv6Address(carrier)) is not None

    @given(st.ip_addresses(v=4), st.sampled_from((32, 40, 48, 56, 64, 96)))
    def test_an_address_in_a_nat64_prefix_is_judged_as_the_one_that_it_stands_for(
        self, inside: IPv4Address, length: int
    ) -> None:
        for base in (0x2001_0DB8_0064_0065_0000_0066 << 32, 0xFD00_0064 << 96, 0x2600_0064 << 96):
            prefix = IPv6Network((base, length), strict=False)
            carrier = translate(inside, prefix)
            own = OwnNetwork(nat64=(prefix,))

            assert translated(carrier, prefix) == inside
            assert (refusal_of(carrier, own) is None) == (refusal_of(inside, own) is None)
            assert is_sinkhole(carrier, own) == is_sinkhole(inside)
            assert read_nat64_prefix(str(prefix)) == prefix

    @pytest.mark.parametrize(
        ("text", "prefix", "inside"),
        [  # The table of RFC 6052, 2.4.
            ("2001:db8:c000:221::", "2001:db8::/32", "192.0.2.33"),
            ("2001:db8:1c0:2:21::", "2001:db8:100::/40", "192.0.2.33"),
            ("2001:db8:122:c000:2:2100::", "2001:db8:122::/48", "192.0.2.33"),
            ("2001:db8:122:3c0:0:221::", "2001:db8:122:300::/56", "192.0.2.33"),
            ("2001:db8:122:344:c0:2:2100::", "2001:db8:122:344::/64", "192.0.2.33"),
            ("2001:db8:122:344::192.0.2.33", "2001:db8:122:344::/96", "192.0.2.33"),
        ],
    )
    def test_translation_is_that_of_the_rfc(self, text: str, prefix: str, inside: str) -> None:
        assert translated(IPv6Address(text), IPv6Network(prefix)) == IPv4Address(inside)

    @pytest.mark.parametrize("text", ["", "2001:db8::/97", "2001:db8::1/96", "10.0.0.0/8", "x/64"])
    def test_what_is_no_nat64_prefix_is_told(self, text: str) -> None:
        with pytest.raises(ValueError, match="NAT64 prefix"):
            read_nat64_prefix(text)

    def test_an_octet_that_has_to_be_zero_is(self) -> None:
        own = OwnNetwork(nat64=(IPv6Network("2600:64::/32"),))
        assert refusal_of(ip_address("2600:64:808:808:100::"), own) == (
            "2600:64:808:808:100:: stands for no IPv4 address, although it is in the NAT64 prefix "
            "2600:64::/32"
        )

    def test_addresses_of_the_api_server_and_of_nodes_are_refused_in_every_form(self) -> None:
        own = OwnNetwork(
            addresses=OwnNetwork.named(
                [
                    (ip_address("34.9.9.9"), "the API server"),
                    (ip_address("34.9.9.9"), "node a"),
                    (ip_address("2600:9::9"), "node b"),
                    (ip_address("10.0.0.1"), "node c"),
                ]
            )
        )
        assert len(own.addresses) == 2
        assert refusal_of(ip_address("34.9.9.9"), own) == (
            "34.9.9.9 is an address of the API server"
        )
        assert refusal_of(ip_address("2600:9::9"), own) == "2600:9::9 is an address of node b"
        for form in (
            "::ffff:34.9.9.9",
            "64:ff9b::34.9.9.9",
            "2002:2209:909::",
            "2600::5efe:34.9.9.9",
        ):
            assert "an address of the API server" in str(refusal_of(ip_address(form), own))
            assert refusal_of(ip_address(form)) is None
        assert refusal_of(ip_address("34.9.9.8"), own) is None


def translate(inside: IPv4Address, prefix: IPv6Network) -> IPv6Address:
    """As a NAT64 does it."""
    if prefix.prefixlen == 96:
        return IPv6Address(int(prefix.network_address) | int(inside))
    bits = f"{int(prefix.network_address) >> (128 - prefix.prefixlen):0{prefix.prefixlen}b}"
    bits += f"{int(inside):032b}"
    bits = bits[:64] + "0" * 8 + bits[64:]
    return IPv6Address(int(bits.ljust(128, "0"), 2))


class TestSinkholes:
    @pytest.mark.parametrize(
        "text",
        [
            *("0.0.0.0", "127.0.0.1", "127.0.0.2", "::ffff:0.0.0.0", "::ffff:127.0.0.1"),
            *("::", "::1", "64:ff9b::", "64:ff9b::7f00:1"),
        ],
    )
    def test_sinkhole(self, text: str) -> None:
        assert is_sinkhole(ip_address(text))
        assert refusal_of(ip_address(text)) is not None

    @pytest.mark.parametrize("text", ["0.0.0.1", "10.0.0.1", "8.8.8.8", "::2", "64:ff9b::808:808"])
    def test_other_address(self, text: str) -> None:
        assert not is_sinkhole(ip_address(text))


class TestSharedRanges:
    @pytest.mark.parametrize(
        ("text", "provider"),
        [
            ("104.16.0.0", "Cloudflare"),
            ("104.27.255.255", "Cloudflare"),
            ("::ffff:104.16.0.1", "Cloudflare"),
            ("2606:4700::6810:1", "Cloudflare"),
            ("151.101.1.140", "Fastly"),
            ("2a04:4e42::396", "Fastly"),
            ("13.224.0.1", "Amazon CloudFront"),
            ("2600:9000:2000::1", "Amazon CloudFront"),
            ("185.199.108.133", "GitHub Pages"),
            ("185.199.111.255", "GitHub Pages"),
        ],
    )
    def test_known(self, text: str, provider: str) -> None:
        assert shared_by(ip_address(text)) == provider

    @pytest.mark.parametrize(
        "text",
        [
            *("34.36.231.254", "34.107.157.31", "104.15.255.255", "104.28.0.0", "185.199.112.0"),
            *("0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ],
    )
    def test_unknown(self, text: str) -> None:
        assert shared_by(ip_address(text)) is None

    def test_every_range_has_a_source_and_a_day_and_is_public(self) -> None:
        providers = yaml.safe_load(SHARED_RANGES.read_text())

        assert len({entry["provider"] for entry in providers}) == len(providers)
        for entry in providers:
            assert entry["source"].startswith("https://")
            assert date.fromisoformat(entry["asOf"]) >= date(2026, 1, 1)
            for text in entry["ranges"]:
                network = ip_network(text)
                assert network.prefixlen >= (12 if network.version == 4 else 28), text
                for address in (network.network_address, network.broadcast_address):
                    assert refusal_of(address) is None
                    assert shared_by(address) == entry["provider"]

    def test_agrees_with_what_cloudflare_publishes(self) -> None:
        providers = yaml.safe_load(SHARED_RANGES.read_text())
        (ranges,) = (one["ranges"] for one in providers if one["provider"] == "Cloudflare")

        assert set(map(ip_network, ranges)) == set(CLOUDFLARE.seed.networks)

    def test_overlapping_ranges_are_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="a range of b overlaps"):
            addresses._Table([(ip_network("8.0.0.0/8"), "a"), (ip_network("8.8.0.0/16"), "b")])


class TestNetworks:
    def test_sorted_single_and_none_inside_another(self) -> None:
        found = as_networks(
            map(ip_address, ("8.8.8.8", "2606:4700::1", "8.8.4.4", "104.16.1.1", "8.8.8.8")),
            map(ip_network, ("104.16.0.0/13", "104.16.0.0/14", "2600::/32")),
        )

        assert [str(one) for one in found] == [
            "8.8.4.4/32",
            "8.8.8.8/32",
            "104.16.0.0/13",
            "2600::/32",
            "2606:4700::1/128",
        ]

    def test_nothing_stays_nothing(self) -> None:
        assert as_networks(()) == ()

    @given(
        st.lists(st.one_of(st.ip_addresses(v=4, network="8.0.0.0/28"), ADDRESSES), max_size=8),
        st.lists(NETWORKS, max_size=8),
    )
    def test_covers_what_was_given_and_nothing_else(
        self, given_addresses: list[IPv4Address | IPv6Address], ranges: list[Network]
    ) -> None:
        found = as_networks(given_addresses, ranges)

        wholes = {*map(ip_network, given_addresses), *ranges}
        assert set(found) <= wholes
        for whole in wholes:
            assert any(_is_inside(whole, one) for one in found)
        for one, other in combinations(found, 2):
            assert not _is_inside(one, other)
            assert not _is_inside(other, one)
        assert list(found) == sorted(found, key=lambda one: (one.version, one))

    def test_in_order(self) -> None:
        texts = ("2600::1", "9.0.0.1", "8.8.8.8", "9.0.0.1", "10.0.0.0", "::1")

        found = [str(one) for one in in_order(map(ip_address, texts))]

        assert found == ["8.8.8.8", "9.0.0.1", "10.0.0.0", "::1", "2600::1"]


def _is_inside(network: Network, other: Network) -> bool:
    return (
        family_of(network) is family_of(other)
        and network.network_address in other
        and network.prefixlen >= other.prefixlen
    )
