"""The chart's values.schema.json and README.md, from the comments in its values.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from fleet_telemetry.objects.labels import KEY_PATTERN, VALUE_PATTERN
from observability.alerts import ALERTS, Alert

Schema = dict[str, Any]

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):(?: |$)")
_COMMENT = re.compile(r"^ *# ?(?P<text>.*)$")
_CONSTRAINT = "@schema "

_TEXT: Schema = {"type": "string"}
_QUANTITIES: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number"]},
}
_LABEL_KEY = f"^{KEY_PATTERN}$"
_LABEL_VALUE = f"^{VALUE_PATTERN}$"
_VALUES_OF_OPERATOR: Schema = {
    "if": {"properties": {"operator": {"enum": ["In", "NotIn"]}}},
    "then": {"required": ["values"], "properties": {"values": {"minItems": 1}}},
    "else": {"properties": {"values": {"maxItems": 0}}},
}
_REQUIREMENT: Schema = {
    "type": "object",
    "required": ["key", "operator"],
    "properties": {
        "key": {"type": "string", "pattern": _LABEL_KEY},
        "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
        "values": {
            "type": "array",
            "items": {"type": "string", "pattern": _LABEL_VALUE},
            "maxItems": 64,
            "uniqueItems": True,
        },
    },
    "additionalProperties": False,
    **_VALUES_OF_OPERATOR,
}


def _alert(alert: Alert) -> Schema:
    """What may be chosen for an alert."""
    chosen: Schema = {
        "enabled": {"type": "boolean"},
        "severity": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "for": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w|y))+$"},
    }
    if alert.threshold is not None:
        described = f"In {alert.threshold.unit}; default: {alert.threshold.default:g}."
        chosen["threshold"] = {
            "description": described,
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 100_000,
        }
    return {
        "description": alert.summary,
        "type": "object",
        "properties": chosen,
        "additionalProperties": False,
    }


DEFINITIONS: Mapping[str, Schema] = {
    "alerts": {
        "type": "object",
        "properties": {alert.name: _alert(alert) for alert in ALERTS},
        "additionalProperties": False,
    },
    "duration": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"},
    "named": {
        "type": "array",
        "items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
    },
    "objects": {"type": "array", "items": {"type": "object"}},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "references": {
        "type": "array",
        "items": {
            "type": ["object", "string"],
            "minLength": 1,
            "required": ["name"],
            "properties": {"name": {"type": "string", "minLength": 1}},
            "additionalProperties": False,
        },
    },
    "resources": {
        "type": "object",
        "properties": {
            "requests": _QUANTITIES,
            "limits": _QUANTITIES,
            "claims": {"type": "array", "items": {"type": "object"}},
        },
        "additionalProperties": False,
    },
    "customResources": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["group", "resource", "names", "path"],
            "properties": {
                "group": {"type": "string", "pattern": "^[-a-z0-9]+([.][-a-z0-9]+)+$"},
                "resource": {"type": "string", "pattern": "^[a-z][-a-z0-9]*$"},
                "names": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "pattern": "^[-.a-z0-9]+$"},
                },
                "path": {
                    "type": "string",
                    "pattern": "^[A-Za-z_][-A-Za-z0-9_]*([.][A-Za-z_][-A-Za-z0-9_]*)*$",
                },
                "write": {"type": "boolean"},
            },
            "additionalProperties": False,
        },
    },
    "secrets": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["namespace"],
            "properties": {
                "namespace": {"type": "string", "minLength": 1},
                "names": {"type": "array", "items": {"type": "string", "minLength": 1}},
            },
            "additionalProperties": False,
        },
    },
    "selector": {
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object",
                "propertyNames": {"pattern": _LABEL_KEY},
                "additionalProperties": {"type": "string", "pattern": _LABEL_VALUE},
                "maxProperties": 64,
            },
            "matchExpressions": {"type": "array", "items": _REQUIREMENT, "maxItems": 64},
        },
        "additionalProperties": False,
    },
    "strings": {"type": "object", "additionalProperties": _TEXT},
}
"""Definitions that several values use, or that are too long for a comment."""
_RULES = [
    {
        "if": {
            "properties": {
                "webhook": {
                    "properties": {
                        "certificate": {"properties": {"source": {"const": "ExistingSecret"}}}
                    }
                }
            }
        },
        "then": {
            "properties": {
                "webhook": {
                    "properties": {"certificate": {"properties": {"secretName": {"minLength": 1}}}}
                }
            }
        },
    }
]


class ValuesError(ValueError):
    """A value lacks a comment or a type."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value, or a mapping of them."""

    path: tuple[str, ...]
    description: str
    constraint: Schema
    default: Any

    @property
    def is_leaf(self) -> bool:
        """Whether the user defines its content, not the chart."""
        if not isinstance(self.default, dict) or not self.default:
            return True
        return "$ref" in self.constraint


