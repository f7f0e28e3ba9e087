"""Which addresses a name server's answer may bring, and which of them many sites share."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import pairwise

import msgspec

from fleet_telemetry.egress.model import Address, Network
from fleet_telemetry.egress.networks import outermost


def read_address(text: str) -> Address:
    """An address from text, with an IPv4 address inside of an IPv6 one taken out.

    Raises ValueError with a sentence for a person.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise ValueError(f"{text!r} has a zone, which means something on one machine only")
    return unmapped(address)


def unmapped(address: Address) -> Address:
    """The IPv4 address that a mapped one (``::ffff:a.b.c.d``) stands for; others as they are."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def in_order(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Sorted, IPv4 first, each once."""
    # Addresses are slow to hash, so no set is made of them.
    ordered = sorted(addresses, key=_position)
    return tuple(
        one for one, before in zip(ordered, (None, *ordered), strict=False) if one != before
    )


def _position(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def as_networks(
    addresses: Iterable[Address], ranges: Iterable[Network] = ()
) -> tuple[Network, ...]:
    """Single addresses as /32 and /128, and ranges: IPv4 first, sorted, none inside another.

    Neighbours are not joined, so that what is written names what was resolved.
    """
    return outermost((*map(_alone, addresses), *ranges))


def _alone(address: Address) -> Network:
    # From numbers: ip_network writes an address as text, reads that, and takes eight times as long.
    if isinstance(address, IPv6Address):
        return IPv6Network((int(address), address.max_prefixlen))
    return IPv4Network((int(address), address.max_prefixlen))


# Sinkholes


def is_sinkhole(address: Address, own: OwnNetwork | None = None) -> bool:
    """Whether it is what DNS blockers answer in the place of a host: nowhere, or the pod itself."""
    address = unmapped(address)
    if isinstance(address, IPv6Address):
        # A translating name server (DNS64) makes 64:ff9b:: of a blocker's 0.0.0.0.
        prefixes = own.nat64 if own is not None else ()
        if any(map(is_sinkhole, _embedded(address, prefixes))):
            return True
    return address.is_unspecified or address.is_loopback


def _embedded(address: IPv6Address, nat64: Iterable[IPv6Network] = ()) -> Iterator[IPv4Address]:
    """The IPv4 addresses to which what is sent to an IPv6 one is carried: by NAT64, by 6to4, and
    by ISATAP (RFC 5214, 6.1), whose interface identifier is 0000:5efe or 0200:5efe in any prefix.
    """
    for prefix in (_NAT64, *nat64):
        if address in prefix:
            inside = translated(address, prefix)
            if inside is not None:
                yield inside
    if address.sixtofour is not None:
        yield address.sixtofour
    if int(address) >> 32 & _ISATAP_MASK == _ISATAP:
        yield IPv4Address(int(address) & _V4)


_NAT64 = IPv6Network("64:ff9b::/96")
_V4 = 0xFFFFFFFF
_ISATAP = 0x5EFE
# Without the bits that say whether an identifier is of the whole world, and of a group.
_ISATAP_MASK = 0xFCFFFFFF
_NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)
_WHOLE_SUFFIX = 96


def read_nat64_prefix(text: str) -> IPv6Network:
    """A prefix by which NAT64 and DNS64 translate, from text. Raises ValueError with a sentence for
    a person."""
    try:
        prefix = ip_network(text)
    except ValueError as error:
        raise ValueError(f"NAT64 prefix {text!r}: {error}") from None
    if not isinstance(prefix, IPv6Network) or prefix.prefixlen not in _NAT64_LENGTHS:
        lengths = ", ".join(f"/{length}" for length in _NAT64_LENGTHS)
        raise ValueError(f"NAT64 prefix {text!r}: it is an IPv6 prefix of {lengths} (RFC 6052)")
    return prefix


def translated(address: IPv6Address, prefix: IPv6Network) -> IPv4Address | None:
    """The IPv4 address that an address in a NAT64 prefix stands for (RFC 6052, 2.2); None where
    the octet is set that has to be zero."""
    number = int(address)
    if prefix.prefixlen == _WHOLE_SUFFIX:
        return IPv4Address(number & _V4)
    # Bits 64 to 71 are no part of the IPv4 address.
    if number >> 56 & 0xFF:
        return None
    without = (number >> 64) << 56 | number & (1 << 56) - 1
    return IPv4Address(without >> (120 - 32 - prefix.prefixlen) & _V4)


# Refused addresses


class _Table:
    """Ranges that do not overlap, each with a word, looked up by address."""

    def __init__(self, entries: Iterable[tuple[Network, str]]) -> None:
        entries = tuple(entries)
        self._sorted: dict[int, tuple[list[int], list[int], list[str]]] = {}
        for version in (4, 6):
            mine = sorted(
                (int(network.network_address), int(network.broadcast_address), word)
                for network, word in entries
                if network.version == version
            )
            for (_, end, _), (start, _, word) in pairwise(mine):
                if start <= end:
                    raise ValueError(f"a range of {word} overlaps the one before it")
            columns = ([row[0] for row in mine], [row[1] for row in mine], [row[2] for row in mine])
            self._sorted[version] = columns

    def find(self, address: Address) -> str | None:
        """The word of the range that the address is in."""
        starts, ends, words = self._sorted[address.version]
        number = int(address)
        index = bisect_right(starts, number) - 1
        return words[index] if index >= 0 and number <= ends[index] else None


