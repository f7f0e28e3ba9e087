"""The repeated check of one product of one workload, and when it is due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.controllers.runtime.check_state import CheckState
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.workloads.workload import WorkloadRef


@dataclass
class CheckJob:
    """The repeated check of one product of one workload."""

    ref: WorkloadRef
    uid: str
    """Of the workload. Another one of the same name has given no answer yet."""
    check: Check
    pods: object
    """The pods that are checked; a change of them means to check soon."""
    state: CheckState
    breaker: Breaker = field(default_factory=Breaker)
    timer: asyncio.TimerHandle | None = None
    """Of the next check."""
    expiry: asyncio.TimerHandle | None = None
    """Of the answer that counts."""
    checked_at: datetime | None = None
    outcome: str = ""
    """Of the last check: ``ok`` or a reason."""
