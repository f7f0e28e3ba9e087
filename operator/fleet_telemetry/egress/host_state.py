"""What is known of one telemetry host, and the rules by which it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, PublishedRanges
from fleet_telemetry.egress.model import Address, Network

# A clock outside of these is broken, and arithmetic with it leads out of the calendar.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def whole_seconds(time: datetime) -> datetime:
    """A time as it is kept: in UTC, in whole seconds, of the years 2000 to 8999."""
    return min(max(time, _EARLIEST), _LATEST).astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what was answered is kept, and what is not believed at once.

    The defaults are what is meant for use; tests make them shorter.
    """

    families: frozenset[AddressFamily] = frozenset(AddressFamily)
    """The wanted ones; of others nothing is kept, asked or listed."""
    own_ranges: tuple[Network, ...] = ()
    """The cluster's own: of pods, Services and nodes. No telemetry host is in there."""

    longest_ttl: timedelta = timedelta(hours=24)
    """A longer one counts as this."""
    allow_grace: timedelta = timedelta(hours=1)
    """How long beyond its TTL an address stays in an allowlist. A host that rotates 8 of 64
    addresses a minute shows each of them in such a time but for one time in millions."""
    deny_grace: timedelta = timedelta(days=7)
    """And in a denylist: what is missing in there leaks."""
    freeze: timedelta = timedelta(hours=24)
    """For how long a failure of DNS lengthens the stay in an allowlist. In a denylist: for ever."""

    negatives: int = 3
    """So many times in a row, and no other answer in between, ..."""
    negative_time: timedelta = timedelta(minutes=15)
    """... over such a time it has to be said that there is nothing, until that is believed."""

    hold_size: int = 4
    """A family's allowlist of so many addresses or more does not lose over half of them ..."""
    hold_answers: int = 10
    """... until so many rounds in a row ..."""
    hold_time: timedelta = timedelta(hours=1)
    """... over such a time did not bring them back."""

    most_addresses: int = 64
    """That are kept of a host, both families together, seeds not counted."""
    coalesce: timedelta = timedelta(minutes=10)
    """How long a removal may wait for others, or for an addition, to go with."""

    shortest_interval: timedelta = timedelta(seconds=30)
    longest_interval: timedelta = timedelta(minutes=5)
    discovery_interval: timedelta = timedelta(seconds=1)
    """Between two questions while a host that rotates its addresses goes on showing new ones."""
    longest_gap: timedelta = timedelta(minutes=10)
    """More time than this does not pass between two answers: the clock was changed, or nobody
    asked, and what was not asked for is not missing."""
    stale: timedelta = timedelta(minutes=15)
    """Without an answer for so long, what is known is not fresh. What was refused is told for so
    long as well, so that a name server that does it now and then does not make it flicker."""

    def __post_init__(self) -> None:
        if self.deny_grace < self.allow_grace:
            raise ValueError("a denylist has to keep addresses for as long as an allowlist does")
        if self.most_addresses < 1 or self.allow_grace <= timedelta(0):
            raise ValueError("a host without addresses cannot be kept")

    @property
    def longest_allowed(self) -> timedelta:
        """After this time without being seen no address is in an allowlist, whatever happens; but
        for a hold (``hold_time``) and for coalescing."""
        return max(self.longest_ttl, self.freeze) + self.allow_grace

    @property
    def longest_denied(self) -> timedelta:
        """How far ahead an address' end in a denylist can lie."""
        return self.longest_ttl + self.deny_grace


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """An address that DNS gave for the host. It is in the denylist for as long as it is known."""

    address: Address
    seen_at: datetime
    """When it was in an answer for the last time."""
    expires_at: datetime | None
    """When it leaves the allowlist unless seen again; None: it has left."""
    deny_expires_at: datetime
    """When it leaves the denylist unless seen again, and is forgotten."""


@dataclass(frozen=True, slots=True)
class Responder:
    """A name server that has given addresses. While it fails, its addresses are not missing."""

    name_server: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyState:
    """What DNS says of one family of the host's addresses."""

    family: AddressFamily
    settled: bool = False
    """DNS has said once what there is. From then on, it alone says what is allowed."""
    answered_at: datetime | None = None
    """When a name server said something for the last time, be it that there is nothing."""
    outcome: LookupResult | None = None
    """What it said then: OK, NO_DATA or NX_DOMAIN."""
    negatives: int = 0
    """How many times in a row it was said that there is nothing; counted up to where it counts."""
    negative_since: datetime | None = None
    responders: tuple[Responder, ...] = ()
    held_since: datetime | None = None
    """Since when the allowlist is kept from losing more than half of its addresses."""
    held_answers: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that was put aside because of an address in it."""

    name_server: str
    why: str
    """For a person; begins with the address."""
    is_sinkhole: bool
    at: datetime


QUIET = 1_000
"""So many answers without a new address are as good as any number."""


@dataclass(frozen=True, slots=True)
class HostState:
    """What is known of one host. Times are those of the clock at ``as_of``, in whole seconds."""

    host: str
    seeds: frozenset[Address] = frozenset()
    """Addresses that the catalogue gives. Not part of what is saved: the catalogue is there."""
    as_of: datetime | None = None
    """The time of the last answers; None before the first ones."""
    known: tuple[KnownAddress, ...] = ()
    """In order, each address once."""
    families: tuple[FamilyState, ...] = ()
    """Of the wanted families that were asked for, in order."""
    refusals: tuple[Refusal, ...] = ()
    """The last ones, one of a view."""
    capped_at: datetime | None = None
    """When addresses were left out for the last time because there are too many."""
    ranges: PublishedRanges | None = None
    """What a provider publishes for the host, checked; carried along to be saved with the rest."""

    interval: float = 0.0
    """Seconds from ``as_of`` to the next question, before the jitter."""
    quiet: int = QUIET
    """How many answers in a row brought no new address; counted up to QUIET."""

    def family(self, family: AddressFamily) -> FamilyState:
        """What DNS says of a family; nothing yet, where it was not asked."""
        for state in self.families:
            if state.family is family:
                return state
        return FamilyState(family)
