"""``WorkloadTelemetry``: what is known of one workload; the fleet at a glance."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.resource_switch import FieldType
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.schema import ApiType, Time, described
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

_LONGEST_NAME = 253


class State(StrEnum):
    """The state of a channel, compared with the policy."""

    COMPLIANT = "Compliant"
    NON_COMPLIANT = "NonCompliant"
    PENDING = "Pending"
    UNKNOWN = "Unknown"
    NOT_ENFORCEABLE = "NotEnforceable"
    EXEMPT = "Exempt"


class Sends(StrEnum):
    """Whether a workload sends something on a channel, by all evidence, with the default of its
    version counted, and whatever policies say."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"


class EgressVerdict(StrEnum):
    """Whether the network lets the pods reach the channel's hosts."""

    DENIED = "Denied"
    ALLOWED = "Allowed"
    OPEN = "Open"
    UNKNOWN = "Unknown"


class ObservedVerdict(StrEnum):
    """Whether the pods asked DNS for the channel's hosts."""

    CONTACTED = "Contacted"
    QUIET = "Quiet"
    UNKNOWN = "Unknown"


class PolicyReference(ApiType, frozen=True, kw_only=True):
    """A policy by kind and name; a TelemetryPolicy is in the workload's namespace."""

    kind: Annotated[str, described("TelemetryPolicy or ClusterTelemetryPolicy.")]
    name: Annotated[str, described("The policy's name.")]


class ChannelPolicy(ApiType, frozen=True, kw_only=True):
    """A policy by kind, namespace and name."""

    kind: Annotated[str, described("TelemetryPolicy or ClusterTelemetryPolicy.")]
    namespace: Annotated[
        str | None, described("The namespace; absent for a ClusterTelemetryPolicy.")
    ] = None
    name: Annotated[str, described("The policy's name.")]


class WorkloadName(ApiType, frozen=True, kw_only=True):
    """The workload's kind and name."""

    kind: Annotated[WorkloadKind, described("The workload's kind.")]
    name: Annotated[str, described("The workload's name.")]


class ChannelStatus(ApiType, frozen=True, kw_only=True):
    """One channel: its state and the evidence."""

    name: Annotated[ChannelName, described("The channel.")]
    product: Annotated[str, described("The product, where several run in the workload.")] | None = (
        None
    )
    policy: Annotated[
        ChannelPolicy | None,
        described("The channel's effective policy; absent if none covers the channel."),
    ] = None
    state: Annotated[
        State | None, described("The channel's state; absent if no policy covers it.")
    ] = None
    reason: (
        Annotated[str, described("The reason for the state, a word of docs/reasons.md.")] | None
    ) = None
    message: Annotated[str, described("The reason in a sentence.", max_length=4096)] | None = None
    sends: Annotated[
        Sends | None,
        described(
            "Whether something is sent, now or by the next pods, by all evidence and whatever "
            "policies say. The version's default counts."
        ),
    ] = None
    sends_reason: (
        Annotated[str, described("The reason for sends, a word of docs/reasons.md.")] | None
    ) = None
    sends_message: (
        Annotated[str, described("The reason for sends in a sentence.", max_length=4096)] | None
    ) = None
    hosts: Annotated[
        tuple[str, ...],
        described(
            "The hosts that the version sends to, or may send to.",
            list_type="atomic",
            max_length=64,
        ),
    ] = ()
    remedy: (
        Annotated[str, described("What to do; absent if nothing is to be done.", max_length=4096)]
        | None
    ) = None
    provenance: (
        Annotated[
            Provenance,
            described(
                "Where the facts come from by which the channel is judged: read in the vendor's "
                "source, in its documentation alone, or the claim of a TelemetryProduct's author."
            ),
        ]
        | None
    ) = None
    declared: Annotated[Setting, described("The setting in the pod template.")]
    running: Annotated[Setting, described("The setting that the pods were started with.")]
    reported: Annotated[Setting, described("The setting that the product itself reports.")] = (
        Setting.UNKNOWN
    )
    reported_reason: (
        Annotated[
            str,
            described(
                "Why the product's report is missing, or could not be remediated; a word of "
                "docs/reasons.md."
            ),
        ]
        | None
    ) = None
    reported_message: (
        Annotated[str, described("The same in a sentence.", max_length=4096)] | None
    ) = None
    egress: Annotated[
        EgressVerdict, described("Whether the network lets the pods reach the hosts.")
    ] = EgressVerdict.UNKNOWN
    egress_reason: (
        Annotated[str, described("The reason for egress, a word of docs/reasons.md.")] | None
    ) = None
    egress_message: (
        Annotated[str, described("The reason for egress in a sentence.", max_length=4096)] | None
    ) = None
    observed: Annotated[
        ObservedVerdict,
        described(
            "Whether the pods asked the cluster's DNS for the channel's hosts. Quiet: every lookup "
            "since observedSince would have been seen, and there was none."
        ),
    ] = ObservedVerdict.UNKNOWN
    observed_reason: (
        Annotated[str, described("The reason for observed, a word of docs/reasons.md.")] | None
    ) = None
    observed_message: (
        Annotated[str, described("The reason for observed in a sentence.", max_length=4096)] | None
    ) = None
    observed_since: Annotated[
        Time | None, described("With observed: Quiet, since when; else absent.")
    ] = None
    last_observed_time: Annotated[
        Time | None,
        described(
            "When a pod last asked for one of the channel's hosts, up to an hour late while "
            "it goes on asking."
        ),
    ] = None
    last_submission_time: Annotated[
        Time | None, described("When the product last sent something, as it reports.")
    ] = None
    inventory: Annotated[
        tuple[str, ...],
        described(
            "The names of the fields that the product sends, if it reports them; never their "
            "values.",
            list_type="atomic",
            max_length=256,
        ),
    ] = ()


