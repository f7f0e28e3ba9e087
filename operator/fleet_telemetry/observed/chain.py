"""Since when no lookup can be missing.

The chain is whole while every name server of the cluster is connected, nothing of it was lost, and
the leader's canaries come back through each of them. Any break ends it, and only a canary that was
sent after the break mends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.observed.canary import CANARY_ZONE, token_of
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.spelling import canonical_address

CANARY_TIMEOUT = timedelta(seconds=15)
"""A canary that is not seen by then is missed."""
CANARY_VALID = timedelta(minutes=5)
"""How long a canary proves something: none that is newer, and the chain is not whole."""
CLOCK_OFFSET = timedelta(seconds=3)
"""A name server's clock may be wrong by so much."""
_CLOCK_OFFSET_AGAIN = timedelta(seconds=2)
"""Once it was wrong by more, it has to be right by so much."""
_LONG = timedelta(hours=1)
FIRST_HOLD = timedelta(minutes=1)
"""How long a mended chain is not believed at first."""
_MOST_OUTSTANDING = 16
_MOST_SOURCES = 1024
_MOST_NAMED = 3
_PATH = ""
"""In place of a name server: the way that pods ask."""
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChainState:
    """Whether lookups can be missing."""

    complete_since: datetime | None = None
    """Since when none can be; None if some may be."""
    reason: ObservedReason | None = None
    """Why some may be."""
    detail: str = ""
    """More on that: which name server."""
    all_tapped: bool = False
    """A name server reports more than the telemetry hosts, so a pod that asks shows."""
    autopath: bool = False
    """Names with a search domain are answered at once. They are reported, too."""


@dataclass(slots=True)
class _Streak:
    """A time without a break, and how soon to believe the next one."""

    hold: timedelta
    since: datetime | None = None
    held_until: datetime = _EVER
    short: int = 0
    """How many streaks in a row were short."""
    reason: ObservedReason = ObservedReason.NOT_PROVEN_YET
    detail: str = ""

    def end(
        self, now: datetime, reason: ObservedReason, detail: str, *, counts: bool = True
    ) -> None:
        if self.since is not None and counts:
            self.short = 0 if now - self.since >= _LONG else min(self.short + 1, 16)
        self.since, self.reason, self.detail = None, reason, detail

    def begin(self, now: datetime) -> None:
        if self.since is None:
            self.since = now
            # Who breaks often would have every status written often.
            hold = min(self.hold * 2 ** (self.short - 1), _LONG) if self.short else timedelta()
            self.held_until = now + hold

    def holds(self, now: datetime) -> bool:
        return self.since is not None and now >= self.held_until


@dataclass(frozen=True, slots=True)
class _Canary:
    server: str
    sent: datetime
    search: bool


@dataclass(slots=True)
class _Server:
    """A name server of the cluster."""

    streak: _Streak
    sources: set[str] = field(default_factory=set)
    """The connections that canaries to it came back through."""
    proven: datetime | None = None
    """When the last one did."""
    clock_wrong: bool = False
    autopath: bool = False
    search_seen: datetime | None = None
    """When a canary with a search domain last came back: such names are reported, too."""


@dataclass(slots=True)
class _Source:
    """A connection."""

    address: str
    all_tapped: bool = False
    proven: bool = False
    """A canary came back through it."""
    clock_wrong: bool = False
    hosts: set[str] = field(default_factory=set)
    """The telemetry hosts of which it has reported a lookup."""


