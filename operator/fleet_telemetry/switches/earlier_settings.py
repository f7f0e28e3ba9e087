"""Settings that stood in a container before an update, and whether they stay."""

from __future__ import annotations

from fleet_telemetry.api.policy import When
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.desired import DesiredVariable
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.injection_context import InjectionContext, target_before
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.ownership import is_ours
from fleet_telemetry.switches.reading import ReadingSource, setting_of


def stood_before(
    context: InjectionContext, target: MatchedContainer, variable: DesiredVariable
) -> bool:
    """Whether the container had the desired setting before the update, or may have had it."""
    if context.trigger is not Trigger.UPDATE or context.before is None:
        return False
    before = target_before(context, target)
    if before is None:
        return False
    old = variable.entry_in(before.container)
    if old is not None and variable.met_by(old):
        return True
    if variable.is_argument and variable.value is None:
        return variable.met_in(before.container)
    if variable.switch is None or variable.value is None:
        return False
    # It may have stood there in another form: an argument, a reference, or a whole ConfigMap.
    reading = read_switch(before.container, variable.switch)
    return reading.setting in (setting_of(variable.effective.desired), Setting.UNKNOWN)


def surely_stood_before(
    context: InjectionContext, target: MatchedContainer, variable: DesiredVariable
) -> bool:
    """Whether the container that had the setting, or may have had it, shows that it was written:
    whether a whole ConfigMap held it is not known."""
    before = target_before(context, target)
    if before is None:
        return False
    if variable.switch is None:
        return True
    return read_switch(before.container, variable.switch).source is not ReadingSource.ENV_FROM


def stays(context: InjectionContext, target: MatchedContainer, variable: DesiredVariable) -> bool:
    """Whether a setting that stood before the update stays, whoever drops it or turns it.

    Only with when: Never, what somebody else had written and drops is not added.
    """
    if variable.effective.injection.when is not When.NEVER:
        return True
    before = target_before(context, target)
    old = variable.entry_in(before.container) if before is not None else None
    if before is None or context.before is None or old is None or not variable.met_by(old):
        return False
    was_ours = is_ours(
        context.before, before.container, old, target.product.all_switches, context.recorded
    )
    return was_ours or variable.entry_in(target.container) is not None
