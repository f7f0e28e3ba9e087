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
    SEED_PROVEN = (
        "SeedProven",
        "The setting counts only when the product first initialises its data, and the data is "
        "shown to have been initialised with it.",
    )
    NO_TELEMETRY_IN_VERSION = (
        "NoTelemetryInVersion",
        "This version of the product sends nothing on this channel.",
    )
    DEFAULT_APPLIES = (
        "DefaultApplies",
        "Nothing is set, and what this version does by default is what the policy wishes.",
    )
    REPORTED = ("Reported", "The product itself reports what the policy wishes.")
    # NonCompliant
    REPORTED_CONTRARY = (
        "ReportedContrary",
        "The product itself reports the contrary. This beats every other evidence.",
    )
    CONTRARY_VALUE_KEPT = (
        "ContraryValueKept",
        "The workload's author wrote the contrary, and the policy says onConflict: Keep.",
    )
    SWITCH_OVERRIDDEN = (
        "SwitchOverridden",
        "An argument or another variable beats the switch and says the contrary.",
    )
    REFUSED_VARIABLE = (
        "RefusedVariable",
        "A variable is set that this version refuses; the product may not start.",
    )
    OVERRULED = ("Overruled", "Another policy wishes the contrary for this workload and wins.")
    AUDIT_ONLY = ("AuditOnly", "The policy has mode: Audit and changes nothing.")
    INJECTION_OFF = ("InjectionOff", "The policy says when: Never and adds nothing.")
    AWAITING_UPGRADE = (
        "AwaitingUpgrade",
        "The workload is older than the policy; the setting is added when the product's version "
        "next changes. rollout: Immediate adds it at once.",
    )
    TEMPLATE_IMMUTABLE = (
        "TemplateImmutable",
        "The pod template of a Job cannot be changed; the Job has to be created again.",
    )
    # Pending
    AWAITING_ROLLOUT = (
        "AwaitingRollout",
        "The setting is added at the next change of the pod template.",
    )
    ROLLOUT_QUEUED = (
        "RolloutQueued",
        "The operator is about to add the setting, one workload of a product at a time.",
    )
    MISSED_ADMISSION = (
        "MissedAdmission",
        "The workload was created under the policy without passing the webhook; the setting is "
        "added at the next change of the pod template.",
    )
    PODS_OUTDATED = (
        "PodsOutdated",
        "The pod template has the setting; some pods were started before it had.",
    )
    NO_PODS = ("NoPods", "The setting is in place, and no pod runs that could show it.")
    # Unknown
    SEED_NOT_PROVEN = (
        "SeedNotProven",
        "The setting counts only when the product first initialises its data, and nothing shows "
        "that it did.",
    )
    SET_BY_REFERENCE = (
        "SetByReference",
        "The variable takes its value from a ConfigMap, a Secret or a field. The operator does "
        "not replace it and cannot read it.",
    )
    MAY_BE_SET_BY_ENV_FROM = (
        "MayBeSetByEnvFrom",
        "The container takes variables from a whole ConfigMap or Secret, which may hold the "
        "switch; the operator does not read it.",
    )
    VALUE_NOT_UNDERSTOOD = (
        "ValueNotUnderstood",
        "The variable has a value whose effect on this version is not known.",
    )
    AMBIGUOUS_VARIABLE = (
        "AmbiguousVariable",
        "The variable is there twice in different spellings, and which one wins is not known.",
    )
    DEFAULT_UNKNOWN = (
        "DefaultUnknown",
        "Nothing is set, and what this version does by default depends on something else, such "
        "as the licence.",
    )
    VERSION_UNREADABLE = (
        "VersionUnreadable",
        "The image names no version (a digest only, latest, or a floating tag whose versions "
        "differ), so the right switch cannot be told.",
    )
    VERSION_NOT_COVERED = (
        "VersionNotCovered",
        "The catalogue says nothing about this version.",
    )
    NOT_REPORTED = (
        "NotReported",
        "The channel is switched in the product itself, and the product has not been asked.",
    )
    # NotEnforceable
    NO_EFFECTIVE_SWITCH = (
        "NoEffectiveSwitch",
        "This version has no switch that is known to work.",
    )
    # Exempt
    EXEMPT_BY_POLICY = ("ExemptByPolicy", "An exception of the policy names the workload.")

    # What the product itself says, or why it could not be asked
    RESTART_NEEDED = (
        "RestartNeeded",
        "The setting is in place and takes effect when the product is restarted.",
    )
    CREDENTIALS_MISSING = (
        "CredentialsMissing",
        "The policy names no credentials for the product, so it is not asked.",
    )
    SECRET_NOT_READABLE = (
        "SecretNotReadable",
        "The Secret that the policy names is not there, or the operator may not read it.",
    )
    SECRET_INCOMPLETE = (
        "SecretIncomplete",
        "The Secret lacks a key that the product's page asks for, or holds nonsense there.",
    )
    ENDPOINT_NOT_FOUND = (
        "EndpointNotFound",
        "No Service of the namespace leads to the workload's pods; name one in "
        "spec.runtime.endpoints.",
    )
    CREDENTIALS_REJECTED = ("CredentialsRejected", "The product does not accept the credentials.")
    PERMISSION_MISSING = (
        "PermissionMissing",
        "The product accepts the credentials, and they may not read or change the setting.",
    )
    API_NOT_FOUND = ("ApiNotFound", "What answers there has no such API.")
    UNREACHABLE = ("Unreachable", "The product does not answer.")
    TLS_NOT_TRUSTED = ("TlsNotTrusted", "The product's certificate is not trusted.")
    RATE_LIMITED = ("RateLimited", "The product asks for patience.")
    VENDOR_ERROR = ("VendorError", "The product reports an error of its own.")
    UNEXPECTED_ANSWER = (
        "UnexpectedAnswer",
        "What answers does not speak as the product's API does.",
    )
    NOT_SETTABLE = (
        "NotSettable",
        "The product takes this setting from a file of its own and refuses to change it; change "
        "it there.",
    )
    SETTING_FOUGHT_OVER = (
        "SettingFoughtOver",
        "Something keeps turning the setting back; the operator has stopped turning it again.",
    )


