"""The ranges that a provider publishes: how its document is validated, and when it is accepted.

A host behind a content delivery network can have any address of that network, so lookups do not
find all of its addresses. If the provider publishes its ranges, they are used instead. Nothing here
does I/O; ``ranges_client.py`` fetches.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_interface, ip_network

from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.egress.model import Address, Network, family_of
from fleet_telemetry.objects.manifest import Manifest

MOST_RANGES = 64
WIDEST = {AddressFamily.IPV4: 12, AddressFamily.IPV6: 28}
"""The shortest prefix that is accepted. Cloudflare's widest are /13 and /29."""
CONFIRMATIONS = 3
"""An implausible document is accepted after it was read this many times in a row ..."""
CONFIRMED_AFTER = timedelta(hours=24)
"""... over at least this time."""

DAY_SECONDS = 86400.0
_FIRST_RETRY_SECONDS = 600.0
_JITTER = 0.1

_BUILT_IN = "built-in:"
_CIDR = re.compile(r"[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}")
# Without a colon, so that no document can be taken for a built-in one or one of our digests.
_ETAG = re.compile(r"""[-"+./0-9=A-Z_a-z]{1,256}""")
_LONGEST_SHOWN = 60

# https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry. Of IPv6
# only 2000::/3 is in use as global unicast. ``is_global`` would not do: of a range it looks at both
# ends, so 192.160.0.0/12 passes, with 192.168.0.0/16 in the middle of it.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_NOT_PUBLIC = {
    AddressFamily.IPV4: tuple(
        map(
            ip_network,
            (
                "0.0.0.0/8",
                "10.0.0.0/8",
                "100.64.0.0/10",
                "127.0.0.0/8",
                "169.254.0.0/16",
                "172.16.0.0/12",
                "192.0.0.0/24",
                "192.0.2.0/24",
                "192.88.99.0/24",
                "192.168.0.0/16",
                "198.18.0.0/15",
                "198.51.100.0/24",
                "203.0.113.0/24",
                "224.0.0.0/4",
                "240.0.0.0/4",
            ),
        )
    ),
    AddressFamily.IPV6: tuple(
        map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
    ),
}


class RangesError(Exception):
    """The ranges could not be fetched or are not valid; the ranges in force stay.

    The message names the provider and the fault.
    """

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"{provider}'s published ranges: {why}")


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one provider."""

    provider: str
    etag: str
    """The provider's digest, or our own if it has none. For the user only: changes are found by
    comparing the networks."""
    networks: tuple[Network, ...]
    """IPv4 before IPv6, sorted, none inside another; never empty for either family."""

    @property
    def is_built_in(self) -> bool:
        """Whether they came with the operator and were never fetched."""
        return self.etag.startswith(_BUILT_IN)

    def covers(self, address: Address) -> bool:
        """Whether the address is the provider's, and so shared by an unknown number of hosts."""
        return any(address in network for network in self.networks)

    def size(self, family: AddressFamily) -> int:
        """The number of addresses of a family."""
        return sum(n.num_addresses for n in self.networks if family_of(n) is family)


@dataclass(frozen=True, slots=True)
class Listed:
    """The lists of a document before validation, with their names for messages."""

    cidrs: Mapping[AddressFamily, tuple[str, object]]
    etag: object = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that publishes its ranges."""

    name: str
    url: str
    read: Callable[[Manifest], Listed]
    """Finds the lists in the JSON document; raises ValueError with what is wrong with it."""
    seed: Ranges
    """The ranges in force until the first fetch."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A document that differs too much from the ranges in force to be accepted at once."""

    ranges: Ranges
    since: datetime
    seen: int
    """How many times in a row it was read."""
    why: str


@dataclass(frozen=True, slots=True)
class RangesState:
    """The state of one provider's ranges. It begins with ``provider.seed`` or with the result of
    ``restored``."""

    ranges: Ranges
    """In force."""
    hold: Hold | None = None


