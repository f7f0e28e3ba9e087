"""Which objects an object belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_telemetry.objects.manifest import Manifest, items_at, text_at


@dataclass(frozen=True, slots=True)
class Owner:
    """An object, as an owner reference names it."""

    api_group: str
    kind: str
    name: str
    uid: str


def read_controller(manifest: Manifest) -> Owner | None:
    """The owner reference that is marked as the controller; None if there is none."""
    references = items_at(manifest, "metadata", "ownerReferences")
    return next((_read(one) for one in references if one.get("controller") is True), None)


def read_owners(manifest: Manifest) -> Iterator[Owner]:
    """All objects that the owner references name."""
    return map(_read, items_at(manifest, "metadata", "ownerReferences"))


def _read(reference: Manifest) -> Owner:
    return Owner(
        api_group=text_at(reference, "apiVersion").rpartition("/")[0],
        kind=text_at(reference, "kind"),
        name=text_at(reference, "name"),
        uid=text_at(reference, "uid"),
    )
