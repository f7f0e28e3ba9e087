"""How well an allowlist follows a host for a week, run with the operator's retention functions.

Time is simulated; the answers come from a fixed seed. The operator asks when ``next_lookup`` says
so. Somebody else, with answers of their own, asks every 10 s from the same moment on: what they get
is to be in the allowlist. That a network policy takes a moment to be written is not played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from random import Random

from dev.bench.figures import Figure, Target
from dev.bench.progress import Progress
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult, TelemetryHostStatus
from fleet_telemetry.egress.host_lists import allowlist, denylist
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_status_codec import encode_status, status_to_write
from fleet_telemetry.egress.host_step import next_lookup, step_host
from fleet_telemetry.egress.model import Address, Lookup

_HOST = "telemetry.example.com"
_NAME_SERVER = "dns"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST = IPv4Address("54.230.0.1")
_TTL = 60
_CLIENT_SECONDS = 10
_DAY = 86_400.0
_HOUR = 3_600.0
_SETTLED_SECONDS = 600.0
_MILLION = 1_000_000
_OUTSIDE = Target(100)
_WRITES = Target(10)
_RULES = Retention()
_NO_IPV6 = Lookup(_NAME_SERVER, AddressFamily.IPV6, LookupResult.NO_DATA, (), _TTL)


@dataclass(frozen=True)
class Span:
    """How much is simulated."""

    days: float
    times: int
    """Each with other answers, and each from the start."""
    starts: int
    """So many first hours besides, to see how starts differ."""


@dataclass(frozen=True)
class _Zone:
    """A host, as its name server returns it."""

    what: str
    pool: int
    shown: int
    replaced: float | None = None
    """Seconds until it has a new pool."""

    def answer(self, seconds: float, chance: Random) -> tuple[Address, ...]:
        """Some of the addresses that it has at a time, in order."""
        turn = int(seconds // self.replaced) if self.replaced else 0
        numbers = sorted(chance.sample(range(self.pool), self.shown))
        return tuple(_FIRST + (turn * self.pool + number) for number in numbers)


_ROTATING = _Zone("a host that returns 8 of its 64 addresses at a time", pool=64, shown=8)
_STEADY = _Zone("for comparison, a host with 2 addresses, which change each day", 2, 2, _DAY)


@dataclass
class _Tally:
    """The results of one run."""

    answers: int = 0
    """Responses to the other client."""
    outside: list[float] = field(default_factory=list)
    """When a response had an address that was not in the allowlist, in seconds from the start."""
    questions: int = 0
    """Lookups of the operator."""
    changes: int = 0
    """Responses to the operator that differ from the one before."""
    writes: Counter[str] = field(default_factory=Counter)

    @property
    def share_outside(self) -> float:
        """In a million responses."""
        return len(self.outside) / self.answers * _MILLION

    @property
    def share_settled(self) -> float:
        """The same without the start."""
        late = sum(when >= _SETTLED_SECONDS for when in self.outside)
        return late / (self.answers - _SETTLED_SECONDS / _CLIENT_SECONDS) * _MILLION


class _Life:
    """The operator's state of the host, and its writes."""

    def __init__(self) -> None:
        self.tally = _Tally()
        self.allowed: frozenset[Address] = frozenset()
        self._state = HostState(_HOST)
        self._saved: TelemetryHostStatus | None = None
        self._lists: dict[str, tuple[Address, ...]] = {_ALLOW: (), _DENY: ()}
        self._previous: tuple[Address, ...] | None = None

    def observe(self, addresses: tuple[Address, ...], seconds: float, jitter: float) -> float:
        """Process a response as the controller does; return the seconds until the next lookup."""
        tally = self.tally
        tally.questions += 1
        tally.changes += self._previous is not None and addresses != self._previous
        self._previous = addresses
        now = _START + timedelta(seconds=seconds)
        answers = (
            Lookup(_NAME_SERVER, AddressFamily.IPV4, LookupResult.OK, addresses, _TTL),
            _NO_IPV6,
        )
        self._state = step_host(self._state, answers, now, _RULES)
        lists = {_ALLOW: allowlist(self._state, _RULES), _DENY: denylist(self._state, _RULES)}
        for name, listed in lists.items():
            tally.writes[name] += listed != self._lists[name]
        if lists[_ALLOW] != self._lists[_ALLOW]:
            self.allowed = frozenset(lists[_ALLOW])
        self._lists = lists
        self._save(now)
        return next_lookup(self._state, _RULES, jitter)

    def _save(self, now: datetime) -> None:
        saved = self._saved
        if saved is None:
            # The object and its status are separate writes.
            self.tally.writes[_SAVE] += 2
            self._saved = encode_status(self._state, _RULES)
        elif status_to_write(saved, self._state, now, _RULES):
            self.tally.writes[_SAVE] += 1
            self._saved = encode_status(self._state, _RULES, saved.conditions)


