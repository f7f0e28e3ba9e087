"""Looks up the addresses of telemetry hosts.

Only the given name servers are queried. Whatever they respond, the result is a ``Lookup``.

Aliases (CNAME) are followed inside a response. If a response ends with an alias and does not
contain its target, as at the border of a zone, the same server is queried for the target.
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
    DnsResponse,
    NoAnswerError,
    send_query,
)
from fleet_telemetry.egress.dns.name_servers import NameServer, parse_name_server, read_name_servers
from fleet_telemetry.egress.model import Lookup

__all__ = ["LookupLimits", "NameServer", "Resolver", "parse_name_server", "read_name_servers"]

_LONGEST_SHOWN = 120
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupLimits:
    """Limits of one lookup."""

    try_seconds: float = 2.0
    """For each packet or connection; a failed query is sent a second time."""
    pause_seconds: float = 0.1
    """Before the second try."""
    total_seconds: float = 5.0
    """For the whole lookup: both tries, TCP, aliases."""
    at_once: int = 64
    """Concurrent lookups on one name server."""
    aliases: int = 16
    """The longest chain."""
    addresses: int = 256
    """Of one lookup; the others are left out, and ``detail`` says so."""


class Resolver:
    """Queries every name server for each host. There is nothing to close."""

    def __init__(
        self,
        name_servers: Sequence[NameServer],
        families: frozenset[AddressFamily] = frozenset(AddressFamily),
        limits: LookupLimits = LookupLimits(),
    ) -> None:
        """Raises ValueError without name servers or families, or if two servers share a name."""
        if not name_servers or not families:
            raise ValueError("at least one DNS server and one family of addresses are needed")
        names = [name_server.name for name_server in name_servers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two DNS servers are called {name!r}: give each a name of its own"
                )
        self._questions = [
            (name_server, family) for name_server in name_servers for family in sorted(families)
        ]
        self._limits = limits
        # Each name server has its own semaphore, so that a dead one does not delay the others.
        self._free = {name: asyncio.Semaphore(limits.at_once) for name in names}

    async def ask(self, host: str) -> tuple[Lookup, ...]:
        """One lookup for each name server and family, in the order of the name servers.

        Raises ValueError if the name cannot be a host name. A failure of a server is a result.
        """
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no host name: lower case, without a dot at the end")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look_up(*each, host)) for each in self._questions]
        return tuple(task.result() for task in tasks)

    async def _look_up(self, name_server: NameServer, family: AddressFamily, host: str) -> Lookup:
        async with self._free[name_server.name]:
            try:
                async with asyncio.timeout(self._limits.total_seconds):
                    return await self._follow(name_server, family, host)
            except TimeoutError:
                detail = f"no answer within {self._limits.total_seconds:g} s"
                return Lookup(name_server.name, family, LookupResult.TRANSIENT, detail=detail)
            except NoAnswerError as error:
                return Lookup(name_server.name, family, error.outcome, detail=error.detail)

    async def _follow(self, name_server: NameServer, family: AddressFamily, host: str) -> Lookup:
        """Query until the end of the chain of aliases is known. Raises NoAnswerError."""
        chain = _Chain(host, self._limits.aliases)
        while True:
            asked = chain.end
            response = await self._query_twice(name_server, family, asked)
            chain.extend(response)
            if chain.end in response.addresses:
                return self._found(name_server, family, chain, response)
            chain.refuse_strangers(response)
            denied = response.denial(chain.end)
            is_new = chain.end != asked
            if (
                response.rcode == NXDOMAIN
                or denied is not None
                or not (is_new or response.is_referral)
            ):
                # Without a SOA record the response has no negative TTL.
                return _nothing(name_server, family, chain, response.rcode, denied or 0)
            if not is_new:
                raise NoAnswerError(
                    LookupResult.TRANSIENT,
                    "it refers to other servers: it does not resolve names itself",
                )

    def _found(
        self, name_server: NameServer, family: AddressFamily, chain: _Chain, response: DnsResponse
    ) -> Lookup:
        if response.rcode == NXDOMAIN:
            raise NoAnswerError(LookupResult.FAULT, "it returned addresses with NXDOMAIN")
        found = response.addresses[chain.end]
        addresses = sorted(found.values, key=int)
        detail = ""
        if len(addresses) > self._limits.addresses:
            detail = f"the first {self._limits.addresses} of {len(addresses)} addresses"
            del addresses[self._limits.addresses :]
        ttl = min(chain.ttl, found.ttl)
        return Lookup(name_server.name, family, LookupResult.OK, tuple(addresses), ttl, detail)

    async def _query_twice(
        self, name_server: NameServer, family: AddressFamily, name: str
    ) -> DnsResponse:
        """Query, and once more if that fails. Raises NoAnswerError.

        The second query is without EDNS, unless the first was answered with an error that has
        nothing to do with it: some servers, and firewalls before them, drop what they do not know.
        """
        seconds = self._limits.try_seconds
        edns = False
        first = ""
        try:
            response = await send_query(name_server, name, family, seconds=seconds)
            if response.is_answer:
                return response
            edns = response.rcode not in NO_EDNS
            first = f"it answered {response.rcode}"
        except NoAnswerError as error:
            first = error.detail
        await asyncio.sleep(self._limits.pause_seconds)
        try:
            response = await send_query(name_server, name, family, seconds=seconds, edns=edns)
        except NoAnswerError as error:
            raise NoAnswerError(error.outcome, _both(first, error.detail)) from None
        if response.is_answer:
            return response
        again = f"it answered {response.rcode}"
        raise NoAnswerError(LookupResult.TRANSIENT, _both(first, again))


def _both(first: str, second: str) -> str:
    """Why both tries failed. The first one says more about what pods meet."""
    return first if first == second else f"{first}; at the second try: {second}"


def _nothing(
    name_server: NameServer, family: AddressFamily, chain: _Chain, rcode: str, denied: int
) -> Lookup:
    """A negative result: the server says that there are no addresses."""
    ttl = min(chain.ttl, denied)
    outcome, what = LookupResult.NO_DATA, f"has no {family} address"
    if rcode == NXDOMAIN:
        outcome, what = LookupResult.NX_DOMAIN, "does not exist"
    who = (
        "the host" if chain.end == chain.host else f"{_shown(chain.end)}, the target of its alias,"
    )
    return Lookup(name_server.name, family, outcome, ttl=ttl, detail=f"{who} {what}")


class _Chain:
    """A host and the chain of its aliases, as far as it is known."""

    def __init__(self, host: str, longest: int) -> None:
        self.host = host
        self.end = host
        self.ttl = LONGEST_TTL
        """Seconds: the shortest of all aliases."""
        self._longest = longest
        self._seen = {host}

    def extend(self, response: DnsResponse) -> None:
        """Follow the aliases of a response. Raises NoAnswerError."""
        while self.end not in response.addresses and (alias := response.aliases.get(self.end)):
            if len(alias.values) > 1:
                raise NoAnswerError(
                    LookupResult.FAULT, f"{_shown(self.end)} is an alias of several names"
                )
            (target,) = alias.values
            if target in self._seen:
                raise NoAnswerError(
                    LookupResult.FAULT, f"the aliases form a loop at {_shown(target)}"
                )
            if len(self._seen) > self._longest:
                raise NoAnswerError(
                    LookupResult.FAULT, f"the chain has more than {self._longest} aliases"
                )
            self._seen.add(target)
            self.end = target
            self.ttl = min(self.ttl, alias.ttl)

    def refuse_strangers(self, response: DnsResponse) -> None:
        """Raises NoAnswerError if the response has addresses or aliases of other names instead of
        the chain's end, as after a name server's rewriting of the question alone.

        Go and musl use such addresses whatever their owner is, others ignore them. In no case does
        the response say that the host has no address.
        """
        for name in (*response.addresses, *response.aliases):
            if name not in self._seen:
                raise NoAnswerError(
                    LookupResult.FAULT,
                    f"it answered for another name, {_shown(name)}, instead of {_shown(self.end)}",
                )


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
