"""The state of a network policy that this operator writes, as an object in the cluster."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.objects.manifest import Manifest, items_at, number_at, text_at


class ObjectState(StrEnum):
    """The state of an object."""

    MISSING = "Missing"
    """It does not exist, or it differs from what is desired."""
    WRITTEN = "Written"
    """It exists as desired. Nothing shows that anything enforces it."""
    ENFORCED = "Enforced"
    """It exists as desired, and the network plug-in reports that it enforces it, or the
    installation declares that its kind is enforced."""
    NAME_TAKEN = "NameTaken"
    """Somebody else's object has its name."""
    REFUSED = "Refused"
    """Its dialect cannot express what is desired, or the network plug-in rejects it."""

    @property
    def is_there(self) -> bool:
        """Whether the object exists as desired and nothing rejects it."""
        return self in (ObjectState.WRITTEN, ObjectState.ENFORCED)


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """The state of an object after it was applied, with a detail for people."""

    state: ObjectState
    detail: str = ""


def read_conditions(live: Manifest, types: Collection[str]) -> ObjectResult:
    """What an object's conditions of these types say. One that is ``False`` decides.

    A condition about an older generation is ignored.
    """
    generation = number_at(live, "metadata", "generation")
    found: dict[object, str] = {}
    for condition in items_at(live, "status", "conditions"):
        observed = number_at(condition, "observedGeneration", default=generation)
        if condition.get("type") in types and observed >= generation:
            found.setdefault(condition.get("status"), text_at(condition, "message"))
    if "False" in found:
        return ObjectResult(ObjectState.REFUSED, found["False"])
    if "True" in found:
        return ObjectResult(ObjectState.ENFORCED)
    return ObjectResult(ObjectState.WRITTEN, "The object's own status does not say so.")
