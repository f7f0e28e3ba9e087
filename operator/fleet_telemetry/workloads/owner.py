"""Which controller an object belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.objects.manifest import Manifest, items_at, text_at


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner reference that is marked as the controller."""

    api_group: str
    kind: str
    name: str
    uid: str


def read_controller(manifest: Manifest) -> Owner | None:
    """The owner reference that is marked as the controller; None if there is none."""
    for owner in items_at(manifest, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return Owner(
                api_group=text_at(owner, "apiVersion").rpartition("/")[0],
                kind=text_at(owner, "kind"),
                name=text_at(owner, "name"),
                uid=text_at(owner, "uid"),
            )
    return None
