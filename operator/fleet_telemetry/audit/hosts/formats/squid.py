"""An access list of Squid.

Source: http://www.squid-cache.org/Doc/config/acl/: a dstdomain without a leading dot is this name
alone. It is also compared with the name of a CONNECT request.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, commented, text_of
from fleet_telemetry.audit.hosts.listing import HostList


class Squid:
    """Lines for squid.conf, before the rules that allow or deny more."""

    name = "squid"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        return text_of(self._lines(listed))

    def _lines(self, listed: HostList) -> Iterator[str]:
        yield from commented(listed, "#")
        yield from (f"acl fleet_telemetry dstdomain {name}" for name in listed.names)
        if listed.hosts:  # an access list without entries is an error
            yield f"http_access {listed.action} fleet_telemetry"
