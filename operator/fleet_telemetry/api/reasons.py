"""Every reason that a channel, a condition or a warning can have, with what it means.

``docs/reasons.md`` is generated from this file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Explained(StrEnum):
    """Words with what they mean."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member is its word; what it means travels with it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class Reason(_Explained):
    """Why a channel is in its state."""

    # Compliant
    RUNNING_IN_EVERY_POD = (
        "RunningInEveryPod",
        "Every pod was started with the setting, and this version reads it at every start.",
    )
    LAST_RUN_COMPLIANT = (
        "LastRunCompliant",
        "No pod runs now. Every pod of the last run was started with the setting, and this version "
        "reads it at every start.",
    )
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "No pod runs, and none starts until somebody changes the workload: it has no replicas, or "
        "is suspended. The next pod has the setting.",
    )
    CRON_JOB_SUSPENDED = (
        "CronJobSuspended",
        "The CronJob that calls home is suspended, and none of its Jobs runs.",
    )
    SEED_PROVEN = (
        "SeedProven",
        "The product reads the setting only when it first initialises its data, and the data "
        "was initialised with the setting.",
    )
    NO_TELEMETRY_IN_VERSION = (
        "NoTelemetryInVersion",
        "This version of the product sends nothing on this channel.",
    )
    DEFAULT_APPLIES = (
        "DefaultApplies",
        "The switch is not set or is empty, and the default of this version is the desired "
        "setting.",
    )
    REPORTED = (
        "Reported",
        "The product itself reports the desired setting.",
    )
    RESOURCE_IN_EFFECT = (
        "ResourceInEffect",
        "The custom resource has the setting, and every pod runs a version that reads it there.",
    )
    REST_DENIED = (
        "RestDenied",
        "The switches disable what they can, and network policies deny every pod every known "
        "address of every host of the channel, so what this version still sends does not arrive.",
    )
    # NonCompliant
    REPORTED_CONTRARY = (
        "ReportedContrary",
        "The product itself reports the opposite setting. This overrides all other evidence.",
    )
    CONTRARY_VALUE_KEPT = (
        "ContraryValueKept",
        "The workload's author set a value that does not have the desired effect, and the "
        "policy has onConflict: Keep.",
    )
    OBSERVED_CONTACT = (
        "ObservedContact",
        "The channel is to be disabled, and a pod asked DNS for a host that serves this channel "
        "alone. That is an attempt: it does not show that anything was sent.",
    )
    SWITCH_OVERRIDDEN = (
        "SwitchOverridden",
        "An argument or another variable overrides the switch, with the opposite setting or "
        "with one that cannot be read.",
    )
    REFUSED_VARIABLE = (
        "RefusedVariable",
        "A variable is set that this version refuses. The product may not start.",
    )
    EXCLUSIVE_VARIABLE = (
        "ExclusiveVariable",
        "The product does not start if the switch and a certain other variable are both set. If "
        "only the other one is set, or an envFrom may hold it, the switch is not set beside it, "
        "and what it holds is not read. Remove it, or write the switch into env in the manifest "
        "if the envFrom does not hold it. If both are set, remove one of them.",
    )
    OVERRULED = (
        "Overruled",
        "Another policy with higher precedence asks for the opposite setting.",
    )
    SWITCH_CONTESTED = (
        "SwitchContested",
        "Another channel of the product has the same switch, and is to have another setting. The "
        "channel that the product names first gets it. Let the policies ask for the same.",
    )
    AUDIT_ONLY = (
        "AuditOnly",
        "The policy has mode: Audit and changes nothing.",
    )
    NAMESPACE_EXCLUDED = (
        "NamespaceExcluded",
        "The operator changes no workload of this namespace: the chart's value "
        "webhook.excludedNamespaces has it, or webhook.namespaceSelector does not select it.",
    )
    LEFT_OUT_BY_LABEL = (
        "LeftOutByLabel",
        "The workload or its pods have the label fleettelemetry.io/inject: disabled, so the "
        "operator does not change the workload. Its policies still decide on its state. Remove the "
        "label, or set the switch in the workload's own manifest.",
    )
    INJECTION_OFF = (
        "InjectionOff",
        "The policy has when: Never and adds nothing.",
    )
    ARGUMENTS_OFF = (
        "ArgumentsOff",
        "The switch is an argument of the product, and the policy writes no arguments. Set "
        "spec.injection.arguments: true of the policy, after docs/arguments.md, or set the "
        "argument in the workload's own manifest.",
    )
    CRON_JOB_RUNS_MORE = (
        "CronJobRunsMore",
        "The switch is to suspend the CronJob, and it runs another container too, which would stop "
        "with it. Move the other container into a CronJob of its own, or suspend the CronJob "
        "yourself.",
    )
    AWAITING_UPGRADE = (
        "AwaitingUpgrade",
        "The workload is older than the policy. The setting is added when the product's "
        "version next changes; rollout: Immediate adds it at once.",
    )
    TEMPLATE_IMMUTABLE = (
        "TemplateImmutable",
        "The pod template of a Job cannot be changed. Create the Job again.",
    )
    RESOURCE_NOT_MANAGED = (
        "ResourceNotManaged",
        "The switch is a field of a custom resource. The policy does not set it, because it does "
        "not have spec.runtime.action: Remediate.",
    )
    RESOURCE_NEEDS_CLUSTER_POLICY = (
        "ResourceNeedsClusterPolicy",
        "The switch is a field of a custom resource without a namespace. A TelemetryPolicy does "
        "not set it, because it would decide for other namespaces, too.",
    )
    RESOURCE_READ_ONLY = (
        "ResourceReadOnly",
        "The field of the custom resource is the switch of another channel, and is only read for "
        "this one.",
    )
    RESOURCE_CONTESTED = (
        "ResourceContested",
        "Another workload reads the same field of the custom resource, and is to have another "
        "setting, so the field is not set. Let the policies ask for the same.",
    )
    RESOURCE_WRITE_FORBIDDEN = (
        "ResourceWriteForbidden",
        "The operator may not patch the custom resource.",
    )
    RESOURCE_WRITE_REFUSED = (
        "ResourceWriteRefused",
        "The API server, or a webhook of the product, does not accept the setting in the custom "
        "resource.",
    )
    # Pending
    AWAITING_ROLLOUT = (
        "AwaitingRollout",
        "The setting is written at the next change of the pod template, such as by kubectl rollout "
        "restart. Deleting pods is not enough.",
    )
    ROLLOUT_QUEUED = (
        "RolloutQueued",
        "The operator is about to add the setting, one workload of a product at a time.",
    )
    MISSED_ADMISSION = (
        "MissedAdmission",
        "The workload was created under the policy and has no setting. The webhook was "
        "unavailable, the workload was exempt, or the operator did not know the product. The "
        "setting is added at the next change of the pod template.",
    )
    PRODUCT_ADDED_LATER = (
        "ProductAddedLater",
        "The workload is older than the TelemetryProduct, or than its last change. The setting is "
        "added at the next change of the pod template.",
    )
    PODS_OUTDATED = (
        "PodsOutdated",
        "Some pods were started without the setting. Their successors have it.",
    )
    JOB_STILL_RUNS = (
        "JobStillRuns",
        "The CronJob is suspended, and one of its Jobs has not finished. Wait for its end, or "
        "delete the Job.",
    )
    NO_PODS = (
        "NoPods",
        "No pod runs that could show the setting. The next pod has it.",
    )
    RESOURCE_AWAITS_WRITE = (
        "ResourceAwaitsWrite",
        "The controller is about to set the field of the custom resource.",
    )
    # Unknown
    PODS_NOT_READABLE = (
        "PodsNotReadable",
        "The pods of the workload cannot all be read, so nothing shows which setting they were "
        "started with. Allow to list pods, and the ReplicaSets and Jobs that own them.",
    )
    LEASE_NOT_READABLE = (
        "LeaseNotReadable",
        "The operator recorded what the product reports, and whether it still runs cannot be seen, "
        "because its Lease may not be read. Allow to get the Lease.",
    )
    SEED_NOT_PROVEN = (
        "SeedNotProven",
        "The product reads the setting only when it first initialises its data, and nothing "
        "shows that the data was initialised with it.",
    )
    SET_BY_REFERENCE = (
        "SetByReference",
        "The variable takes its value from a Secret or a field of the pod. The operator does not "
        "replace it and never reads it. Write the value into the manifest.",
    )
    CONFIG_MAP_NOT_READ = (
        "ConfigMapNotRead",
        "The value, or what may set it, is in a ConfigMap that was not read. The controller reads "
        "ConfigMaps where the chart's evidence.readConfigMaps allows it, and a command those of "
        "its input. Allow it, or write the value into the manifest.",
    )
    CONFIG_MAP_MISSING = (
        "ConfigMapMissing",
        "The variable takes its value from a ConfigMap or a key that does not exist. A container "
        "cannot start then, and nothing shows what running ones started with. Create it.",
    )
    CONFIG_MAP_CHANGED = (
        "ConfigMapChanged",
        "The ConfigMap that the variable takes its value from may have held another value when the "
        "pods were created: it, or the key, changed since, or nothing shows when it did. Restart "
        "the pods, for example by kubectl rollout restart.",
    )
    CONFIG_MAP_CONTRARY = (
        "ConfigMapContrary",
        "The variable takes its value from a ConfigMap, and it is not the desired one. The "
        "operator changes neither. Change it there, and restart the pods.",
    )
    MAY_BE_SET_BY_ENV_FROM = (
        "MayBeSetByEnvFrom",
        "The container takes all variables of a Secret, which may set the switch. The operator "
        "never reads it. Write the switch into env in the manifest.",
    )
    COMMAND_OVERRIDDEN = (
        "CommandOverridden",
        "The container is not started in the way that the catalogue knows for its image, so "
        "variables may be changed or removed before the product reads them. Only the product's "
        "own report proves the setting (spec.runtime of the policy). For a product of your own, "
        "spec.images[].start of the TelemetryProduct lists the commands that pass variables on.",
    )
    COMMAND_IS_SHELL = (
        "CommandIsShell",
        "The container runs a shell, or a word of command or args is a line of shell. The operator "
        "changes no such line and reads no argument from it. Set the argument in the workload's "
        "own manifest or in the values of its chart, or let the container run the product itself.",
    )
    PROGRAM_UNKNOWN = (
        "ProgramUnknown",
        "The container runs another program or subcommand than those of which the catalogue knows "
        "the arguments. Set the argument in the workload's own manifest. For a product of your "
        "own, argument.programs and argument.after of the TelemetryProduct name them.",
    )
    IMAGE_ARGUMENTS_UNKNOWN = (
        "ImageArgumentsUnknown",
        "The container has neither command nor args, so the arguments are those of the image "
        "(CMD). Args would replace them, and the catalogue does not know them for this version, "
        "or the container is for Windows. "
        "Write the image's arguments into args of the container.",
    )
    ARGUMENTS_AMBIGUOUS = (
        "ArgumentsAmbiguous",
        "The product may take the argument for something else: it stands there with different "
        "values, or behind a word that may end the flags or take it for a value. Write each flag "
        "once, and values after an equals sign.",
    )
    VALUE_NOT_UNDERSTOOD = (
        "ValueNotUnderstood",
        "The variable has a value whose effect on this version is not known.",
    )
    VALUE_MAY_HOLD_MORE = (
        "ValueMayHoldMore",
        "The variable has a value that is not the desired setting and may hold more than this "
        "switch, so it is not replaced. Write the setting into it in the manifest. If the switch "
        "is spec.suspend, somebody else suspended the CronJob; resume it in the manifest.",
    )
    AMBIGUOUS_VARIABLE = (
        "AmbiguousVariable",
        "The variable is set twice in different spellings, and it is not known which one "
        "takes effect.",
    )
    SETTING_PERSISTS = (
        "SettingPersists",
        "The switch is not set, and the product keeps the value of an earlier start in its own "
        "data, so it is not known which one applies. Set the switch.",
    )
    DEFAULT_UNKNOWN = (
        "DefaultUnknown",
        "The switch is not set, and the default of this version depends on something else, "
        "such as the licence.",
    )
    VERSION_UNREADABLE = (
        "VersionUnreadable",
        "The version cannot be read from the image (digest only, latest, or a floating tag "
        "whose versions differ), so the right switch is not known.",
    )
    VERSION_NOT_KNOWN = (
        "VersionNotKnown",
        "The tag has a number that is no known version of the product: a build number, a date, "
        "or a version newer than this release of the operator. Name the product's version in the "
        "tag, upgrade the operator, or name credentials, so that the product can report.",
    )
    VERSION_NOT_VERIFIED = (
        "VersionNotVerified",
        "The version is newer than those for which the switch was verified. The switch of the "
        "last verified version is used, and nothing shows that it still works. Upgrade the "
        "operator, or name credentials, so that the product can report.",
    )
    VERSION_NOT_COVERED = (
        "VersionNotCovered",
        "The catalogue has no rule for this version.",
    )
    NOT_REPORTED = (
        "NotReported",
        "The channel is switched in the product itself, and the product has not reported its "
        "setting.",
    )
    RESOURCE_NOT_READ = (
        "ResourceNotRead",
        "The switch is a field of a custom resource, which has not been read.",
    )
    RESOURCE_RIGHT_MISSING = (
        "ResourceRightMissing",
        "The switch is a field of a custom resource, and the operator has no right to get it.",
    )
    RESOURCE_KIND_MISSING = (
        "ResourceKindMissing",
        "The switch is a field of a custom resource, and the cluster does not serve its kind in "
        "the version that the product's rule names.",
    )
    RESOURCE_UNREACHABLE = (
        "ResourceUnreachable",
        "The switch is a field of a custom resource, and the API server did not return it.",
    )
    RESOURCE_ABSENT = (
        "ResourceAbsent",
        "The switch is a field of a custom resource that does not exist. The product creates it, "
        "and what it writes into it, or uses without it, is not known.",
    )
    RESOURCE_VALUE_OF_OTHER_TYPE = (
        "ResourceValueOfOtherType",
        "The field of the custom resource has a value of another type than the product reads.",
    )
    RESOURCE_CHANGE_UNKNOWN = (
        "ResourceChangeUnknown",
        "The custom resource has the setting, the product reads it at its start alone, and the "
        "managed fields of the object do not show since when it has been there.",
    )
    # NotEnforceable
    NO_EFFECTIVE_SWITCH = (
        "NoEffectiveSwitch",
        "This version has no switch that is known to work.",
    )
    PARTLY_DISABLED = (
        "PartlyDisabled",
        "The switches are as desired, and this version still sends something. Deny the channel's "
        "hosts by spec.egress.action: Deny; once network policies are proven to deny them, it is "
        "Compliant. Or accept what is left by an exception.",
    )
    OPT_OUT_PERSISTS = (
        "OptOutPersists",
        "The product keeps an opt-out in its own data, and no value of the switch reverts it. "
        "Removing the switch is not enough.",
    )
    # Exempt
    EXEMPT_BY_POLICY = (
        "ExemptByPolicy",
        "An exception of the policy names the workload.",
    )

    # Whether something is sent, whatever a policy wants
    HOSTS_DENIED = (
        "HostsDenied",
        "Network policies deny every pod every known address of every host of the channel, so "
        "nothing that is sent arrives, whatever the switches are.",
    )
    NEXT_PODS_SEND = (
        "NextPodsSend",
        "The pod template does not switch the channel off, so the next pods send something. The "
        "pods that run were started from an earlier template, or cannot be read.",
    )
    RESTART_MAY_UNDO = (
        "RestartMayUndo",
        "The product reports that the channel is switched off, but the workload does not switch it "
        "off, so the next start may switch it on again. Set the switch in the workload.",
    )

    # What the product itself says, or why it could not be asked
    RESTART_NEEDED = (
        "RestartNeeded",
        "The product still has the opposite setting. The desired one is stored in the product or "
        "set in its next pods, and takes effect when the product restarts.",
    )
    CREDENTIALS_MISSING = (
        "CredentialsMissing",
        "The policy names no credentials for the product, so the product is not checked.",
    )
    CREDENTIAL_SCOPE_MISSING = (
        "CredentialScopeMissing",
        "The credential's Secret is in a given namespace, and the policy does not say to which "
        "namespaces it may be sent, so nothing is sent. Add namespaces or namespaceSelector to "
        "the credential.",
    )
    CREDENTIAL_NOT_FOR_NAMESPACE = (
        "CredentialNotForNamespace",
        "The policy does not allow its credential to be sent to this namespace, so nothing is "
        "sent. To allow it, change namespaces or namespaceSelector of the credential.",
    )
    CREDENTIAL_NOT_FOR_IMAGE = (
        "CredentialNotForImage",
        "An image is neither in one of the vendor's own repositories nor in a registry that the "
        "credential lists, so nothing is sent. To allow it, add its registry to registries of the "
        "credential.",
    )
    TLS_REQUIRED = (
        "TlsRequired",
        "The credential may only be sent by https, and the product's endpoint is http, so nothing "
        "is sent. Name a Service with scheme: https in spec.runtime.endpoints, or set "
        "requireTLS: false on the credential.",
    )
    SECRET_NOT_LABELED = (
        "SecretNotLabeled",
        "The Secret is not marked as a credential for the product, so it is not used. Add the "
        "label fleettelemetry.io/credential to it, with the value true or the product's name.",
    )
    SECRET_TYPE_REFUSED = (
        "SecretTypeRefused",
        "A Secret of this type holds a credential for Kubernetes or another system and is not "
        "used. Copy the credential into a Secret of type Opaque.",
    )
    SECRET_NOT_READABLE = (
        "SecretNotReadable",
        "The Secret that the policy names does not exist, or the operator may not read it.",
    )
    SECRET_INCOMPLETE = (
        "SecretIncomplete",
        "The Secret lacks a key that the product's page requires, or the key has no usable value.",
    )
    ENDPOINT_NOT_FOUND = (
        "EndpointNotFound",
        "No Service of the namespace leads to the product's container in the workload's pods. Name "
        "one in spec.runtime.endpoints.",
    )
    NO_VERIFIED_POD = (
        "NoVerifiedPod",
        "A pod runs, and nothing shows that only the product answers at its address: it is not "
        "ready, uses the network of its node, or has an address that is not its own.",
    )
    CREDENTIALS_REJECTED = (
        "CredentialsRejected",
        "The product rejects the credentials.",
    )
    PERMISSION_MISSING = (
        "PermissionMissing",
        "The product accepts the credentials, but they do not permit reading or changing the "
        "setting.",
    )
    API_NOT_FOUND = (
        "ApiNotFound",
        "The server at the endpoint has no such API.",
    )
    UNREACHABLE = (
        "Unreachable",
        "The product does not respond.",
    )
    TLS_NOT_TRUSTED = (
        "TlsNotTrusted",
        "The product's certificate is not trusted.",
    )
    RATE_LIMITED = (
        "RateLimited",
        "The product limits the rate of requests.",
    )
    REPORT_STALE = (
        "ReportStale",
        "The product's last answer is older than three intervals and counts no more.",
    )
    VENDOR_ERROR = (
        "VendorError",
        "The product reports an error of its own.",
    )
    UNEXPECTED_ANSWER = (
        "UnexpectedAnswer",
        "The response is not one of the product's API.",
    )
    SETTING_NOT_REPORTED = (
        "SettingNotReported",
        "The product answers, and its answer does not have the setting.",
    )
    NOT_SETTABLE = (
        "NotSettable",
        "The product reads this setting from its own configuration file and rejects changes "
        "by its API. Change it in the file.",
    )
    SETTING_FOUGHT_OVER = (
        "SettingFoughtOver",
        "Remediation conflict: the setting was changed back after each remediation, and the "
        "operator has stopped remediating it.",
    )


