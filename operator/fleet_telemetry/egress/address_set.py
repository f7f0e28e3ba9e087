"""Sets of IP addresses of any size, with exact arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import chain, islice, starmap

from fleet_telemetry.egress.model import Address, Network

# Both families share one range of integers: first IPv4, then IPv6.
_IPV6 = 1 << 32
_END = _IPV6 + (1 << 128)


@dataclass(frozen=True, slots=True)
class AddressSet:
    """A set of addresses of both families; equal sets compare equal, however they came about.

    An IPv4 address and the IPv6 address that maps it are different addresses: a packet has one of
    them.
    """

    edges: tuple[int, ...] = ()
    """Where the set begins and, one past its last, ends; begins again, and so on; ascending."""

    @classmethod
    def of(cls, networks: Iterable[Network]) -> AddressSet:
        """The addresses of networks."""
        return cls._joined(map(_span, networks))

    @classmethod
    def union(cls, sets: Iterable[AddressSet]) -> AddressSet:
        """The addresses that are in any of the sets."""
        return cls._joined(span for one in sets for span in one.spans())

    @classmethod
    def _joined(cls, spans: Iterable[tuple[int, int]]) -> AddressSet:
        edges: list[int] = []
        for begin, end in sorted(spans):
            if edges and begin <= edges[-1]:
                edges[-1] = max(edges[-1], end)
            else:
                edges += (begin, end)
        return cls(tuple(edges))

    def __bool__(self) -> bool:
        return bool(self.edges)

    def __contains__(self, address: Address) -> bool:
        return bisect_right(self.edges, _place(address)) % 2 == 1

    def meets(self, other: AddressSet) -> bool:
        """Whether any address is in both."""
        for begin, end in self.spans():
            at = bisect_right(other.edges, begin)
            if at % 2 or (at < len(other.edges) and other.edges[at] < end):
                return True
        return False

    def minus(self, other: AddressSet) -> AddressSet:
        """The addresses that are in this set and not in the other one."""
        edges: list[int] = []
        for begin, end in self.spans():
            at = bisect_right(other.edges, begin)
            left = begin
            if at % 2:
                # It begins inside the other set: what is left begins where that one ends.
                left = other.edges[at]
                at += 1
            while left < end:
                stop = other.edges[at] if at < len(other.edges) else end
                edges += (left, min(stop, end))
                if stop >= end:
                    break
                left = other.edges[at + 1]
                at += 2
        return AddressSet(tuple(edges))

    def networks(self, most: int) -> Iterator[Network]:
        """The addresses as networks, in order: at most so many."""
        return islice(chain.from_iterable(starmap(_networks, self.spans())), most)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Its unbroken stretches: where each begins and, one past its last, ends."""
        return zip(self.edges[::2], self.edges[1::2], strict=True)


EVERYWHERE = AddressSet((0, _END))
"""All addresses there are."""


def _place(address: Address) -> int:
    return int(address) if address.version == 4 else _IPV6 + int(address)  # noqa: PLR2004  # IPv4


def _networks(begin: int, end: int) -> Iterator[Network]:
    if begin < _IPV6:
        yield from summarize_address_range(IPv4Address(begin), IPv4Address(min(end, _IPV6) - 1))
    if end > _IPV6:
        first = IPv6Address(max(begin, _IPV6) - _IPV6)
        yield from summarize_address_range(first, IPv6Address(end - _IPV6 - 1))


def _span(network: Network) -> tuple[int, int]:
    begin = _place(network.network_address)
    return begin, begin + network.num_addresses
