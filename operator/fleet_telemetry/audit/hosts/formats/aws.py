"""The rule group of AWS Network Firewall: a domain list.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
aws-properties-networkfirewall-rulegroup-rulessourcelist.html: a target without a leading dot is
this name alone. JSON has no comments, so the command says on standard error what is left out.
"""

from __future__ import annotations

import json

from fleet_telemetry.audit.hosts.formats.format import BOTH
from fleet_telemetry.audit.hosts.listing import Action, HostList


class AwsNetworkFirewall:
    """The field RuleGroup of ``aws network-firewall create-rule-group``. A list of what is allowed
    denies all other names of the protocols."""

    name = "aws"
    actions = BOTH

    def render(self, listed: HostList) -> str:
        """See HostFormat."""
        kind = "DENYLIST" if listed.action is Action.DENY else "ALLOWLIST"
        source = {
            "Targets": list(listed.names),
            "TargetTypes": ["TLS_SNI", "HTTP_HOST"],
            "GeneratedRulesType": kind,
        }
        group = {"RulesSource": {"RulesSourceList": source}}
        return json.dumps(group, indent=2) + "\n"