class ObservedReason(_Explained):
    """Why a channel's ``observed`` is what it is."""

    # Contacted
    LOOKED_UP = (
        "LookedUp",
        "A pod asked DNS for a host of the channel.",
    )
    # Quiet
    NO_LOOKUP = (
        "NoLookup",
        "Every lookup of the pods would have been seen, and none was for a host of the channel. "
        "This alone does not prove that nothing is sent.",
    )
    # Unknown
    NO_HOST_KNOWN = (
        "NoHostKnown",
        "The catalogue knows no host that pods of this version send to on the channel, so there is "
        "no lookup to look for.",
    )
    NOT_OBSERVED = (
        "NotObserved",
        "The cluster's DNS does not report its lookups to the operator (value observed.enabled).",
    )
    SOURCE_NOT_CONNECTED = (
        "SourceNotConnected",
        "A name server of the cluster is not connected, so lookups may be missing.",
    )
    OBSERVER_NOT_RUNNING = (
        "ObserverNotRunning",
        "Nothing shows that the operator that recorded the lookups still runs, so later ones may "
        "be missing.",
    )
    NOT_PROVEN_YET = (
        "NotProvenYet",
        "The operator's own lookup has not come back through every name server, so lookups may be "
        "missing.",
    )
    LOOKUPS_LOST = (
        "LookupsLost",
        "Lookups were dropped or could not be read, so some may be missing.",
    )
    NOT_ATTRIBUTED = (
        "NotAttributed",
        "The host was asked for from an address that is not known to be one pod's, such as that of "
        "a node or of a pod without a product, so it is not known whose lookup it was.",
    )
    OTHER_NAME_SERVERS = (
        "OtherNameServers",
        "The pods may ask name servers that do not report to the operator: they use the node's "
        "network or have a DNS configuration of their own.",
    )
    AUTOPATH_IN_USE = (
        "AutopathInUse",
        "The CoreDNS plugin autopath answers a name with a search domain at once. So the host's "
        "own name is never asked for, and lookups are missing.",
    )
    CLOCKS_DIFFER = (
        "ClocksDiffer",
        "The clock of a name server and that of the operator differ by seconds, so it is not known "
        "which pod had an address at the time of a lookup.",
    )
    NO_QUESTIONS = (
        "NoQuestions",
        "All lookups are reported, and a pod has asked for nothing at all, so it may ask name "
        "servers that do not report to the operator.",
    )
    DNS_BYPASSED = (
        "DnsBypassed",
        "What pods ask for does not reach the name servers that report to the operator. For "
        "example, NodeLocal DNSCache asks others for names outside of the cluster, unless it is "
        "set to forward them to the cluster's DNS.",
    )
    HOST_NOT_TAPPED = (
        "HostNotTapped",
        "A name server reports the lookups of some hosts alone, and it is not proven that this "
        "host is among them.",
    )


