"""A part of a Corefile: NXDOMAIN for the hosts alone.

Source: https://coredns.io/plugins/template/
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import ONLY_DENY, commented, text_of
from fleet_telemetry.audit.hosts.listing import HostList


class CoreDns:
    """To be pasted into a server block, such as that of the ConfigMap ``coredns``."""

    name = "coredns"
    actions = ONLY_DENY

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        return text_of(self._lines(listed))

    def _lines(self, listed: HostList) -> Iterator[str]:
        yield from commented(listed, "#")
        for name in listed.names:
            escaped = name.replace(".", r"\.")
            yield f"template ANY ANY {name} {{"
            yield rf"    match ^{escaped}\.$"
            yield "    rcode NXDOMAIN"
            yield "    fallthrough"
            yield "}"