class InjectedKind(StrEnum):
    """What was injected."""

    VARIABLE = "Variable"
    ARGUMENT = "Argument"
    SUSPENSION = "Suspension"


class InjectedVariable(ApiType, frozen=True, kw_only=True):
    """A variable or an argument that a policy injected into the pod template, or the suspension of
    a CronJob."""

    container: Annotated[str, described("The container.")]
    name: Annotated[str, described("The variable, the flag, or spec.suspend.")]
    value: Annotated[str, described("The variable's value, the word with the flag, or true.")]
    kind: Annotated[
        InjectedKind, described("Variable, Argument: a word in args, or Suspension.")
    ] = InjectedKind.VARIABLE
    image_arguments: (
        Annotated[
            tuple[str, ...],
            described(
                "The image's own arguments, if the operator created args: the list has them and "
                "the word. Absent if the container had args.",
                list_type="atomic",
                max_length=16,
            ),
        ]
        | None
    ) = None


class ResourceRecord(ApiType, frozen=True, kw_only=True):
    """A field of a custom resource that is a switch of the workload's product: what was read of it,
    and what the operator wrote into it."""

    resource: Annotated[
        str, described("The resource and its group, as in settings.longhorn.io.", max_length=320)
    ]
    version: Annotated[str, described("The version of the group.", max_length=32)]
    kind: Annotated[str, described("The kind.", max_length=63)]
    namespace: Annotated[
        str | None, described("The namespace of the object; absent if it has none.")
    ] = None
    name: Annotated[str, described("The object's name.", max_length=253)]
    path: Annotated[str, described("The field.", max_length=256)]
    setting: Annotated[Setting, described("The setting that the field has.")] = Setting.UNKNOWN
    uid: (
        Annotated[str, described("The object's UID; absent if none was read.", max_length=64)]
        | None
    ) = None
    resource_version: (
        Annotated[
            str,
            described(
                "The object's resourceVersion when the field was first read as it is.",
                max_length=64,
            ),
        ]
        | None
    ) = None
    type: Annotated[FieldType, described("The type of the field.")] = FieldType.STRING
    set_value: (
        Annotated[
            str,
            described(
                "The value that the operator wrote; absent if it wrote none.", max_length=1024
            ),
        ]
        | None
    ) = None
    set_absent: Annotated[bool, described("Whether the operator removed the field.")] = False
    value_before: (
        Annotated[
            str,
            described(
                "The value before that, which is restored; absent if there was none.",
                max_length=1024,
            ),
        ]
        | None
    ) = None
    set_uid: (
        Annotated[str, described("The UID of the object that was written.", max_length=64)] | None
    ) = None


class SeedRecord(ApiType, frozen=True, kw_only=True):
    """Proof that data was initialised with a Seed switch."""

    product: Annotated[str, described("The product.")]
    channel: Annotated[ChannelName, described("The channel.")]
    desired: Annotated[Submission, described("The setting it was initialised with.")]
    volumes: Annotated[
        tuple[str, ...],
        described("The UIDs of the volume claims that hold the data.", list_type="set"),
    ]


