"""What to do about a channel that does not have the desired setting, or that sends something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.registry import mechanism_of

_NEXT_CHANGE = (
    "Change the pod template, for example by kubectl rollout restart, or set "
    "spec.injection.rollout: Immediate."
)
_LET_IT_REPORT = (
    "If the product's page has an API check, name credentials in spec.runtime, so that the product "
    "reports its setting."
)
REMEDIES: Mapping[Reason, str] = {
    Reason.REPORTED_CONTRARY: (
        "Change the setting in the product, or set spec.runtime.action: Remediate if its API can "
        "change it."
    ),
    Reason.CONTRARY_VALUE_KEPT: (
        "Set the desired value in the manifest, or set spec.injection.onConflict: Override."
    ),
    Reason.SWITCH_OVERRIDDEN: "Remove what overrides the switch from the manifest.",
    Reason.COMMAND_OVERRIDDEN: (
        "Remove what the message names from the manifest. " + _LET_IT_REPORT
    ),
    Reason.REFUSED_VARIABLE: "Remove the variable from the manifest.",
    Reason.EXCLUSIVE_VARIABLE: (
        "Remove the other variable from the manifest, or set the switch there if the envFrom does "
        "not hold the other one."
    ),
    Reason.OVERRULED: "Settle which of the two policies is meant.",
    Reason.SWITCH_CONTESTED: "Ask for the same setting for all channels of the switch.",
    Reason.NAMESPACE_EXCLUDED: "Set the switch in the manifest.",
    Reason.LEFT_OUT_BY_LABEL: (
        "Set the switch in the manifest, or remove the label fleettelemetry.io/inject."
    ),
    Reason.INJECTION_OFF: "Set the switch in the manifest, or let the policy add it.",
    # A restart changes no version, so it would add nothing.
    Reason.AWAITING_UPGRADE: (
        "Upgrade the product, or set spec.injection.rollout: Immediate, or set the switch in the "
        "manifest."
    ),
    Reason.AWAITING_ROLLOUT: _NEXT_CHANGE,
    Reason.MISSED_ADMISSION: _NEXT_CHANGE,
    Reason.PRODUCT_ADDED_LATER: _NEXT_CHANGE,
    Reason.PODS_OUTDATED: (
        "Wait for the rollout to end, resume it if it is paused, or delete the pods that are older."
    ),
    Reason.TEMPLATE_IMMUTABLE: "Create the Job again.",
    Reason.SEED_NOT_PROVEN: _LET_IT_REPORT,
    Reason.NOT_REPORTED: _LET_IT_REPORT,
    Reason.CREDENTIALS_MISSING: "Name credentials in spec.runtime.",
    Reason.SET_BY_REFERENCE: "Write the value into the manifest instead of a reference.",
    Reason.MAY_BE_SET_BY_ENV_FROM: "Write the value into the manifest.",
    Reason.VERSION_UNREADABLE: "Name the version in the image's tag.",
    Reason.VERSION_NOT_COVERED: "Use a newer catalogue, or add a TelemetryProduct.",
    Reason.NO_EFFECTIVE_SWITCH: ("Deny its hosts by spec.egress.action: Deny, or ask the vendor."),
    Reason.PARTLY_DISABLED: "Deny its hosts by spec.egress.action: Deny.",
    Reason.RESTART_MAY_UNDO: "Set the switch in the manifest, or let a policy add it.",
    Reason.SETTING_PERSISTS: "Set the switch in the manifest, or let the policy add it.",
    Reason.CREDENTIALS_REJECTED: "Put new credentials into the Secret.",
    Reason.PERMISSION_MISSING: "Give the credentials the rights that the product's page names.",
    Reason.CREDENTIAL_SCOPE_MISSING: "Add namespaces or namespaceSelector to the credential.",
    Reason.CREDENTIAL_NOT_FOR_NAMESPACE: "Add the namespace to the credential, if it may have it.",
    Reason.CREDENTIAL_NOT_FOR_IMAGE: "Add the registry to registries of the credential.",
    Reason.TLS_REQUIRED: "Name a Service with scheme: https, or say requireTLS: false.",
    Reason.SECRET_NOT_LABELED: 'Add the label fleettelemetry.io/credential: "true" to the Secret.',
    Reason.SECRET_TYPE_REFUSED: "Copy the credential into a Secret of type Opaque.",
    Reason.SECRET_NOT_READABLE: "Create the Secret, and name it in the chart's runtime.secrets.",
}
_NOTHING_TO_DO = (State.COMPLIANT, State.EXEMPT)
_COVER = "Or cover the channel with a policy that has submission: Disabled."
_DENY = "Deny its hosts by a policy with spec.egress.action: Deny."


def remedy_of(targets: Iterable[MatchedContainer], verdict: Verdict) -> str:
    """In sentences; empty if nothing is to be done."""
    own = [one for one in targets if one.product.name == verdict.product]
    return " ".join(dict.fromkeys(filter(None, _sentences(own, verdict))))


def _sentences(targets: list[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    found = verdict.sends
    if verdict.state in _NOTHING_TO_DO or found is None:
        return
    wants_on = verdict.desired is Submission.ENABLED
    if verdict.state is None and found.sends is Sends.NO:
        return
    if verdict.state is not None:
        yield REMEDIES.get(verdict.reason, "") if verdict.reason is not None else ""
    elif found.sends is Sends.UNKNOWN:
        yield REMEDIES.get(found.reason, "")
    else:
        to_set = list(_to_set(targets, verdict))
        yield from to_set
        yield _COVER if to_set else _DENY
    if not wants_on:
        yield from vendor_remedies(targets, verdict)


def vendor_remedies(targets: Iterable[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    """What the catalogue advises for the versions that the containers may have."""
    for one in targets:
        if one.product.name == verdict.product:
            for rule in one.product.possible_rules(verdict.channel, one.image, one.version):
                if rule.remedy:
                    yield rule.remedy


def _to_set(targets: Iterable[MatchedContainer], verdict: Verdict) -> Iterator[str]:
    """What switches off the containers that are not off."""
    for one in targets:
        rule = one.product.rule_for(verdict.channel, one.image, one.version).rule
        open_ = [
            switch
            for switch in (rule.switches if rule is not None else ())
            if (found := mechanism_of(switch)) is not None
            and not found.is_met(one.container, switch, Submission.DISABLED)
        ]
        words = ", ".join(filter(None, map(_word_of, open_)))
        if words:
            yield f"Set {words} in container {one.container.name}."


def _word_of(switch: Switch) -> str:
    """The switch with the value that disables; empty if it has to be absent."""
    mechanism = mechanism_of(switch)
    value = mechanism.value_for(switch, Submission.DISABLED) if mechanism is not None else None
    if mechanism is None or value is None:
        return ""
    return value if switch.argument is not None else f"{mechanism.label(switch)}={value}"
