"""What is recorded as injected."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleet_telemetry.api.workload_telemetry import InjectedVariable


class Recorded:
    """What WorkloadTelemetry lists as injected into a workload, now or earlier, by container: each
    asks for its own, and there may be thousands."""

    def __init__(self, every: Iterable[InjectedVariable] = ()) -> None:
        self._of: dict[str, dict[InjectedVariable, None]] = {}
        for one in every:
            self._of.setdefault(one.container, {})[one] = None

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self._of)

    def of(self, container: str) -> Collection[InjectedVariable]:
        """What is of a container, in its order."""
        return self._of.get(container, {}).keys()


NOTHING_RECORDED = Recorded()
