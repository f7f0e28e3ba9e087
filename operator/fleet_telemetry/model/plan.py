"""What was decided: edits of a pod template, and verdicts on channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet_telemetry.model.policy import ChannelName, Policy, Submission
from fleet_telemetry.model.product import Meaning
from fleet_telemetry.model.reasons import Reason
from fleet_telemetry.model.workload_telemetry import State


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
class Remark:
    """A variable that is not as a policy wishes and is left as it is."""

    container_name: str
    name: str
    cause: Cause
    policy: Policy
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one channel of one product stands."""

    product: str
    channel: ChannelName
    declared: Meaning
    running: Meaning
    declared_effect: Meaning
    """What ``declared`` comes to: an unset switch is its default, where that is known."""
    running_effect: Meaning
    policy: Policy | None = None
    desired: Submission | None = None
    state: State | None = None
    reason: Reason | None = None
    message: str = ""
    reported: Meaning = Meaning.UNKNOWN
    last_submission: datetime | None = None
    inventory: tuple[str, ...] = ()
    seeded: tuple[str, ...] = ()
    """Claims whose data was shown to have begun with the setting."""