_ALLOW = "of a network policy that allows"
_DENY = "of a network policy that denies"
_SAVE = "of the TelemetryHost"


def _live(zone: _Zone, seed: int, end: float) -> _Tally:
    """Simulate this many seconds from the first lookup."""
    life = _Life()
    tally = life.tally
    operator, somebody = Random(f"operator {seed}"), Random(f"somebody {seed}")  # noqa: S311  # not secret
    seconds = 0.0
    while seconds < end:
        # The responses to the other client since the last lookup.
        while (when := tally.answers * _CLIENT_SECONDS) < seconds:
            tally.answers += 1
            if not life.allowed.issuperset(zone.answer(when, somebody)):
                tally.outside.append(when)
        addresses = zone.answer(seconds, operator)
        seconds += life.observe(addresses, seconds, operator.random())
    return tally


def measure(span: Span, progress: Progress) -> list[Figure]:
    """Simulate, and return the figures."""
    return [*_rotating(span, progress), *_steady(span, progress)]


def _rotating(span: Span, progress: Progress) -> Iterator[Figure]:
    tallies = _times(_ROTATING, span, progress)
    section = _section(_ROTATING, span)
    yield from _outside(section, tallies, _OUTSIDE)
    yield from _starts(section, span, progress)
    yield from _writes(section, tallies)
    ratios = [tally.writes.total() / tally.changes * 100 for tally in tallies]
    yield Figure.of(section, "writes / changes in the responses", "%", ratios, _WRITES)


def _steady(span: Span, progress: Progress) -> Iterator[Figure]:
    tallies = _times(_STEADY, span, progress)
    section = _section(_STEADY, span)
    yield from _outside(section, tallies)
    yield from _writes(section, tallies)


def _section(zone: _Zone, span: Span) -> str:
    return f"Egress: {zone.what}; {span.times} x {span.days:g} days, TTL {_TTL} s"


def _times(zone: _Zone, span: Span, progress: Progress) -> list[_Tally]:
    progress.begin(f"egress: {zone.what}")
    tallies = []
    for seed in range(span.times):
        progress.at(f"{seed + 1} of {span.times}")
        tallies.append(_live(zone, seed, span.days * _DAY))
    return tallies


def _outside(
    section: str, tallies: Sequence[_Tally], target: Target | None = None
) -> Iterator[Figure]:
    unit = "in a million"
    name = "responses with an address outside the allowlist"
    yield Figure.of(section, name, unit, [tally.share_outside for tally in tallies], target)
    late = [tally.share_settled for tally in tallies]
    yield Figure.of(section, "  the same after the first 10 min", unit, late)


def _starts(section: str, span: Span, progress: Progress) -> Iterator[Figure]:
    """Misses occur in the first minutes, so many starts are simulated."""
    progress.begin("egress: first hours")
    counts = []
    for seed in range(span.starts):
        progress.at(f"{seed + 1} of {span.starts}")
        counts.append(len(_live(_ROTATING, seed, _HOUR).outside))
    most = span.days * _DAY / _CLIENT_SECONDS * _OUTSIDE.limit / _MILLION
    name = f"such responses in the first hour, of {span.starts} starts"
    yield Figure.of(section, name, "", counts)
    share = sum(count > most for count in counts) / span.starts * 100
    yield Figure.of(section, f"  starts with more than {most:.0f}, the whole span's", "%", [share])


def _writes(section: str, tallies: Sequence[_Tally]) -> Iterator[Figure]:
    changes = [tally.changes for tally in tallies]
    yield Figure.of(section, "changes in the responses to the operator", "", changes)
    yield Figure.of(section, "writes", "", [tally.writes.total() for tally in tallies])
    for name in (_ALLOW, _DENY, _SAVE):
        yield Figure.of(section, f"  {name}", "", [tally.writes[name] for tally in tallies])
