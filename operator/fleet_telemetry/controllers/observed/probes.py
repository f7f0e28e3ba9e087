"""Which telemetry hosts the leader asks name servers for, to see that they are tapped."""

from __future__ import annotations

from collections.abc import Collection

from fleet_telemetry.backoff import backoff_seconds

_FIRST_SECONDS = 30.0
_LONGEST_SECONDS = 3600.0
_SHORTEST_SECONDS = 10.0
"""Between two times, however often name servers connect."""


class Probes:
    """When each host is asked for. A host that is never reported is asked for less and less."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[int, float]] = {}
        """How often, and when last."""
        self._connections: frozenset[str] = frozenset()

    def due(
        self, untapped: Collection[str], connections: Collection[str], now: float
    ) -> frozenset[str]:
        """Which of the hosts that are not known to be tapped are to be asked for now, in seconds.

        Without connections nothing would be reported. A new connection may have another tap.
        """
        connected = frozenset(connections)
        if not connected:
            return frozenset()
        asked = {host: self._asked[host] for host in untapped if host in self._asked}
        if not connected <= self._connections:
            asked = {host: (0, last) for host, (_, last) in asked.items()}
        self._connections = connected
        due = set()
        for host in untapped:
            times, last = asked.get(host, (0, None))
            pause = backoff_seconds(times, _FIRST_SECONDS, _LONGEST_SECONDS)
            if last is None or now - last >= (pause if times else _SHORTEST_SECONDS):
                asked[host] = times + 1, now
                due.add(host)
        self._asked = asked
        return frozenset(due)