def parse(provider: Provider, body: bytes) -> Ranges:
    """Parse a provider's document. Raises RangesError if any part of it is not valid."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RangesError(provider.name, f"the response is not JSON ({len(body)} bytes)") from None
    if not isinstance(document, dict):
        raise RangesError(provider.name, "the document is not a JSON object")
    try:
        listed = provider.read(document)
        networks = _networks(listed.cidrs)
    except ValueError as error:
        raise RangesError(provider.name, str(error)) from None
    return Ranges(provider.name, _etag(listed.etag, networks), networks)


def restored(provider: Provider, etag: str, cidrs: Sequence[str]) -> Ranges:
    """The ranges saved before a restart. Raises RangesError if they are malformed."""
    families: dict[AddressFamily, list[str]] = {family: [] for family in AddressFamily}
    for cidr in cidrs:
        families[AddressFamily.IPV6 if ":" in cidr else AddressFamily.IPV4].append(cidr)
    try:
        networks = _networks({family: ("cidrs", found) for family, found in families.items()})
    except ValueError as error:
        raise RangesError(provider.name, f"the saved ranges are malformed: {error}") from None
    return Ranges(provider.name, etag or _digest(networks), networks)


def step_ranges(state: RangesState, fresh: Ranges, now: datetime) -> RangesState:
    """The state after a document was read.

    A document is held back (``hold``) if it removes more than 30 % of the addresses in force, more
    than doubles them, or has other ranges under the same etag. It is accepted after it was read
    ``CONFIRMATIONS`` times in a row over at least ``CONFIRMED_AFTER``. A different document starts
    the count again; a failed fetch does not. A restart ends the hold, so the count starts again.
    """
    held = state.ranges
    if fresh.networks == held.networks:
        return RangesState(fresh)
    why = _doubt(held, fresh)
    if not why:
        return RangesState(fresh)
    hold = state.hold
    if hold is None or hold.ranges.networks != fresh.networks:
        return RangesState(held, Hold(fresh, now, 1, why))
    # A clock that was set back must not end a hold early.
    hold = replace(hold, since=min(hold.since, now), seen=hold.seen + 1)
    if hold.seen >= CONFIRMATIONS and now - hold.since >= CONFIRMED_AFTER:
        return RangesState(fresh)
    return RangesState(held, hold)


def wait_seconds(failures: int, chance: float) -> float:
    """Seconds until the next fetch: a day; after failures in a row 10 minutes, 20, 40, up to a day.
    ``chance``, a random number from 0 to 1, adds a jitter of a tenth."""
    seconds = DAY_SECONDS
    if failures > 0:
        seconds = backoff_seconds(failures, _FIRST_RETRY_SECONDS, DAY_SECONDS)
    return seconds * (1 - _JITTER + 2 * _JITTER * chance)


# Checks; each raises ValueError with a sentence


def _networks(cidrs: Mapping[AddressFamily, tuple[str, object]]) -> tuple[Network, ...]:
    # Before each is read.
    count = sum(len(listed) for _, listed in cidrs.values() if isinstance(listed, list))
    if count > MOST_RANGES:
        raise ValueError(f"{count} ranges; at most {MOST_RANGES} are accepted")
    read = {family: _family(family, *cidrs[family]) for family in AddressFamily}
    return tuple(network for family in AddressFamily for network in _outermost(read[family]))


def _family(family: AddressFamily, key: str, cidrs: object) -> list[Network]:
    if not isinstance(cidrs, list):
        raise ValueError(f"{key} is not a list")  # noqa: TRY004  # of what somebody sent, not a bug
    if not cidrs:
        raise ValueError(f"{key} has no {family} range")
    return [_network(family, f"{key}[{index}]", cidr) for index, cidr in enumerate(cidrs)]


def _network(family: AddressFamily, where: str, cidr: object) -> Network:
    where = f"{where}, {_shown(cidr)},"
    if not isinstance(cidr, str) or not _CIDR.fullmatch(cidr):
        raise ValueError(f"{where} is no {family} range with its prefix length")
    try:
        interface = ip_interface(cidr)
    except ValueError:
        interface = None
    if interface is None or family_of(interface.network) is not family:
        raise ValueError(f"{where} is no {family} range with its prefix length")
    network = interface.network
    if interface.ip != network.network_address:
        raise ValueError(f"{where} has host bits set; use {network}")
    if network.prefixlen < WIDEST[family]:
        raise ValueError(f"{where} is wider than /{WIDEST[family]}")
    if family is AddressFamily.IPV6 and not _inside(network, _GLOBAL_IPV6):
        raise ValueError(f"{where} is not public: it is outside of {_GLOBAL_IPV6}")
    for reserved in _NOT_PUBLIC[family]:
        if _inside(network, reserved) or _inside(reserved, network):
            raise ValueError(f"{where} is not public: it overlaps {reserved}")
    return network


def _outermost(networks: Iterable[Network]) -> list[Network]:
    """Sorted, without duplicates and ranges inside another: none counts twice, so that none can
    hide
    that addresses are missing."""
    found: list[Network] = []
    for network in sorted(networks, key=lambda n: (int(n.network_address), n.prefixlen)):
        if not found or not _inside(network, found[-1]):
            found.append(network)
    return found


def _etag(given: object, networks: tuple[Network, ...]) -> str:
    """The document's etag if it is a plain token, else a digest of the ranges."""
    if isinstance(given, str) and _ETAG.fullmatch(given):
        return given
    return _digest(networks)


