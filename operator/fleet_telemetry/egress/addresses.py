"""Which addresses a name server's answer may bring, and which of them many sites share."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
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


def is_sinkhole(address: Address) -> bool:
    """Whether it is what DNS blockers answer in the place of a host: nowhere, or the pod itself."""
    address = unmapped(address)
    if isinstance(address, IPv6Address):
        # A translating name server (DNS64) makes 64:ff9b:: of a blocker's 0.0.0.0.
        inside = _inside(address)
        if inside is not None:
            return is_sinkhole(inside)
    return address.is_unspecified or address.is_loopback


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which NAT64 or 6to4 carries what is sent to an IPv6 one."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


_NAT64 = IPv6Network("64:ff9b::/96")


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


def refusal_of(address: Address, own_ranges: Collection[Network] = ()) -> str | None:
    """Why an address can be no telemetry host's, for a person; None where it can.

    ``own_ranges`` are the cluster's own: of pods, Services and nodes. An answer with a refused
    address comes from a blocker, a captive portal, a split horizon or an attacker.
    """
    address = unmapped(address)
    what = _what_is(address, own_ranges)
    return None if what is None else f"{address} {what}"


def _what_is(address: Address, own_ranges: Collection[Network]) -> str | None:
    what = _METADATA.get(_position(address)) or _SPECIAL.find(address) or _own(address, own_ranges)
    if what is not None:
        return f"is {what}"
    if isinstance(address, IPv6Address):
        inside = _inside(address)
        if inside is not None:
            what = _what_is(inside, own_ranges)
            return None if what is None else f"stands for {inside}, which {what}"
        if address not in _HANDED_OUT:
            return f"is outside of what is handed out as global addresses ({_HANDED_OUT})"
    return None


def _own(address: Address, own_ranges: Collection[Network]) -> str | None:
    for own in own_ranges:
        if own.version == address.version and address in own:
            return f"in the cluster's own range {own}"
    return None


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
