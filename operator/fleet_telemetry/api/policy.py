"""``TelemetryPolicy`` and ``ClusterTelemetryPolicy``: what users ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, Time, described
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.api.variable_names import ENV_NAME, NAME_RULE, VALUE_RULE
from fleet_telemetry.workloads.registry import WorkloadKind

DNS_LABEL = Pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    "the name has lower case letters, digits and dashes, and begins and ends with a letter or a "
    "digit",
)
DNS_SUBDOMAIN = Pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "the name has lower case letters, digits, dashes and dots, and each part between dots begins "
    "and ends with a letter or a digit",
)
_HOST_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# A host name with a dot or a port, or localhost: what container runtimes read as a registry.
REGISTRY = Pattern(
    rf"^(localhost(:[0-9]{{1,5}})?|{_HOST_LABEL}(\.{_HOST_LABEL})+(:[0-9]{{1,5}})?"
    rf"|{_HOST_LABEL}:[0-9]{{1,5}})(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$",
    "write a registry by its host in lower case, which has a dot or a port or is localhost, and "
    "the beginning of the path if you like, such as harbor.example.com/hub: no https://, no tag, "
    "no digest, no wildcard, no slash at the end",
)
HOST_NAME = Pattern(
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]([-a-z0-9]*[a-z0-9])?$",
    "write a host by its full name in lower case, such as telemetry.example.com: no https://, no "
    "port, no wildcard, no IP address, no dot at the end",
)
BASE_PATH = Pattern(
    r"^(/[A-Za-z0-9._~-]+)*/?$",
    "a path begins with a slash, such as /sonar, and has letters, digits, dots, dashes, "
    "underscores and tildes between its slashes",
)
INTERVAL = Pattern(
    r"^([0-9]+(\.[0-9]+)?(h|m|s))+$",
    "an interval is a number and h, m or s without blanks, or several of them, such as 30m or "
    "1h30m; write days in hours",
)
CIDR = Pattern(
    r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$",
    "write a range as its first address and its prefix length, such as 198.51.100.0/24",
)

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
        "A fully qualified host name outside of the cluster, in lower case, such as "
        "telemetry.example.com. Write an internationalized name in its xn-- form.",
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
                "a telemetry host is outside of the cluster: it is not the name of a Service or "
                "of a private network",
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
    """Whether running workloads are updated between admissions."""

    ON_NEXT_ROLLOUT = "OnNextRollout"
    IMMEDIATE = "Immediate"


class OnConflict(StrEnum):
    """What happens to a literal value of the user's that is the opposite of the desired one."""

    OVERRIDE = "Override"
    KEEP = "Keep"


class RuntimeAction(StrEnum):
    """What the operator does with the product's API."""

    VERIFY = "Verify"
    REMEDIATE = "Remediate"
    OFF = "Off"


class EgressAction(StrEnum):
    """What network policies do with the product's telemetry hosts."""

    DENY = "Deny"
    ALLOW = "Allow"
    ISOLATE = "Isolate"


class EgressDialect(StrEnum):
    """The kind of network policy that is written."""

    AUTO = "Auto"
    NETWORK_POLICY = "NetworkPolicy"
    CILIUM = "Cilium"
    CLUSTER_NETWORK_POLICY = "ClusterNetworkPolicy"


class DnsAction(StrEnum):
    """What the cluster's name servers do with the product's telemetry hosts."""

    NONE = "None"
    REFUSE = "Refuse"


class SharedAddresses(StrEnum):
    """What happens to a host whose addresses others share, as on a CDN, and to one that also serves
    something else."""

    REFUSE = "Refuse"
    ACCEPT = "Accept"


class Scheme(StrEnum):
    """The URL scheme of an API."""

    HTTP = "http"
    HTTPS = "https"


class EnvSetting(ApiType, frozen=True, kw_only=True):
    """One environment variable and its value."""

    name: Annotated[
        str,
        described(
            "The variable's name. Names that can make a process load code, run a program, or send "
            "its traffic elsewhere are refused.",
            pattern=ENV_NAME,
            min_length=1,
            max_length=256,
            rules=(NAME_RULE,),
        ),
    ]
    value: Annotated[
        str,
        described(
            "The value, a string: quote true, false and numbers. It may not contain $(NAME).",
            max_length=4096,
            rules=(VALUE_RULE,),
        ),
    ]