class EgressReason(_Explained):
    """Why a channel's ``egress`` is what it is."""

    # Denied
    EVERY_ADDRESS_DENIED = (
        "EveryAddressDenied",
        "Network policies keep every pod from every known address of every host of the channel.",
    )
    # Allowed
    LET_THROUGH = (
        "LetThrough",
        "Network policies isolate the pods and let them reach a host of the channel.",
    )
    NEGATED_BY_POLICY = (
        "NegatedByPolicy",
        "The hosts are to be denied, and another network policy lets the pods reach them. "
        "NetworkPolicies add up, so nothing that could be written would deny them.",
    )
    # Open
    NOTHING_ISOLATES = ("NothingIsolates", "No network policy isolates the pods for egress.")
    NOT_ISOLATED = (
        "NotIsolated",
        "Nothing isolates the pods, so the hosts need not be allowed; a NetworkPolicy that allows "
        "them would cut everything else, and is not written.",
    )
    # Unknown, or what it would be without us
    NOT_EVALUATED = (
        "NotEvaluated",
        "Network policies isolate the pods, and the addresses of the hosts are not looked up "
        "because no policy has an egress section for them.",
    )
    NO_HOSTS_KNOWN = ("NoHostsKnown", "No host of the channel is known for this version.")
    HOSTS_NOT_RESOLVED = (
        "HostsNotResolved",
        "No address is known of a host of the channel; TelemetryHost says why.",
    )
    TOO_MANY_ADDRESSES = (
        "TooManyAddresses",
        "A host has more addresses than are kept, so some of them are not denied.",
    )
    AWAITING_WRITE = ("AwaitingWrite", "The network policy is written and has not been seen yet.")
    ENFORCEMENT_NOT_SHOWN = (
        "EnforcementNotShown",
        "Network policies deny the hosts, and nothing shows that this cluster enforces them. "
        "Where it does, list NetworkPolicy in egress.enforced of the chart's values.",
    )
    OTHER_POLICY_KINDS = (
        "OtherPolicyKinds",
        "NetworkPolicies deny the hosts; there are policies of other kinds too, which the operator "
        "does not read and which may let them through.",
    )
    SHARED_ADDRESSES = (
        "SharedAddresses",
        "The host's addresses serve others too, as on a CDN; denying them would deny those. "
        "sharedAddresses: Accept does so.",
    )
    NEEDED_BY_OTHER_CHANNEL = (
        "NeededByOtherChannel",
        "Another channel of the product, which is not to be denied, needs the host or its "
        "addresses.",
    )
    VERSION_UNREADABLE = (
        "VersionUnreadable",
        "The image names no version, so it cannot be told which hosts to allow.",
    )
    WOULD_WIDEN = (
        "WouldWiden",
        "A NetworkPolicy that denies lets through all the rest, also what something else shuts off "
        "for some of the pods. So none is written.",
    )
    IN_REACHABLE_RANGE = (
        "InReachableRange",
        "The pods are isolated, and a range that egress.reachable lists has an address of a host.",
    )
    DIALECT_NOT_SERVED = (
        "DialectNotServed",
        "The cluster has no network policies of the kind that the policy asks for.",
    )
    DIALECT_CANNOT = (
        "DialectCannot",
        "Network policies of this kind cannot express what the policy asks for.",
    )
    PODS_NOT_SELECTABLE = (
        "PodsNotSelectable",
        "The workload's pods carry no labels by which a network policy could select them.",
    )
    HOST_NETWORK = (
        "HostNetwork",
        "The pods have the node's own network, for which network policies do not hold.",
    )
    POLICY_NOT_READABLE = (
        "PolicyNotReadable",
        "A network policy is of a shape that the operator does not know, and may let them through.",
    )
    NAME_TAKEN = (
        "NameTaken",
        "An object that is not the operator's has the name of the network policy; it is left "
        "alone.",
    )
    AUDIT_ONLY = ("AuditOnly", "The policy has mode: Audit and writes no network policy.")


