"""A pretend API server with one custom resource, and the controller that sets a field of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.workload_telemetry import ResourceRecord
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.decision import Input, Plan, decide
from fleet_telemetry.switches.resource_plan import FieldChange
from fleet_telemetry.workloads.resource_fields import FieldRef, FieldState, Value, read_field
from tests.support.builders import NAMESPACE, NOW, Manifest, container, manifest, pod_of, workload

SINCE = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


@dataclass
class CustomResource:
    """One object, with the owners of one field."""

    ref: FieldRef
    value: Value = None
    owners: dict[str, str] = field(default_factory=dict)
    """Operation by manager."""
    uid: str = "object-1"
    exists: bool = True
    writes: int = 0

    def manifest(self) -> Manifest:
        """As the API server shows it."""
        found: dict[str, Any] = {}
        owned: dict[str, Any] = {}
        inner, fields = found, owned
        for name in self.ref.names[:-1]:
            inner, fields = inner.setdefault(name, {}), fields.setdefault(f"f:{name}", {})
        if self.value is not None:
            inner[self.ref.names[-1]] = self.value
        fields[f"f:{self.ref.names[-1]}"] = {}
        return {
            "apiVersion": f"{self.ref.group}/{self.ref.version}",
            "kind": self.ref.kind,
            **found,
            "metadata": {
                "name": self.ref.name,
                "namespace": self.ref.namespace,
                "uid": self.uid,
                "resourceVersion": str(self.writes),
                "managedFields": [
                    {
                        "manager": manager,
                        "operation": operation,
                        "time": SINCE.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "fieldsV1": copy.deepcopy(owned),
                    }
                    for manager, operation in self.owners.items()
                ],
            },
        }

    def state(self) -> FieldState:
        return read_field(self.manifest(), self.ref) if self.exists else FieldState()

    def write(self, value: Value, manager: str, *, applies: bool = False) -> None:
        """Somebody sets or removes the field."""
        self.writes += 1
        operation = "Apply" if applies else "Update"
        if value != self.value:
            self.owners.clear()
        elif not applies:
            return
        self.value = value
        if value is not None:
            self.owners[manager] = operation

    def take(self, change: FieldChange) -> None:
        """The controller makes a change; see controllers/resources/writing.py."""
        manager = self.ref.manager
        others = [one for one in self.owners if one != manager]
        if change.desired is not None:
            assert change.force or not others
            self.write(change.value, manager, applies=True)
            return
        if not others:
            self.write(change.value, manager, applies=True)
        self.owners.pop(manager, None)


@dataclass
class ResourceWorld:
    """A workload, its product's custom resource, and the record in its WorkloadTelemetry."""

    image: str
    one: CustomResource
    catalogue: Catalogue = field(default_factory=builtin)
    policies: tuple[Policy, ...] = ()
    records: tuple[ResourceRecord, ...] = ()
    others: dict[FieldRef, FieldState] = field(default_factory=dict)
    kind: str = "DaemonSet"

    def decide(self, **more: Any) -> Plan:
        """The decision as it is now, with a pod of the template."""
        given = manifest(container(self.image), kind=self.kind, namespace=NAMESPACE)
        # Longhorn's manager reads all its settings in one namespace.
        pods = more.pop("pods", (pod_of(given),))
        fields = more.pop("fields", {self.one.ref: self.one.state(), **self.others})
        return decide(
            Input(
                workload=workload(given),
                policies=self.policies,
                catalogue=self.catalogue,
                now=NOW,
                pods=pods,
                fields=fields,
                field_records=self.records,
                **more,
            )
        )

    def reconcile(self, *policies: Policy, **more: Any) -> Plan:
        """Decide, record, and write, as the controller does; what is decided after that."""
        self.policies = policies
        plan = self.decide(**more)
        self.records = plan.fields.records
        for change in plan.fields.changes:
            assert change.ref == self.one.ref
            self.one.take(change)
        after = self.decide(**more)
        self.records = after.fields.records
        return after

    @property
    def set_value(self) -> str | None:
        """What is recorded as written."""
        found = [one for one in self.records if one.name == self.one.ref.name]
        return found[0].set_value if found else None
