"""JSON, for programs."""

from __future__ import annotations

import json
from typing import Any

from fleet_telemetry.audit.hosts.formats.format import BOTH
from fleet_telemetry.audit.hosts.listing import HostList, ListedHost


class JsonList:
    """All that is known of each host. Fields are added, never renamed."""

    name = "json"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        whole = {
            "apiVersion": "audit.fleettelemetry.io/v1alpha1",
            "kind": "TelemetryHosts",
            "action": listed.action,
            "hosts": [_entry(one) for one in listed.hosts],
            "leftOut": [_entry(one) for one in listed.left_out],
        }
        return json.dumps(whole, indent=2) + "\n"


def _entry(one: ListedHost) -> dict[str, Any]:
    return {
        "host": one.host,
        "port": one.port,
        "uses": [{"product": use.product, "channel": use.channel} for use in one.uses],
        "sentBy": "Browser" if one.sent_by_browser else "Pod",
        "alsoServes": list(one.also_serves),
    }
