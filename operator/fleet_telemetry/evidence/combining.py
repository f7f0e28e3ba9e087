"""What several instances of a product say, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.reported import Reading, Reported
from fleet_telemetry.switches.reading import setting_of

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Told:
    """One instance's answer, or why there is none."""

    instance: str
    """A pod's name; empty where the Service was asked."""
    reading: Reading | None
    fault: Reason | None = None
    message: str = ""
    retry_after: float = 0.0
    """Seconds that the product asks to be left alone."""


def combine(told: Sequence[Told], desired: Submission) -> Reported:
    """One instance that differs is enough to differ, and one that is silent to know nothing."""
    wanted = setting_of(desired)
    readings = [one.reading for one in told if one.reading is not None]
    contrary = [
        one
        for one in told
        if one.reading is not None and one.reading.setting not in (Setting.UNKNOWN, wanted)
    ]
    silent = [one for one in told if one.reading is None or one.reading.setting is Setting.UNKNOWN]
    notes = dict.fromkeys(reading.note for reading in readings if reading.note)
    times = [reading.last_submission for reading in readings if reading.last_submission]
    setting, fault, message = wanted, None, ""
    if contrary:
        first = contrary[0].reading
        assert first is not None
        setting = first.setting
        message = f"It reports {setting}{_names(contrary, told)}."
    elif silent or not told:
        setting = Setting.UNKNOWN
        fault = next((one.fault for one in silent if one.fault), None)
        said = [one.message for one in silent if one.message]
        message = f"{said[0]}{_names(silent, told)}" if said else ""
    return Reported(
        setting=setting,
        fault=fault,
        message=" ".join([message, *notes]).strip(),
        last_submission=max(times, default=None),
        inventory=tuple(sorted({name for reading in readings for name in reading.inventory})),
        enforceable=all(reading.enforceable for reading in readings),
        restart_needed=bool(contrary)
        and all(one.reading is not None and one.reading.restart_needed for one in contrary),
    )


def _names(some: Iterable[Told], told: Sequence[Told]) -> str:
    """Which instances are meant, where there are several."""
    names = [one.instance for one in some if one.instance]
    if not names or len(told) == 1:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more} of {len(told)})"
