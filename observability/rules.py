"""The rules as Prometheus reads them."""

from __future__ import annotations

from typing import Any

import yaml

from observability.alerts import ALERTS, RECORDINGS, Alert, Recording

RUNBOOKS = "https://github.com/fleet-telemetry/operator/blob/main/docs/runbooks"
"""The chart puts another place there, where the values name one."""


def rules_file() -> str:
    """A rules file, and the spec of a PrometheusRule."""
    return yaml.dump(rule_groups(), Dumper=_Dumper, sort_keys=False, width=100)


def rule_groups() -> dict[str, Any]:
    """Its content."""
    return {
        "groups": [
            {"name": "fleet-telemetry.rules", "rules": [_recording(rule) for rule in RECORDINGS]},
            {"name": "fleet-telemetry.alerts", "rules": [_alert(alert) for alert in ALERTS]},
        ]
    }


def thresholds_file() -> str:
    """What the chart replaces in the rules where its values have a threshold, by alert."""
    content = {
        alert.name: {
            "expression": alert.threshold.expression,
            "format": alert.threshold.format,
        }
        for alert in ALERTS
        if alert.threshold is not None
    }
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=100)


def _recording(rule: Recording) -> dict[str, Any]:
    return {"record": rule.name, "expr": rule.expression}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": alert.pending} if alert.pending else {}),
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as such."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar(
            "tag:yaml.org,2002:str", data, style="|" if "\n" in data else None
        )


_Dumper.add_representer(str, _Dumper.represent_str)
