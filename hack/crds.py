"""CustomResourceDefinitions from the Python types, so that the two cannot drift apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from fleet_telemetry.api.resources import GROUP, VERSION, Column, CustomResource
from fleet_telemetry.api.schema import Rule

Schema = dict[str, Any]

# Kubernetes' own descriptions of fields that every object has.
_OBJECT_FIELDS = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}


def definition(resource: CustomResource) -> dict[str, Any]:
    """The CustomResourceDefinition of a resource."""
    properties: Schema = {**_OBJECT_FIELDS, "metadata": {"type": "object"}}
    if resource.spec is not None:
        properties["spec"] = structural_schema(resource.spec)
        if resource.spec_rules:
            properties["spec"]["x-kubernetes-validations"] = _validations(resource.spec_rules)
    properties["status"] = structural_schema(resource.status)
    schema: Schema = {
        "type": "object",
        "description": resource.description,
        "properties": properties,
    }
    if resource.spec is not None:
        schema["required"] = ["spec"]
    if resource.rules:
        schema["x-kubernetes-validations"] = _validations(resource.rules)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": [resource.short_name],
                "categories": ["telemetry"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _validations(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    return [{"rule": rule.expression, "message": rule.message} for rule in rules]


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.priority:
        entry["priority"] = column.priority
    if column.description:
        entry["description"] = column.description
    return entry


def structural_schema(kind: type[msgspec.Struct]) -> Schema:
    """The schema of a type as the API server wants it: no references, no alternatives."""
    (root,), components = msgspec.json.schema_components((kind,))
    return _inline(root, components)


def _inline(schema: Schema, components: dict[str, Schema]) -> Schema:
    schema = dict(schema)
    schema.pop("title", None)
    if "x-kubernetes-validations" in schema:
        schema.pop("pattern", None)  # a rule says the same with a sentence
    if "$ref" in schema:
        target = _inline(components[schema.pop("$ref").rpartition("/")[2]], components)
        # The description of a field takes precedence over the description of its type.
        schema = {**target, **schema}
    if "anyOf" in schema:
        (value,) = (part for part in schema.pop("anyOf") if part.get("type") != "null")
        schema = {**_inline(value, components), **schema}
    # An empty default means the same as no default.
    if schema.get("default") in (None, (), [], {}, ""):
        schema.pop("default", None)
    if "enum" in schema:
        schema["type"] = "string"
        schema["enum"] = _ENUM_ORDER.get(frozenset(schema["enum"]), schema["enum"])
    if "properties" in schema:
        schema["properties"] = {
            name: _inline(part, components) for name, part in schema["properties"].items()
        }
        if not schema.get("required"):
            schema.pop("required", None)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _inline(schema[key], components)
    return schema


# msgspec sorts the values of an enumeration; ours are in the order that reads best.
_ENUM_ORDER = {
    frozenset(member.value for member in kind): [member.value for member in kind]
    for kind in StrEnum.__subclasses__()
    if kind.__module__.startswith("fleet_telemetry.")
}
