"""All advice on one policy, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.policy.advice.conflicts import advise_on_conflicts
from fleet_telemetry.policy.advice.coverage import advise_on_coverage, advise_on_exceptions
from fleet_telemetry.policy.advice.sections import (
    advise_on_channels,
    advise_on_egress,
    advise_on_injection,
    advise_on_mode,
    advise_on_products,
    advise_on_runtime,
)
from fleet_telemetry.policy.advice.surroundings import Scene, Surroundings

_SUBJECTS: tuple[Callable[[Scene], Iterator[str]], ...] = (
    advise_on_coverage,
    advise_on_exceptions,
    advise_on_products,
    advise_on_egress,
    advise_on_conflicts,
    advise_on_mode,
    advise_on_injection,
    advise_on_runtime,
    advise_on_channels,
)


def advise(policy: Policy, around: Surroundings) -> Iterator[str]:
    """Sentences about likely mistakes. A ``policy`` that is being created may have any time of
    creation, such as now."""
    scene = Scene(policy, around)
    for subject in _SUBJECTS:
        yield from subject(scene)
