"""A part of a Corefile: NXDOMAIN for the hosts alone.

Source: https://coredns.io/plugins/template/
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import ONLY_DENY, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import HostList


class CoreDns(LinesFormat):
    """To be pasted into a server block, such as that of the ConfigMap ``coredns``."""

    name = "coredns"
    actions = ONLY_DENY

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "#")
        for name in listed.names:
            escaped = name.replace(".", r"\.")
            yield f"template ANY ANY {name} {{"
            yield rf"    match ^{escaped}\.$"
            yield "    rcode NXDOMAIN"
            yield "    fallthrough"
            yield "}"
