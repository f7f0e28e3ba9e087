"""What an adapter of a product's API gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fleet_telemetry.model.policy import Submission
from fleet_telemetry.model.product import Meaning
from fleet_telemetry.vendors.http import VendorApi

Credentials = Mapping[str, str]
"""The keys of the policy's Secret, decoded. Never logged, never part of a message."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one instance of a product says of itself."""

    setting: Meaning
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


class Adapter(Protocol):
    """Reads, and where the product allows it sets, the effective telemetry setting.

    Both methods raise VendorError.
    """

    keys: tuple[str, ...]
    """Keys that the Secret has to have."""
    settable: bool
    """Whether the product can be set at run time at all."""
    per_pod: bool
    """Whether every pod has a setting of its own, so that each has to be asked."""

    async def read(self, api: VendorApi, credentials: Credentials) -> Reading:
        """What the product says now."""
        ...

    async def write(self, api: VendorApi, credentials: Credentials, wish: Submission) -> None:
        """Set it. Writing what is set already is no fault."""
        ...
