"""What a workload's product says of itself, over all of its instances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.api.product import Setting
from fleet_telemetry.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Reported:
    """The last check's result."""

    setting: Setting = Setting.UNKNOWN
    """The instance that is farthest from silence counts."""
    fault: Reason | None = None
    """Why the product did not tell; where it told, why it could not be put right."""
    message: str = ""
    """For a person; holds no secret."""
    last_submission: datetime | None = None
    inventory: tuple[str, ...] = ()
    enforceable: bool = True
    restart_needed: bool = False
    fought_over: bool = False
    """It was put right several times and turned back each time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one instance of a product says of itself."""

    setting: Setting
    """Enabled, Disabled, or Unknown where it did not tell."""
    version: str | None = None
    last_submission: datetime | None = None
    """When it last sent something, as far as it tells; aware."""
    inventory: tuple[str, ...] = ()
    """The names of the fields that it sends, sorted; never their values."""
    enforceable: bool = True
    """False where this version has no setting that works, whatever it says."""
    restart_needed: bool = False
    """The setting is stored as wished and takes effect at the next restart."""
    note: str = ""
    """More for a person, such as a remedy; without values of settings other than telemetry's."""
