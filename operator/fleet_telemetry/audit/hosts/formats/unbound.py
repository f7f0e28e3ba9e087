"""Options of Unbound: NXDOMAIN for the hosts and every name below them.

Source: unbound.conf(5), local-zone: always_nxdomain, and transparent for what is resolved as usual.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import ONLY_DENY, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class Unbound(LinesFormat):
    """A file that ``include:`` names."""

    name = "unbound"
    actions = ONLY_DENY

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#", "Names below a host are denied, too.")
        yield "server:"
        yield from (f'    local-zone: "{name}." always_nxdomain' for name in listed.names)
        yield from (f'    local-zone: "{name}." transparent' for name in listed.spared)
