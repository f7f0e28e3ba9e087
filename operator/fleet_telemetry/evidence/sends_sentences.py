"""The sentences for whether something is sent, and why.

A reason's own meaning speaks of the setting that a policy wants; these know of no policy.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends

_NO = {
    Reason.RUNNING_IN_EVERY_POD: "The channel is switched off in every pod.",
    Reason.LAST_RUN_COMPLIANT: (
        "No pod runs now. Every pod of the last run was started with the channel switched off."
    ),
    Reason.SCALED_TO_ZERO: (
        "No pod runs now, and the next one starts with the channel switched off."
    ),
    Reason.SEED_PROVEN: "The product's data was initialised with the channel switched off.",
    Reason.DEFAULT_APPLIES: (
        "The switch is not set or is empty, and this version sends nothing by default."
    ),
    Reason.REPORTED: "The product itself reports that the channel is switched off.",
    Reason.RESOURCE_IN_EFFECT: "The custom resource switches the channel off.",
}
_YES = {
    Reason.RUNNING_IN_EVERY_POD: "The channel is switched on in the pods.",
    Reason.LAST_RUN_COMPLIANT: (
        "No pod runs now. The pods of the last run were started with the channel switched on."
    ),
    Reason.SCALED_TO_ZERO: (
        "No pod runs now, and the next one starts with the channel switched on."
    ),
    Reason.SEED_PROVEN: "The product's data was initialised with the channel switched on.",
    Reason.SEED_NOT_PROVEN: (
        "A new installation initialises its data with the channel switched on. Data that exists "
        "already keeps its own setting."
    ),
    Reason.DEFAULT_APPLIES: "The switch is not set or is empty, and this version sends by default.",
    Reason.REPORTED: "The product itself reports that the channel is switched on.",
    Reason.RESOURCE_IN_EFFECT: "The custom resource switches the channel on.",
    Reason.RESTART_NEEDED: (
        "The product itself reports that the channel is switched on, until it restarts."
    ),
    Reason.NO_EFFECTIVE_SWITCH: (
        "This version sends by default, and nothing in the manifest is known to switch it off. "
        "Settings inside the product are not read."
    ),
    Reason.NOT_REPORTED: (
        "This version sends by default, and the product has not reported that it was switched off."
    ),
    Reason.PARTLY_DISABLED: "The channel is switched off, and this version still sends something.",
    Reason.PODS_OUTDATED: (
        "Some pods were started with the channel switched on. Their successors have it switched "
        "off."
    ),
    Reason.JOB_STILL_RUNS: (
        "The CronJob is suspended, and one of its Jobs, which sends, has not finished."
    ),
    Reason.NO_PODS: "No pod runs yet. The next one starts with the channel switched on.",
    Reason.OBSERVED_CONTACT: (
        "A pod asked DNS for a host that serves this channel alone. That is an attempt: whether it "
        "got through is not seen."
    ),
}
_UNKNOWN = {
    Reason.PODS_OUTDATED: (
        "The next pods have the channel switched off. It is not proven of all pods that run, or "
        "that ran last."
    ),
    Reason.NO_PODS: "No pod runs that could show the setting.",
    Reason.NO_EFFECTIVE_SWITCH: (
        "This version has no switch that is known to work, and nothing shows what it does."
    ),
    Reason.RESTART_NEEDED: "What the product sends is not known until it restarts.",
    Reason.SWITCH_OVERRIDDEN: (
        "An argument or another variable overrides the switch, and what that does is not known."
    ),
    Reason.SET_BY_REFERENCE: (
        "The variable takes its value from a Secret or a field, which is never read."
    ),
    Reason.MAY_BE_SET_BY_ENV_FROM: (
        "The container takes all variables of a Secret, which is never read and may set the switch."
    ),
    Reason.SEED_NOT_PROVEN: (
        "The product reads the switch only when it first initialises its data, and nothing shows "
        "with which setting that was."
    ),
    Reason.OPT_OUT_PERSISTS: (
        "The channel is switched on, but the product keeps an earlier opt-out in its own data, and "
        "nothing shows whether there is one."
    ),
    Reason.PARTLY_DISABLED: (
        "The channel is switched off. What the version is cannot be read, and some versions still "
        "send something."
    ),
    Reason.EXCLUSIVE_VARIABLE: (
        "The product does not start if the switch and a certain other variable are both set. Both "
        "are, or an envFrom, which is not read, may hold the other one."
    ),
}
_SENTENCES: Mapping[Sends, Mapping[Reason, str]] = {
    Sends.NO: _NO,
    Sends.YES: _YES,
    Sends.UNKNOWN: _UNKNOWN,
}


def sends_sentence(sends: Sends, reason: Reason) -> str:
    """Why something is sent, or not, or why that is not known."""
    return _SENTENCES[sends].get(reason, reason.meaning)