def _digest(networks: Iterable[Network]) -> str:
    return f"sha256:{hashlib.sha256(' '.join(map(str, networks)).encode()).hexdigest()}"


def _doubt(held: Ranges, fresh: Ranges) -> str:
    """Why a document is not accepted at once; empty if it is."""
    for family in AddressFamily:
        before = held.size(family)
        lost = before - _shared(held, fresh, family)
        if lost * 10 > before * 3:
            return f"{lost * 100 // before} % of the {family} addresses would be gone"
        after = fresh.size(family)
        if after > before * 2:
            return f"the {family} addresses would grow to {after * 100 // before} %"
    if fresh.etag == held.etag:
        return "there are other ranges under the same etag"
    return ""


def _shared(one: Ranges, other: Ranges, family: AddressFamily) -> int:
    """The number of addresses of a family in both."""
    return sum(
        min(a.num_addresses, b.num_addresses)
        for a in one.networks
        for b in other.networks
        if family_of(a) is family_of(b) is family and (_inside(a, b) or _inside(b, a))
    )


def _inside(inner: Network, outer: Network) -> bool:
    """Whether one range contains the other; both are of one family."""
    return inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _shown(value: object) -> str:
    """An untrusted value, escaped and shortened for a message."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


# Providers


def _read_cloudflare(document: Manifest) -> Listed:
    """The shape of https://developers.cloudflare.com/api/resources/ips."""
    if document.get("success") is not True:
        raise ValueError("success is not true")
    if document.get("errors"):
        raise ValueError("success is true, and yet there are errors")
    result = document.get("result")
    if not isinstance(result, dict):
        raise ValueError("result is no object")  # noqa: TRY004  # of what somebody sent, not a bug
    keys = {AddressFamily.IPV4: "ipv4_cidrs", AddressFamily.IPV6: "ipv6_cidrs"}
    return Listed(
        {family: (key, result.get(key)) for family, key in keys.items()}, result.get("etag")
    )


def _seed(provider: str, date: str, *cidrs: str) -> Ranges:
    return Ranges(provider, f"{_BUILT_IN}{date}", tuple(map(ip_network, cidrs)))


# As https://www.cloudflare.com/ips-v4 and /ips-v6 had them on that day. They change once in years.
_CLOUDFLARE_SEED = _seed(
    "Cloudflare",
    "2026-02-11",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
)

CLOUDFLARE = Provider(
    "Cloudflare",
    "https://api.cloudflare.com/client/v4/ips",
    _read_cloudflare,
    _CLOUDFLARE_SEED,
)
PROVIDERS: Mapping[str, Provider] = {provider.name: provider for provider in (CLOUDFLARE,)}
"""By the name that a catalogue file gives in ``publishedRanges``."""
