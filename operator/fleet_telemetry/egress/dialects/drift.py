"""Whether an object in the cluster still is as rendered, and the patch that reverts a difference.

A rendered object includes everything that the API server would set, so a comparison needs no
knowledge of defaults.
"""

from __future__ import annotations

from typing import Any

from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at

_NOT_COMPARED = frozenset({"apiVersion", "kind", "metadata", "status"})
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid")


def same(rendered: Manifest, live: Manifest) -> bool:
    """Whether nothing has to be written: specification, labels, annotations and owners agree."""
    return same_spec(rendered, live) and same_metadata(rendered, live)


def same_spec(rendered: Manifest, live: Manifest) -> bool:
    """Whether the object has exactly the effect of the rendered one.

    Fields that others added count, too: a policy's effect is that of all its parts. That includes
    parts beside ``spec``, such as a CiliumNetworkPolicy's ``specs``.
    """
    return _content(rendered) == _content(live)


def same_metadata(rendered: Manifest, live: Manifest) -> bool:
    """Whether the object carries our labels and annotations, and exactly our owners."""
    return _owners(rendered) == _owners(live) and all(
        mapping_at(rendered, "metadata", part).items() <= mapping_at(live, "metadata", part).items()
        for part in ("labels", "annotations")
    )


def corrections(rendered: Manifest, live: Manifest) -> list[Rendered]:
    """A JSON patch that leaves only the rendered fields in the object; empty if it has no others.

    Server-side apply sets the rendered fields and cannot remove what another manager added. Where
    the object differs after an apply, this patch removes the difference. It begins with a test that
    the object is the one that was compared.
    """
    wanted, found = _content(rendered), _content(live)
    changes: list[Rendered] = [
        {"op": "remove", "path": f"/{_escaped(key)}"} for key in sorted(found.keys() - wanted)
    ]
    changes += [
        {"op": "add", "path": f"/{_escaped(key)}", "value": value}
        for key, value in wanted.items()
        if key not in found or found[key] != value
    ]
    if _owners(rendered) != _owners(live):
        own = mapping_at(rendered, "metadata").get("ownerReferences", [])
        changes.append({"op": "add", "path": "/metadata/ownerReferences", "value": own})
    if not changes:
        return []
    version = mapping_at(live, "metadata").get("resourceVersion")
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *changes]


def _content(manifest: Manifest) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key not in _NOT_COMPARED}


def _owners(manifest: Manifest) -> set[tuple[object, ...]]:
    references = items_at(manifest, "metadata", "ownerReferences")
    return {tuple(one.get(field) for field in _OWNER_FIELDS) for one in references}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