class HostReason(_Explained):
    """Why a condition of a TelemetryHost is what it is."""

    # Resolved
    ADDRESSES_KNOWN = ("AddressesKnown", "DNS has given addresses of the host.")
    NO_SUCH_NAME = (
        "NoSuchName",
        "DNS says, and has been saying for a while, that the name does not exist. Addresses that "
        "it had stay in denylists.",
    )
    NO_ADDRESS = (
        "NoAddress",
        "DNS says, and has been saying for a while, that the name has no address. Addresses that "
        "it had stay in denylists.",
    )
    ADDRESSES_EXPIRED = (
        "AddressesExpired",
        "DNS has failed for so long that no address is allowed any more. Addresses that it gave "
        "stay in denylists.",
    )
    NOT_RESOLVED_YET = (
        "NotResolvedYet",
        "DNS has given no address so far; those of the catalogue are used, if it has any.",
    )
    # Fresh
    ANSWERED = ("Answered", "Name servers answer.")
    SOME_ANSWERS_REFUSED = (
        "SomeAnswersRefused",
        "Name servers answer, and some of them with addresses that can be no telemetry host's. "
        "Nothing that those say is used.",
    )
    NO_ANSWER = (
        "NoAnswer",
        "Name servers have not answered for a while; what is known is kept. Where a family of "
        "addresses is never answered, switch it off in the chart's values.",
    )
    ANSWERS_REFUSED = (
        "AnswersRefused",
        "Name servers answer with addresses that can be no telemetry host's, and nothing that they "
        "say is used. What is known is kept.",
    )
    # Held
    SET_SHRANK = (
        "SetShrank",
        "More than half of the addresses are missing from DNS at once; they are kept until that "
        "has been so for a while.",
    )
    NOTHING_HELD = ("NothingHeld", "No sudden loss of addresses is being held back.")
    # Sinkholed
    BLOCKED_BY_NAME_SERVER = (
        "BlockedByNameServer",
        "A name server answers with an address that leads nowhere, as DNS blockers do.",
    )
    NOT_SINKHOLED = ("NotSinkholed", "No name server answers as DNS blockers do.")
    # CollateralRisk
    SHARED_ADDRESSES = (
        "SharedAddresses",
        "Addresses of the host serve others too, as on a CDN; denying them denies those, and "
        "allowing them allows those.",
    )
    NOT_SHARED = ("NotShared", "None of the addresses is known to serve others too.")
    # Complete
    TOO_MANY_ADDRESSES = (
        "TooManyAddresses",
        "The host has more addresses than are kept, so neither an allowlist nor a denylist of it "
        "is complete.",
    )
    ALL_ADDRESSES_KEPT = ("AllAddressesKept", "All addresses that DNS gave are kept.")
    # CatalogueAgrees
    SEEDS_CONFIRMED = ("SeedsConfirmed", "DNS gives the addresses that the catalogue gives.")
    SEEDS_CONTRADICTED = (
        "SeedsContradicted",
        "DNS does not give addresses that the catalogue gives. They stay in denylists, and are not "
        "in allowlists.",
    )
    SEEDS_REFUSED = (
        "SeedsRefused",
        "The catalogue gives addresses that can be no telemetry host's; they are not used.",
    )
    SEEDS_NOT_COMPARED = (
        "SeedsNotCompared",
        "DNS has not answered yet, so what it says cannot be compared with the catalogue.",
    )


