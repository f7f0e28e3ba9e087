"""``TelemetryProduct``: what is known of one vendor's product. Catalogue files have this shape."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.argument_names import FLAG_RULE
from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.policy import (
    REGISTRY,
    ChannelName,
    HostName,
    ObjectName,
    ProductName,
    Submission,
)
from fleet_telemetry.api.resource_names import GROUP_RULE, PATH_RULE
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described
from fleet_telemetry.api.variable_names import ALIAS_RULE, ENV_NAME, NAME_RULE, VALUE_RULE
from fleet_telemetry.workloads.resource_fields import FieldRef

_GLOB = Pattern(
    r"^[A-Za-z0-9*?._/-]+$",
    "write an image by the last parts of its repository, such as acme/server, with * and ? as "
    "wildcards: no port, no tag, no digest",
)
_NAME_GLOB = Pattern(
    r"^[-._A-Za-z0-9*?]+$",
    "a glob has letters, digits, dots, dashes, underscores, and the wildcards * and ?",
)
_TAG_TEMPLATE = Pattern(
    r"^[-._A-Za-z0-9*?]*\{version\}[-._A-Za-z0-9*?]*$",
    "a tag has {version} in one place, such as stable-{version}, and around it letters, digits, "
    "dots, dashes, underscores, and the wildcards * and ?",
)
# What counts as a blank beyond ASCII differs between Python and the API server.
_PATH = Pattern(
    r"^/[^\x00-\x20]*$",
    "a path begins with a slash, and has no blanks and no control characters",
    cheap=r"self.startsWith('/') && !self.matches('[\x00- ]')",
)
_LABEL = Pattern(r"^[a-z0-9-]+$", "the name has lower case letters, digits and dashes")
_WORD = Pattern(
    r"^--?[A-Za-z][-._A-Za-z0-9]*(=[-._A-Za-z0-9]*)?$",
    "a word has one or two dashes, the flag, and an equals sign and the value if there is one, "
    "such as --telemetry=false; the value has letters, digits, dots, dashes and underscores",
)
_PROGRAM = Pattern(
    r"^[-._A-Za-z0-9]*[A-Za-z0-9]$",
    "the name has letters, digits, dots, dashes and underscores, and ends with a letter or a "
    "digit: no path",
)
_VERSION = Pattern(
    r"^[0-9][-+.0-9A-Z_a-z]*$",
    "a version begins with a digit, such as 4.13.0: no v before it, no blanks",
)
_PROPERTY = Pattern(
    r"^[a-z][-.0-9a-z]*$",
    "a property has lower case letters, digits, dots and dashes, and begins with a letter",
)
_WORD_BEGIN = Pattern(
    r"^-[-._=:,/A-Za-z0-9]+$",
    "the word begins with a dash, such as -Dacme.telemetry=, and has no blanks and no quotes",
)
_PREFIX = Pattern(
    r"^([-._A-Za-z][-._A-Za-z0-9]*)?$",
    "the beginning of a variable's name has letters, digits, dashes, dots and underscores, and "
    "does not begin with a digit",
)
_RANGE_PROVIDER = Pattern(
    r"^(Cloudflare)$",
    "the only provider that is known is Cloudflare",
    cheap="self == 'Cloudflare'",
)
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
_PAGE = Pattern(r"^(https://.+)?$", "a home page begins with https://")
_LITERAL_RULE = Rule(
    "self.matches('[A-Za-z0-9]')",
    "a pattern of wildcards alone would exclude everything; remove the image instead",
)
_IMAGE_NAME_RULE = Rule(
    r"self.matches('(^|/)([-._A-Za-z0-9]*[A-Za-z0-9][-._A-Za-z0-9]*|"
    r"[^/]*[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][^/]*)$')",
    "the last part of the pattern names the image: it has letters or digits, and at least three "
    "in a row beside wildcards, so that it does not match every image",
)
_RANGE = Pattern(
    r"^(>=[0-9][-+.0-9A-Z_a-z]*)?( *<[0-9][-+.0-9A-Z_a-z]*)?$",
    "a range is >= and its first version, < and the version after its last, or both with a blank "
    "between them, such as '>=4.13.0 <5.0.0'",
)

VersionRange = Annotated[
    str,
    described(
        "A range such as '>=4.13.0 <5.0.0-rc.2'.", pattern=_RANGE, min_length=2, max_length=64
    ),
]
Versions = Annotated[
    tuple[VersionRange, ...],
    described(
        "Ranges of versions, one of which must match. Default: every version.",
        list_type="set",
        max_length=8,
    ),
]
Label = Annotated[str, described("A short name.", pattern=_LABEL, min_length=1, max_length=63)]
EnvName = Annotated[
    str, described("A variable's name.", pattern=ENV_NAME, min_length=1, max_length=256)
]
SwitchName = Annotated[
    str,
    described(
        "A variable's name. Names that can make a process load code, run a program, or send its "
        "traffic elsewhere are refused.",
        pattern=ENV_NAME,
        min_length=1,
        max_length=256,
        rules=(NAME_RULE,),
    ),
]
Alias = Annotated[
    str,
    described(
        "A variable's name. The same names are refused.",
        pattern=ENV_NAME,
        min_length=1,
        max_length=256,
        rules=(ALIAS_RULE,),
    ),
]
ExcludedName = Annotated[
    str,
    described(
        "A glob.",
        pattern=_NAME_GLOB,
        max_length=63,
        rules=(_LITERAL_RULE,),
    ),
]
_FLAG = Pattern(
    r"^[A-Za-z][-._A-Za-z0-9]*$",
    "a flag has letters, digits, dots, dashes and underscores, and begins with a letter: leave out "
    "the dashes before it",
    cheap=r"!self.matches(r'[^-.\w]') && "
    "(self >= 'A' && self < '[' || self >= 'a' && self < '{')",
)
FlagName = Annotated[
    str,
    described("A flag's name without dashes.", pattern=_FLAG, min_length=2, max_length=96),
]
ArgumentWord = Annotated[
    str,
    described(
        "A word with the flag.",
        pattern=_WORD,
        max_length=160,
    ),
]
ProgramName = Annotated[str, described("A name.", pattern=_PROGRAM, min_length=1, max_length=64)]
Source = Annotated[
    str,
    described(
        "The source of the fact: repository@tag:path, or a page.", min_length=1, max_length=512
    ),
]

Repository = Annotated[
    str,
    described(
        "A repository in full, such as docker.io/dependencytrack/apiserver.",
        pattern=REGISTRY,
        min_length=3,
        max_length=253,
    ),
]


VersionNumber = Annotated[
    str,
    described(
        "A version such as 4.13.0 or 5.0.0-rc.2; a short one such as 4.14 is all of 4.14.x.",
        pattern=_VERSION,
        min_length=1,
        max_length=32,
    ),
]


class MajorTags(StrEnum):
    """Whether the vendor publishes tags with a single number."""

    NONE = "None"
    WITH_SUFFIX = "WithSuffix"
    ANY = "Any"


class VersionLine(ApiType, frozen=True, kw_only=True):
    """A line of versions without a gap."""

    lowest: Annotated[VersionNumber, described("The first version of the line.")]
    verified: Annotated[
        VersionNumber,
        described(
            "The last version for which the product's facts hold. A short one such as 4.14 "
            "includes all of 4.14.x."
        ),
    ]
    highest: Annotated[
        VersionNumber | None,
        described(
            "The last version that the line may have. From verified up to it a version has the "
            "switch of the last verified one, and nothing but the product's own report proves "
            "anything. Default: verified."
        ),
    ] = None
    largest_patch: (
        Annotated[
            int,
            described(
                "The largest third number that a version of the line may have; a larger one is a "
                "build's. Default: any.",
                ge=0,
            ),
        ]
        | None
    ) = None
    largest_minor: (
        Annotated[
            int,
            described(
                "The largest second number that a version of the line may have; a larger one is a "
                "date's or a build's. Default: any.",
                ge=0,
            ),
        ]
        | None
    ) = None
    editions: Annotated[
        tuple[Label, ...],
        described("Editions, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()


class KnownVersions(ApiType, frozen=True, kw_only=True):
    """Which versions the product has. A tag with another number names no version of it."""

    lines: Annotated[
        tuple[VersionLine, ...],
        described(
            "The lines of versions. Default: any number may be a version.",
            list_type="atomic",
            max_length=16,
        ),
    ] = ()
    major_tags: Annotated[
        MajorTags,
        described(
            "Whether the vendor publishes tags with a single number: None, WithSuffix "
            "(9-community) or Any (9). A tag that it does not publish is taken for a build number."
        ),
    ] = MajorTags.NONE


class Semantics(StrEnum):
    """When a switch takes effect."""

    SEED = "Seed"
    START = "Start"
    RUNTIME = "Runtime"
    NONE = "None"


class DefaultState(StrEnum):
    """What a version does when no switch is set."""

    ON = "On"
    OFF = "Off"
    BY_LICENCE = "ByLicence"
    UNKNOWN = "Unknown"
    NO_TELEMETRY = "NoTelemetry"


class Setting(StrEnum):
    """What a value means to the product."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    UNSET = "Unset"
    UNKNOWN = "Unknown"


