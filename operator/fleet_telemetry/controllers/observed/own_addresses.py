"""The addresses of which lookups are the operator's own, and no product's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from fleet_telemetry.egress.dns.client import local_address
from fleet_telemetry.egress.dns.name_servers import NameServer
from fleet_telemetry.egress.model import Address

_FORMER_SECONDS = 300.0
"""How long lookups by the former leader may still be reported. Its address may be a pod's soon."""


class OwnAddresses:
    """This pod's address, those that it sends from, and for a while those of the former leader."""

    def __init__(self, address: Address, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never go back."""
        self._clock = clock
        self._until = clock() + _FORMER_SECONDS
        self._own = str(address)
        self._sending: frozenset[str] = frozenset()

    def ask_from(self, name_servers: Iterable[NameServer]) -> None:
        """Find out from which addresses these are asked."""
        found = set()
        for one in name_servers:
            with suppress(OSError):
                found.add(local_address(one))
        self._sending = frozenset(found)

    def all(self, former: Iterable[str]) -> frozenset[str]:
        """All of them. ``former``: where the Service led to before."""
        late = former if self._clock() < self._until else ()
        return frozenset({self._own, *self._sending, *late})