class ProductSettings(ApiType, frozen=True, kw_only=True):
    """Related settings of the user's own for one product."""

    product: ProductName
    env: Annotated[
        tuple[EnvSetting, ...],
        described(
            "Variables to set in every container that runs the product, whenever its telemetry "
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
            "Which admissions may add a setting. FirstInstallOrUpgrade: the creation of a "
            "workload, or an update that changes the product's version. Always: also any other "
            "update of the pod template. Never: none. An injected setting is kept through later "
            "updates while the policy exists, whatever this field says."
        ),
    ] = When.FIRST_INSTALL_OR_UPGRADE
    rollout: Annotated[
        Rollout,
        described(
            "Immediate updates running workloads at once, one workload of a product at a time; "
            "this may restart pods. OnNextRollout leaves them to the "
            "admissions that when names: by default the next upgrade, not the next restart."
        ),
    ] = Rollout.ON_NEXT_ROLLOUT
    on_conflict: Annotated[
        OnConflict,
        described(
            "What happens to a literal value of the user's that is the opposite of the desired one."
        ),
    ] = OnConflict.OVERRIDE
    arguments: Annotated[
        bool,
        described(
            "Whether switches that are arguments of the product are written into args of "
            "containers. Argo CD, Flux and other tools that compare args as a whole have to ignore "
            "the difference. Environment variables are written in both cases."
        ),
    ] = False
    settings: Annotated[
        tuple[ProductSettings, ...],
        described(
            "Related settings of your own, per product.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()
    do_not_track: Annotated[
        bool,
        described(
            "Whether DO_NOT_TRACK=1 is set, too, in the containers of every product while "
            "submission is Disabled: a convention of several vendors (consoledonottrack.com). It "
            "is no evidence, except where the catalogue says that the product reads it."
        ),
    ] = False


class SecretReference(ApiType, frozen=True, kw_only=True):
    """A Secret in the policy's own namespace."""

    name: Annotated[ObjectName, described("The Secret's name.")]


class ClusterSecretReference(SecretReference, frozen=True, kw_only=True):
    """A Secret of a namespace, or of each workload's own namespace."""

    namespace: (
        Annotated[
            NamespaceName,
            described(
                "The Secret's namespace. Default: the namespace of the workload. With a "
                "namespace, the credential needs namespaces or namespaceSelector."
            ),
        ]
        | None
    ) = None


Registry = Annotated[
    str,
    described(
        "A registry, such as harbor.example.com or registry:5000, optionally with the beginning "
        "of the path, such as docker.io/acme.",
        pattern=REGISTRY,
        min_length=3,
        max_length=253,
    ),
]


class Credential(ApiType, frozen=True, kw_only=True):
    """The Secret with the credentials for one product's API."""

    product: ProductName
    secret_ref: Annotated[
        SecretReference,
        described('The Secret. It must have the label fleettelemetry.io/credential: "true".'),
    ]
    registries: Annotated[
        tuple[Registry, ...],
        described(
            "The credential is sent only to workloads whose image is in one of the vendor's own "
            "repositories or of these registries. Default: to workloads with any image.",
            list_type="set",
            max_length=32,
        ),
    ] = ()
    require_tls: Annotated[
        bool,
        described("Whether the credential is sent only by https."),
    ] = msgspec.field(default=False, name="requireTLS")


class ClusterCredential(Credential, frozen=True, kw_only=True):
    """The Secret with the credentials for one product's API, and where they may be sent."""

    secret_ref: Annotated[
        ClusterSecretReference,
        described('The Secret. It must have the label fleettelemetry.io/credential: "true".'),
    ]
    namespaces: Annotated[
        tuple[NamespaceName, ...],
        described(
            "The credential is sent only to workloads of these namespaces. Required, unless "
            "namespaceSelector is given, if secretRef has a namespace.",
            list_type="set",
            min_length=1,
            max_length=256,
        ),
    ] = ()
    namespace_selector: Annotated[
        LabelSelector | None,
        described(
            "The credential is sent only to workloads of namespaces with these labels. Whoever "
            "may label a namespace may thus obtain the credential.",
            map_type="atomic",
            rules=(
                Rule(
                    "has(self.matchLabels) && size(self.matchLabels) > 0 || "
                    "has(self.matchExpressions) && size(self.matchExpressions) > 0",
                    "an empty selector would send the credential to every namespace; select by "
                    "a label",
                ),
            ),
        ),
    ] = None
    registries: Annotated[
        tuple[Registry, ...],
        described(
            "The credential is sent only to workloads whose image is in one of the vendor's own "
            "repositories or of these registries. Default: the vendor's own repositories.",
            list_type="set",
            max_length=32,
        ),
    ] = ()
    require_tls: Annotated[
        bool,
        described("Whether the credential is sent only by https."),
    ] = msgspec.field(default=True, name="requireTLS")

    @property
    def lacks_scope(self) -> bool:
        """Whether it has to say to which namespaces it may be sent and does not. Earlier versions
        of the CRD accepted that."""
        selector = self.namespace_selector
        has_selector = selector is not None and not selector.is_empty
        return self.secret_ref.namespace is not None and not self.namespaces and not has_selector


CLUSTER_CREDENTIAL_RULES = (
    Rule(
        "!has(self.secretRef.namespace) || has(self.namespaces) || has(self.namespaceSelector)",
        "a credential from a given namespace says where it may be sent: add namespaces or "
        "namespaceSelector, or leave out secretRef.namespace to use a Secret of each workload's "
        "own namespace",
    ),
    Rule(
        "!has(self.namespaces) || !has(self.namespaceSelector)",
        "name either namespaces or a namespaceSelector",
    ),
)


class ServiceReference(ApiType, frozen=True, kw_only=True):
    """A Service in the workload's own namespace; never an address outside of it."""

    name: Annotated[str, described("The name.", pattern=DNS_LABEL, min_length=1, max_length=63)]
    port: Annotated[int, described("The Service's port.", ge=1, le=65535)]
    scheme: Annotated[Scheme, described("The URL scheme.")] = Scheme.HTTP
    base_path: Annotated[
        str,
        described(
            "The path prefix of the API, such as /sonar.",
            pattern=BASE_PATH,
            max_length=256,
        ),
    ] = ""


class ProductEndpoint(ApiType, frozen=True, kw_only=True):
    """Where one product's API is, if it cannot be discovered."""

    product: ProductName
    service: Annotated[ServiceReference, described("The Service of the API.")]


class Runtime(ApiType, frozen=True, kw_only=True):
    """Whether and how the product's own API is checked."""

    action: Annotated[
        RuntimeAction,
        described("Verify reads the setting. Remediate also sets it. Off makes no request."),
    ] = RuntimeAction.VERIFY
    interval: Annotated[
        str,
        described(
            "The time between two checks, at least 1m, such as 30m or 1h. More than 24h counts as "
            "24h.",
            pattern=INTERVAL,
            max_length=32,
            rules=(
                # What is no duration breaks the pattern's rule; here it would be an error.
                Rule(
                    f"!{INTERVAL.rule.expression} || duration(self) >= duration('1m')",
                    "an interval is at least 1m",
                ),
            ),
        ),
    ] = "1h"
    credentials: Annotated[
        tuple[Credential, ...],
        described(
            "Secrets, per product, with the keys that the product's page documents.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()
    endpoints: Annotated[
        tuple[ProductEndpoint, ...],
        described(
            "Services, per product, for APIs whose Service cannot be discovered by the pods "
            "that it selects.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()


class ClusterRuntime(Runtime, frozen=True, kw_only=True):
    """Whether and how the product's own API is checked, across namespaces."""

    credentials: Annotated[
        tuple[
            Annotated[ClusterCredential, described("One of them.", rules=CLUSTER_CREDENTIAL_RULES)],
            ...,
        ],
        described(
            "Secrets, per product, with the keys that the product's page documents.",
            list_type="map",
            list_keys=("product",),
            max_length=64,
        ),
    ] = ()


class NetworkProtocol(StrEnum):
    """The protocols that a network policy distinguishes."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class PolicyHost(ApiType, frozen=True, kw_only=True):
    """A telemetry host that is not in the catalogue."""

    product: ProductName
    host: HostName
    port: Annotated[int, described("The TCP port.", ge=1, le=65535)] = 443


class ReachablePort(ApiType, frozen=True, kw_only=True):
    """A reachable port."""

    port: Annotated[int, described("The port.", ge=1, le=65535)]
    protocol: Annotated[NetworkProtocol, described("The protocol.")] = NetworkProtocol.TCP


class ReachablePeer(ApiType, frozen=True, kw_only=True):
    """What isolated pods may also reach: a range of addresses, or other pods."""

    cidr: (
        Annotated[
            str,
            described(
                "A range, such as 198.51.100.0/24.",
                pattern=CIDR,
                max_length=43,
                rules=(
                    Rule("isCIDR(self) && cidr(self) == cidr(self).masked()", CIDR.message),
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
            "Namespaces by their labels; an empty selector selects all. Default: the workload's "
            "own namespace.",
            map_type="atomic",
        ),
    ] = None
    pod_selector: Annotated[
        LabelSelector | None,
        described("Pods by their labels. Default: all pods of the namespaces.", map_type="atomic"),
    ] = None
    ports: Annotated[
        tuple[ReachablePort, ...],
        described(
            "The ports. Default: every port.",
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
    """Which network policies are written for telemetry hosts."""

    action: Annotated[
        EgressAction,
        described(
            "Deny blocks the channel's hosts for the pods and changes nothing else. Allow "
            "permits those hosts where another policy isolates the pods. Isolate permits "
            "cluster DNS and what is listed in reachable, with submission: Enabled also the "
            "channel's hosts, and nothing else."
        ),
    ] = EgressAction.DENY
    dialect: Annotated[EgressDialect, described("The kind of network policy that is written.")] = (
        EgressDialect.AUTO
    )
    shared_addresses: Annotated[
        SharedAddresses,
        described(
            "Whether to deny a host whose addresses others share, and one that also serves "
            "something else."
        ),
    ] = SharedAddresses.REFUSE
    # Without a default in the CRD: an upgrade would add it to every policy that has the section.
    dns: Annotated[
        DnsAction | None,
        described(
            "Refuse: the Corefile that the command fleet-telemetry corefile prints makes CoreDNS "
            "answer the pods that the denied hosts do not exist, by name, so that hosts on shared "
            "addresses are covered, too. The operator does not apply it; see docs/corefile.md. It "
            "requires submission: Disabled. Default: None."
        ),
    ] = None
    hosts: Annotated[
        tuple[PolicyHost, ...],
        described(
            "Telemetry hosts in addition to the catalogue's, such as your own proxy for a vendor.",
            list_type="map",
            list_keys=("product", "host", "port"),
            max_length=64,
        ),
    ] = ()
    reachable: Annotated[
        tuple[Annotated[ReachablePeer, described("One of them.", rules=REACHABLE_RULES)], ...],
        described(
            "With action: Isolate, what else the pods may reach, such as their database.",
            list_type="atomic",
            max_length=64,
        ),
    ] = ()


EGRESS_RULES = (
    Rule(
        "self.action == 'Isolate' || !has(self.reachable) || size(self.reachable) == 0",
        "reachable is only allowed with action: Isolate",
    ),
)
SPEC_RULES = (
    Rule(
        "!has(self.egress) || self.egress.action == 'Isolate' || "
        "(self.submission == 'Disabled') == (self.egress.action == 'Deny')",
        "egress.action Deny requires submission: Disabled, and Allow requires submission: "
        "Enabled; Isolate goes with either",
    ),
    Rule(
        "!has(self.egress) || !has(self.egress.dns) || self.egress.dns != 'Refuse' || "
        "self.submission == 'Disabled'",
        "egress.dns Refuse requires submission: Disabled; with Enabled, name servers have to "
        "answer",
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
            "Why the workload is exempt, for reviewers.",
            min_length=1,
            max_length=1024,
            rules=(Rule("self.matches('\\\\S')", "an exception needs a reason"),),
        ),
    ]
    expires_at: Annotated[
        Time | None,
        described(
            "When the exception expires. An expired exception no longer exempts the "
            "workload and sets a condition."
        ),
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
        Mode,
        described("Enforce writes what is needed. Audit decides and reports, and writes nothing."),
    ] = Mode.ENFORCE
    products: (
        Annotated[
            tuple[ProductName, ...],
            described(
                "Catalogue names. Default: every built-in product, and those in "
                "additionalProducts. A TelemetryProduct is only covered if it is named.",
                list_type="set",
                min_length=1,
                max_length=256,
            ),
        ]
        | None
    ) = None
    additional_products: Annotated[
        tuple[ProductName, ...],
        described(
            "TelemetryProducts to cover in addition to products, or to every built-in product.",
            list_type="set",
            max_length=256,
        ),
    ] = ()
    channels: Annotated[
        tuple[ChannelName, ...],
        described(
            "The channels that the policy covers.", list_type="set", min_length=1, max_length=4
        ),
    ] = (ChannelName.USAGE,)
    selector: Annotated[
        LabelSelector | None,
        described("Selects workloads by their own labels. Default: all.", map_type="atomic"),
    ] = None
    injection: Annotated[
        Injection | None, described("When and how settings are written into workloads.")
    ] = None
    egress: Annotated[
        Egress | None,
        described(
            "Network policies for telemetry hosts. Default: none is written.",
            rules=EGRESS_RULES,
        ),
    ] = None


class TelemetryPolicySpec(PolicySpec, frozen=True, kw_only=True):
    """Covers workloads of the policy's own namespace."""

    runtime: Annotated[
        Runtime | None, described("Whether and how the product's API is checked.")
    ] = None
    exceptions: Annotated[
        tuple[PolicyException, ...],
        described(
            "Workloads that this policy exempts. Other policies still apply to them.",
            list_type="atomic",
            max_length=256,
        ),
    ] = ()


class ClusterTelemetryPolicySpec(PolicySpec, frozen=True, kw_only=True):
    """Covers workloads of every selected namespace."""

    namespace_selector: Annotated[
        LabelSelector | None,
        described("Selects namespaces by their labels. Default: all.", map_type="atomic"),
    ] = None
    runtime: Annotated[
        ClusterRuntime | None, described("Whether and how the product's API is checked.")
    ] = None
    exceptions: Annotated[
        tuple[ClusterPolicyException, ...],
        described(
            "Workloads that this policy exempts. Other policies still apply to them.",
            list_type="atomic",
            max_length=256,
        ),
    ] = ()


class PolicySummary(ApiType, frozen=True, kw_only=True):
    """The number of matched workloads in each state, judged by this policy alone."""

    matched: Annotated[int, described("Workloads that the policy covers.", ge=0)] = 0
    compliant: Annotated[int, described("Proven to have the desired setting.", ge=0)] = 0
    non_compliant: Annotated[int, described("Proven not to have the desired setting.", ge=0)] = 0
    pending: Annotated[int, described("The next rollout brings the desired setting.", ge=0)] = 0
    unknown: Annotated[int, described("Not proven either way.", ge=0)] = 0
    not_enforceable: Annotated[
        int, described("The product's version has no switch that works.", ge=0)
    ] = 0
    exempt: Annotated[int, described("Exempt by this policy.", ge=0)] = 0
    idle: Annotated[
        int,
        described(
            "Scaled to zero or suspended, so nothing runs. They count in matched, and in no state.",
            ge=0,
        ),
    ] = 0


class PolicyStatus(ApiType, frozen=True, kw_only=True):
    """The observed state of a policy."""

    observed_generation: (
        Annotated[int, described("The generation of the spec that this status describes.", ge=0)]
        | None
    ) = None
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Accepted, Programmed, Compliant, Verified, Conflicted, ExceptionExpired.",
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
    """A policy in the cluster. ``namespace`` is empty for a ClusterTelemetryPolicy."""

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
        """The injection section, or its defaults."""
        return self.spec.injection or Injection()