# https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry, and
# https://www.iana.org/assignments/ipv6-unicast-address-assignments. Python's is_global knows less:
# it takes multicast, site-local addresses and what nobody was given for global.
_SPECIAL = _Table(
    (ip_network(text), word)
    for text, word in (
        ("0.0.0.0/8", "of no network (0.0.0.0/8)"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "of a carrier's NAT (100.64.0.0/10)"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "set aside for protocols (192.0.0.0/24)"),
        ("192.0.2.0/24", "for documentation only"),
        ("192.88.99.0/24", "of the abandoned 6to4 relays (192.88.99.0/24)"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks only (198.18.0.0/15)"),
        ("198.51.100.0/24", "for documentation only"),
        ("203.0.113.0/24", "for documentation only"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved (240.0.0.0/4)"),
        ("::/128", "unspecified"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "of a local NAT64 (64:ff9b:1::/48)"),
        ("100::/64", "for discarding only (100::/64)"),
        # Teredo (2001::/32) is in here: it leads to some client's NAT, never to a vendor's host.
        ("2001::/23", "set aside for protocols such as Teredo (2001::/23)"),
        ("2001:db8::/32", "for documentation only"),
        ("3fff::/20", "for documentation only"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_HANDED_OUT = IPv6Network("2000::/3")
# Where clouds answer with credentials and configuration. Only Azure's looks like any other address.
_METADATA: dict[tuple[int, int], str] = {
    (address.version, int(address)): f"the metadata service of {cloud}"
    for address, cloud in (
        (ip_address("169.254.169.254"), "most clouds"),
        (ip_address("169.254.170.2"), "Amazon ECS"),
        (ip_address("169.254.170.23"), "Amazon EKS"),
        (ip_address("fd00:ec2::254"), "Amazon EC2"),
        (ip_address("fd00:ec2::23"), "Amazon EKS"),
        (ip_address("fd20:ce::254"), "Google Cloud"),
        (ip_address("100.100.100.200"), "Alibaba Cloud"),
        (ip_address("168.63.129.16"), "Azure"),
        (ip_address("192.0.0.192"), "Oracle Cloud"),
    )
}


def metadata_service_of(address: Address) -> str | None:
    """Which cloud's metadata service answers at an address; None if none does."""
    return _METADATA.get((address.version, int(address)))


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """What is the cluster's own, and so no telemetry host's."""

    ranges: tuple[Network, ...] = ()
    """The ranges of pods, Services and nodes."""
    addresses: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Single public addresses: by version and number, whose it is, such as ``the API server``."""
    nat64: tuple[IPv6Network, ...] = ()
    """The prefixes by which the cluster's DNS64 and NAT64 translate, besides 64:ff9b::/96."""

    def owner(self, address: Address) -> str | None:
        """Whose address it is; None where it is not known to be the cluster's."""
        who = self.addresses.get((address.version, int(address)))
        if who is not None:
            return f"an address of {who}"
        for own in self.ranges:
            if own.version == address.version and address in own:
                return f"in the cluster's own range {own}"
        return None

    @staticmethod
    def named(owners: Iterable[tuple[Address, str]]) -> dict[tuple[int, int], str]:
        """``addresses`` from addresses and their owners; the first owner of an address counts.
        Those that are refused anyway are left out."""
        found: dict[tuple[int, int], str] = {}
        for address, who in owners:
            plain = unmapped(address)
            if refusal_of(plain) is None:
                found.setdefault(_position(plain), who)
        return found


_NO_OWN_NETWORK = OwnNetwork()


def refusal_of(address: Address, own: OwnNetwork = _NO_OWN_NETWORK) -> str | None:
    """Why an address can be no telemetry host's, for a person; None where it can.

    An answer with a refused address comes from a blocker, a captive portal, a split horizon or an
    attacker.
    """
    address = unmapped(address)
    what = _what_is(address, own)
    return None if what is None else f"{address} {what}"


def _what_is(address: Address, own: OwnNetwork) -> str | None:
    if isinstance(address, IPv6Address):
        for prefix in own.nat64:
            if address in prefix:
                return _what_is_translated(address, prefix, own)
    what = _METADATA.get(_position(address)) or _SPECIAL.find(address) or own.owner(address)
    if what is not None:
        return f"is {what}"
    if isinstance(address, IPv6Address):
        for inside in _embedded(address):
            what = _what_is(inside, own)
            if what is not None:
                return f"stands for {inside}, which {what}"
        if address not in _HANDED_OUT and address not in _NAT64:
            return f"is outside of what is handed out as global addresses ({_HANDED_OUT})"
    return None


def _what_is_translated(address: IPv6Address, prefix: IPv6Network, own: OwnNetwork) -> str | None:
    """The same of an address in a NAT64 prefix of the cluster's, which may be in a range that is
    refused otherwise."""
    inside = translated(address, prefix)
    if inside is None:
        return f"stands for no IPv4 address, although it is in the NAT64 prefix {prefix}"
    what = _what_is(inside, own)
    return None if what is None else f"stands for {inside}, which {what}"


# Shared addresses


class _Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who serves many sites from the same addresses."""

    provider: str
    source: str
    as_of: str
    ranges: tuple[str, ...]


@cache
def _shared() -> _Table:
    file = resources.files("fleet_telemetry.egress") / "shared_ranges.yaml"
    providers = msgspec.yaml.decode(file.read_bytes(), type=tuple[_Provider, ...])
    return _Table(_entries(providers))


def _entries(providers: Iterable[_Provider]) -> Iterator[tuple[Network, str]]:
    for provider in providers:
        for text in provider.ranges:
            yield ip_network(text), provider.provider


def shared_by(address: Address) -> str | None:
    """The provider that serves many unrelated sites from the address's range, where known."""
    return _shared().find(unmapped(address))
