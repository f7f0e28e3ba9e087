"""Edits of a pod template, and what triggers them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.argument_switch import ArgumentSwitch


class Trigger(StrEnum):
    """What triggers a decision on edits."""

    CREATE = "Create"
    """A workload, or a pod of a workload that another controller owns, is created."""
    UPDATE = "Update"
    """A user changes the pod template."""
    RECONCILE = "Reconcile"
    """The controller reconciles the workload as it is."""


class EditCause(StrEnum):
    """Why an entry is edited or skipped."""

    INJECTED = "Injected"
    OVERRIDDEN = "Overridden"
    SETTING = "Setting"
    REFUSED = "Refused"
    EXCLUSIVE = "Exclusive"
    """Removed: the product does not start with it and another variable."""
    REVERTED = "Reverted"
    RESTORED = "Restored"
    """Set again: the setting stood before the update, which drops it."""
    DROPPED = "Dropped"
    """Skipped: the update drops the setting, and the policy has when: Never."""
    KEPT = "Kept"
    """Skipped: the user set another value, and the policy has onConflict: Keep."""
    BY_REFERENCE = "ByReference"
    """Skipped: the value comes from a reference."""
    NOT_BESIDE = "NotBeside"
    """Skipped: the product would not start with it and another variable."""
    HOLDS_MORE = "HoldsMore"
    """Skipped: the user's value may hold more than the switch."""
    NOT_WRITABLE = "NotWritable"
    """Skipped: the switch cannot be written, or would not have the desired effect."""


@dataclass(frozen=True, slots=True)
class ArgumentEdit:
    """What an edit of a container's ``args`` is about: a flag, or a word that was injected."""

    argument: ArgumentSwitch | None = None
    injected: str = ""
    """Remove this word, and no other of its flag."""
    image_arguments: tuple[str, ...] | None = None
    """If nothing else is left, the list goes as a whole: the operator created it. None: the list is
    somebody else's, and stays."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Set one entry of one container to ``value``, or remove it if ``value`` is None."""

    container: int
    """The container's index, as in ``container_path``."""
    container_name: str
    name: str
    value: str | None
    cause: EditCause
    policy: Policy | None = None
    note: str = ""
    mechanism: str = "env"
    """The name of the switch mechanism that renders it; related settings are variables."""
    argument: ArgumentEdit | None = None
    """Set if the entry is an argument; then ``value`` is the whole word."""
    section: str = ""
    """The field of a policy by which it is made now, such as ``spec.injection.when: Always``."""

    @property
    def is_urgent(self) -> bool:
        """Whether the product cannot start because of what was injected. That does not wait."""
        return self.policy is None and self.cause in (EditCause.REFUSED, EditCause.EXCLUSIVE)


def name_entries(edits: Iterable[Edit]) -> str:
    """The containers and names of the entries, for a log line or an Event."""
    return ", ".join(f"{edit.container_name}: {edit.name}" for edit in edits)


@dataclass(frozen=True, slots=True)
class SkippedEdit:
    """An entry that does not have the desired value and is not changed."""

    container_name: str
    name: str
    cause: EditCause
    policy: Policy
    note: str = ""
    mechanism: str = "env"
    """The name of the switch mechanism that would have rendered it."""