class EgressReason(_Explained):
    """Why a channel's ``egress`` is what it is."""

    # Denied
    EVERY_ADDRESS_DENIED = (
        "EveryAddressDenied",
        "Network policies deny every pod every known address of every host of the channel.",
    )
    # Allowed
    LET_THROUGH = (
        "LetThrough",
        "Network policies isolate the pods and allow a host of the channel.",
    )
    NEGATED_BY_POLICY = (
        "NegatedByPolicy",
        "The hosts are to be denied, but another network policy allows them. NetworkPolicies "
        "are additive, so no further NetworkPolicy can deny them.",
    )
    # Open
    NOTHING_ISOLATES = (
        "NothingIsolates",
        "No network policy isolates the pods for egress.",
    )
    NOT_ISOLATED = (
        "NotIsolated",
        "No network policy isolates the pods, so the hosts are reachable already. A "
        "NetworkPolicy that allows them would deny everything else and is not written.",
    )
    # Unknown, or what it would be without us
    NOT_EVALUATED = (
        "NotEvaluated",
        "Network policies isolate the pods, and the hosts are not resolved because no policy "
        "has an egress section for them.",
    )
    NO_HOSTS_KNOWN = (
        "NoHostsKnown",
        "The catalogue names no host of the channel for this version, so no network policy can be "
        "shown to deny it.",
    )
    HOSTS_NOT_RESOLVED = (
        "HostsNotResolved",
        "A host of the channel has no known address. Its TelemetryHost has the reason.",
    )
    FAMILY_NOT_ANSWERED = (
        "FamilyNotAnswered",
        "No name server has answered for one address family of a host yet, or none within 24 "
        "hours, so the host may have addresses that are not denied. The condition Fresh of its "
        "TelemetryHost says why. Repair "
        "the name server, or turn the family off in egress.families of the chart's values.",
    )
    TOO_MANY_ADDRESSES = (
        "TooManyAddresses",
        "A host has more addresses than are kept, so some of them are not denied.",
    )
    TOO_MANY_HOSTS = (
        "TooManyHosts",
        "A host is not looked up, because TelemetryPolicies name too many hosts. The condition "
        "Accepted of the policy names those that are left out.",
    )
    AWAITING_WRITE = (
        "AwaitingWrite",
        "The network policy is being written and has not been observed yet.",
    )
    ENFORCEMENT_NOT_SHOWN = (
        "EnforcementNotShown",
        "Network policies deny the hosts, and nothing shows that this cluster enforces them. "
        "If it does, list NetworkPolicy in egress.enforced of the chart's values.",
    )
    OTHER_POLICY_KINDS = (
        "OtherPolicyKinds",
        "NetworkPolicies deny the hosts, but the cluster also has policies of other kinds, "
        "which the operator does not read and which may allow them.",
    )
    SHARED_ADDRESSES = (
        "SharedAddresses",
        "Others share the host's addresses, as on a CDN, and would be denied too. "
        "sharedAddresses: Accept denies them all the same.",
    )
    ALSO_SERVES = (
        "AlsoServes",
        "A host, or one of its addresses, also serves something else, which would be denied too. "
        "sharedAddresses: Accept denies it all the same.",
    )
    SENT_BY_BROWSERS = (
        "SentByBrowsers",
        "The browsers of the product's users connect to a host, and no network policy of a pod "
        "contains a browser. Deny the host in the proxy or firewall of the users, or by a "
        "Content-Security-Policy in front of the product.",
    )
    NEEDED_BY_OTHER_CHANNEL = (
        "NeededByOtherChannel",
        "Another channel of the product, which is not to be denied, needs the host or its "
        "addresses.",
    )
    VERSION_UNREADABLE = (
        "VersionUnreadable",
        "The version cannot be read from the image, so the hosts to allow are not known.",
    )
    WOULD_WIDEN = (
        "WouldWiden",
        "A NetworkPolicy that denies some addresses allows all others, including those that "
        "another policy denies some of the pods. It is not written.",
    )
    IN_REACHABLE_RANGE = (
        "InReachableRange",
        "The pods are isolated, but a range in egress.reachable contains an address of a host.",
    )
    DIALECT_NOT_SERVED = (
        "DialectNotServed",
        "The cluster does not serve the kind of network policy that the policy asks for.",
    )
    DIALECT_CANNOT = (
        "DialectCannot",
        "This kind of network policy cannot express what the policy asks for.",
    )
    PODS_NOT_SELECTABLE = (
        "PodsNotSelectable",
        "The workload's pods have no labels by which a network policy could select them.",
    )
    HOST_NETWORK = (
        "HostNetwork",
        "The pods use the host network, to which network policies do not apply.",
    )
    POLICY_NOT_READABLE = (
        "PolicyNotReadable",
        "The operator cannot read a network policy of the namespace, and that policy may "
        "allow the hosts.",
    )
    NAME_TAKEN = (
        "NameTaken",
        "An object that does not belong to the operator has the name of the network policy. "
        "It is not overwritten.",
    )
    AUDIT_ONLY = (
        "AuditOnly",
        "The policy has mode: Audit and writes no network policy.",
    )


