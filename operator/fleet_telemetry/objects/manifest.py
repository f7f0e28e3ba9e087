"""Reading Kubernetes manifests, as the API server or a file gives them, into frozen types.

A manifest that came through the API server is well-formed; one from a file may not be. Either way
nothing here raises for a missing or misshapen optional part: it reads as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Manifest = Mapping[str, Any]


def dig(manifest: object, *path: str | int) -> Any:
    """The value at a path of keys and of places in lists, or None."""
    for key in path:
        # An abstract class takes several times as long to ask for.
        if type(manifest) is dict or isinstance(manifest, Mapping):
            manifest = manifest.get(key)
        elif isinstance(manifest, list) and isinstance(key, int) and key < len(manifest):
            manifest = manifest[key]
        else:
            return None
    return manifest


def mapping_at(manifest: object, *path: str | int) -> Manifest:
    """The mapping at a path; an empty one where there is none."""
    found = dig(manifest, *path)
    return found if type(found) is dict or isinstance(found, Mapping) else {}


def items_at(manifest: object, *path: str) -> list[Manifest]:
    """The mappings in the list at a path."""
    found = dig(manifest, *path)
    if not isinstance(found, list):
        return []
    return [item for item in found if type(item) is dict or isinstance(item, Mapping)]


def list_at(manifest: object, *path: str) -> list[object]:
    """The list at a path; an empty one where there is none."""
    found = dig(manifest, *path)
    return found if isinstance(found, list) else []


def place_of(manifest: Manifest) -> str:
    """Which object it is, for a person: namespace/name, or the name where it has no namespace."""
    parts = (text_at(manifest, "metadata", key) for key in ("namespace", "name"))
    return "/".join(filter(None, parts))


def text_at(manifest: object, *path: str) -> str:
    """The string at a path; the empty one where there is none."""
    found = dig(manifest, *path)
    return found if isinstance(found, str) else ""


def number_at(manifest: object, *path: str, default: int = 0) -> int:
    """The whole number at a path, or the default."""
    found = dig(manifest, *path)
    return found if isinstance(found, int) else default


def read_time(text: object) -> datetime | None:
    """A Kubernetes timestamp; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
