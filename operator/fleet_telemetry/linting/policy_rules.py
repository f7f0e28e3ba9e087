"""The CEL rules of the policies' CRDs, in Python: by the expression, or by the message where the
expression is a regular one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

_DURATION = re.compile(r"([0-9]{1,32}(?:\.[0-9]{1,32})?)(h|m|s)")
_BLANKS = " \t\n\r\f"
"""As \\s of RE2."""
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_SHORTEST = 60
"""Seconds."""
_LONGEST = Fraction(1 << 63, 10**9)
"""Seconds that Go's time.Duration cannot hold."""


def _selects(selector: Mapping[str, Any]) -> bool:
    return bool(selector.get("matchLabels")) or bool(selector.get("matchExpressions"))


def _has_values(requirement: Mapping[str, Any]) -> bool:
    return bool(requirement.get("values")) is (requirement["operator"] in ("In", "NotIn"))


def _is_long(interval: str) -> bool:
    """Whether it is a minute or more, and one that Go has a number for. What is no duration breaks
    the field's pattern."""
    parts = (Fraction(number) * _SECONDS[unit] for number, unit in _DURATION.findall(interval))
    return _SHORTEST <= sum(parts) < _LONGEST


def _is_network(cidr: str) -> bool:
    """Whether it is a range as CEL reads it, with its first address."""
    address, _, length = cidr.partition("/")
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError:
        return False
    has_zero = length != str(network.prefixlen)
    return not has_zero and not address.lower().startswith("::ffff:")


def _fits_submission(spec: Mapping[str, Any]) -> bool:
    egress = spec.get("egress")
    action = egress.get("action", "Deny") if egress is not None else "Isolate"
    return action == "Isolate" or (spec.get("submission", "Disabled") == "Disabled") is (
        action == "Deny"
    )


POLICY_RULES: dict[str, Callable[[Any], bool]] = {
    "an empty selector would send the credential to every namespace; select by a label": _selects,
    "!has(self.secretRef.namespace) || has(self.namespaces) || has(self.namespaceSelector)": (
        lambda one: (
            "namespace" not in one["secretRef"] or "namespaces" in one or "namespaceSelector" in one
        )
    ),
    "!has(self.namespaces) || !has(self.namespaceSelector)": lambda one: (
        "namespaces" not in one or "namespaceSelector" not in one
    ),
    "an interval is at least 1m": _is_long,
    "isCIDR(self) && cidr(self) == cidr(self).masked()": _is_network,
    "!isCIDR(self) || cidr(self).prefixLength() > 0": lambda cidr: (
        not _is_network(cidr) or cidr.rpartition("/")[2] != "0"
    ),
    "has(self.cidr) != (has(self.namespaceSelector) || has(self.podSelector))": lambda one: (
        ("cidr" in one) is not ("namespaceSelector" in one or "podSelector" in one)
    ),
    "reachable is only allowed with action: Isolate": lambda one: (
        one.get("action", "Deny") == "Isolate" or not one.get("reachable")
    ),
    "egress.action Deny requires submission: Disabled, and Allow requires submission: Enabled; "
    "Isolate goes with either": _fits_submission,
    "egress.dns Refuse requires submission: Disabled; with Enabled, name servers have to answer": (
        lambda one: (
            (one.get("egress") or {}).get("dns", "None") != "Refuse"
            or one.get("submission", "Disabled") == "Disabled"
        )
    ),
    "an exception needs a reason": lambda reason: bool(reason.strip(_BLANKS)),
    "In and NotIn need values; Exists and DoesNotExist take none": _has_values,
}
