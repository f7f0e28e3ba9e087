"""The evidence sources, lowest rank first. To add one: a file with its class, and a line here."""

from __future__ import annotations

from fleet_telemetry.evidence.declared import DeclaredSource
from fleet_telemetry.evidence.egress import EgressSource
from fleet_telemetry.evidence.observed import ObservedSource
from fleet_telemetry.evidence.reported import ReportedSource
from fleet_telemetry.evidence.running import RunningSource
from fleet_telemetry.evidence.source import EvidenceSource

SOURCES: tuple[EvidenceSource, ...] = (
    EgressSource(),
    ObservedSource(),
    DeclaredSource(),
    RunningSource(),
    ReportedSource(),
)
SETTING_SOURCES = tuple(source.name for source in SOURCES if source.rank)
"""The names of the sources that show a setting, lowest rank first."""
