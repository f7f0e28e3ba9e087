"""A rule collection of an Azure Firewall policy.

Source: https://learn.microsoft.com/azure/templates/microsoft.network/firewallpolicies/
rulecollectiongroups. JSON has no comments, so the command says on standard error what is left out.
"""

from __future__ import annotations

import json
from typing import Any

from fleet_telemetry.audit.hosts.formats.format import BOTH
from fleet_telemetry.audit.hosts.listing import HostList

_PRIORITY = 1000


class AzureFirewall:
    """One application rule for each port. Set the priority and the sources that fit."""

    name = "azure"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        ports: dict[int, list[str]] = {}
        for one in listed.hosts:
            ports.setdefault(one.port, []).append(one.host)
        collection = {
            "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
            "name": f"fleet-telemetry-{listed.action}",
            "priority": _PRIORITY,
            "action": {"type": listed.action.capitalize()},
            "rules": [_rule(port, hosts) for port, hosts in sorted(ports.items())],
        }
        return json.dumps(collection, indent=2) + "\n"


def _rule(port: int, hosts: list[str]) -> dict[str, Any]:
    protocol = "Http" if port == 80 else "Https"  # noqa: PLR2004  # the port of HTTP
    return {
        "ruleType": "ApplicationRule",
        "name": f"telemetry-hosts-{port}",
        "protocols": [{"protocolType": protocol, "port": port}],
        "sourceAddresses": ["*"],
        "targetFqdns": hosts,
    }