_NO_LETTER_OR_DIGIT = re.compile(r"[^0-9A-Za-z]")


def spelt_in_capitals(name: str) -> str:
    """The spelling of a property or variable by which MicroProfile Config compares them."""
    return _NO_LETTER_OR_DIGIT.sub("_", name).upper()


_WHITE = " \t\n\r\f\v"
"""What every language trims. Of other spaces and control characters some do, so a value with one at
its ends is not understood."""


class Reading(ApiType, frozen=True, kw_only=True):
    """How the product reads the value of its switch."""

    enabled: Annotated[
        tuple[Annotated[str, described("A value.", max_length=256)], ...],
        described("Values that enable.", list_type="set", max_length=16),
    ] = ("true",)
    disabled: Annotated[
        tuple[Annotated[str, described("A value.", max_length=256)], ...],
        described("Values that disable.", list_type="set", max_length=16),
    ] = ("false",)
    ignore_case: Annotated[bool, described("Whether upper and lower case are equal.")] = True
    trim: Annotated[bool, described("Whether white space around the value is ignored.")] = False
    empty: Annotated[Setting, described("What an empty value means.")] = Setting.UNKNOWN
    otherwise: Annotated[Setting, described("What any other value means.")] = Setting.UNKNOWN

    def setting_of(self, value: str) -> Setting:
        """What the product makes of a value."""
        value = value.strip(_WHITE) if self.trim else value
        listed = self.listed(value)
        if listed is not None:
            return listed
        if (self.trim and not value.isprintable()) or (self.ignore_case and not value.isascii()):
            return Setting.UNKNOWN  # languages trim and compare such characters differently
        return self.empty if not value else self.otherwise

    def listed(self, value: str) -> Setting | None:
        """What a value means that is one of the lists; None if it is in none."""
        value = value.strip(_WHITE) if self.trim else value
        # Letters of other scripts may have an ASCII letter as their small one: the kelvin sign.
        folded = value.lower() if self.ignore_case and value.isascii() else value
        for values, meaning in ((self.enabled, Setting.ENABLED), (self.disabled, Setting.DISABLED)):
            if folded in ({v.lower() for v in values} if self.ignore_case else values):
                return meaning
        return None


