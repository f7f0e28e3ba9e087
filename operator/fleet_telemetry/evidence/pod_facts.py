"""A pod as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.workloads.workload import PodTemplate


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod that counts, and its containers that run products."""

    template: PodTemplate
    targets: tuple[MatchedContainer, ...]
    finished: bool = False
    """It no longer runs, and shows what it ran with."""
    uid: str = ""
    started: datetime | None = None
    """When the node accepted the pod; None if that is not known."""