class PolicyReason(_Explained):
    """Why a policy's condition is what it is."""

    # Accepted
    VALID = ("Valid", "All of the spec is in force.")
    INVALID_SPEC = ("InvalidSpec", "The spec cannot be read; nothing of it is in force.")
    UNKNOWN_PRODUCT = (
        "UnknownProduct",
        "The policy names a product that neither the catalogue nor a TelemetryProduct knows. The "
        "rest of the policy is in force.",
    )
    SETTING_NAMES_SWITCH = (
        "SettingNamesSwitch",
        "A related setting names a switch of a channel that the policy covers; the setting is "
        "ignored, the rest of the policy is in force.",
    )
    INVALID_PRODUCT = (
        "InvalidProduct",
        "The product contradicts itself; the entry of the built-in catalogue, if there is one, "
        "stays in force.",
    )
    # Programmed
    EVERYTHING_WRITTEN = (
        "EverythingWritten",
        "Whatever the policy may write stands in the workloads.",
    )
    SETTINGS_MISSING = (
        "SettingsMissing",
        "Some workloads do not have the setting yet; WorkloadTelemetry says why.",
    )
    EGRESS_MISSING = (
        "EgressMissing",
        "Some network policies that the policy asks for are not written, or not in full.",
    )
    AUDIT = ("Audit", "The policy has mode: Audit and writes nothing.")
    # Compliant
    EVERY_WORKLOAD_COMPLIANT = (
        "EveryWorkloadCompliant",
        "Every workload that is not exempt is shown to be as wished.",
    )
    WORKLOADS_NOT_COMPLIANT = ("WorkloadsNotCompliant", "Some workloads are not as wished.")
    NOT_PROVEN = ("NotProven", "No workload is known to differ, and some are not shown either way.")
    NOTHING_MATCHED = ("NothingMatched", "No workload that runs a product is covered.")
    # Conflicted
    OVERRULED = ("Overruled", "Another policy wishes the contrary for the same workloads and wins.")
    NO_CONFLICT = ("NoConflict", "No other policy wishes the contrary for the same workloads.")
    # ExceptionExpired
    EXPIRED = ("Expired", "An exception has ended and no longer lifts the policy.")
    NOT_EXPIRED = ("NotExpired", "No exception has ended.")
