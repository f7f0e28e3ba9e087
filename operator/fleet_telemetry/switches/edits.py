"""Edits of a pod template, and what leads to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.policy import Policy


class Trigger(StrEnum):
    """What gives the occasion to write."""

    CREATE = "Create"
    """A workload, or a pod of a workload that somebody else's controller owns, is created."""
    UPDATE = "Update"
    """Somebody changes the pod template."""
    RECONCILE = "Reconcile"
    """The controller finds the workload as it is."""


class Cause(StrEnum):
    """Why a variable is edited, or left."""

    INJECTED = "Injected"
    OVERRIDDEN = "Overridden"
    SETTING = "Setting"
    REFUSED = "Refused"
    TAKEN_BACK = "TakenBack"
    KEPT = "Kept"
    """Not edited: the user says the contrary, and the policy lets them."""
    BY_REFERENCE = "ByReference"
    """Not edited: the value comes from elsewhere."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Set one variable of one container to ``value``, or remove it where ``value`` is None."""

    container: int
    container_name: str
    name: str
    value: str | None
    cause: Cause
    policy: Policy | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SkippedEdit:
    """A variable that is not as a policy wishes and is left as it is."""

    container_name: str
    name: str
    cause: Cause
    policy: Policy
    note: str = ""
