"""Findings in groups by what needs attention, and those of one cause together: what is said of
many workloads is said once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import msgspec

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import EgressVerdict, ObservedVerdict
from fleet_telemetry.audit.result import Audit, Finding, Place


class Group(Enum):
    """What a finding asks of its reader, the most urgent first."""

    VIOLATION = "violation"
    UNKNOWN = "unknown"
    UNCOVERED = "uncovered"
    FINE = "fine"

    def heading(self, *, judged: bool) -> str:
        """For a person."""
        return (_JUDGED if judged else _UNJUDGED)[self]


_UNJUDGED = {
    Group.VIOLATION: "Sends",
    Group.UNKNOWN: "Unknown",
    Group.UNCOVERED: "No policy",
    Group.FINE: "Sends nothing",
}
_JUDGED = {
    Group.VIOLATION: "Not as the policies ask",
    Group.UNKNOWN: "Not proven",
    Group.UNCOVERED: "Without a policy",
    Group.FINE: "As the policies ask",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings that differ only in their workload and its evidence."""

    group: Group
    common: Finding
    """One of them; what differs is empty."""
    findings: tuple[Finding, ...]


def group_of(audit: Audit, one: Finding) -> Group:
    """The group of a finding."""
    if audit.is_violation(one):
        return Group.VIOLATION
    if audit.is_unknown(one):
        return Group.UNKNOWN
    return Group.UNCOVERED if audit.is_judged(one) and one.state is None else Group.FINE


def causes_of(audit: Audit) -> tuple[Cause, ...]:
    """All findings, the most urgent group first, and otherwise in their order."""
    found: dict[tuple[Group, Finding], list[Finding]] = {}
    for one in audit.findings:
        found.setdefault((group_of(audit, one), _common(one)), []).append(one)
    causes = [Cause(group, common, tuple(those)) for (group, common), those in found.items()]
    order = list(Group)
    return tuple(
        sorted(
            causes,
            key=lambda one: (order.index(one.group), one.common.product, one.common.channel),
        )
    )


def _common(one: Finding) -> Finding:
    return msgspec.structs.replace(
        one,
        place=Place(),
        namespace="",
        kind="",
        name="",
        version="",
        policy=None,
        declared=Setting.UNKNOWN,
        running=Setting.UNKNOWN,
        reported=Setting.UNKNOWN,
        egress=EgressVerdict.UNKNOWN,
        observed=ObservedVerdict.UNKNOWN,
        observed_reason="",
        observed_message="",
        observed_since=None,
        last_observed_time=None,
        provenance=None,
    )
