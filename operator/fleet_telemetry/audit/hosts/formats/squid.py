"""An access list of Squid.

Source: http://www.squid-cache.org/Doc/config/acl/: a dstdomain without a leading dot is this name
alone. It is also compared with the name of a CONNECT request.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class Squid(LinesFormat):
    """Lines for squid.conf, before the rules that allow or deny more."""

    name = "squid"
    actions = BOTH

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#")
        yield from (f"acl fleet_telemetry dstdomain {name}" for name in listed.names)
        if listed.hosts:  # an access list without entries is an error
            yield f"http_access {listed.action} fleet_telemetry"
