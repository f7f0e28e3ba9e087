"""The egress sections that a network policy can be drafted for, and why for others none can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import EgressAction, Mode, PolicyKind, SharedAddresses, Submission
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.registry import dialect_named, select_dialect
from fleet_telemetry.egress.facts import EgressInput
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.notes import KeyedNote, Note
from fleet_telemetry.policy.precedence import EgressSection


@dataclass(frozen=True, slots=True)
class ChannelSection:
    """The egress section in effect for a channel, and the dialect to write it in."""

    section: EgressSection
    dialect: Dialect

    @property
    def action(self) -> EgressAction:
        """The action that the section asks for."""
        return self.section.egress.action

    @property
    def opens(self) -> bool:
        """Whether the pods are to reach the channel's hosts."""
        return self.section.policy.spec.submission is Submission.ENABLED

    @property
    def accepts_shared(self) -> bool:
        """Whether addresses count that also serve others."""
        return self.section.egress.shared_addresses is SharedAddresses.ACCEPT

    def refuses_to_open(self, dialect: Dialect) -> Note | None:
        """Why it allows nothing in a dialect: users of a namespace must not override what the
        cluster's administrators deny."""
        is_cluster = self.section.policy.kind is PolicyKind.CLUSTER
        if is_cluster or not dialect.only_cluster_policies_open:
            return None
        detail = (
            f"Only a ClusterTelemetryPolicy lets anything through by a {dialect.policy_kind.kind}."
        )
        return Note(EgressReason.DIALECT_CANNOT, detail)


Sections = Mapping[Key, ChannelSection]


def usable_sections(given: EgressInput) -> tuple[Sections, tuple[KeyedNote, ...]]:
    """The sections that a policy can be drafted for, and why for the others none can."""
    sections: dict[Key, ChannelSection] = {}
    notes: list[KeyedNote] = []
    for key, in_effect in given.effective.items():
        if in_effect.egress is None or in_effect.exempt is not None:
            continue
        section = in_effect.egress
        dialect = select_dialect(section.egress.dialect, given.network.served)
        refusal = _refusal(given, section, dialect)
        if dialect is not None and refusal is None:
            found = ChannelSection(section, dialect)
            if found.action is not EgressAction.DENY:
                refusal = found.refuses_to_open(dialect)
            if refusal is None:
                sections[key] = found
        if refusal is not None:
            notes.append((key, refusal))
    return sections, tuple(notes)


def _refusal(given: EgressInput, section: EgressSection, dialect: Dialect | None) -> Note | None:
    """Why no policy is drafted for a section, whatever its action is."""
    if section.policy.spec.mode is Mode.AUDIT:
        return Note(EgressReason.AUDIT_ONLY)
    if given.workload.template.host_network:
        return Note(EgressReason.HOST_NETWORK)
    if not given.workload.pod_selector:
        return Note(EgressReason.PODS_NOT_SELECTABLE)
    if dialect is None:
        asked = dialect_named(section.egress.dialect)
        needs = f" It needs {asked.plugin.needs}." if asked and asked.plugin else ""
        detail = f"It asks for {section.egress.dialect}.{needs}"
        return Note(EgressReason.DIALECT_NOT_SERVED, detail)
    return None
