"""Asks name servers for the addresses of telemetry hosts.

It asks the given name servers and nobody else. Whatever they do, the outcome is an ``Answer``.

Aliases (CNAME) are followed inside an answer. Where an answer ends with an alias and says nothing
of what is behind it, as servers do at the border of their zone, the same server is asked on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.dns.client import (
    LONGEST_TTL,
    NO_EDNS,
    NXDOMAIN,
    NoAnswerError,
    Told,
    exchange,
)
from fleet_telemetry.egress.dns.name_servers import View, parse_view, read_views
from fleet_telemetry.egress.model import Answer

__all__ = ["Limits", "Resolver", "View", "parse_view", "read_views"]

_LONGEST_SHOWN = 120
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one question may take."""

    try_seconds: float = 2.0
    """For each packet or connection; a failed question is asked a second time."""
    pause_seconds: float = 0.1
    """Before the second time."""
    total_seconds: float = 5.0
    """For an answer with everything: both tries, TCP, aliases."""
    at_once: int = 64
    """Questions to one name server."""
    aliases: int = 16
    """One behind the other."""
    addresses: int = 256
    """Of one answer; the others are left out, and the answer says so."""


class Resolver:
    """Asks every view for each host. Nothing to close: a socket lives as long as its question."""

    def __init__(
        self,
        views: Sequence[View],
        families: frozenset[AddressFamily] = frozenset(AddressFamily),
        limits: Limits = Limits(),
    ) -> None:
        """Raises ValueError where there is nothing to ask, or two views have one name."""
        if not views or not families:
            raise ValueError("at least one DNS server and one family of addresses are needed")
        names = [view.name for view in views]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two DNS servers are called {name!r}: give each a name of its own"
                )
        self._questions = [(view, family) for view in views for family in sorted(families)]
        self._limits = limits
        # Each view has its own, so that a dead one does not delay the others.
        self._free = {name: asyncio.Semaphore(limits.at_once) for name in names}

    async def ask(self, host: str) -> tuple[Answer, ...]:
        """One answer of each view and family, in the order of the views.

        Raises ValueError for what can be no host's name, and nothing for what a server does.
        """
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no host name: lower case, without a dot at the end")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answer(*each, host)) for each in self._questions]
        return tuple(task.result() for task in tasks)

    async def _answer(self, view: View, family: AddressFamily, host: str) -> Answer:
        async with self._free[view.name]:
            try:
                async with asyncio.timeout(self._limits.total_seconds):
                    return await self._follow(view, family, host)
            except TimeoutError:
                detail = f"no answer within {self._limits.total_seconds:g} s"
                return Answer(view.name, family, LookupResult.TRANSIENT, detail=detail)
            except NoAnswerError as error:
                return Answer(view.name, family, error.outcome, detail=error.detail)

    async def _follow(self, view: View, family: AddressFamily, host: str) -> Answer:
        """Ask until it is known what is at the end of the aliases. Raises NoAnswerError."""
        chain = _Chain(host, self._limits.aliases)
        while True:
            asked = chain.end
            told = await self._ask_twice(view, family, asked)
            chain.extend(told)
            if chain.end in told.addresses:
                return self._found(view, family, chain, told)
            denied = told.denial(chain.end)
            is_new = chain.end != asked
            if told.rcode == NXDOMAIN or denied is not None or not (is_new or told.is_referral):
                # Without a SOA nothing says for how long it holds.
                return _nothing(view, family, chain, told.rcode, denied or 0)
            if not is_new:
                raise NoAnswerError(
                    LookupResult.TRANSIENT,
                    "it names other servers to ask: it resolves no names itself",
                )

    def _found(self, view: View, family: AddressFamily, chain: _Chain, told: Told) -> Answer:
        if told.rcode == NXDOMAIN:
            raise NoAnswerError(
                LookupResult.FAULT, "it told addresses of a name that does not exist"
            )
        found = told.addresses[chain.end]
        addresses = sorted(found.values, key=int)
        detail = ""
        if len(addresses) > self._limits.addresses:
            detail = f"the first {self._limits.addresses} of {len(addresses)} addresses"
            del addresses[self._limits.addresses :]
        ttl = min(chain.ttl, found.ttl)
        return Answer(view.name, family, LookupResult.OK, tuple(addresses), ttl, detail)

    async def _ask_twice(self, view: View, family: AddressFamily, name: str) -> Told:
        """Ask, and once more where there is no answer. Raises NoAnswerError."""
        seconds = self._limits.try_seconds
        edns = True
        try:
            told = await exchange(view, name, family, seconds=seconds)
            if told.is_answer:
                return told
            edns = told.rcode not in NO_EDNS
        except NoAnswerError:
            pass
        await asyncio.sleep(self._limits.pause_seconds)
        told = await exchange(view, name, family, seconds=seconds, edns=edns)
        if told.is_answer:
            return told
        raise NoAnswerError(LookupResult.TRANSIENT, f"it answered {told.rcode}")


def _nothing(view: View, family: AddressFamily, chain: _Chain, rcode: str, denied: int) -> Answer:
    """There are no addresses, and a server knows that."""
    ttl = min(chain.ttl, denied)
    outcome, what = LookupResult.NO_DATA, f"has no {family} address"
    if rcode == NXDOMAIN:
        outcome, what = LookupResult.NX_DOMAIN, "does not exist"
    who = (
        "the host" if chain.end == chain.host else f"{_shown(chain.end)}, of which it is an alias,"
    )
    return Answer(view.name, family, outcome, ttl=ttl, detail=f"{who} {what}")


class _Chain:
    """A host and the aliases behind it, as far as they are known."""

    def __init__(self, host: str, longest: int) -> None:
        self.host = host
        self.end = host
        self.ttl = LONGEST_TTL
        """Seconds: the shortest of all aliases."""
        self._longest = longest
        self._seen = {host}

    def extend(self, told: Told) -> None:
        """Go on to where an answer's aliases lead. Raises NoAnswerError."""
        while self.end not in told.addresses and (alias := told.aliases.get(self.end)):
            if len(alias.values) > 1:
                raise NoAnswerError(
                    LookupResult.FAULT, f"{_shown(self.end)} is an alias of several names"
                )
            (target,) = alias.values
            if target in self._seen:
                raise NoAnswerError(
                    LookupResult.FAULT, f"aliases in a loop: back at {_shown(target)}"
                )
            if len(self._seen) > self._longest:
                raise NoAnswerError(
                    LookupResult.FAULT, f"more than {self._longest} aliases, one behind the other"
                )
            self._seen.add(target)
            self.end = target
            self.ttl = min(self.ttl, alias.ttl)


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
