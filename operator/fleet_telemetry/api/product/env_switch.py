"""A switch that is an environment variable, or a part of one."""

from __future__ import annotations

import re
from typing import Annotated

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.names import EnvName
from fleet_telemetry.api.product.setting import Reading, Setting
from fleet_telemetry.api.schema import ApiType, Pattern, described
from fleet_telemetry.api.variable_names import ALIAS_RULE, ENV_NAME, NAME_RULE, VALUE_RULE

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


_NO_LETTER_OR_DIGIT = re.compile(r"[^0-9A-Za-z]")


def spelt_in_capitals(name: str) -> str:
    """The spelling of a property or variable by which MicroProfile Config compares them."""
    return _NO_LETTER_OR_DIGIT.sub("_", name).upper()


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
