"""A hosts file: names that lead nowhere.

Source: hosts(5); 0.0.0.0 and :: are no address of any host (RFC 6890).
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import ONLY_DENY, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class HostsFile(LinesFormat):
    """Also what Pi-hole and the plugin hosts of CoreDNS read."""

    name = "hosts"
    actions = ONLY_DENY

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#")
        for name in listed.names:
            yield f"0.0.0.0 {name}"
            yield f":: {name}"
