"""The mechanism ``resource``: a field of a custom resource, which the product reads itself.

Nothing in a pod template is the switch, so admission neither sees nor writes it. Whoever decides
adds what is known of the field to the containers (``with_fields``); the controller alone writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.resource_switch import AbsentObject, FieldType, ResourceSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, setting_of
from fleet_telemetry.workloads.resource_fields import (
    NOT_READ,
    FieldFault,
    FieldRef,
    FieldState,
    FieldStates,
    Value,
)
from fleet_telemetry.workloads.workload import Container, EnvVar

_UNREAD = {
    FieldFault.NOT_READ: ReadingSource.FIELD_NOT_READ,
    FieldFault.FORBIDDEN: ReadingSource.FIELD_FORBIDDEN,
    FieldFault.KIND_MISSING: ReadingSource.FIELD_KIND_MISSING,
    FieldFault.UNREACHABLE: ReadingSource.FIELD_UNREACHABLE,
}


class ResourceMechanism:
    """There is no entry in a container."""

    name = "resource"

    def handles(self, switch: Switch) -> bool:
        """See SwitchMechanism."""
        return switch.resource is not None

    def label(self, switch: Switch) -> str:
        """See SwitchMechanism."""
        return _of(switch).label

    def is_named(self, switch: Switch, name: str) -> bool:
        """No variable is the switch."""
        del switch, name
        return False

    def find(self, container: Container, switch: Switch) -> EnvVar | None:
        """See SwitchMechanism."""
        del container, switch
        return None

    def read(self, container: Container, switch: Switch) -> SwitchReading:
        """What is known of the field."""
        resource = _of(switch)
        return read_state(state_in(container, resource), resource)

    def setting_of(self, switch: Switch, value: str) -> Setting:
        """See SwitchMechanism."""
        return _of(switch).setting_of(value)

    def value_for(self, switch: Switch, desired: Submission) -> str | None:
        """See SwitchMechanism."""
        return _of(switch).value_for(desired)

    def may_have_written(self, switch: Switch, entry: EnvVar) -> bool:
        """Nothing in a container is the operator's."""
        del switch, entry
        return False

    def is_met(self, container: Container, switch: Switch, desired: Submission) -> bool:
        """See SwitchMechanism."""
        return self.read(container, switch).setting is setting_of(desired)

    def obstacle(
        self, target: MatchedContainer, switch: Switch, desired: Submission
    ) -> Reason | None:
        """No edit of a template is the switch."""
        del target, switch, desired
        return Reason.NO_EFFECTIVE_SWITCH

    def patch(
        self, pointer: str, container: Manifest, edits: Sequence[Edit]
    ) -> Iterator[Operation]:
        """See above."""
        del pointer, container, edits
        yield from ()


def state_in(container: Container, resource: ResourceSwitch) -> FieldState:
    """What is known of the field for the container's workload."""
    return container.fields.get(resource.field, NOT_READ)


def read_state(state: FieldState, resource: ResourceSwitch) -> SwitchReading:
    """What a field means to the product. The value itself is never shown: in an object that others
    name it may be anything."""
    label = resource.label
    if state.fault is not None:
        return SwitchReading(Setting.UNKNOWN, _UNREAD[state.fault], label)
    if not state.exists and resource.absent is AbsentObject.UNKNOWN:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.OBJECT_ABSENT, label)
    if state.is_other:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.FIELD_TYPE, label)
    value = state.value
    if value is None:
        return SwitchReading(Setting.UNSET, ReadingSource.NOTHING, label)
    if isinstance(value, bool) is not (resource.type is FieldType.BOOLEAN):
        return SwitchReading(Setting.UNKNOWN, ReadingSource.FIELD_TYPE, label)
    text = str(value).lower() if isinstance(value, bool) else value
    return SwitchReading(resource.setting_of(text), ReadingSource.FIELD, label)


def as_value(resource: ResourceSwitch, desired: Submission) -> Value:
    """What the field has to be; None if it has to be absent."""
    text = resource.value_for(desired)
    if text is None:
        return None
    return text == "true" if resource.type is FieldType.BOOLEAN else text


def with_fields(
    targets: tuple[MatchedContainer, ...], namespace: str, states: FieldStates
) -> tuple[MatchedContainer, ...]:
    """The containers, with what is known of the fields that their products read."""
    if not states:
        return targets
    return tuple(_with_fields(target, namespace, states) for target in targets)


def _with_fields(target: MatchedContainer, namespace: str, states: FieldStates) -> MatchedContainer:
    known = {
        field: states[field.at(namespace)]
        for field in fields_of((target,))
        if field.at(namespace) in states
    }
    if not known:
        return target
    return replace(target, container=replace(target.container, fields=known))


def fields_of(targets: Iterable[MatchedContainer]) -> Iterator[FieldRef]:
    """The fields that the products of containers read in some version, without a namespace."""
    for target in targets:
        for switch in target.product.all_switches:
            if switch.resource is not None:
                yield switch.resource.field


def _of(switch: Switch) -> ResourceSwitch:
    resource = switch.resource
    assert resource is not None, "the mechanism handles switches with a resource"
    return resource
