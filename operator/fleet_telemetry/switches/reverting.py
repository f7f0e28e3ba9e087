"""Removes what was injected and no policy asks for any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.switches.argument_lists import revert_arguments
from fleet_telemetry.switches.edits import Edit, EditCause
from fleet_telemetry.switches.injection_context import InjectionContext
from fleet_telemetry.switches.ownership import injected_suspension
from fleet_telemetry.switches.suspend import resumption
from fleet_telemetry.switches.write_timing import may_revert


def revert_injected(context: InjectionContext, handled: Mapping[int, set[str]]) -> Iterator[Edit]:
    """Remove what was injected and no policy asks for any more, if that restarts no pod that would
    not restart anyway; also from a container that ran a product before the update, or one that is
    no longer known, of which only the record is left."""
    if not may_revert(context):
        return
    switches: dict[str, list[Switch]] = {}
    for target in (*context.targets, *context.targets_before):
        switches.setdefault(target.container.name, []).extend(target.product.all_switches)
    for container in context.workload.template.containers:
        for entry in container.env:
            if entry.name in handled.get(container.index, ()):
                continue
            if context.injected(container, entry, switches.get(container.name, ())):
                kept = kept_by_product(entry.name, switches.get(container.name, ()))
                yield Edit(
                    container.index, container.name, entry.name, None, EditCause.REVERTED, note=kept
                )
        own = switches.get(container.name, ())
        suspension = injected_suspension(context.workload, container, own, context.recorded)
        if suspension is not None and suspension.name not in handled.get(container.index, ()):
            yield resumption(container)
        yield from revert_arguments(
            context.workload,
            container,
            switches.get(container.name, ()),
            context.recorded,
            handled.get(container.index, ()),
        )


def kept_by_product(name: str, switches: Iterable[Switch]) -> str:
    """That a variable goes and its value stays, because starts store it; else empty."""
    for switch in switches:
        if switch.env is not None and switch.env.persists and switch.env.is_named(name):
            return "the product keeps the setting in its own data, so this does not revert it"
    return ""