PropertyName = Annotated[
    str,
    described("A property's name.", pattern=_PROPERTY, min_length=1, max_length=256),
]


class ConfigProperty(ApiType, frozen=True, kw_only=True):
    """A property of MicroProfile Config, as SmallRye reads it; the variable is one spelling."""

    name: Annotated[PropertyName, described("The property.")]
    java_options: Annotated[
        tuple[EnvName, ...],
        described(
            "Variables that the image's start passes to the JVM as arguments, weakest first. Those "
            "that every JVM reads are known.",
            list_type="atomic",
            max_length=16,
        ),
    ] = ()
    profiles: Annotated[
        tuple[PropertyName, ...],
        described(
            "Properties that name the active profiles, besides those of SmallRye.",
            list_type="set",
            max_length=8,
        ),
    ] = ()


class CommandWord(ApiType, frozen=True, kw_only=True):
    """A word of a command line that a variable holds a part of, such as a system property of Java
    in JAVA_OPTS. The last word with the beginning takes effect."""

    begins: Annotated[
        str,
        described(
            "The beginning of the word, up to its value, such as -Dacme.telemetry=.",
            pattern=_WORD_BEGIN,
            max_length=256,
        ),
    ]
    weaker: Annotated[
        tuple[EnvName, ...],
        described(
            "Variables whose words come before those of the switch, weakest first. They are read "
            "and never written.",
            list_type="atomic",
            max_length=8,
        ),
    ] = ()


