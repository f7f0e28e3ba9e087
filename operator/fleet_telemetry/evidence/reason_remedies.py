"""What to do, by the reason for a state or an answer."""

from __future__ import annotations

from collections.abc import Mapping

from fleet_telemetry.api.reasons import ObservedReason, Reason

_WAIT = "Wait until the rollout is over, and look again."
_START = "Start the product by the image's own entry point, or let the product report its setting."
_VALUE = "Write the switch as a literal value of the container's env."
_VERSION = (
    "Use an image tag that names the full version, or let the product report its setting: give the "
    "policy credentials."
)
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
    Reason.OBSERVED_CONTACT: (
        "Look in the product for a setting that turns the channel on again, and deny its hosts by "
        "spec.egress.action: Deny until it is found."
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
    Reason.CONFIG_MAP_NOT_READ: (
        "Write the value into the manifest, or let the ConfigMap be read: the controller by the "
        "chart's evidence.readConfigMaps, a command by what it is given or may get."
    ),
    Reason.CONFIG_MAP_MISSING: "Create the ConfigMap with the key.",
    Reason.CONFIG_MAP_CHANGED: (
        "Restart the pods, for example by kubectl rollout restart. If an envFrom names a ConfigMap "
        "that has not the switch and can be changed, nothing shows that it never had it: write the "
        "switch into env."
    ),
    Reason.CONFIG_MAP_CONTRARY: (
        "Set the desired value in the ConfigMap, or in the values of its chart, and restart the "
        "pods."
    ),
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
    Reason.AUDIT_ONLY: "Set mode: Enforce in the policy, or write the switch into the manifest.",
    Reason.ARGUMENTS_OFF: "Allow the policy to change arguments, or write the argument into the "
    "manifest.",
    Reason.CRON_JOB_RUNS_MORE: "Move the container that calls home into a CronJob of its own.",
    Reason.ROLLOUT_QUEUED: _WAIT,
    Reason.JOB_STILL_RUNS: "Wait for the end of the Job, or delete it.",
    Reason.NEXT_PODS_SEND: "Write the switch into the pod template.",
    Reason.NO_PODS: "Wait until a pod runs, and look again.",
    Reason.PODS_NOT_READABLE: "Allow to list pods, ReplicaSets and Jobs; docs/audit-clusters.md "
    "has the rights.",
    Reason.LEASE_NOT_READABLE: "Allow to get the operator's Lease, and to list the Deployments of "
    "its namespace; docs/audit-clusters.md has the rights.",
    Reason.COMMAND_IS_SHELL: _START,
    Reason.PROGRAM_UNKNOWN: _START,
    Reason.IMAGE_ARGUMENTS_UNKNOWN: "Write args into the manifest, with the switch among them.",
    Reason.ARGUMENTS_AMBIGUOUS: "Write the switch so that no other word can change its meaning.",
    Reason.VALUE_NOT_UNDERSTOOD: "Write a value that the product's documentation names.",
    Reason.VALUE_MAY_HOLD_MORE: "Write the switch into the value yourself, beside what is there.",
    Reason.AMBIGUOUS_VARIABLE: "Keep one spelling of the variable.",
    Reason.DEFAULT_UNKNOWN: "Set the switch explicitly.",
    Reason.VERSION_NOT_KNOWN: _VERSION,
    Reason.VERSION_NOT_VERIFIED: "Use a version that the catalogue covers, or let the product "
    "report its setting: give the policy credentials.",
    Reason.OPT_OUT_PERSISTS: "Take the stored opt-out back in the product itself.",
    Reason.RESTART_NEEDED: "Restart the workload.",
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
    Reason.SETTING_FOUGHT_OVER: "Find what changes the setting back in the product.",
    Reason.RESOURCE_NOT_MANAGED: "Set the field in the custom resource, or set "
    "spec.runtime.action: Remediate and name the product in the chart's customResources.write.",
    Reason.RESOURCE_NEEDS_CLUSTER_POLICY: "Set the field in the custom resource, or cover the "
    "workload with a ClusterTelemetryPolicy.",
    Reason.RESOURCE_READ_ONLY: "Cover the channel whose switch it is with a policy, too.",
    Reason.RESOURCE_CONTESTED: "Let the policies of both workloads ask for the same.",
    Reason.RESOURCE_WRITE_FORBIDDEN: "Name the product in the chart's customResources.write, or, "
    "of a TelemetryProduct, the field in customResources.additional with write: true.",
    Reason.RESOURCE_WRITE_REFUSED: "Set the field in the custom resource by hand: the message says "
    "what was refused.",
    Reason.RESOURCE_AWAITS_WRITE: "Wait a minute, and look again.",
    Reason.RESOURCE_NOT_READ: "Let the operator run, which reads the custom resource, or add the "
    "custom resource to the files.",
    Reason.RESOURCE_RIGHT_MISSING: "Set the chart's value customResources.read: true, or, of a "
    "TelemetryProduct, name the field in customResources.additional.",
    Reason.RESOURCE_KIND_MISSING: "See that the custom resource definitions belong to the version "
    "of the product that runs.",
    Reason.RESOURCE_UNREACHABLE: "Wait: it is read again. The controller's log has the error.",
    Reason.RESOURCE_ABSENT: "Start the product once, or create the custom resource.",
    Reason.RESOURCE_VALUE_OF_OTHER_TYPE: "Write a value that the product's documentation names.",
    Reason.RESOURCE_CHANGE_UNKNOWN: "Write the field again by server-side apply, and restart the "
    "workload.",
}
"""Reasons whose own sentence says what to do are left out."""
OBSERVED_REMEDIES: Mapping[ObservedReason, str] = {
    ObservedReason.NOT_OBSERVED: "Set observed.enabled of the chart, and let CoreDNS report by the "
    "plugin dnstap: fleet-telemetry corefile prints its configuration.",
    ObservedReason.OBSERVER_NOT_RUNNING: "See that the controller runs, and look again.",
    ObservedReason.SOURCE_NOT_CONNECTED: "Apply what fleet-telemetry corefile prints, and see that "
    "the name servers may connect to the operator's Service.",
    ObservedReason.NOT_PROVEN_YET: "Wait a minute. If it stays so, apply what fleet-telemetry "
    "corefile prints.",
    ObservedReason.LOOKUPS_LOST: "Wait: it is proven again by and by. If it comes back, let "
    "CoreDNS report the hosts of the catalogue alone.",
    ObservedReason.NOT_ATTRIBUTED: "Give the pods addresses of their own.",
    ObservedReason.OTHER_NAME_SERVERS: "Let the pods use the cluster's DNS, without the node's "
    "network.",
    ObservedReason.AUTOPATH_IN_USE: "Remove autopath from the Corefile.",
    ObservedReason.CLOCKS_DIFFER: "Let the nodes synchronise their clocks.",
    ObservedReason.NO_QUESTIONS: "See which name servers the pod asks (/etc/resolv.conf in it).",
    ObservedReason.HOST_NOT_TAPPED: "Print the configuration again by fleet-telemetry corefile, "
    "and apply it.",
    ObservedReason.DNS_BYPASSED: "Let the cache on the nodes, such as NodeLocal DNSCache, forward "
    "the telemetry hosts to the cluster's DNS.",
    ObservedReason.NO_HOST_KNOWN: "Nothing: there is no lookup to look for.",
}
"""What to do so that it is known what the pods asked for."""
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
        Reason.RESOURCE_IN_EFFECT,
        Reason.REST_DENIED,
        Reason.HOSTS_DENIED,
        Reason.EXEMPT_BY_POLICY,
    }
)
"""Nothing is missing."""