class Chain:
    """Whether what the name servers report is all.

    ``now`` is the operator's clock. A name server is known by the IP address that canaries are sent
    to. A source is one connection (see ``LookupSink``).
    """

    def __init__(
        self,
        *,
        timeout: timedelta = CANARY_TIMEOUT,
        valid: timedelta = CANARY_VALID,
        hold: timedelta = FIRST_HOLD,
        proves_path: bool = False,
    ) -> None:
        """With ``proves_path``, a canary that is sent the way that pods ask has to come back, too:
        canaries that go to each name server do not show that pods ask these. ``hold`` is how long
        a mended chain is not believed after a break that followed another within an hour; it
        doubles each time, up to an hour."""
        self._timeout = timeout
        self._valid = valid
        self._hold = hold
        self._servers: dict[str, _Server] = {}
        self._sources: dict[str, _Source] = {}
        self._outstanding: dict[str, _Canary] = {}
        self._path = (
            _Server(_Streak(hold, detail="no canary that was sent as pods ask has come back"))
            if proves_path
            else None
        )
        self._whole = _Streak(hold, detail="no name server of the cluster is known")
        self.missed = 0
        """How many canaries did not come back in time."""

    def set_name_servers(self, addresses: Iterable[str], now: datetime) -> None:
        """Which name servers exist now: the addresses of all that answer for the DNS Service."""
        found = (canonical_address(one) for one in addresses)
        wanted = {one for one in found if one is not None}
        if wanted == self._servers.keys():
            return
        for address in wanted - self._servers.keys():
            self._servers[address] = _Server(_Streak(self._hold))
        for address in self._servers.keys() - wanted:
            del self._servers[address]
        for address, server in self._servers.items():
            # What came from behind NAT may turn out to be the address of another one.
            kept = {one for one in server.sources if self._may_report(one, address)}
            if kept != server.sources:
                server.sources = kept
                server.streak.end(now, ObservedReason.NOT_PROVEN_YET, "the name servers changed")
        self._outstanding = {
            token: one
            for token, one in self._outstanding.items()
            if one.server in wanted or one.server == _PATH
        }
        self._end_all(now, ObservedReason.NOT_PROVEN_YET, "the name servers changed")

    def connected(self, source: str, now: datetime) -> None:
        """A source connected. Whoever connects again was not connected before."""
        address = canonical_address(source.partition("#")[0]) or source
        self._end_of(source, address, now, ObservedReason.NOT_PROVEN_YET, "it connected anew")
        while len(self._sources) >= _MOST_SOURCES:
            self._drop(next(iter(self._sources)))
        self._sources[source] = _Source(address)

    def disconnected(self, source: str, now: datetime) -> None:
        """A source is gone."""
        self._end_of(
            source,
            self._address_of(source),
            now,
            ObservedReason.NOT_PROVEN_YET,
            "a connection of it ended",
        )
        self._drop(source)

    def lost(self, source: str, frames: int, now: datetime) -> None:
        """Frames of a source were lost."""
        if frames > 0:
            self._end_of(
                source,
                self._address_of(source),
                now,
                ObservedReason.LOOKUPS_LOST,
                "frames of it were lost",
            )

    def canary_sent(
        self, name_server: str, token: str, now: datetime, *, search: bool = False
    ) -> None:
        """A canary is being sent to a name server. Call it before the question leaves.

        With ``search``, a search domain of the cluster follows its name. It need not come back.
        """
        server = canonical_address(name_server)
        if server is None or server not in self._servers:
            return
        mine = [key for key, one in self._outstanding.items() if one.server == server]
        if len(mine) >= _MOST_OUTSTANDING:
            self._miss(mine[0], now)
        self._outstanding[token] = _Canary(server, now, search)

    def path_canary_sent(self, token: str, now: datetime) -> None:
        """A canary is being sent the way that pods ask: to the name server of their resolv.conf. It
        may come back through any source."""
        self._outstanding[token] = _Canary(_PATH, now, search=False)
        mine = [key for key, one in self._outstanding.items() if one.server == _PATH]
        if len(mine) > _MOST_OUTSTANDING:
            self._miss(mine[0], now)

    def set_autopath(self, name_server: str, now: datetime, *, in_use: bool) -> None:
        """Whether a name server answered a canary with a search domain as if it existed."""
        server = self._servers.get(canonical_address(name_server) or "")
        if server is not None and server.autopath != in_use:
            server.autopath = in_use
            if not in_use:
                server.streak.end(now, ObservedReason.NOT_PROVEN_YET, "autopath was in use")

    def looked_up(self, source: str, lookup: ReportedLookup, now: datetime) -> bool:
        """Take note of a lookup of a canary; False if it is none."""
        token = token_of(lookup.name)
        if token is None:
            return False
        self.tick(now)
        canary = self._outstanding.get(token)
        if canary is None or lookup.stage is not LookupStage.QUESTION:
            return True
        is_search = lookup.name != f"{token}.{CANARY_ZONE}"
        if canary.server == _PATH:
            if not is_search and source in self._sources:
                del self._outstanding[token]
                self._prove(self._path, now)
        elif is_search == canary.search and self._may_report(source, canary.server):
            del self._outstanding[token]
            self._seen(source, canary, lookup.time, now)
        return True

    def tapped(self, source: str, host: str | None) -> None:
        """A source reported a telemetry host; None: a name that no tap of such hosts would show."""
        found = self._sources.get(source)
        if found is None:
            return
        if host is None:
            found.all_tapped = True
        else:
            found.hosts.add(host)

    def keep_hosts(self, hosts: Iterable[str]) -> None:
        """Which telemetry hosts there are; what is known of others is dropped."""
        kept = frozenset(hosts)
        for source in self._sources.values():
            source.hosts &= kept

    def untapped(self, hosts: Iterable[str]) -> frozenset[str]:
        """The hosts of which not every name server has reported a lookup.

        That one reports names of other hosts does not show that it reports these: they may be of an
        older list.
        """
        wanted = frozenset(hosts)
        if not self._servers:
            return wanted
        of_address: dict[str, list[_Source]] = {}
        for found in self._sources.values():
            of_address.setdefault(found.address, []).append(found)
        missing: set[str] = set()
        for address, server in self._servers.items():
            own = [self._sources[one] for one in server.sources if one in self._sources]
            own += of_address.get(address, [])
            missing |= wanted.difference(*(found.hosts for found in own))
        return frozenset(missing)

    def is_all_tapped(self, source: str) -> bool:
        """Whether the source has reported a name that no tap of telemetry hosts would show."""
        found = self._sources.get(source)
        return found is not None and found.all_tapped

    def trusts_clock(self, source: str) -> bool | None:
        """Whether the source's clock is right; None if no canary has shown it."""
        found = self._sources.get(source)
        return None if found is None or not found.proven else not found.clock_wrong

    def connections(self) -> tuple[str, ...]:
        """The sources that are connected."""
        return tuple(self._sources)

    def tick(self, now: datetime) -> None:
        """Count canaries as missed that have not come back."""
        for token, one in list(self._outstanding.items()):
            if now - one.sent > self._timeout:
                self._miss(token, now)
        for server in (*self._servers.values(), *filter(None, (self._path,))):
            if server.proven is not None and now - server.proven > self._valid:
                server.proven = None
                server.streak.end(
                    now, ObservedReason.NOT_PROVEN_YET, "no canary was sent for minutes"
                )

    def state(self, now: datetime) -> ChainState:
        """Whether lookups can be missing. ``complete_since`` is the same while nothing breaks."""
        self.tick(now)
        broken: dict[tuple[ObservedReason, str], list[str]] = {}
        for address, server in sorted(self._servers.items()):
            problem = self._problem_of(address, server, now)
            if problem is not None:
                broken.setdefault(problem, []).append(address)
        if not self._whole.holds(now) and not broken:
            return ChainState(reason=self._whole.reason, detail=self._whole.detail)
        if broken:
            (reason, detail), addresses = min(broken.items(), key=lambda one: _rank(one[0][0]))
            return ChainState(reason=reason, detail=f"{_list(addresses)}: {detail}")
        if self._path is not None and not self._path.streak.holds(now):
            streak = self._path.streak
            return ChainState(reason=streak.reason, detail=streak.detail)
        times = [self._whole.since, *(one.streak.since for one in self._servers.values())]
        times += [self._path.streak.since] if self._path is not None else []
        return ChainState(
            complete_since=max(time for time in times if time is not None),
            all_tapped=any(source.all_tapped for source in self._sources.values()),
            autopath=any(server.autopath for server in self._servers.values()),
        )

    def _problem_of(
        self, address: str, server: _Server, now: datetime
    ) -> tuple[ObservedReason, str] | None:
        if server.clock_wrong:
            return ObservedReason.CLOCKS_DIFFER, "its clock is wrong by seconds"
        if server.autopath and not self._shows_search(server, now):
            return ObservedReason.AUTOPATH_IN_USE, "it answers names with a search domain"
        if server.streak.holds(now):
            return None
        is_there = bool(server.sources) or any(
            source.address == address for source in self._sources.values()
        )
        if not is_there and server.streak.since is None:
            return ObservedReason.SOURCE_NOT_CONNECTED, "it is not connected"
        return server.streak.reason, server.streak.detail or "no canary has come back through it"

    def _shows_search(self, server: _Server, now: datetime) -> bool:
        return server.search_seen is not None and now - server.search_seen <= self._valid

    def _address_of(self, source: str) -> str:
        found = self._sources.get(source)
        return found.address if found is not None else source.partition("#")[0]

    def _may_report(self, source: str, server: str) -> bool:
        """Whether a source may be that of a name server: it comes from its address, or from one
        that is no other's, as behind NAT."""
        found = self._sources.get(source)
        return found is not None and (found.address == server or found.address not in self._servers)

    def _seen(self, source: str, canary: _Canary, time: datetime, now: datetime) -> None:
        server, found = self._servers[canary.server], self._sources[source]
        found.proven = True
        allowed = _CLOCK_OFFSET_AGAIN if found.clock_wrong else CLOCK_OFFSET
        found.clock_wrong = not canary.sent - allowed <= time <= now + allowed
        server.sources.add(source)
        if found.clock_wrong:
            server.clock_wrong = True
            server.streak.end(now, ObservedReason.CLOCKS_DIFFER, "its clock was wrong by seconds")
            return
        server.clock_wrong = any(
            self._sources[one].clock_wrong for one in server.sources if one in self._sources
        )
        if canary.search:
            server.search_seen = now
            return
        self._prove(server, now)

    @staticmethod
    def _prove(server: _Server | None, now: datetime) -> None:
        if server is not None:
            server.proven = now
            server.streak.begin(now)

    def _miss(self, token: str, now: datetime) -> None:
        canary = self._outstanding.pop(token)
        if canary.search:
            return
        self.missed += 1
        if canary.server == _PATH:
            if self._path is not None:
                self._path.streak.end(
                    now,
                    ObservedReason.DNS_BYPASSED,
                    "a canary that was sent as pods ask did not come back",
                )
            return
        self._servers[canary.server].streak.end(
            now, ObservedReason.NOT_PROVEN_YET, "a canary did not come back through it"
        )

    def _end_of(
        self, source: str, address: str, now: datetime, reason: ObservedReason, detail: str
    ) -> None:
        """End what a source may have reported: its name servers', or all if that is not known."""
        meant = {
            name
            for name, server in self._servers.items()
            if name == address or source in server.sources
        }
        if not meant:
            # Behind NAT, it may be any of those that share the address.
            same = {one for one, found in self._sources.items() if found.address == address}
            meant = {name for name, server in self._servers.items() if server.sources & same}
        if not meant:
            self._end_all(now, reason, f"a source at {address}: {detail}")
        for name in meant:
            self._servers[name].streak.end(now, reason, detail)
        # One that was sent before may have come back before, or was answered while nobody reported
        # it. That may also be one that was sent as pods ask.
        self._outstanding = {
            token: one
            for token, one in self._outstanding.items()
            if one.server not in meant and one.server != _PATH
        }

    def _end_all(self, now: datetime, reason: ObservedReason, detail: str) -> None:
        """A break that is not one name server's. Nothing more is to be waited for."""
        proven = bool(self._servers) and all(
            server.streak.since is not None for server in self._servers.values()
        )
        self._whole.end(now, reason, detail, counts=proven)
        if self._servers:
            self._whole.begin(now)

    def _drop(self, source: str) -> None:
        self._sources.pop(source, None)
        for server in self._servers.values():
            server.sources.discard(source)
            if not server.sources:
                server.clock_wrong = False


def _rank(reason: ObservedReason) -> int:
    order = (
        ObservedReason.SOURCE_NOT_CONNECTED,
        ObservedReason.AUTOPATH_IN_USE,
        ObservedReason.CLOCKS_DIFFER,
        ObservedReason.LOOKUPS_LOST,
    )
    return order.index(reason) if reason in order else len(order)


def _list(addresses: list[str]) -> str:
    shown = ", ".join(addresses[:_MOST_NAMED])
    more = len(addresses) - _MOST_NAMED
    noun = "name server" if len(addresses) == 1 else "name servers"
    return f"{noun} {shown}" + (f" and {more} more" if more > 0 else "")
