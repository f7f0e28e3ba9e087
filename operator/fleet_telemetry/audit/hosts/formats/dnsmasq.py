"""Options of dnsmasq: NXDOMAIN for the hosts and every name below them.

Source: dnsmasq(8), --server and --address: a domain without an address is answered locally only,
so with NXDOMAIN; one with # is asked of the usual servers.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import ONLY_DENY, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class Dnsmasq(LinesFormat):
    """A file for the folder of ``conf-dir``."""

    name = "dnsmasq"
    actions = ONLY_DENY

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#", "Names below a host are denied, too.")
        yield from (f"server=/{name}/" for name in listed.names)
        yield from (f"server=/{name}/#" for name in listed.spared)
