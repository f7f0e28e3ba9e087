"""``TelemetryPolicy`` and ``ClusterTelemetryPolicy``: what users ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.schema import ApiType, Rule, Time, described
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.workloads.workload import WorkloadKind

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
ENV_NAME = r"^[-._A-Za-z][-._A-Za-z0-9]*$"
HOST_NAME = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]([-a-z0-9]*[a-z0-9])?$"

ProductName = Annotated[
    str,
    described("A product by its catalogue name.", pattern=DNS_LABEL, min_length=1, max_length=63),
]
ObjectName = Annotated[
    str, described("A name.", pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)
]
NamespaceName = Annotated[
    str, described("A namespace.", pattern=DNS_LABEL, min_length=1, max_length=63)
]
HostName = Annotated[
    str,
    described(
        "A full host name outside of the cluster, in lower case, such as telemetry.example.com; an "
        "international one in its xn-- form.",
        pattern=HOST_NAME,
        min_length=3,
        max_length=253,
        rules=(
            Rule(
                "self.split('.').all(label, size(label) <= 63)",
                "no part of a host name is longer than 63 characters",
            ),
            Rule(
                "!self.matches('\\\\.(svc|local|internal|localhost|test|invalid|arpa)$')",
                "a telemetry host is outside of the cluster: not a name of a Service or of a "
                "private network",
            ),
        ),
    ),
]


class Submission(StrEnum):
    """Whether a product may send telemetry."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"

    @property
    def opposite(self) -> Submission:
        """The other one."""
        return Submission.ENABLED if self is Submission.DISABLED else Submission.DISABLED


class Mode(StrEnum):
    """Whether a policy acts or only reports."""

    ENFORCE = "Enforce"
    AUDIT = "Audit"


class ChannelName(StrEnum):
    """Why a product calls home."""

    USAGE = "Usage"
    UPDATE_CHECK = "UpdateCheck"
    ERROR_REPORT = "ErrorReport"
    LICENSE = "License"


class When(StrEnum):
    """Which admissions may add a setting."""

    FIRST_INSTALL_OR_UPGRADE = "FirstInstallOrUpgrade"
    ALWAYS = "Always"
    NEVER = "Never"


class Rollout(StrEnum):
    """Whether workloads that run already are brought up to date between admissions."""

    ON_NEXT_ROLLOUT = "OnNextRollout"
    IMMEDIATE = "Immediate"


class OnConflict(StrEnum):
    """What happens to a literal value that the user wrote to the contrary."""

    OVERRIDE = "Override"
    KEEP = "Keep"


class RuntimeAction(StrEnum):
    """What the operator does with the product's own API."""

    VERIFY = "Verify"
    REMEDIATE = "Remediate"
    OFF = "Off"


class EgressAction(StrEnum):
    """What the network does with the product's telemetry hosts."""

    DENY = "Deny"
    ALLOW = "Allow"
    ISOLATE = "Isolate"


class EgressDialect(StrEnum):
    """The kind of network policy that is written."""

    AUTO = "Auto"
    NETWORK_POLICY = "NetworkPolicy"
    CILIUM = "Cilium"
    CLUSTER_NETWORK_POLICY = "ClusterNetworkPolicy"


class SharedAddresses(StrEnum):
    """What happens to a host whose address is shared with others, as on a CDN."""

    REFUSE = "Refuse"
    ACCEPT = "Accept"


class Scheme(StrEnum):
    """How an API is spoken to."""

    HTTP = "http"
    HTTPS = "https"


class EnvSetting(ApiType, frozen=True, kw_only=True):
    """One environment variable and the value it gets."""

    name: Annotated[
        str, described("The variable's name.", pattern=ENV_NAME, min_length=1, max_length=256)
    ]
    value: Annotated[
        str, described("Its value, a string: quote true, false and numbers.", max_length=4096)
    ]


class ProductSettings(ApiType, frozen=True, kw_only=True):
    """Related settings of the user's own for one product."""

    product: ProductName
    env: Annotated[
        tuple[EnvSetting, ...],
        described(
            "Variables set in every container that runs the product, where and when its telemetry "
            "switch is set. They may not name a switch of a channel that this policy covers.",
            list_type="map",
            list_keys=("name",),
            min_length=1,
            max_length=32,
        ),
    ]


