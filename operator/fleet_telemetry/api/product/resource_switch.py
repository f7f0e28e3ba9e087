"""A switch that is a field of a custom resource."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.policy import ObjectName, Submission
from fleet_telemetry.api.product.setting import Reading, Setting
from fleet_telemetry.api.resource_names import GROUP_RULE, PATH_RULE
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described
from fleet_telemetry.workloads.resource_fields import FieldRef

_GROUP = Pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$",
    "a group is that of a custom resource, such as acme.example.com: labels of lower case letters, "
    "digits and dashes, with dots between them",
)
_API_VERSION = Pattern(
    r"^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$",
    "a version is written like v1 or v1beta2",
)
_PLURAL = Pattern(
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
    "the plural has lower case letters, digits and dashes, and begins with a letter",
)
_KIND = Pattern(
    r"^[A-Z][A-Za-z0-9]*$",
    "a kind has letters and digits, and begins with a capital letter",
)
_FIELD_PATH = Pattern(
    r"^[A-Za-z_][-A-Za-z0-9_]*(\.[A-Za-z_][-A-Za-z0-9_]*)*$",
    "a path is names of fields with dots between them, such as spec.telemetry.enabled: no lists "
    "and no quotes",
)
_MANAGER = Pattern(
    r"^[-._A-Za-z0-9]+$",
    "a field manager has letters, digits, dots, dashes and underscores here",
)


class FieldScope(StrEnum):
    """Where a custom resource is."""

    WORKLOAD_NAMESPACE = "WorkloadNamespace"
    CLUSTER = "Cluster"


class FieldType(StrEnum):
    """The type of a field of a custom resource."""

    STRING = "String"
    BOOLEAN = "Boolean"


class AbsentObject(StrEnum):
    """What it means that a custom resource does not exist."""

    UNSET = "Unset"
    """The version's default counts."""
    UNKNOWN = "Unknown"
    """The product may take its value from elsewhere."""


class ResourceSwitch(ApiType, frozen=True, kw_only=True):
    """A switch that is a field of a custom resource, which the product reads itself."""

    group: Annotated[
        str,
        described(
            "The API group, such as acme.example.com.",
            pattern=_GROUP,
            min_length=3,
            max_length=253,
            rules=(GROUP_RULE,),
        ),
    ]
    version: Annotated[
        str,
        described("The version of the group.", pattern=_API_VERSION, min_length=2, max_length=32),
    ]
    plural: Annotated[
        str,
        described(
            "The resource, as in URLs and RBAC rules.",
            pattern=_PLURAL,
            min_length=1,
            max_length=63,
        ),
    ]
    kind: Annotated[str, described("The kind.", pattern=_KIND, min_length=1, max_length=63)]
    name: Annotated[ObjectName, described("The name of the one object that the product reads.")]
    scope: Annotated[
        FieldScope,
        described(
            "Where the object is: WorkloadNamespace (in the namespace of the workload) or Cluster "
            "(in none). A field of a Cluster object is set by a ClusterTelemetryPolicy alone."
        ),
    ] = FieldScope.WORKLOAD_NAMESPACE
    path: Annotated[
        str,
        described(
            "The field, such as spec.telemetry.enabled.",
            pattern=_FIELD_PATH,
            min_length=1,
            max_length=96,
            rules=(PATH_RULE,),
        ),
    ]
    type: Annotated[
        FieldType,
        described("The type of the field: String or Boolean. A value of another type is Unknown."),
    ] = FieldType.STRING
    disabled: Annotated[
        str, described("The value that disables. Of a Boolean: true or false.", max_length=256)
    ]
    enabled: (
        Annotated[
            str,
            described(
                "The value that enables. Default: only the absence of the field enables.",
                max_length=256,
            ),
        ]
        | None
    ) = None
    absent: Annotated[
        AbsentObject,
        described(
            "What it means that the object does not exist: Unset (the version's default counts) "
            "or Unknown (the product may take its value from elsewhere)."
        ),
    ] = AbsentObject.UNKNOWN
    default_managers: Annotated[
        tuple[
            Annotated[
                str, described("A field manager.", pattern=_MANAGER, min_length=1, max_length=128)
            ],
            ...,
        ],
        described(
            "Field managers by which the product itself writes its default into the object. A "
            "value that only these own is no user's decision: onConflict: Keep does not keep it.",
            list_type="set",
            max_length=8,
        ),
    ] = ()
    evidence_only: Annotated[
        bool,
        described(
            "Whether the field is only read for this channel, for example because it is the switch "
            "of another channel which stops this one, too."
        ),
    ] = False
    reading: Annotated[Reading, described("How the product reads the value.")] = Reading()

    def value_for(self, desired: Submission) -> str | None:
        """What to write; None where the field has to be absent."""
        return self.disabled if desired is Submission.DISABLED else self.enabled

    def setting_of(self, value: str) -> Setting:
        """What the product makes of a value; what we would write ourselves is understood."""
        if value == self.disabled:
            return Setting.DISABLED
        if value == self.enabled:
            return Setting.ENABLED
        return self.reading.setting_of(value)

    @property
    def label(self) -> str:
        """The field as people write it."""
        return f"{self.plural}.{self.group}/{self.name} {self.path}"

    @property
    def field(self) -> FieldRef:
        """The field, without the namespace of a workload."""
        return FieldRef(
            group=self.group,
            version=self.version,
            plural=self.plural,
            kind=self.kind,
            name=self.name,
            path=self.path,
            namespaced=self.scope is FieldScope.WORKLOAD_NAMESPACE,
        )


RESOURCE_RULES = (
    Rule("!has(self.enabled) || self.enabled != self.disabled", "disabled and enabled differ"),
    Rule(
        "!has(self.type) || self.type != 'Boolean' || (self.disabled in ['true', 'false'] && "
        "(!has(self.enabled) || self.enabled in ['true', 'false']))",
        "the values of a Boolean are 'true' and 'false'",
    ),
)
