"""What to do so that a channel is proven, by the reason why it is not."""

from __future__ import annotations

from fleet_telemetry.api.reasons import Reason

_WAIT = "Wait until the rollout is over, and look again."
_CREDENTIALS = "Give the policy credentials for the product (spec.runtime.credentials)."
_START = "Start the product by the image's own entry point, or let the product report its setting."
_VALUE = "Write the switch as a literal value of the container's env."
_VERSION = (
    "Use an image tag that names the full version, or let the product report its setting: give the "
    "policy credentials."
)

ADVICE: dict[Reason, str] = {
    Reason.REPORTED_CONTRARY: "Change the setting in the product itself, or set "
    "spec.runtime.action: Remediate in the policy.",
    Reason.CONTRARY_VALUE_KEPT: "Remove the contrary value from the manifest, or set "
    "spec.injection.onConflict: Override in the policy.",
    Reason.SWITCH_OVERRIDDEN: "Remove what overrides the switch from the manifest.",
    Reason.REFUSED_VARIABLE: "Remove the variable from the manifest.",
    Reason.EXCLUSIVE_VARIABLE: "Keep one of the two variables.",
    Reason.OVERRULED: "Change the policy that has precedence, or this one.",
    Reason.SWITCH_CONTESTED: "Let the policies of both channels ask for the same.",
    Reason.AUDIT_ONLY: "Set mode: Enforce in the policy, or write the switch into the manifest.",
    Reason.NAMESPACE_EXCLUDED: "Write the switch into the manifest, or do not exclude the "
    "namespace in the operator's options.",
    Reason.INJECTION_OFF: "Set spec.injection.when in the policy, or write the switch into the "
    "manifest.",
    Reason.ARGUMENTS_OFF: "Allow the policy to change arguments, or write the argument into the "
    "manifest.",
    Reason.CRON_JOB_RUNS_MORE: "Move the container that calls home into a CronJob of its own.",
    Reason.AWAITING_UPGRADE: "Write the switch into the manifest, or set "
    "spec.injection.when: Always in the policy.",
    Reason.TEMPLATE_IMMUTABLE: "Create the Job anew.",
    Reason.AWAITING_ROLLOUT: "Restart the workload: kubectl rollout restart.",
    Reason.ROLLOUT_QUEUED: _WAIT,
    Reason.MISSED_ADMISSION: "Restart the workload, so that the webhook sees it.",
    Reason.PRODUCT_ADDED_LATER: "Restart the workload, so that the webhook sees it.",
    Reason.PODS_OUTDATED: "Wait for the rollout, or restart the workload, so that no pod of an "
    "earlier template is left.",
    Reason.JOB_STILL_RUNS: "Wait for the end of the Job, or delete it.",
    Reason.NEXT_PODS_SEND: "Write the switch into the pod template.",
    Reason.RESTART_MAY_UNDO: "Write the switch into the manifest, so that the next start keeps it.",
    Reason.NO_PODS: "Wait until a pod runs, and look again.",
    Reason.PODS_NOT_READABLE: "Allow to list pods, ReplicaSets and Jobs; docs/audit-clusters.md "
    "has the rights.",
    Reason.SEED_NOT_PROVEN: "The setting counts only when data is first initialised. "
    + _CREDENTIALS,
    Reason.SET_BY_REFERENCE: _VALUE,
    Reason.MAY_BE_SET_BY_ENV_FROM: _VALUE + " An entry of env comes before envFrom.",
    Reason.COMMAND_OVERRIDDEN: _START,
    Reason.COMMAND_IS_SHELL: _START,
    Reason.PROGRAM_UNKNOWN: _START,
    Reason.IMAGE_ARGUMENTS_UNKNOWN: "Write args into the manifest, with the switch among them.",
    Reason.ARGUMENTS_AMBIGUOUS: "Write the switch so that no other word can change its meaning.",
    Reason.VALUE_NOT_UNDERSTOOD: "Write a value that the product's documentation names.",
    Reason.VALUE_MAY_HOLD_MORE: "Write the switch into the value yourself, beside what is there.",
    Reason.AMBIGUOUS_VARIABLE: "Keep one spelling of the variable.",
    Reason.SETTING_PERSISTS: "Set the switch explicitly: an earlier value may be stored.",
    Reason.DEFAULT_UNKNOWN: "Set the switch explicitly.",
    Reason.VERSION_UNREADABLE: _VERSION,
    Reason.VERSION_NOT_KNOWN: _VERSION,
    Reason.VERSION_NOT_VERIFIED: "Use a version that the catalogue covers, or let the product "
    "report its setting: give the policy credentials.",
    Reason.VERSION_NOT_COVERED: "Use a version that the catalogue covers, or let the product "
    "report its setting: give the policy credentials.",
    Reason.NOT_REPORTED: "Only the product itself knows. " + _CREDENTIALS,
    Reason.NO_EFFECTIVE_SWITCH: "No setting of this version works: deny the hosts in the network, "
    "or follow the remedy.",
    Reason.PARTLY_DISABLED: "Deny the hosts in the network (spec.egress), and prove that the "
    "cluster enforces it.",
    Reason.OPT_OUT_PERSISTS: "Take the stored opt-out back in the product itself.",
    Reason.RESTART_NEEDED: "Restart the workload.",
    Reason.CREDENTIALS_MISSING: _CREDENTIALS,
    Reason.CREDENTIALS_REJECTED: "Renew the credentials in the Secret.",
    Reason.PERMISSION_MISSING: "Give the product's account the right to read the setting.",
    Reason.API_NOT_FOUND: "Correct the Service in spec.runtime.endpoints.",
    Reason.UNREACHABLE: "See that the operator may connect to the product.",
    Reason.TLS_NOT_TRUSTED: "Put the CA of the product's certificate into the Secret (ca.crt).",
    Reason.RATE_LIMITED: "Wait: it is asked again.",
    Reason.REPORT_STALE: "See that the operator runs: its log says why it has no newer answer.",
    Reason.VENDOR_ERROR: "See the log of the product.",
    Reason.UNEXPECTED_ANSWER: "See that the Service leads to the product itself.",
    Reason.SETTING_NOT_REPORTED: "This product does not report the setting: set the switch in the "
    "manifest.",
    Reason.NO_VERIFIED_POD: "Wait until a pod is ready, or name a Service in "
    "spec.runtime.endpoints.",
    Reason.SECRET_NOT_READABLE: "Create the Secret, and let the operator read it "
    "(runtime.secrets of the chart's values).",
    Reason.SETTING_FOUGHT_OVER: "Find what changes the setting back in the product.",
}
"""Reasons whose own sentence says what to do are left out."""
PROVEN = frozenset(
    {
        Reason.RUNNING_IN_EVERY_POD,
        Reason.LAST_RUN_COMPLIANT,
        Reason.SCALED_TO_ZERO,
        Reason.CRON_JOB_SUSPENDED,
        Reason.SEED_PROVEN,
        Reason.NO_TELEMETRY_IN_VERSION,
        Reason.DEFAULT_APPLIES,
        Reason.REPORTED,
        Reason.REST_DENIED,
        Reason.HOSTS_DENIED,
        Reason.EXEMPT_BY_POLICY,
    }
)
"""Nothing is missing."""
