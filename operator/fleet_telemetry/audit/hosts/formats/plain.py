"""Names, one a line."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, commented, text_of
from fleet_telemetry.audit.hosts.listing import HostList


class PlainList:
    """Lines that begin with # are comments."""

    name = "list"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        return text_of(self._lines(listed))

    def _lines(self, listed: HostList) -> Iterator[str]:
        yield from commented(listed, "#")
        yield from listed.names
