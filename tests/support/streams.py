"""Lines of a watch, as an API server writes them."""

from __future__ import annotations

import json
from typing import Any

from fleet_telemetry.objects.kind import Kind

Event = dict[str, Any]
THING = Kind("example.com", "v1", "things", "Thing", namespaced=False)


def event(kind: str, name: str, version: int = 1, **more: Any) -> Event:
    metadata = {"name": name, "resourceVersion": str(version), "uid": f"uid-of-{name}"}
    return {"type": kind, "object": {"kind": "Thing", "metadata": metadata, **more}}


def bookmark(version: int, *, ends_list: bool = False) -> Event:
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if ends_list:
        metadata["annotations"] = {"a": "b", "k8s.io/initial-events-end": "true"}
    return {"type": "BOOKMARK", "object": {"kind": "Thing", "metadata": metadata}}


def lines(*events: Event) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)
