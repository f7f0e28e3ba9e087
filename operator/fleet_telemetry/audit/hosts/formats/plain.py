"""Names, one a line."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class PlainList(LinesFormat):
    """Lines that begin with # are comments."""

    name = "list"
    actions = BOTH

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#")
        yield from listed.names
