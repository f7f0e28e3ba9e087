"""The state of one telemetry host, and the rules of retention."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, PublishedRanges
from fleet_telemetry.egress.addresses import OwnNetwork
from fleet_telemetry.egress.model import Address

# A clock outside of these bounds is wrong, and arithmetic with it could overflow.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def whole_seconds(time: datetime) -> datetime:
    """A time as it is stored: in UTC, in whole seconds, in the years 2000 to 8999."""
    return min(max(time, _EARLIEST), _LATEST).astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long addresses are kept, and which changes have to be confirmed.

    The defaults are for production; tests use shorter times.
    """

    families: frozenset[AddressFamily] = frozenset(AddressFamily)
    """The families to look up; addresses of others are not kept or listed."""
    own: OwnNetwork = field(default_factory=OwnNetwork)
    """The cluster's own addresses. No telemetry host has them."""

    longest_ttl: timedelta = timedelta(hours=24)
    """A longer TTL counts as this."""
    allow_grace: timedelta = timedelta(hours=1)
    """How long beyond its TTL an address stays in an allowlist. A host that rotates 8 of 64
    addresses each minute fails to return one of them within this time once in millions of times."""
    deny_grace: timedelta = timedelta(days=7)
    """The same for a denylist. An address that is missing there can be reached."""
    freeze: timedelta = timedelta(hours=24)
    """How long a failure of DNS can extend the time in an allowlist. In a denylist: no limit."""

    negatives: int = 3
    """A negative result is accepted after this many in a row ..."""
    negative_time: timedelta = timedelta(minutes=15)
    """... over at least this time, without another result in between."""

    hold_size: int = 4
    """An allowlist of at least this many addresses of a family does not lose over half of them
    ..."""
    hold_answers: int = 10
    """... until they are missing from this many rounds in a row ..."""
    hold_time: timedelta = timedelta(hours=1)
    """... over at least this time."""

    most_addresses: int = 64
    """Of a host, both families together, without seeds."""
    coalesce: timedelta = timedelta(minutes=10)
    """How long a removal waits for other removals or an addition, to be written with them."""

    shortest_interval: timedelta = timedelta(seconds=30)
    longest_interval: timedelta = timedelta(minutes=5)
    discovery_interval: timedelta = timedelta(seconds=1)
    """Between two lookups while a host that rotates its addresses still returns new ones."""
    longest_gap: timedelta = timedelta(minutes=10)
    """At most this time counts between two rounds. If more passed, the clock changed or no lookups
    ran, and an address that was not looked up is not missing."""
    stale: timedelta = timedelta(minutes=15)
    """After this time without a response the addresses are not fresh. Refusals are reported for
    this time, so that an intermittent one does not make the condition flap."""

    def __post_init__(self) -> None:
        if self.deny_grace < self.allow_grace:
            raise ValueError("deny_grace must be at least allow_grace")
        if self.most_addresses < 1 or self.allow_grace <= timedelta(0):
            raise ValueError("most_addresses and allow_grace must be positive")

    @property
    def longest_allowed(self) -> timedelta:
        """The longest time that an address stays in an allowlist after it was last returned, except
        for a hold (``hold_time``) and for coalescing."""
        return max(self.longest_ttl, self.freeze) + self.allow_grace

    @property
    def longest_denied(self) -> timedelta:
        """The longest time until an address expires from a denylist."""
        return self.longest_ttl + self.deny_grace


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """An address that DNS returned for the host. It is in the denylist as long as it is known."""

    address: Address
    seen_at: datetime
    """When DNS last returned it."""
    expires_at: datetime | None
    """When it leaves the allowlist unless it is returned again; None: it has left."""
    deny_expires_at: datetime
    """When it leaves the denylist and is deleted, unless it is returned again."""


@dataclass(frozen=True, slots=True)
class Responder:
    """A name server that returned addresses. While it fails, its addresses are not missing."""

    name_server: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyState:
    """The state of one address family of a host."""

    family: AddressFamily
    settled: bool = False
    """DNS has returned a result once. From then on seeds are no longer allowed."""
    answered_at: datetime | None = None
    """When a name server last returned addresses or a negative result."""
    outcome: LookupResult | None = None
    """The result at that time: OK, NO_DATA or NX_DOMAIN."""
    negatives: int = 0
    """The number of negative results in a row, up to the number that is needed."""
    negative_since: datetime | None = None
    responders: tuple[Responder, ...] = ()
    held_since: datetime | None = None
    """Since when the removal of more than half of the allowlist is held."""
    held_answers: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is ignored because of an address in it."""

    name_server: str
    why: str
    """For the user; begins with the address."""
    is_sinkhole: bool
    at: datetime


@dataclass(frozen=True, slots=True, order=True)
class LookupFailure:
    """A lookup that failed in the last round."""

    name_server: str
    family: AddressFamily
    detail: str
    """For the user: a time-out, a response code, what is wrong with the response."""

    def __str__(self) -> str:
        return f"{self.name_server}, {self.family}: {self.detail}"


QUIET = 1_000
"""``HostState.quiet`` is counted up to this number."""


@dataclass(frozen=True, slots=True)
class HostState:
    """The state of one host. Times are in whole seconds, of the clock at ``as_of``."""

    host: str
    seeds: frozenset[Address] = frozenset()
    """Addresses from the catalogue. They are not part of the status."""
    as_of: datetime | None = None
    """The time of the last round; None before the first."""
    known: tuple[KnownAddress, ...] = ()
    """In order, each address once."""
    families: tuple[FamilyState, ...] = ()
    """Of the families that were looked up, in order."""
    refusals: tuple[Refusal, ...] = ()
    """The latest ones, one for each name server."""
    failures: tuple[LookupFailure, ...] = ()
    """The failed lookups of the last round, in order. They are not part of the status."""
    capped_at: datetime | None = None
    """When addresses were last left out because of ``most_addresses``."""
    ranges: PublishedRanges | None = None
    """The published ranges of the host's provider, validated. They are saved with the state."""

    interval: float = 0.0
    """Seconds from ``as_of`` to the next lookup, without jitter."""
    quiet: int = QUIET
    """The number of rounds in a row without a new address, up to QUIET."""

    def family(self, family: AddressFamily) -> FamilyState:
        """The state of a family; the initial state if it was not looked up."""
        for state in self.families:
            if state.family is family:
                return state
        return FamilyState(family)
