"""A telemetry host through time: what name servers said, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from fleet_telemetry.api.conditions import ObservedCondition
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.addresses import in_order
from fleet_telemetry.egress.host_conditions import observe
from fleet_telemetry.egress.host_lists import allowlist, denylist
from fleet_telemetry.egress.host_state import HostState, Retention
from fleet_telemetry.egress.host_step import step_host
from fleet_telemetry.egress.model import Address, Lookup, family_of

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOST = "telemetry.example.com"
RULES = Retention()


def v4(number: int) -> IPv4Address:
    """One of the host's addresses."""
    return IPv4Address("34.0.0.0") + number


def ok(*addresses: Address, name_server: str = "a", ttl: int = 60) -> tuple[Lookup, ...]:
    """One name server has these addresses; an answer of each family that is among them."""
    return tuple(
        Lookup(
            name_server,
            family,
            LookupResult.OK,
            tuple(one for one in addresses if family_of(one) is family),
            ttl,
        )
        for family in sorted({family_of(one) for one in addresses})
    )


def says(
    outcome: LookupResult, *families: AddressFamily, name_server: str = "a", ttl: int = 300
) -> tuple[Lookup, ...]:
    """One name server answers without addresses; of IPv4 if no family is named."""
    return tuple(
        Lookup(name_server, family, outcome, ttl=ttl)
        for family in families or (AddressFamily.IPV4,)
    )


@dataclass
class History:
    """One host. ``hears`` takes it a round further."""

    rules: Retention = RULES
    seeds: frozenset[Address] = frozenset()
    now: datetime = START
    state: HostState = field(init=False)

    def __post_init__(self) -> None:
        self.state = HostState(HOST, self.seeds)

    def hears(
        self, *answers: Lookup, after: timedelta = timedelta(0), every: timedelta = 5 * MINUTE
    ) -> None:
        """One round, or one in every so much time until ``after`` is over."""
        end = self.now + after
        while True:
            self.now = min(self.now + every, end)
            self.state = step_host(self.state, answers, self.now, self.rules)
            if self.now >= end:
                return

    def jumps(self, by: timedelta) -> None:
        """The clock is changed, or nobody asks for a while."""
        self.now += by

    @property
    def allow(self) -> list[Address]:
        """The allowlist."""
        return list(allowlist(self.state, self.rules))

    @property
    def deny(self) -> list[Address]:
        """The denylist."""
        return list(denylist(self.state, self.rules))

    def condition(self, kind: str) -> ObservedCondition:
        """What is said of the host."""
        (found,) = (one for one in observe(self.state, self.rules) if one.type == kind)
        return found

    def said(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        found = self.condition(kind)
        return found.status.value, found.reason

    def has_rules(self, rules: Retention) -> None:
        """Other rules from now on."""
        self.rules = rules

    def has_seeds(self, *seeds: Address) -> None:
        """The catalogue changes."""
        self.state = replace(self.state, seeds=frozenset(seeds))


def listed(*addresses: Address) -> list[Address]:
    """As lists have them."""
    return list(in_order(addresses))
