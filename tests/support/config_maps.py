"""ConfigMaps as the API server shows them, and a model of how they come to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.builders import LONG_AGO, NAMESPACE, NOW

Manifest = dict[str, Any]


def stamp(time: datetime) -> str:
    """A time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def config_map(
    data: Mapping[str, Any] | None = None,
    *,
    name: str = "settings",
    namespace: str = NAMESPACE,
    created: datetime = LONG_AGO,
    changed: datetime | None = None,
    **more: Any,
) -> Manifest:
    """A ConfigMap whose only manager wrote all of it, at last when it ``changed``."""
    fields: Manifest = {"f:data": {".": {}, **{f"f:{key}": {} for key in data or {}}}}
    if "immutable" in more:
        fields["f:immutable"] = {}
    entry = {
        "manager": "helm",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        "time": stamp(changed or created),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "resourceVersion": "1",
            "creationTimestamp": stamp(created),
            "managedFields": [entry],
        },
        **({"data": dict(data)} if data is not None else {}),
        **more,
    }


@dataclass
class ConfigMapHistory:
    """One name, and what happens to the ConfigMap that has it. Times are whole seconds, and the
    managed fields are kept as ``managedfieldsupdater.go`` keeps them."""

    data: dict[str, str] | None = None
    """None: there is no ConfigMap."""
    immutable: bool = False
    created: int = 0
    owners: dict[str, tuple[set[str], int]] = field(default_factory=dict)
    """By manager: its fields, and the time of its entry."""

    def set(self, at: int, manager: str, key: str, value: str) -> None:
        """Somebody writes a value, and creates the ConfigMap if there is none."""
        if self.data is None:
            self.data, self.created, self.immutable, self.owners = {}, at, False, {}
        if self.immutable or self.data.get(key) == value:
            return
        self.data[key] = value
        self._disown(f"f:{key}")
        self._own(at, manager, f"f:{key}")

    def remove(self, key: str) -> None:
        """Somebody removes a key, which leaves no trace."""
        if self.data and not self.immutable and key in self.data:
            del self.data[key]
            self._disown(f"f:{key}")

    def lock(self, at: int, manager: str) -> None:
        """Somebody makes it immutable."""
        if self.data is not None and not self.immutable:
            self.immutable = True
            self._own(at, manager, "f:immutable")

    def delete(self) -> None:
        """Somebody deletes it."""
        self.data = None

    def _own(self, at: int, manager: str, name: str) -> None:
        fields, _ = self.owners.get(manager, (set(), 0))
        self.owners[manager] = fields | {name}, at

    def _disown(self, name: str) -> None:
        left = {one: (fields - {name}, at) for one, (fields, at) in self.owners.items()}
        self.owners = {one: entry for one, entry in left.items() if entry[0]}

    def manifest(self) -> Manifest | None:
        """As the API server shows it."""
        if self.data is None:
            return None
        found = config_map(self.data, created=moment(self.created))
        found["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "time": stamp(moment(at)),
                "fieldsV1": {
                    "f:data": {one: {} for one in fields if one != "f:immutable"},
                    **({"f:immutable": {}} if "f:immutable" in fields else {}),
                },
            }
            for manager, (fields, at) in self.owners.items()
        ]
        if self.immutable:
            found["immutable"] = True
        return found


def moment(second: int) -> datetime:
    """A time of the model."""
    return NOW + timedelta(seconds=second)
