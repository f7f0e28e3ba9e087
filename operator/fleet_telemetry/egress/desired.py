"""The network policies that are desired for a workload's pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet_telemetry.egress.conflicts import resolve_conflicts
from fleet_telemetry.egress.drafting import draft_policies
from fleet_telemetry.egress.facts import EgressInput, PlannedNetworkPolicy
from fleet_telemetry.egress.host_use import HostUse, Key, find_browser_hosts, find_uses
from fleet_telemetry.egress.notes import Note, gravest


@dataclass(frozen=True, slots=True)
class EgressPlan:
    """The network policies to write, and notes on what is left out."""

    uses: tuple[HostUse, ...]
    """The hosts to which pods connect."""
    policies: tuple[PlannedNetworkPolicy, ...] = ()
    notes: Mapping[Key, Note] = field(default_factory=dict)
    browser_hosts: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    """Those to which browsers connect, in words by channel. No network policy of a pod has them."""


def plan_egress(given: EgressInput) -> EgressPlan:
    """The network policies to write for a workload: drafts from the egress sections, as far as they
    may stand beside the policies of others."""
    uses = find_uses(given.targets, given.effective)
    drafts = draft_policies(given, uses)
    resolved = [resolve_conflicts(given, draft) for draft in drafts.policies]
    return EgressPlan(
        uses=uses,
        browser_hosts=find_browser_hosts(given.targets),
        policies=tuple(one.policy for one in resolved if one.policy is not None),
        notes=gravest(drafts.notes, *(one.notes for one in resolved)),
    )
