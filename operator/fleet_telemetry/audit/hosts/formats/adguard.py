"""Rules of AdGuard Home, for the hosts and every name below them.

Source: https://github.com/AdguardTeam/AdGuardHome/wiki/Hosts-Blocklists: ``||name^`` blocks,
``@@`` in front allows what another list blocks, ``!`` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.hosts.formats.format import BOTH, LinesFormat, commented
from fleet_telemetry.audit.hosts.listing import Action, HostList


class AdGuard(LinesFormat):
    """A filter list."""

    name = "adguard"
    actions = BOTH

    def lines(self, listed: HostList) -> Iterator[str]:
        """See LinesFormat."""
        yield from commented(listed, "!", "A rule is about the names below a host, too.")
        mark = "" if listed.action is Action.DENY else "@@"
        yield from (f"{mark}||{name}^" for name in listed.names)
        yield from (f"@@||{name}^" for name in listed.spared)
