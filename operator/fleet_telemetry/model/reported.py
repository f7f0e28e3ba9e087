"""What a workload's product says of itself, over all of its instances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.model.product import Meaning
from fleet_telemetry.model.reasons import Reason


@dataclass(frozen=True, slots=True)
class Reported:
    """The last check's result. ``fault`` says why the product did not tell."""

    setting: Meaning = Meaning.UNKNOWN
    """The instance that is farthest from silence counts."""
    fault: Reason | None = None
    message: str = ""
    """For a person; holds no secret."""
    last_submission: datetime | None = None
    inventory: tuple[str, ...] = ()
    enforceable: bool = True
    restart_needed: bool = False
    fought_over: bool = False
    """It was put right several times and turned back each time."""
