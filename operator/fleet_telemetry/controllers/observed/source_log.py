"""Log lines about sources: bounded, whatever peers do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fleet_telemetry.objects.text import printable
from fleet_telemetry.observed.figures import RefusedConnection
from fleet_telemetry.observed.lookup import LookupSink, ReportedLookup

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 600.0
"""Between two lines about the same."""
_PATIENCE_SECONDS = 5.0
"""A name server may connect before it is known, and is refused for a moment."""
_MOST = 1000
_LONGEST = 200


class SourceLog:
    """A LookupSink that logs what happens to sources, and passes everything on."""

    def __init__(
        self, sink: LookupSink, clock: Callable[[], float], on_connected: Callable[[], None]
    ) -> None:
        """``clock`` gives seconds that never go back."""
        self._sink = sink
        self._clock = clock
        self._on_connected = on_connected
        self._lines: dict[tuple[str, str], tuple[float, float | None]] = {}
        """By address and subject: when it was first seen, and when it was last logged."""

    def connected(self, source: str) -> None:
        """See LookupSink."""
        _log.info("name server %s reports its lookups", source)
        self._sink.connected(source)
        self._on_connected()

    def disconnected(self, source: str) -> None:
        """See LookupSink."""
        _log.warning("name server %s reports no more: its connection ended", source)
        self._sink.disconnected(source)

    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        """See LookupSink."""
        self._sink.looked_up(source, lookup)

    def lost(self, source: str, frames: int) -> None:
        """See LookupSink."""
        if self._is_due(source, "lost"):
            _log.warning("%d reports of name server %s were lost or not readable", frames, source)
        self._sink.lost(source, frames)

    def refused(self, address: str, why: RefusedConnection, sentence: str) -> None:
        """The receiver closed a connection."""
        patience = _PATIENCE_SECONDS if why is RefusedConnection.NOT_ADMITTED else 0.0
        if self._is_due(address, why, patience):
            shown = printable(sentence, _LONGEST)
            _log.warning("a connection from %s was closed: %s (%s)", address, shown, why)

    def _is_due(self, address: str, subject: str, patience: float = 0.0) -> bool:
        now, key = self._clock(), (address, subject)
        if key not in self._lines and len(self._lines) >= _MOST:
            # Many addresses at once are an attack or a mistake; what was logged is enough.
            self._lines = {
                known: line for known, line in self._lines.items() if now - line[0] < _AGAIN_SECONDS
            }
            if len(self._lines) >= _MOST:
                return False
        first, last = self._lines.get(key, (now, None))
        due = now - first >= patience if last is None else now - last >= _AGAIN_SECONDS
        self._lines[key] = first, now if due else last
        return due