class HostReason(_Explained):
    """Why a condition of a TelemetryHost is what it is."""

    # Resolved
    ADDRESSES_KNOWN = (
        "AddressesKnown",
        "DNS has returned addresses of the host.",
    )
    NO_SUCH_NAME = (
        "NoSuchName",
        "DNS has reported for some time that the name does not exist. Earlier addresses stay "
        "in denylists.",
    )
    NO_ADDRESS = (
        "NoAddress",
        "DNS has reported for some time that the name has no address. Earlier addresses stay "
        "in denylists.",
    )
    ADDRESSES_EXPIRED = (
        "AddressesExpired",
        "DNS has failed for so long that all addresses have left the allowlists. They stay in "
        "denylists.",
    )
    NOT_RESOLVED_YET = (
        "NotResolvedYet",
        "DNS has returned no address yet. The catalogue's addresses are used, if it has any.",
    )
    # Fresh
    ANSWERED = (
        "Answered",
        "Name servers respond.",
    )
    SOME_ANSWERS_REFUSED = (
        "SomeAnswersRefused",
        "Name servers respond, but some return addresses that no telemetry host can have. The "
        "responses of those are ignored.",
    )
    NO_ANSWER = (
        "NoAnswer",
        "Name servers have not responded for some time. Known addresses are kept. If an "
        "address family is never answered, switch it off in the chart's values.",
    )
    ANSWERS_REFUSED = (
        "AnswersRefused",
        "Name servers return addresses that no telemetry host can have. Their responses are "
        "ignored, and known addresses are kept.",
    )
    # Held
    SET_SHRANK = (
        "SetShrank",
        "More than half of the addresses are missing from DNS at once. They are kept until "
        "that has lasted for some time.",
    )
    NOTHING_HELD = (
        "NothingHeld",
        "No sudden loss of addresses is being held back.",
    )
    # Sinkholed
    BLOCKED_BY_NAME_SERVER = (
        "BlockedByNameServer",
        "A name server returns an address that leads nowhere, as DNS blockers do.",
    )
    NOT_SINKHOLED = (
        "NotSinkholed",
        "No name server responds as DNS blockers do.",
    )
    # CollateralRisk
    SHARED_ADDRESSES = (
        "SharedAddresses",
        "Others share addresses of the host, as on a CDN. Denying or allowing the host denies "
        "or allows those too.",
    )
    NOT_SHARED = (
        "NotShared",
        "No address of the host is known to be shared.",
    )
    # Complete
    TOO_MANY_ADDRESSES = (
        "TooManyAddresses",
        "The host has more addresses than are kept, so its allowlist and denylist are incomplete.",
    )
    ALL_ADDRESSES_KEPT = (
        "AllAddressesKept",
        "All addresses that DNS returned are kept.",
    )
    # CatalogueAgrees
    SEEDS_CONFIRMED = (
        "SeedsConfirmed",
        "DNS returns the addresses that the catalogue has.",
    )
    SEEDS_CONTRADICTED = (
        "SeedsContradicted",
        "DNS does not return addresses that the catalogue has. They stay in denylists and are "
        "not in allowlists.",
    )
    SEEDS_REFUSED = (
        "SeedsRefused",
        "The catalogue has addresses that no telemetry host can have. They are ignored.",
    )
    SEEDS_NOT_COMPARED = (
        "SeedsNotCompared",
        "DNS has not responded yet, so its addresses cannot be compared with the catalogue's.",
    )


