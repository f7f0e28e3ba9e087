"""Custom resources that exist nowhere, for a trial: what a table says that they hold."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.product.resource_switch import FieldType, ResourceSwitch
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.switches.resource_plan import FieldPlan
from fleet_telemetry.workloads.resource_fields import (
    FieldOwner,
    FieldRef,
    FieldState,
    FieldStates,
    Value,
)


class TrialFields:
    """The fields that a product reads. Those that a table does not name are of objects that do not
    exist."""

    def __init__(self, product: Product, given: Iterable[tuple[str, str]], namespace: str) -> None:
        values = dict(given)
        self.changes: list[str] = []
        """What was written: the label with ``=value``, or with ``- `` in front if it was
        removed."""
        self._labels: dict[FieldRef, str] = {}
        self._states: dict[FieldRef, FieldState] = {}
        for switch in product.all_switches:
            resource = switch.resource
            if resource is None:
                continue
            ref = resource.field.at(namespace)
            self._labels[ref] = resource.label
            self._states[ref] = FieldState()
            if resource.label in values:
                self._states[ref] = _state(_typed(resource, values[resource.label]), "trial")

    def states(self) -> FieldStates:
        """As they are now."""
        return dict(self._states)

    def write(self, plan: FieldPlan) -> None:
        """Make the changes of a plan."""
        for change in plan.changes:
            label, value = self._labels[change.ref], change.value
            text = str(value).lower() if isinstance(value, bool) else value
            self.changes.append(f"- {label}" if text is None else f"{label}={text}")
            self._states[change.ref] = _state(value, change.ref.manager)


def _state(value: Value, owner: str) -> FieldState:
    owners = () if value is None else (FieldOwner(owner, applies=True),)
    return FieldState(exists=True, value=value, uid="trial", owners=owners)


def _typed(resource: ResourceSwitch, text: str) -> Value:
    is_boolean = resource.type is FieldType.BOOLEAN and text in ("true", "false")
    return text == "true" if is_boolean else text
