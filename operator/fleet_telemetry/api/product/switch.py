"""A switch, what overrides it, and what proves that it has taken effect."""

from __future__ import annotations

from typing import Annotated

from fleet_telemetry.api.product.argument_switch import ARGUMENT_RULES, ArgumentSwitch
from fleet_telemetry.api.product.env_switch import EnvSwitch
from fleet_telemetry.api.product.names import NAME_GLOB, EnvName
from fleet_telemetry.api.product.resource_switch import RESOURCE_RULES, ResourceSwitch
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described
from fleet_telemetry.api.variable_names import ENV_NAME

# What counts as a blank beyond ASCII differs between Python and the API server.
_PATH = Pattern(
    r"^/[^\x00-\x20]*$",
    "a path begins with a slash, and has no blanks and no control characters",
    cheap=r"self.startsWith('/') && !self.matches('[\x00- ]')",
)


class Override(ApiType, frozen=True, kw_only=True):
    """An argument, a variable or a volume that overrides the switch."""

    argument: (
        Annotated[
            str,
            described(
                "An argument up to its value, such as '-Dsonar.telemetry.enable='.",
                min_length=1,
                max_length=256,
            ),
        ]
        | None
    ) = None
    env: (
        Annotated[
            str,
            described(
                "A variable. With argument: one whose value may contain that argument.",
                pattern=ENV_NAME,
                min_length=1,
                max_length=256,
            ),
        ]
        | None
    ) = None
    mount: (
        Annotated[
            str,
            described(
                "A path where a volume is mounted, such as that of a configuration file. A mount "
                "above or below it counts, too.",
                pattern=_PATH,
                max_length=512,
            ),
        ]
        | None
    ) = None
    ignore_case: Annotated[
        bool, described("Whether upper and lower case of the argument are equal.")
    ] = False
    values: Annotated[
        tuple[Annotated[str, described("A value.", max_length=256)], ...],
        described(
            "Values of the variable, or of the argument, that override the switch, in any case. "
            "Default: any value.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    means: Annotated[
        Setting | None,
        described("The resulting setting. Default: the value is read as the switch's own."),
    ] = None


OVERRIDE_RULES = (
    Rule(
        "has(self.argument) || has(self.env) || has(self.mount)",
        "an override names an argument, a variable or a mount",
    ),
    Rule(
        "!has(self.mount) || (!has(self.argument) && !has(self.env) && has(self.means))",
        "an override by a mount names nothing else, and says what it means",
    ),
    Rule(
        "!has(self.values) || has(self.means)",
        "an override by certain values says what they mean",
    ),
)


class SeedProof(ApiType, frozen=True, kw_only=True):
    """How to prove that a Seed switch took effect: the data was initialised by this workload."""

    path: Annotated[
        str,
        described(
            "The path of the embedded database in the container.",
            pattern=_PATH,
            max_length=512,
        ),
    ]
    redirected_by: Annotated[
        tuple[
            Annotated[
                str,
                described(
                    "A glob of letters, digits, dots, dashes, underscores, * and ?.",
                    pattern=NAME_GLOB,
                    too_many=True,
                    max_length=256,
                ),
            ],
            ...,
        ],
        described(
            "Variables that could point the product at other data.", list_type="set", max_length=64
        ),
    ] = ()
    redirected_by_mounts: Annotated[
        tuple[Annotated[str, described("A path.", pattern=_PATH, max_length=512)], ...],
        described(
            "Paths where a mount, at, above or below, could do so.", list_type="set", max_length=16
        ),
    ] = ()
    user_id: (
        Annotated[
            int,
            described("The user ID for which the path is right, if it depends on the user.", ge=0),
        ]
        | None
    ) = None


class Switch(ApiType, frozen=True, kw_only=True):
    """One way to turn a channel on or off."""

    semantics: Annotated[Semantics, described("When it takes effect.")]
    env: Annotated[EnvSwitch | None, described("The variable, if the switch is one.")] = None
    argument: Annotated[
        ArgumentSwitch | None,
        described("The argument, if the switch is one.", rules=ARGUMENT_RULES),
    ] = None
    suspend: Annotated[
        bool,
        described(
            "Whether the switch is spec.suspend of the CronJob that runs the container, because "
            "the CronJob does nothing but call home. Only a built-in product has such a switch."
        ),
    ] = False
    resource: Annotated[
        ResourceSwitch | None,
        described(
            "The field of a custom resource, if the switch is one. With semantics: Runtime the "
            "product watches it, with Start it reads it at its start.",
            rules=RESOURCE_RULES,
        ),
    ] = None
    overrides: Annotated[
        tuple[Annotated[Override, described("One of them.", rules=OVERRIDE_RULES)], ...],
        described("What overrides the switch, strongest first.", list_type="atomic", max_length=16),
    ] = ()
    seed_proof: Annotated[
        SeedProof | None, described("How to prove that a Seed switch took effect.")
    ] = None
    sufficient: Annotated[
        bool,
        described(
            "Whether the switch alone stops the channel: while it disables, nothing is sent, "
            "whatever the other switches and the product's own setting are. To enable, all "
            "switches are needed."
        ),
    ] = False
    ineffective: Annotated[
        tuple[EnvName, ...],
        described(
            "Names that are mistaken for the switch and have no effect.",
            list_type="set",
            max_length=16,
        ),
    ] = ()


SWITCH_RULES = (
    Rule(
        "!(self.semantics in ['Seed', 'Start']) || has(self.env) || has(self.argument) || "
        "(has(self.suspend) && self.suspend) || has(self.resource)",
        "a Seed or Start switch names its variable, or a Start switch its argument",
    ),
    Rule(
        "!has(self.suspend) || !self.suspend || (self.semantics == 'Start' && "
        "!has(self.env) && !has(self.argument) && "
        "(!has(self.overrides) || size(self.overrides) == 0))",
        "suspend is a Start switch of its own: it names no variable and no argument, and nothing "
        "overrides it",
    ),
    Rule(
        "!has(self.argument) || (self.semantics == 'Start' && !has(self.env))",
        "an argument is a Start switch, and names no variable; write another switch for that",
    ),
    Rule(
        "!has(self.seedProof) || self.semantics == 'Seed'",
        "only a Seed switch has a seedProof",
    ),
    Rule(
        "!has(self.sufficient) || !self.sufficient || self.semantics == 'Start' || "
        "has(self.resource)",
        "only a Start switch or a field of a custom resource is sufficient alone",
    ),
    Rule(
        "!has(self.resource) || (self.semantics in ['Start', 'Runtime'] && !has(self.env) && "
        "!has(self.argument) && !(has(self.suspend) && self.suspend) && "
        "(!has(self.overrides) || size(self.overrides) == 0))",
        "resource is a Start or a Runtime switch of its own: it names no variable and no argument, "
        "and nothing overrides it",
    ),
)
