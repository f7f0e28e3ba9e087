"""What the controller writes into custom resources: a pure decision.

A field is set by server-side apply. What stood there before is recorded in the WorkloadTelemetry
first, so that it can be restored when no policy asks for the setting any longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from fleet_telemetry.api.policy import (
    Mode,
    OnConflict,
    Policy,
    PolicyKind,
    RuntimeAction,
)
from fleet_telemetry.api.product.resource_switch import FieldScope, FieldType, ResourceSwitch
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import ResourceRecord
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.desired import EffectivePolicies, enforced_rules, injectable_rule
from fleet_telemetry.switches.reading import setting_of
from fleet_telemetry.switches.resource import as_value, fields_of, read_state
from fleet_telemetry.workloads.resource_fields import (
    NOT_READ,
    FieldRef,
    FieldRefusal,
    FieldState,
    FieldStates,
    Value,
)

MOST_RECORDS = 32
"""As the schema of WorkloadTelemetry allows."""


@dataclass(frozen=True, slots=True)
class DesiredField:
    """A field with the value that a policy wants."""

    ref: FieldRef
    value: Value
    """None: the field has to be absent."""
    resource: ResourceSwitch
    effective: EffectivePolicy
    product: str

    @property
    def policy(self) -> Policy:
        """The policy that wants it."""
        return self.effective.policy


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field to set, or to restore."""

    ref: FieldRef
    state: FieldState
    """The state that it was decided for."""
    value: Value
    """None: the field has to be absent."""
    force: bool = False
    """Whether the value of another field manager may be replaced."""
    desired: DesiredField | None = None
    """None: the value of before is restored."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What to do with the fields of one workload's products."""

    refs: tuple[FieldRef, ...] = ()
    """What to read."""
    desired_fields: tuple[DesiredField, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    """To be made after the records are stored."""
    records: tuple[ResourceRecord, ...] = ()


NO_FIELDS = FieldPlan()


def plan_fields(
    targets: Sequence[MatchedContainer],
    effective: EffectivePolicies,
    namespace: str,
    states: FieldStates,
    before: Sequence[ResourceRecord] = (),
    *,
    may_write: bool = True,
) -> FieldPlan:
    """``before`` is what is recorded. After the changes are made, it plans none."""
    switches = _switches(targets, namespace)
    recorded = {ref_of(one): one for one in before}
    if not switches and not recorded:
        return NO_FIELDS
    desired_fields = (
        {one.ref: one for one in _desired_fields(targets, effective, namespace)}
        if may_write
        else {}
    )
    kept = set(recorded) if not may_write else set(_kept(targets, effective, namespace))
    changes: list[FieldChange] = []
    records: list[ResourceRecord] = []
    for ref in dict.fromkeys((*switches, *recorded)):
        state, old = states.get(ref, NOT_READ), recorded.get(ref)
        record = _seen(ref, state, switches.get(ref))
        if ref in desired_fields:
            change, record = _by_policy(desired_fields[ref], state, record, old)
            changes.extend(change)
        elif old is not None and is_written(old):
            if ref in kept or state.fault is not None or state.shared:
                record = _carried(record, old)
            elif _is_still_ours(ref, state, old):
                record = _carried(record, old)
                changes.append(FieldChange(ref, state, _typed(old.value_before, old.type)))
        if (
            ref not in desired_fields
            and ref not in kept
            and not is_written(record)
            and not state.shared
        ):
            changes.extend(_release(ref, state))
        if ref in switches or is_written(record):
            records.append(record)
    return FieldPlan(
        refs=tuple(dict.fromkeys((*switches, *recorded))),
        desired_fields=tuple(desired_fields.values()),
        changes=tuple(changes),
        records=tuple(records[:MOST_RECORDS]),
    )


def may_set(resource: ResourceSwitch, effective: EffectivePolicy) -> Reason | None:
    """Why a policy does not set a field; None if it does."""
    if effective.runtime.action is not RuntimeAction.REMEDIATE:
        return Reason.RESOURCE_NOT_MANAGED
    policies = (effective.policy, effective.runtime_policy)
    is_local = any(one is not None and one.kind is PolicyKind.NAMESPACED for one in policies)
    if resource.scope is FieldScope.CLUSTER and is_local:
        return Reason.RESOURCE_NEEDS_CLUSTER_POLICY
    return None


def is_kept(state: FieldState, resource: ResourceSwitch, effective: EffectivePolicy) -> bool:
    """Whether the field has a user's value, and the policy keeps such values."""
    if effective.injection.on_conflict is not OnConflict.KEEP or state.value is None:
        return False
    # A namespace does not change who owns a field.
    return not state.owned_by(resource.field.manager) and not _is_default(state, resource)


def ref_of(record: ResourceRecord) -> FieldRef:
    """The field of a record."""
    plural, _, group = record.resource.partition(".")
    return FieldRef(
        group=group,
        version=record.version,
        plural=plural,
        kind=record.kind,
        name=record.name,
        path=record.path,
        namespaced=record.namespace is not None,
        namespace=record.namespace or "",
    )


def _is_default(state: FieldState, resource: ResourceSwitch) -> bool:
    """Whether the product itself wrote the value, and nobody else has."""
    managers = {one.manager for one in state.owners}
    return bool(managers) and managers <= {*resource.default_managers}


def _switches(
    targets: Iterable[MatchedContainer], namespace: str
) -> dict[FieldRef, ResourceSwitch]:
    """The switches of the versions that the containers may have; the first of each field."""
    found: dict[FieldRef, ResourceSwitch] = {}
    for target in targets:
        for channel in target.product.spec.channels:
            rules = target.product.possible_rules(channel.name, target.image, target.version)
            for switch in (switch for rule in rules for switch in rule.switches):
                if switch.resource is not None:
                    found.setdefault(switch.resource.field.at(namespace), switch.resource)
    return found


def _desired_fields(
    targets: Iterable[MatchedContainer], effective: EffectivePolicies, namespace: str
) -> Iterator[DesiredField]:
    seen: set[FieldRef] = set()
    for target in targets:
        for _, in_effect, rule in enforced_rules(target, effective):
            for switch in rule.switches:
                resource = switch.resource
                if resource is None or resource.evidence_only or may_set(resource, in_effect):
                    continue
                ref = resource.field.at(namespace)
                if ref not in seen:
                    seen.add(ref)
                    value = as_value(resource, in_effect.desired)
                    yield DesiredField(ref, value, resource, in_effect, target.product.name)


def _kept(
    targets: Iterable[MatchedContainer], effective: EffectivePolicies, namespace: str
) -> Iterator[FieldRef]:
    """The fields that stay as they are: a policy covers them and writes nothing, or which version
    runs cannot be read."""
    for target in targets:
        for channel in target.product.spec.channels:
            in_effect = effective.get((target.product.name, channel.name))
            if in_effect is None or in_effect.exempt is not None:
                continue
            is_passive = (
                in_effect.policy.spec.mode is Mode.AUDIT
                or in_effect.runtime.action is not RuntimeAction.REMEDIATE
            )
            if is_passive or injectable_rule(target, channel.name) is None:
                yield from (field.at(namespace) for field in fields_of((target,)))


def _by_policy(
    desired: DesiredField, state: FieldState, seen: ResourceRecord, old: ResourceRecord | None
) -> tuple[tuple[FieldChange, ...], ResourceRecord]:
    """What to write, and what to record before that."""
    had = old if old is not None and is_written(old) else None
    if state.fault is not None or not state.exists:
        return (), _carried(seen, had) if had is not None and state.fault is not None else seen
    still_ours = had is not None and _is_still_ours(desired.ref, state, had)
    reading = read_state(state, desired.resource)
    is_met = (
        state.value is None and not state.is_other
        if desired.value is None
        else reading.setting is setting_of(desired.effective.desired)
    )
    if is_met or _must_not(desired, state):
        return (), _carried(seen, had) if had is not None and still_ours else seen
    before = had.value_before if had is not None and still_ours else _text(state.value)
    record = msgspec.structs.replace(
        seen,
        type=_type_of(state.value if desired.value is None else desired.value),
        set_value=_text(desired.value),
        set_absent=desired.value is None,
        value_before=before,
        set_uid=state.uid,
    )
    # Whoever else owns the field is overruled, or is the product itself. Where nobody does, a
    # conflict would mean that somebody came in between.
    force = any(one.manager != desired.ref.manager for one in state.owners)
    return (FieldChange(desired.ref, state, desired.value, force=force, desired=desired),), record


def _must_not(desired: DesiredField, state: FieldState) -> bool:
    """Whether the field is not to be written as it is now."""
    return (
        state.is_other
        or bool(state.contested)
        or state.refusal is FieldRefusal.CONFLICT
        or is_kept(state, desired.resource, desired.effective)
    )


def is_written(record: ResourceRecord) -> bool:
    """Whether the operator wrote the field, or is about to."""
    return record.set_value is not None or record.set_absent


def _release(ref: FieldRef, state: FieldState) -> Iterator[FieldChange]:
    """A field that the operator owns and that nothing is recorded of keeps its value: the record
    was lost, or a write was interrupted."""
    if state.fault is None and state.owned_by(ref.manager):
        yield FieldChange(ref, state, state.value)


def _is_still_ours(ref: FieldRef, state: FieldState, record: ResourceRecord) -> bool:
    """Whether the field is as the operator wrote it into this object. An absent field has no owner,
    so a field that the operator removed is its own as long as it is absent."""
    if state.uid != record.set_uid or state.is_other or _text(state.value) != record.set_value:
        return False
    return record.set_absent or state.owned_by(ref.manager)


def _text(value: Value) -> str | None:
    """A value as it is recorded."""
    return str(value).lower() if isinstance(value, bool) else value


def _type_of(value: Value) -> FieldType:
    return FieldType.BOOLEAN if isinstance(value, bool) else FieldType.STRING


def _typed(text: str | None, kind: FieldType) -> Value:
    """The value of a record."""
    return text == "true" if text is not None and kind is FieldType.BOOLEAN else text


def _carried(seen: ResourceRecord, old: ResourceRecord) -> ResourceRecord:
    """What was read now, with what was written earlier."""
    return msgspec.structs.replace(
        seen,
        type=old.type,
        set_value=old.set_value,
        set_absent=old.set_absent,
        value_before=old.value_before,
        set_uid=old.set_uid,
    )


def _seen(ref: FieldRef, state: FieldState, resource: ResourceSwitch | None) -> ResourceRecord:
    setting = read_state(state, resource).setting if resource is not None else Setting.UNKNOWN
    return ResourceRecord(
        resource=f"{ref.plural}.{ref.group}",
        version=ref.version,
        kind=ref.kind,
        namespace=ref.namespace or None,
        name=ref.name,
        path=ref.path,
        setting=setting,
        uid=state.uid or None,
        resource_version=state.resource_version or None,
    )
