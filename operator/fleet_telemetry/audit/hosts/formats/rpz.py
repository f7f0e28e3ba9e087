"""A response policy zone, for BIND, Unbound, PowerDNS Recursor and Knot Resolver.

Source: draft-vixie-dnsop-dns-rpz: CNAME . is NXDOMAIN, CNAME rpz-passthru. leaves the answer as it
is. A name covers itself alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import Action, HostList


class ResponsePolicyZone(LinesFormat):
    """A zone file; the zone has whatever name the name server's configuration gives it."""

    name = "rpz"
    actions = BOTH

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, ";")
        yield "$TTL 300"
        serial = listed.serial
        yield f"@ IN SOA localhost. hostmaster.localhost. {serial} 3600 600 86400 300"
        yield "@ IN NS localhost."
        target = "." if listed.action is Action.DENY else "rpz-passthru."
        yield from (f"{name} IN CNAME {target}" for name in listed.names)