class EnvSwitch(ApiType, frozen=True, kw_only=True):
    """A switch that is an environment variable."""

    name: SwitchName
    disabled: Annotated[
        str, described("The value that disables.", max_length=256, rules=(VALUE_RULE,))
    ]
    enabled: (
        Annotated[
            str,
            described(
                "The value that enables. Default: only the variable's absence enables.",
                max_length=256,
                rules=(VALUE_RULE,),
            ),
        ]
        | None
    ) = None
    aliases: Annotated[
        tuple[Alias, ...],
        described(
            "Other names that the product accepts for the same setting.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    any_case_after: Annotated[
        str,
        described(
            "A prefix of the name after which the product accepts any case.",
            pattern=_PREFIX,
            max_length=256,
        ),
    ] = ""
    shadows: Annotated[
        tuple[EnvName, ...],
        described(
            "Variables that hold the same setting in a form that is not read here. The switch "
            "overrides them.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    config_property: (
        Annotated[
            ConfigProperty,
            described(
                "The property that the product reads, if it uses MicroProfile Config. Then other "
                "spellings of the name, JVM arguments, profiles and ordinals are read as SmallRye "
                "reads them."
            ),
        ]
        | None
    ) = None
    word: (
        Annotated[
            CommandWord,
            described(
                "The word that is the switch, if the variable holds words of a command line. The "
                "reading is that of the rest of the word. A variable that holds other words is "
                "left as it is."
            ),
        ]
        | None
    ) = None
    exclusive_with: Annotated[
        tuple[EnvName, ...],
        described(
            "Variables beside which the product does not start. The switch is not set beside one "
            "of them, and an injected one is removed.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    persists: Annotated[
        bool,
        described(
            "Whether a start writes the value into the product's own data, so that its absence "
            "does not revert it. To enable, the value that enables is written."
        ),
    ] = False
    reading: Annotated[Reading, described("How the product reads the value.")] = Reading()

    @property
    def keeps_opt_out(self) -> bool:
        """Whether an opt-out stays in the product's data, and no value reverts it."""
        return self.persists and self.enabled is None

    def value_read(self, written: str) -> str:
        """The part of a written value that the reading is about: of a word, its rest."""
        return written.removeprefix(self.word.begins) if self.word is not None else written

    def value_for(self, desired: Submission) -> str | None:
        """What to write; None where the variable has to be absent."""
        return self.disabled if desired is Submission.DISABLED else self.enabled

    def setting_of(self, value: str) -> Setting:
        """What the product makes of a value; what we would write ourselves is understood."""
        if value == self.disabled:
            return Setting.DISABLED
        if value == self.enabled:
            return Setting.ENABLED
        return self.reading.setting_of(value)

    def listed(self, value: str) -> Setting | None:
        """What a value means that the reading lists or that we would write; else None."""
        if value in (self.disabled, self.enabled):
            return self.setting_of(value)
        return self.reading.listed(value)

    def excludes(self, name: str) -> bool:
        """Whether the product does not start if this switch and a variable of this name are set."""
        if name in self.exclusive_with:
            return True
        prefix = self.any_case_after
        return (
            bool(prefix)
            and name.startswith(prefix)
            and name.lower() in {other.lower() for other in self.exclusive_with}
        )

    def is_named(self, name: str) -> bool:
        """Whether a variable of this name is this switch."""
        return (
            name == self.name
            or name in self.aliases
            or (
                self.config_property is not None
                and spelt_in_capitals(name) == spelt_in_capitals(self.config_property.name)
            )
            or (
                bool(self.any_case_after)
                and name.startswith(self.any_case_after)
                and name.lower() == self.name.lower()
            )
        )


class Dashes(StrEnum):
    """How many dashes the product accepts before the name of a flag."""

    ONE = "One"
    TWO = "Two"
    ANY = "Any"


class ArgumentValues(StrEnum):
    """Where the product reads the value of a flag."""

    EQUALS = "Equals"
    """In the same word, after an equals sign."""
    NEXT = "Next"
    """There, or in the next word."""
    NONE = "None"
    """The flag takes no value."""


class ArgumentSwitch(ApiType, frozen=True, kw_only=True):
    """A switch that is an argument of the product."""

    flag: Annotated[FlagName, described("The flag.", rules=(FLAG_RULE,))]
    disabled: Annotated[
        ArgumentWord, described("The word that disables, such as -reporting.enabled=false.")
    ]
    enabled: (
        Annotated[
            ArgumentWord,
            described("The word that enables. Default: only the absence of the flag enables."),
        ]
        | None
    ) = None
    aliases: Annotated[
        tuple[FlagName, ...],
        described("Other names of the flag.", list_type="set", max_length=8),
    ] = ()
    negation: (
        Annotated[
            FlagName, described("A flag that means the opposite, such as noversion_check of absl.")
        ]
        | None
    ) = None
    dashes: Annotated[
        Dashes,
        described("How many dashes stand before the flag: One, Two, or Any of both."),
    ]
    values: Annotated[
        ArgumentValues,
        described(
            "Where the value is: Equals (in the same word, after an equals sign), Next (there, or "
            "in the next word) or None (the flag takes no value)."
        ),
    ] = ArgumentValues.EQUALS
    bare: Annotated[Setting, described("What the flag without a value means.")] = Setting.UNKNOWN
    ignore_case: Annotated[
        bool, described("Whether upper and lower case are equal in the names of flags.")
    ] = False
    ends_at_word: Annotated[
        bool,
        described(
            "Whether the first word that is no flag ends the flags, as with the package flag of Go."
        ),
    ] = False
    booleans: Annotated[
        tuple[FlagName, ...],
        described(
            "Other flags that take no value from the next word. Of a flag that is not listed and "
            "has no equals sign, the next word may be the value.",
            list_type="set",
            max_length=64,
        ),
    ] = ()
    programs: Annotated[
        tuple[ProgramName, ...],
        described(
            "The product's programs: the last part of their path. A container with another command "
            "gets no argument.",
            list_type="set",
            min_length=1,
            max_length=8,
        ),
    ]
    scripts: Annotated[
        tuple[ProgramName, ...],
        described(
            "The image's scripts that pass their arguments on: to the product if the first one "
            "begins with a dash, else they are a command.",
            list_type="set",
            max_length=4,
        ),
    ] = ()
    after: (
        Annotated[
            ProgramName,
            described("The product's subcommand that has the flag. It has to be the first word."),
        ]
        | None
    ) = None
    image_arguments: (
        Annotated[
            tuple[Annotated[str, described("A word.", min_length=1, max_length=256)], ...],
            described(
                "The arguments that the images have themselves (CMD). A container without args and "
                "without a command gets them, and the switch. Empty: they have none. Default: not "
                "known; such a container gets no argument. Only a built-in product lists words.",
                list_type="atomic",
                max_length=16,
            ),
        ]
        | None
    ) = None
    reading: Annotated[Reading, described("How the product reads the value.")] = Reading()

    @property
    def label(self) -> str:
        """The flag as people write it."""
        return f"{'--' if self.dashes is Dashes.TWO else '-'}{self.flag}"

    def value_for(self, desired: Submission) -> str | None:
        """The word to write; None where the flag has to be absent."""
        return self.disabled if desired is Submission.DISABLED else self.enabled

    def is_flag(self, word: str) -> bool:
        """Whether a word is this switch, with or without a value."""
        return self._parts(word) is not None

    def has_value(self, word: str) -> bool:
        """Whether a word of this switch holds its value."""
        return "=" in word

    def setting_of(self, word: str, following: str | None = None) -> Setting:
        """What the product makes of a word of this switch; ``following`` is the next word, if it
        is the value."""
        parts = self._parts(word)
        if parts is None:
            return Setting.UNKNOWN
        name, value = parts
        if following is not None and value is None:
            value = following
        if value is None:
            setting = self.bare
        elif self.values is ArgumentValues.NONE:
            setting = Setting.UNKNOWN
        else:
            setting = self.reading.setting_of(value)
        return (
            _OPPOSITE[setting] if self.negation and name == self._fold(self.negation) else setting
        )

    def may_begin(self, literal: str) -> bool:
        """Whether a word that begins with a literal may be this switch."""
        return any(
            self._fold(spelling).startswith(self._fold(literal)) for spelling in self.spellings
        ) or self.is_flag(literal)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The flag with its dashes, in every way."""
        names = (self.flag, *self.aliases, *((self.negation,) if self.negation else ()))
        return tuple(f"{dashes}{name}" for name in names for dashes in _DASHES[self.dashes])

    def _parts(self, word: str) -> tuple[str, str | None] | None:
        """The flag's name and its value, if a word is this switch."""
        head, equals, value = word.partition("=")
        folded = self._fold(head)
        for spelling in self.spellings:
            if folded == self._fold(spelling):
                return folded.lstrip("-"), value if equals else None
        return None

    def _fold(self, text: str) -> str:
        return text.lower() if self.ignore_case else text


_DASHES = {Dashes.ONE: ("-",), Dashes.TWO: ("--",), Dashes.ANY: ("-", "--")}
_OPPOSITE = {
    Setting.ENABLED: Setting.DISABLED,
    Setting.DISABLED: Setting.ENABLED,
    Setting.UNSET: Setting.UNSET,
    Setting.UNKNOWN: Setting.UNKNOWN,
}
ARGUMENT_RULES = (
    Rule(
        "([self.disabled] + (has(self.enabled) ? [self.enabled] : [])).all(w, "
        "([self.flag] + (has(self.negation) ? [self.negation] : []))"
        ".exists(f, w.split('=')[0] in ['-' + f, '--' + f]))",
        "disabled and enabled are words of the flag, such as -flag=false for the flag named flag",
    ),
    Rule(
        "([self.disabled] + (has(self.enabled) ? [self.enabled] : [])).all(w, "
        "self.dashes == 'Any' || w.startsWith('--') == (self.dashes == 'Two'))",
        "disabled and enabled begin with as many dashes as the field dashes says",
    ),
    Rule(
        "!has(self.values) || self.values != 'None' || "
        "([self.disabled] + (has(self.enabled) ? [self.enabled] : [])).all(w, !w.contains('='))",
        "a flag that takes no value is written without =",
    ),
    Rule("!has(self.enabled) || self.enabled != self.disabled", "disabled and enabled differ"),
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
            "Values of the variable that override the switch, in any case. Default: any value.",
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
                    pattern=_NAME_GLOB,
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


class Sender(StrEnum):
    """What connects to a host."""

    POD = "Pod"
    BROWSER = "Browser"


class Provenance(StrEnum):
    """Where the facts of a rule come from."""

    SOURCE = "Source"
    """They were read in the vendor's source."""
    DOCUMENTATION = "Documentation"
    """They were read in the vendor's documentation alone."""
    USER = "User"
    """They are the claim of whoever wrote the TelemetryProduct."""


class RefusedVariable(ApiType, frozen=True, kw_only=True):
    """A variable that a version refuses."""

    env: SwitchName
    effect: Annotated[str, described("What happens when it is set.", min_length=1, max_length=512)]
    config_property: (
        Annotated[
            PropertyName,
            described(
                "The property of MicroProfile Config of which the variable is one spelling. Other "
                "spellings and JVM arguments are refused too."
            ),
        ]
        | None
    ) = None

    def is_named(self, name: str) -> bool:
        """Whether a variable of this name is refused."""
        return name == self.env or (
            self.config_property is not None
            and spelt_in_capitals(name) == spelt_in_capitals(self.config_property)
        )


class ChannelRule(ApiType, frozen=True, kw_only=True):
    """The rule for a channel in some versions of the product."""

    versions: Versions = ()
    editions: Annotated[
        tuple[Label, ...],
        described("Editions, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    components: Annotated[
        tuple[Label, ...],
        described("Components, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    default: Annotated[DefaultState, described("What the product does when no switch is set.")]
    switches: Annotated[
        tuple[Annotated[Switch, described("One of them.", rules=SWITCH_RULES)], ...],
        described(
            "The switches; all of them must be set, unless one is sufficient.",
            list_type="atomic",
            max_length=8,
        ),
    ] = ()
    refuses: Annotated[
        tuple[RefusedVariable, ...],
        described(
            "Switches of other versions that must not be set.",
            list_type="map",
            list_keys=("env",),
            max_length=16,
        ),
    ] = ()
    harmless_anywhere: Annotated[
        bool,
        described(
            "Whether the switches are harmless to every version, so that they are also set when "
            "the version cannot be read."
        ),
    ] = False
    leaves: Annotated[
        str,
        described(
            "What is still sent while the switches disable the channel. Then the switches alone "
            "never make it Compliant.",
            max_length=512,
        ),
    ] = ""
    grace_seconds: Annotated[
        int,
        described(
            "For how long after a pod's start the product may contact the channel's hosts although "
            "the switches disable it, for example to report the opt-out itself. A lookup in that "
            "time is shown, and does not make the channel NonCompliant.",
            ge=0,
            le=86400,
        ),
    ] = 0
    remedy: Annotated[str, described("What to do when no switch works.", max_length=1024)] = ""
    provenance: Annotated[
        Provenance,
        described(
            "Where the facts of a built-in product were read. Those of a TelemetryProduct are "
            "always User."
        ),
    ] = Provenance.SOURCE
    sources: Annotated[
        tuple[Source, ...],
        described("Where the facts were read.", list_type="atomic", max_length=16),
    ] = ()


CHANNEL_RULE_RULES = (
    Rule(
        "self.default != 'NoTelemetry' || !has(self.switches) || size(self.switches) == 0",
        "a version without telemetry has no switch",
    ),
    Rule(
        "!has(self.leaves) || size(self.leaves) == 0 || "
        "(has(self.switches) && size(self.switches) > 0)",
        "leaves says what is sent in spite of switches; a rule without a switch has a remedy",
    ),
    Rule(
        "!has(self.graceSeconds) || self.graceSeconds == 0 || "
        "(has(self.switches) && size(self.switches) > 0)",
        "graceSeconds is for a rule with switches: without one, nothing is expected to stop",
    ),
)


class Host(ApiType, frozen=True, kw_only=True):
    """A host that a channel talks to."""

    host: HostName
    port: Annotated[int, described("The TCP port.", ge=1, le=65535)] = 443
    versions: Versions = ()
    components: Annotated[
        tuple[Label, ...],
        described("Components, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    addresses: Annotated[
        tuple[Annotated[str, described("An IP address.", max_length=45)], ...],
        described("Addresses the vendor publishes.", list_type="set", max_length=64),
    ] = ()
    published_ranges: (
        Annotated[
            str,
            described(
                "A provider that publishes the address ranges of the host.",
                pattern=_RANGE_PROVIDER,
            ),
        ]
        | None
    ) = None
    sent_by: Annotated[
        Sender,
        described(
            "What connects to the host: the product's pods, or the browser of whoever opens the "
            "product. No network policy of a pod contains a browser."
        ),
    ] = Sender.POD
    also_serves: Annotated[
        str,
        described(
            "What else the host serves, such as updates or models. A policy that denies the host "
            "blocks that, too, so it has to accept it with sharedAddresses: Accept.",
            max_length=256,
        ),
    ] = ""


class Channel(ApiType, frozen=True, kw_only=True):
    """One reason why the product calls home."""

    name: Annotated[ChannelName, described("The reason.")]
    summary: Annotated[str, described("What is sent, by whom and when.", max_length=2048)] = ""
    hosts: Annotated[
        tuple[Host, ...],
        described(
            "The hosts that it is sent to; one entry per host, port and versions.",
            list_type="atomic",
            max_length=64,
        ),
    ] = ()
    rules: Annotated[
        tuple[Annotated[ChannelRule, described("One of them.", rules=CHANNEL_RULE_RULES)], ...],
        described(
            "The rules by version. Rules for the same edition and component may not overlap.",
            list_type="atomic",
            max_length=32,
        ),
    ] = ()


class Arguments(StrEnum):
    """What becomes of the words after a command."""

    PRODUCT = "Product"
    """They are arguments of the product."""
    FLAGS = "Flags"
    """They are arguments of the product if the first one begins with a dash, else a command."""
    COMMAND = "Command"
    """They are a command, which is run in place of the product."""


class StartCommand(ApiType, frozen=True, kw_only=True):
    """A command line that starts the product with all variables of the container."""

    words: Annotated[
        tuple[Annotated[str, described("A word.", min_length=1, max_length=512)], ...],
        described(
            "The program and its fixed arguments, without tini and dumb-init.",
            list_type="atomic",
            min_length=1,
            max_length=16,
        ),
    ]
    arguments: Annotated[Arguments, described("What becomes of the words after it.")] = (
        Arguments.PRODUCT
    )


class Start(ApiType, frozen=True, kw_only=True):
    """How the images start the product. A container that is started in another way may change or
    remove variables, so its variables prove nothing."""

    arguments: Annotated[
        Arguments,
        described("What the image does with a container's args if the container has no command."),
    ]
    commands: Annotated[
        tuple[Annotated[StartCommand, described("One of them.")], ...],
        described(
            "The commands that pass all variables on to the product.",
            list_type="atomic",
            max_length=16,
        ),
    ] = ()
    sources: Annotated[
        tuple[Source, ...],
        described("Where the facts were read.", list_type="atomic", max_length=16),
    ] = ()


class Image(ApiType, frozen=True, kw_only=True):
    """Images that run the product."""

    pattern: Annotated[
        str,
        described(
            "A glob over the last parts of the repository, such as dependencytrack/apiserver; "
            "registry and mirror prefixes are ignored. * and ? do not match a slash. The last "
            "part has to name the image.",
            pattern=_GLOB,
            min_length=1,
            max_length=256,
            rules=(_IMAGE_NAME_RULE,),
        ),
    ]
    edition: Annotated[
        str,
        described("The edition, for rules.", pattern=_LABEL, max_length=63),
    ] = "standard"
    component: Annotated[
        str,
        described("The component, for rules.", pattern=_LABEL, max_length=63),
    ] = "server"
    tags: Annotated[
        tuple[
            Annotated[
                str,
                described(
                    "A glob in which {version} stands for the version, such as stable-{version}.",
                    pattern=_TAG_TEMPLATE,
                    max_length=128,
                ),
            ],
            ...,
        ],
        described(
            "How the vendor writes versions in tags, if not at their beginning. The first that "
            "matches is used, and the text at {version} is read as a tag is; other tags are read "
            "as usual. {version} begins with a number, also after a v. If it could be in two "
            "places of a tag, no version is read.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    exclude_tags: Annotated[
        tuple[
            Annotated[
                str,
                described("A glob.", pattern=_NAME_GLOB, max_length=128, rules=(_LITERAL_RULE,)),
            ],
            ...,
        ],
        described("Tags of other software.", list_type="set", max_length=16),
    ] = ()
    exclude_containers: Annotated[
        tuple[ExcludedName, ...],
        described("Names of containers that run other software.", list_type="set", max_length=16),
    ] = ()
    only_containers: Annotated[
        tuple[ExcludedName, ...],
        described(
            "Names of the containers that run the product, if containers of other names run other "
            "software. Default: all.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    repositories: Annotated[
        tuple[Repository, ...],
        described(
            "The vendor's own repositories of such images. A credential of a "
            "ClusterTelemetryPolicy is sent only to images of these, or of registries that the "
            "policy lists.",
            list_type="set",
            max_length=16,
        ),
    ] = ()
    start: Annotated[
        Start | None,
        described(
            "How the images start the product. Default: not known; then args that do not begin "
            "with a dash, and every command, make the evidence Unknown."
        ),
    ] = None


class AdapterName(StrEnum):
    """The APIs that the operator supports."""

    DEPENDENCY_TRACK = "DependencyTrack"
    SONARQUBE = "SonarQube"
    EMQX = "EMQX"
    SOURCEGRAPH = "Sourcegraph"


class Api(ApiType, frozen=True, kw_only=True):
    """The product's own API, which reports whether it sends."""

    adapter: Annotated[AdapterName, described("The API's adapter.")]
    port: Annotated[int, described("The container's port.", ge=1, le=65535)]
    port_names: Annotated[
        tuple[Annotated[str, described("A name.", min_length=1, max_length=63)], ...],
        described("The names of that port in Services.", list_type="set", max_length=8),
    ] = ()
    components: Annotated[
        tuple[Label, ...],
        described("Components that have the API. Default: all.", list_type="set", max_length=8),
    ] = ()


class TelemetryProductSpec(ApiType, frozen=True, kw_only=True):
    """One vendor's product: how to recognise it, what it sends, and how to switch it."""

    title: Annotated[str, described("The display name.", min_length=1, max_length=128)]
    homepage: Annotated[
        str, described("The product's home page.", pattern=_PAGE, max_length=512)
    ] = ""
    overrides_builtin: Annotated[
        bool,
        described(
            "Whether it replaces the built-in product of its name, whole. Required for that; "
            "without such a built-in product it has no effect."
        ),
    ] = False
    base: Annotated[
        ProductName | None,
        described(
            "A built-in product that the images run, if you build them yourself. Its channels, "
            "versions and API hold for them; leave out your own. A version is read only from a tag "
            "that spec.images[].tags describes: other tags may number your own releases."
        ),
    ] = None
    images: Annotated[
        tuple[Image, ...],
        described(
            "Images that run the product; the first match is used.",
            list_type="atomic",
            min_length=1,
            max_length=32,
        ),
    ]
    channels: Annotated[
        tuple[Channel, ...],
        described(
            "Why it calls home. Required without a base.",
            list_type="map",
            list_keys=("name",),
            max_length=4,
        ),
    ] = ()
    versions: Annotated[
        KnownVersions,
        described("Which versions the product has, and for which of them the facts are verified."),
    ] = KnownVersions()
    api: Annotated[Api | None, described("The product's API, if it reports its setting.")] = None


PRODUCT_SPEC_RULES = (
    Rule(
        "has(self.base) || (has(self.channels) && size(self.channels) > 0)",
        "a product has channels, or a base that has them",
    ),
)


class TelemetryProductStatus(ApiType, frozen=True, kw_only=True):
    """The observed state of a product."""

    observed_generation: (
        Annotated[int, described("The generation of the spec that this status describes.", ge=0)]
        | None
    ) = None
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Accepted, Covered, OverridesBuiltin.",
            list_type="map",
            list_keys=("type",),
            max_length=8,
        ),
    ] = ()
