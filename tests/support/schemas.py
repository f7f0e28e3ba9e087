"""JSON schemas for kubeconform, from what the API server itself publishes: one file for a kind.

They are strict: a field that the API does not have is refused, as kubeconform's own `-strict`
schemas do. Kinds of others are in there, too, where their definitions are installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.cluster import Cluster

Schema = dict[str, Any]

_REF = "#/components/schemas/"
LOCATION = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"
"""Where kubeconform is to look for a kind; the core group reads as its version."""


def file_name(group: str, version: str, kind: str) -> str:
    """The file of a kind."""
    return f"{group or version}_{version}_{kind.lower()}.json"


def write_schemas(cluster: Cluster, folder: Path) -> None:
    """Write those of every kind that the cluster serves."""
    for path in cluster.read("/openapi/v3")["paths"]:
        if path == "api/v1" or path.startswith("apis/"):
            published = cluster.read(f"/openapi/v3/{path}")
            for name, schema in _kinds(published.get("components", {}).get("schemas", {})):
                (folder / name).write_text(json.dumps(schema))


def _kinds(components: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    strict = {name: _strict(component) for name, component in components.items()}
    for name, component in components.items():
        # Those of several kinds are parts of any object, such as DeleteOptions.
        kinds = component.get("x-kubernetes-group-version-kind", ())
        if len(kinds) == 1:
            (kind,) = kinds
            file = file_name(kind["group"], kind["version"], kind["kind"])
            needed = {part: strict[part] for part in _closure(name, components)}
            yield file, {"$ref": _REF + name, "components": {"schemas": needed}}


def _closure(name: str, components: dict[str, Schema]) -> set[str]:
    """The component, and all that it refers to."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _references(components[one])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(_REF)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _strict(part: Any) -> Any:
    """The same, without fields that are not named, in words of JSON Schema."""
    if isinstance(part, list):
        return [_strict(value) for value in part]
    if not isinstance(part, dict):
        return part
    # A field may be called `properties` or `default`: what is in there are schemas by name.
    schema = {
        key: {name: _strict(inner) for name, inner in value.items()}
        if key == "properties"
        else _strict(value)
        for key, value in part.items()
        if key not in ("default", "example", "description")
    }
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or part.get("additionalProperties")
    if "properties" in schema and not is_open:
        schema["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return schema