class ContactRecord(ApiType, frozen=True, kw_only=True):
    """Lookups of a telemetry host by a pod, as the cluster's DNS saw them."""

    host: Annotated[str, described("The host.", max_length=253)]
    pod: Annotated[str, described("The pod's name.", max_length=253)]
    pod_uid: Annotated[str, described("The pod's UID.", max_length=64)]
    first_time: Annotated[Time, described("When it was first seen.")]
    last_time: Annotated[
        Time, described("When it was last seen, up to an hour late while it goes on.")
    ]
    lookups: Annotated[
        int, described("How often until lastTime; a retry and each address family count.", ge=1)
    ]
    refused: Annotated[
        bool, described("Whether DNS answered the last one that the name is refused.")
    ] = False


class WorkloadSummary(ApiType, frozen=True, kw_only=True):
    """What ``kubectl get`` shows: the worst of all channels."""

    policy: Annotated[
        str | None,
        described("The name of the policy behind the state; absent if no channel has one."),
    ] = None
    desired: Annotated[Submission | None, described("The setting that it asks for.")] = None
    state: Annotated[
        State | None,
        described("Of all channels that a policy covers, the state that needs attention most."),
    ] = None
    state_channel: Annotated[ChannelName | None, described("The channel with that state.")] = None
    reason: Annotated[
        str | None,
        described("The reason for the state; if no policy covers a channel, that for sends."),
    ] = None
    sends: Annotated[
        Sends | None,
        described(
            "Yes if any channel sends, whether or not a policy covers it; else Unknown if it is "
            "not known of one; else No."
        ),
    ] = None
    channel: Annotated[
        ChannelName,
        described(
            "The channel with that answer; of several, the one whose state needs attention most."
        ),
    ]
    product: Annotated[str, described("The product of that channel.")]
    declared: Annotated[Setting, described("Its setting in the pod template.")]
    running: Annotated[Setting, described("The setting that the pods were started with.")]
    reported: Annotated[Setting, described("The setting that the product itself reports.")]
    egress: Annotated[
        EgressVerdict, described("Whether the network lets the pods reach its hosts.")
    ]
    observed: Annotated[
        ObservedVerdict, described("Whether the pods asked the cluster's DNS for its hosts.")
    ] = ObservedVerdict.UNKNOWN
    provenance: Annotated[
        Provenance | None, described("Where the facts come from by which it is judged.")
    ] = None


class WorkloadTelemetryStatus(ApiType, frozen=True, kw_only=True):
    """The observed state of the workload."""

    workload: Annotated[WorkloadName | None, described("The workload.")] = None
    product: Annotated[str, described("The product that it runs.")] | None = None
    version: Annotated[str, described("The product's version, if it can be read.")] | None = None
    policy: Annotated[
        PolicyReference | None,
        described("The effective policy; absent if none covers the workload."),
    ] = None
    desired: Annotated[Submission | None, described("The setting that the policy asks for.")] = None
    channels: Annotated[
        tuple[ChannelStatus, ...],
        described("The channels, each with its evidence.", list_type="atomic"),
    ] = ()
    summary: Annotated[
        WorkloadSummary | None,
        described("The worst of all channels, for the columns of kubectl get."),
    ] = None
    injected: Annotated[
        tuple[InjectedVariable, ...],
        described("What policies injected into the pod template.", list_type="atomic"),
    ] = ()
    injected_before: Annotated[
        tuple[InjectedVariable, ...],
        described(
            "What policies injected earlier. If a tool brings it back with an earlier template, "
            "it still counts as injected.",
            list_type="atomic",
            max_length=32,
        ),
    ] = ()
    contacts: Annotated[
        tuple[ContactRecord, ...],
        described(
            "Lookups of telemetry hosts by the pods, the newest for each host and pod, kept for "
            "the next leader.",
            list_type="atomic",
            max_length=32,
        ),
    ] = ()
    resources: Annotated[
        tuple[ResourceRecord, ...],
        described(
            "Fields of custom resources that are switches of the product.",
            list_type="atomic",
            max_length=32,
        ),
    ] = ()
    seeds: Annotated[
        tuple[SeedRecord, ...],
        described("Proofs of Seed switches, kept for later pods.", list_type="atomic"),
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        described("Compliant.", list_type="map", list_keys=("type",), max_length=8),
    ] = ()


def workload_telemetry_name(ref: WorkloadRef) -> str:
    """The name of a workload's WorkloadTelemetry: its kind and name, cut where that is too long."""
    name = f"{ref.kind.lower()}-{ref.name}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: _LONGEST_NAME - 11].rstrip('-.')}-{digest}"