class Injection(ApiType, frozen=True, kw_only=True):
    """When and how settings are written into workloads."""

    when: Annotated[
        When,
        described(
            "Which admissions may add a setting: the creation of a workload or an update that "
            "changes the product's version (FirstInstallOrUpgrade), those and any other update of "
            "the pod template (Always), or none (Never). What was injected is kept through later "
            "updates while the policy stands, whatever is said here."
        ),
    ] = When.FIRST_INSTALL_OR_UPGRADE
    rollout: Annotated[
        Rollout,
        described(
            "Immediate brings workloads that run already up to date at once; it may restart pods, "
            "one workload of a product at a time. OnNextRollout never touches them in between."
        ),
    ] = Rollout.ON_NEXT_ROLLOUT
    on_conflict: Annotated[
        OnConflict,
        described("What happens to a literal value that the user wrote to the contrary."),
    ] = OnConflict.OVERRIDE
    settings: Annotated[
        tuple[ProductSettings, ...],
        described(
            "Related settings of your own, per product.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()


class SecretReference(ApiType, frozen=True, kw_only=True):
    """A Secret in the policy's own namespace."""

    name: Annotated[ObjectName, described("The Secret's name.")]


class ClusterSecretReference(SecretReference, frozen=True, kw_only=True):
    """A Secret by namespace and name."""

    namespace: Annotated[NamespaceName, described("The Secret's namespace.")]


class Credential(ApiType, frozen=True, kw_only=True):
    """The Secret with which one product's API is asked."""

    product: ProductName
    secret_ref: Annotated[SecretReference, described("The Secret.")]


class ClusterCredential(Credential, frozen=True, kw_only=True):
    """The Secret with which one product's API is asked, wherever the product runs."""

    secret_ref: Annotated[ClusterSecretReference, described("The Secret.")]


class ServiceReference(ApiType, frozen=True, kw_only=True):
    """A Service in the workload's own namespace; never an address outside of it."""

    name: Annotated[str, described("The name.", pattern=DNS_LABEL, min_length=1, max_length=63)]
    port: Annotated[int, described("The Service's port.", ge=1, le=65535)]
    scheme: Annotated[Scheme, described("How it is spoken to.")] = Scheme.HTTP
    base_path: Annotated[
        str,
        described(
            "What stands in front of the API's own paths, such as /sonar.",
            pattern=r"^(/[A-Za-z0-9._~-]+)*/?$",
            max_length=256,
        ),
    ] = ""


class Endpoint(ApiType, frozen=True, kw_only=True):
    """Where one product's API is found, if it cannot be found by itself."""

    product: ProductName
    service: Annotated[ServiceReference, described("The Service to ask.")]


class Runtime(ApiType, frozen=True, kw_only=True):
    """Whether and how the product itself is asked."""

    action: Annotated[
        RuntimeAction,
        described("Verify only reads, Remediate also puts right, Off asks nothing."),
    ] = RuntimeAction.VERIFY
    interval: Annotated[
        str,
        described(
            "How long between two checks, at least 1m, such as 30m or 1h.",
            pattern=r"^([0-9]+(\.[0-9]+)?(h|m|s))+$",
            max_length=32,
            rules=(Rule("duration(self) >= duration('1m')", "an interval is at least 1m"),),
        ),
    ] = "1h"
    credentials: Annotated[
        tuple[Credential, ...],
        described(
            "Secrets, per product, each with the shape that the product's page documents.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()
    endpoints: Annotated[
        tuple[Endpoint, ...],
        described(
            "Services, per product, where the API's Service is not found by the pods it selects.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()


class ClusterRuntime(Runtime, frozen=True, kw_only=True):
    """Whether and how the product itself is asked, across namespaces."""

    credentials: Annotated[
        tuple[ClusterCredential, ...],
        described(
            "Secrets, per product, each with the shape that the product's page documents.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()


class Protocol(StrEnum):
    """The protocols that a network policy tells apart."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class PolicyHost(ApiType, frozen=True, kw_only=True):
    """A telemetry host that the catalogue does not know."""

    product: ProductName
    host: HostName
    port: Annotated[int, described("The TCP port.", ge=1, le=65535)] = 443


class ReachablePort(ApiType, frozen=True, kw_only=True):
    """A port of something reachable."""

    port: Annotated[int, described("The port.", ge=1, le=65535)]
    protocol: Annotated[Protocol, described("Its protocol.")] = Protocol.TCP


class ReachablePeer(ApiType, frozen=True, kw_only=True):
    """What isolated pods may reach besides: a range of addresses, or other pods."""

    cidr: (
        Annotated[
            str,
            described(
                "A range, such as 198.51.100.0/24.",
                pattern=r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$",
                max_length=43,
                rules=(
                    Rule(
                        "isCIDR(self) && cidr(self) == cidr(self).masked()",
                        "a range is written as its first address and its length, such as "
                        "198.51.100.0/24",
                    ),
                    Rule(
                        "!isCIDR(self) || cidr(self).prefixLength() > 0",
                        "a range of all addresses would isolate nothing",
                    ),
                ),
            ),
        ]
        | None
    ) = None
    namespace_selector: Annotated[
        LabelSelector | None,
        described(
            "Namespaces by their labels, an empty one for all; leave out for the workload's own.",
            map_type="atomic",
        ),
    ] = None
    pod_selector: Annotated[
        LabelSelector | None,
        described("Pods by their labels; leave out for all of the namespaces.", map_type="atomic"),
    ] = None
    ports: Annotated[
        tuple[ReachablePort, ...],
        described(
            "Ports; leave out for every port.",
            list_type="map",
            list_keys=("port", "protocol"),
            max_length=32,
        ),
    ] = ()


REACHABLE_RULES = (
    Rule(
        "has(self.cidr) != (has(self.namespaceSelector) || has(self.podSelector))",
        "name either a cidr or pods by namespaceSelector and podSelector",
    ),
)


class Egress(ApiType, frozen=True, kw_only=True):
    """What the network does with telemetry hosts."""

    action: Annotated[
        EgressAction,
        described(
            "Deny keeps the pods from the channel's hosts and changes nothing else. Allow lets "
            "them reach those hosts where something else isolates them. Isolate leaves them "
            "cluster DNS and what is reachable, with submission: Enabled also the channel's hosts, "
            "and nothing else."
        ),
    ] = EgressAction.DENY
    dialect: Annotated[EgressDialect, described("The kind of network policy that is written.")] = (
        EgressDialect.AUTO
    )
    shared_addresses: Annotated[
        SharedAddresses,
        described("Whether a host may be denied whose addresses are shared with others."),
    ] = SharedAddresses.REFUSE
    hosts: Annotated[
        tuple[PolicyHost, ...],
        described(
            "Telemetry hosts besides those of the catalogue, such as a vendor's proxy of yours.",
            list_type="map",
            list_keys=("product", "host", "port"),
            max_length=64,
        ),
    ] = ()
    reachable: Annotated[
        tuple[Annotated[ReachablePeer, described("One of them.", rules=REACHABLE_RULES)], ...],
        described(
            "With Isolate: what else the pods may reach, such as their database.",
            list_type="atomic",
            max_length=64,
        ),
    ] = ()


EGRESS_RULES = (
    Rule(
        "self.action == 'Isolate' || !has(self.reachable) || size(self.reachable) == 0",
        "reachable goes with action: Isolate only; nothing else isolates",
    ),
)
SPEC_RULES = (
    Rule(
        "!has(self.egress) || self.egress.action == 'Isolate' || "
        "(self.submission == 'Disabled') == (self.egress.action == 'Deny')",
        "egress.action: Deny goes with submission: Disabled, Allow with submission: Enabled, and "
        "Isolate with either",
    ),
)


class WorkloadReference(ApiType, frozen=True, kw_only=True):
    """A workload in the policy's own namespace."""

    kind: Annotated[WorkloadKind, described("The workload's kind.")]
    name: Annotated[ObjectName, described("The workload's name.")]


class ClusterWorkloadReference(WorkloadReference, frozen=True, kw_only=True):
    """A workload by namespace, kind and name."""

    namespace: Annotated[NamespaceName, described("The workload's namespace.")]


class PolicyException(ApiType, frozen=True, kw_only=True):
    """A workload that this policy, and only this one, does not apply to."""

    workload: Annotated[WorkloadReference, described("The workload.")]
    reason: Annotated[
        str,
        described(
            "Why, for whoever reviews it.",
            min_length=1,
            max_length=1024,
            rules=(Rule("self.matches('\\\\S')", "an exception needs a reason"),),
        ),
    ]
    expires_at: Annotated[
        Time | None,
        described("When it ends by itself; from then on it only raises a condition."),
    ] = None


class ClusterPolicyException(PolicyException, frozen=True, kw_only=True):
    """A workload that this policy, and only this one, does not apply to."""

    workload: Annotated[ClusterWorkloadReference, described("The workload.")]


class PolicySpec(ApiType, frozen=True, kw_only=True):
    """What a policy asks for; the part that both kinds of policy share."""

    submission: Annotated[
        Submission, described("Whether the selected products may send telemetry.")
    ] = Submission.DISABLED
    mode: Annotated[
        Mode, described("Enforce acts; Audit decides and reports, and writes nothing.")
    ] = Mode.ENFORCE
    products: (
        Annotated[
            tuple[ProductName, ...],
            described(
                "Catalogue names; leave out for every product.",
                list_type="set",
                min_length=1,
                max_length=256,
            ),
        ]
        | None
    ) = None
    channels: Annotated[
        tuple[ChannelName, ...],
        described("Which calls home are meant.", list_type="set", min_length=1, max_length=4),
    ] = (ChannelName.USAGE,)
    selector: Annotated[
        LabelSelector | None,
        described("Selects workloads by their own labels; leave out for all.", map_type="atomic"),
    ] = None
    injection: Annotated[
        Injection | None, described("When and how settings are written into workloads.")
    ] = None
    egress: Annotated[
        Egress | None,
        described(
            "What the network does; leave out and no network policy is written.",
            rules=EGRESS_RULES,
        ),
    ] = None


class TelemetryPolicySpec(PolicySpec, frozen=True, kw_only=True):
    """Covers workloads of the policy's own namespace."""

    runtime: Annotated[Runtime | None, described("Whether and how the product is asked.")] = None
    exceptions: Annotated[
        tuple[PolicyException, ...],
        described(
            "Workloads that this policy does not apply to. They stay subject to other policies.",
            list_type="atomic",
            max_length=256,
        ),
    ] = ()


class ClusterTelemetryPolicySpec(PolicySpec, frozen=True, kw_only=True):
    """Covers workloads of every selected namespace."""

    namespace_selector: Annotated[
        LabelSelector | None,
        described("Selects namespaces by their labels; leave out for all.", map_type="atomic"),
    ] = None
    runtime: Annotated[
        ClusterRuntime | None, described("Whether and how the product is asked.")
    ] = None
    exceptions: Annotated[
        tuple[ClusterPolicyException, ...],
        described(
            "Workloads that this policy does not apply to. They stay subject to other policies.",
            list_type="atomic",
            max_length=256,
        ),
    ] = ()


class PolicySummary(ApiType, frozen=True, kw_only=True):
    """How many of the matched workloads are in which state, by this policy's own wish."""

    matched: Annotated[int, described("Workloads that the policy covers.", ge=0)] = 0
    compliant: Annotated[int, described("Shown to be as wished.", ge=0)] = 0
    non_compliant: Annotated[int, described("Shown not to be as wished.", ge=0)] = 0
    pending: Annotated[int, described("The next rollout suffices.", ge=0)] = 0
    unknown: Annotated[int, described("Nothing shows it either way.", ge=0)] = 0
    not_enforceable: Annotated[
        int, described("The product's version has no switch that works.", ge=0)
    ] = 0
    exempt: Annotated[int, described("Exempt by this policy.", ge=0)] = 0


class PolicyStatus(ApiType, frozen=True, kw_only=True):
    """What the operator says of a policy."""

    observed_generation: (
        Annotated[int, described("The generation of the spec that this speaks of.", ge=0)] | None
    ) = None
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Accepted, Programmed, Compliant, Conflicted, ExceptionExpired.",
            list_type="map",
            list_keys=("type",),
            max_length=16,
        ),
    ] = ()
    summary: Annotated[
        PolicySummary | None, described("The matched workloads, counted by state.")
    ] = None


class PolicyKind(StrEnum):
    """The two kinds of policy."""

    NAMESPACED = "TelemetryPolicy"
    CLUSTER = "ClusterTelemetryPolicy"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it stands in the cluster. ``namespace`` is empty for a cluster policy."""

    kind: PolicyKind
    namespace: str
    name: str
    created: datetime
    spec: TelemetryPolicySpec | ClusterTelemetryPolicySpec
    generation: int = 0
    uid: str = ""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"

    @property
    def injection(self) -> Injection:
        """The injection section, or what holds where there is none."""
        return self.spec.injection or Injection()
