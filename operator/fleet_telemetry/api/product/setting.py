"""What a switch means: when it takes effect, its values, and how the product reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.schema import ApiType, described


class Semantics(StrEnum):
    """When a switch takes effect."""

    SEED = "Seed"
    START = "Start"
    RUNTIME = "Runtime"
    NONE = "None"


class DefaultState(StrEnum):
    """What a version does when no switch is set."""

    ON = "On"
    OFF = "Off"
    BY_LICENCE = "ByLicence"
    UNKNOWN = "Unknown"
    NO_TELEMETRY = "NoTelemetry"


class Setting(StrEnum):
    """What a value means to the product."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    UNSET = "Unset"
    UNKNOWN = "Unknown"


_WHITE = " \t\n\r\f\v"
"""What every language trims. Of other spaces and control characters some do, so a value with one at
its ends is not understood."""


class Reading(ApiType, frozen=True, kw_only=True):
    """How the product reads the value of its switch."""

    enabled: Annotated[
        tuple[Annotated[str, described("A value.", max_length=256)], ...],
        described("Values that enable.", list_type="set", max_length=16),
    ] = ("true",)
    disabled: Annotated[
        tuple[Annotated[str, described("A value.", max_length=256)], ...],
        described("Values that disable.", list_type="set", max_length=16),
    ] = ("false",)
    ignore_case: Annotated[bool, described("Whether upper and lower case are equal.")] = True
    trim: Annotated[bool, described("Whether white space around the value is ignored.")] = False
    empty: Annotated[Setting, described("What an empty value means.")] = Setting.UNKNOWN
    otherwise: Annotated[Setting, described("What any other value means.")] = Setting.UNKNOWN

    def setting_of(self, value: str) -> Setting:
        """What the product makes of a value."""
        value = value.strip(_WHITE) if self.trim else value
        listed = self.listed(value)
        if listed is not None:
            return listed
        if (self.trim and not value.isprintable()) or (self.ignore_case and not value.isascii()):
            return Setting.UNKNOWN  # languages trim and compare such characters differently
        return self.empty if not value else self.otherwise

    def listed(self, value: str) -> Setting | None:
        """What a value means that is one of the lists; None if it is in none."""
        value = value.strip(_WHITE) if self.trim else value
        # Letters of other scripts may have an ASCII letter as their small one: the kelvin sign.
        folded = value.lower() if self.ignore_case and value.isascii() else value
        for values, meaning in ((self.enabled, Setting.ENABLED), (self.disabled, Setting.DISABLED)):
            if folded in ({v.lower() for v in values} if self.ignore_case else values):
                return meaning
        return None
