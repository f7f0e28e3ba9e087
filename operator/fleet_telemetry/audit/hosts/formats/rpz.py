"""A response policy zone, for BIND, Unbound, PowerDNS Recursor and Knot Resolver.

Source: draft-vixie-dnsop-dns-rpz: CNAME . is NXDOMAIN, CNAME rpz-passthru. leaves the answer as it
is. A name covers itself alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, commented, text_of
from fleet_telemetry.audit.hosts.listing import Action, HostList


class ResponsePolicyZone:
    """A zone file; the zone has whatever name the name server's configuration gives it."""

    name = "rpz"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        return text_of(self._lines(listed))

    def _lines(self, listed: HostList) -> Iterator[str]:
        yield from commented(listed, ";")
        yield "$TTL 300"
        serial = listed.serial
        yield f"@ IN SOA localhost. hostmaster.localhost. {serial} 3600 600 86400 300"
        yield "@ IN NS localhost."
        target = "." if listed.action is Action.DENY else "rpz-passthru."
        yield from (f"{name} IN CNAME {target}" for name in listed.names)