def read_values(text: str) -> list[Value]:
    """Every value in the order of the file. Raises ValuesError."""
    content = yaml.safe_load(text)
    found: list[Value] = []
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if match := _COMMENT.match(line):
            comment.append(match["text"])
            continue
        if match := _KEY.match(line):
            indent = len(match["indent"])
            path = [*((at, key) for at, key in path if at < indent), (indent, match["key"])]
            keys = tuple(key for _, key in path)
            inside = any(value.is_leaf and value.path == keys[: len(value.path)] for value in found)
            if not inside:
                found.append(_value(keys, comment, _at(content, keys)))
        comment = []
    return found


def _value(path: tuple[str, ...], comment: list[str], default: Any) -> Value:
    words, constraint = [], {}
    for text in comment:
        if text.startswith(_CONSTRAINT):
            constraint = yaml.safe_load(_quoted(text.removeprefix(_CONSTRAINT)))
        else:
            words.append(text)
    value = Value(path, " ".join(words), constraint, default)
    name = ".".join(path)
    if value.is_leaf and not value.description:
        raise ValuesError(f"values.yaml: {name} has no comment that describes it")
    if default in ([], {}) and not constraint:
        raise ValuesError(f"values.yaml: {name} needs an @schema, because its default has no type")
    return value


def _quoted(text: str) -> str:
    """A key with a dollar sign, as comments contain it."""
    return re.sub(r"(?<![\"\w])\$ref:", '"$ref":', text)


def _at(content: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


def values_schema(text: str) -> str:
    """values.schema.json: in draft 7, which every Helm since 3.0 reads."""
    root: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of fleet-telemetry-operator",
        "type": "object",
        "additionalProperties": False,
        "properties": {},
        "allOf": _RULES,
        "definitions": DEFINITIONS,
    }
    for value in read_values(text):
        parent = root
        for key in value.path[:-1]:
            parent = parent["properties"][key]
        parent["properties"][value.path[-1]] = _schema(value)
    return json.dumps(root, indent=2) + "\n"


def _schema(value: Value) -> Schema:
    schema: Schema = {"description": value.description} if value.description else {}
    constraint = dict(value.constraint)
    # In draft 7 everything next to $ref is ignored.
    if reference := constraint.pop("$ref", None):
        constraint = {"allOf": [{"$ref": reference}], **constraint}
    elif "enum" not in constraint:
        schema["type"] = _type(value.default)
    schema |= constraint
    if value.is_leaf:
        return {**schema, "default": value.default}
    return {"additionalProperties": False, **schema, "properties": {}}


def _type(default: Any) -> str:
    match default:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def chart_readme(text: str, chart: Mapping[str, Any]) -> str:
    """README.md of the chart."""
    return _README.format(**chart, rows="\n".join(_rows(text)))


def _rows(text: str) -> Iterator[str]:
    for value in read_values(text):
        if value.is_leaf:
            default = json.dumps(value.default) if value.default not in ("", [], {}) else ""
            shown = f"`{default}`" if default else ""
            described = value.description.replace("|", "\\|")
            yield f"| `{'.'.join(value.path)}` | {shown} | {described} |"


_README = """\
# {name}

{description}

Version {version} of the chart, {appVersion} of the operator; Kubernetes {kubeVersion}.

    helm install fleet-telemetry charts/{name} --namespace fleet-telemetry --create-namespace

[Install](../../docs/install.md) describes certificates, upgrades, GitOps and what stays after an
uninstall. [Policies](../../docs/policies.md) describes the policies to write next. `helm test
fleet-telemetry --namespace fleet-telemetry` checks whether both roles are ready.

## Values

The chart refuses values that are not in this table, so that spelling errors are noticed.

| value | default | meaning |
|---|---|---|
{rows}
"""
