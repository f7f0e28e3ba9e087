"""The reports of several instances of a product, combined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport, Reported
from fleet_telemetry.switches.reading import setting_of

_NAMED = 5


@dataclass(frozen=True, slots=True)
class InstanceAnswer:
    """One instance's report, or why there is none."""

    instance: str
    """A pod's name; empty if the Service was queried."""
    report: InstanceReport | None
    fault: Reason | None = None
    message: str = ""
    retry_after: float = 0.0
    """Seconds for which the product asks for no further request."""

    @property
    def setting(self) -> Setting:
        """The reported setting."""
        return self.report.setting if self.report is not None else Setting.UNKNOWN


def combine(answers: Sequence[InstanceAnswer], desired: Submission) -> Reported:
    """One instance that differs makes the whole differ; one without a report makes it unknown."""
    wanted = setting_of(desired)
    reports = [one.report for one in answers if one.report is not None]
    different = [one for one in answers if one.setting not in (Setting.UNKNOWN, wanted)]
    unknown = [one for one in answers if one.setting is Setting.UNKNOWN]
    notes = dict.fromkeys(report.note for report in reports if report.note)
    times = [report.last_submission for report in reports if report.last_submission]
    setting, fault, message = wanted, None, ""
    if different:
        setting = different[0].setting
        message = f"It reports {setting}{_names(different, answers)}."
    elif unknown or not answers:
        setting = Setting.UNKNOWN
        fault = next((one.fault for one in unknown if one.fault), None)
        messages = [one.message for one in unknown if one.message]
        message = f"{messages[0]}{_names(unknown, answers)}" if messages else ""
    return Reported(
        setting=setting,
        fault=fault,
        message=" ".join([message, *notes]).strip(),
        lacks_setting=setting is Setting.UNKNOWN and bool(reports),
        last_submission=max(times, default=None),
        inventory=tuple(sorted({name for report in reports for name in report.inventory})),
        enforceable=all(report.enforceable for report in reports),
        restart_needed=bool(different)
        and all(one.report is not None and one.report.restart_needed for one in different),
    )


def _names(some: Iterable[InstanceAnswer], answers: Sequence[InstanceAnswer]) -> str:
    """The names of instances, if there are several."""
    names = [one.instance for one in some if one.instance]
    if not names or len(answers) == 1:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more} of {len(answers)})"
