"""What a product's own API reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Reported:
    """The result of the last check, over all instances of a workload."""

    setting: Setting = Setting.UNKNOWN
    """That of the instance nearest to sending."""
    fault: Reason | None = None
    """Why the setting is unknown; if it is known, why it could not be remediated."""
    message: str = ""
    """For people; holds no secret."""
    lacks_setting: bool = False
    """The setting is unknown although an instance answered."""
    last_submission: datetime | None = None
    inventory: tuple[str, ...] = ()
    enforceable: bool = True
    restart_needed: bool = False
    remediation_conflict: bool = False
    """The setting was remediated several times and changed back each time."""
    as_of: datetime | None = field(default=None, compare=False)
    """When the check began that this is the result of; None if that is not known. The same result
    later is no other one."""


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """What one instance of a product reports."""

    setting: Setting
    """Enabled, Disabled, or Unknown if it is not reported."""
    version: str | None = None
    last_submission: datetime | None = None
    """When it last sent something, if it is reported; aware."""
    inventory: tuple[str, ...] = ()
    """The names of the fields that it sends, sorted; never their values."""
    enforceable: bool = True
    """False if no setting of this version works, whatever it reports."""
    restart_needed: bool = False
    """The desired setting is stored and takes effect at the next restart."""
    note: str = ""
    """More for people, such as a remedy; without values of other settings."""