class PolicyReason(_Explained):
    """Why a policy's condition is what it is."""

    # Accepted
    VALID = ("Valid", "The whole spec is in effect.")
    INVALID_SPEC = ("InvalidSpec", "The spec cannot be read. No part of it is in effect.")
    UNKNOWN_PRODUCT = (
        "UnknownProduct",
        "The policy names a product that neither the catalogue nor an accepted TelemetryProduct "
        "defines. "
        "The rest of the policy is in effect.",
    )
    SETTING_NAMES_SWITCH = (
        "SettingNamesSwitch",
        "A related setting names a switch of a channel that the policy covers. The setting is "
        "ignored; the rest of the policy is in effect.",
    )
    SETTING_EXCLUDES_SWITCH = (
        "SettingExcludesSwitch",
        "A related setting names a variable beside which the product does not start if the policy "
        "sets the switch. The setting is ignored; the rest of the policy is in effect.",
    )
    CREDENTIAL_SCOPE_MISSING = (
        "CredentialScopeMissing",
        "A credential's Secret is in a given namespace, and the policy does not say to which "
        "namespaces it may be sent. The credential is not used; the rest of the policy is in "
        "effect.",
    )
    REFUSED_VARIABLE = (
        "RefusedVariable",
        "A related setting names a variable that can make a process load code, run a program or "
        "send its traffic elsewhere, or its value inserts another variable. The setting is "
        "ignored; the rest of the policy is in effect.",
    )
    TOO_MANY_HOSTS = (
        "TooManyHosts",
        "Some hosts of egress.hosts are not looked up, because the TelemetryPolicies of the "
        "namespace, or of all namespaces, name too many. The rest of the policy is in effect.",
    )
    INVALID_PRODUCT = (
        "InvalidProduct",
        "The product contradicts itself, or says what a TelemetryProduct may not say. The built-in "
        "catalogue entry of that name, if there is one, stays in effect.",
    )
    BUILTIN_NOT_OVERRIDDEN = (
        "BuiltinNotOverridden",
        "There is a built-in product of that name, and the TelemetryProduct does not have "
        "overridesBuiltin: true. The built-in product stays in effect.",
    )
    CONFLICT = (
        "Conflict",
        "Another product has one of the images. A built-in product comes first, then the older "
        "TelemetryProduct. The TelemetryProduct is not in effect.",
    )
    TOO_MANY_PATTERNS = (
        "TooManyPatterns",
        "All TelemetryProducts together have too many image patterns. The youngest are not in "
        "effect.",
    )
    PRODUCT_NOT_COVERED = (
        "ProductNotCovered",
        "A part of the policy is about a TelemetryProduct that the policy does not cover. Name it "
        "in products or additionalProducts.",
    )
    # Covered
    NAMED_BY_POLICY = ("NamedByPolicy", "A policy covers a channel of the product.")
    NOT_NAMED_BY_POLICY = (
        "NotNamedByPolicy",
        "No policy covers the product. Name it in products or additionalProducts of a policy: "
        "without products, a policy covers built-in products only.",
    )
    # OverridesBuiltin
    OVERRIDES_BUILTIN = (
        "OverridesBuiltin",
        "The TelemetryProduct replaces the built-in product of its name, whole.",
    )
    OVERRIDES_NOTHING = ("OverridesNothing", "No built-in product is replaced.")
    # Programmed
    EVERYTHING_WRITTEN = (
        "EverythingWritten",
        "The workloads have everything that the policy may write.",
    )
    SETTINGS_MISSING = (
        "SettingsMissing",
        "Some workloads do not have the setting yet. Their WorkloadTelemetry has the reason.",
    )
    EGRESS_MISSING = (
        "EgressMissing",
        "Some network policies that the policy asks for are missing or incomplete.",
    )
    AUDIT = ("Audit", "The policy has mode: Audit and writes nothing.")
    # Compliant
    EVERY_WORKLOAD_COMPLIANT = (
        "EveryWorkloadCompliant",
        "Every workload that is not exempt is proven to have the desired setting.",
    )
    WORKLOADS_NOT_COMPLIANT = (
        "WorkloadsNotCompliant",
        "Some workloads do not have the desired setting.",
    )
    NOT_PROVEN = (
        "NotProven",
        "No workload is known to differ, but some are not proven either way.",
    )
    NOTHING_MATCHED = ("NothingMatched", "The policy covers no workload that runs a product.")
    NOTHING_RUNS = (
        "NothingRuns",
        "Every workload that the policy covers is scaled to zero or suspended.",
    )
    # Conflicted
    OVERRULED = (
        "Overruled",
        "Another policy with higher precedence asks for the opposite "
        "setting for the same workloads.",
    )
    NO_CONFLICT = (
        "NoConflict",
        "No other policy asks for the opposite setting for the same workloads.",
    )
    # Verified
    EVERY_PRODUCT_REPORTS = (
        "EveryProductReports",
        "Every product that the policy has credentials for reports its setting.",
    )
    CHECKS_FAIL = (
        "ChecksFail",
        "The checks of some products fail. reportedReason of their WorkloadTelemetry says why.",
    )
    NOT_CHECKED_YET = (
        "NotCheckedYet",
        "Some products that the policy has credentials for have not been checked yet.",
    )
    NOTHING_TO_CHECK = (
        "NothingToCheck",
        "The policy has credentials, and covers no product that they are for.",
    )
    # ExceptionExpired
    EXPIRED = ("Expired", "An exception has expired and no longer exempts its workload.")
    NOT_EXPIRED = ("NotExpired", "No exception has expired.")
