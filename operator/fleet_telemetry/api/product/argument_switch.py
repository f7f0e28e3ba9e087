"""A switch that is an argument of the program."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.argument_names import FLAG_RULE
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.names import ProgramName
from fleet_telemetry.api.product.setting import Reading, Setting
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described

_WORD = Pattern(
    r"^--?[A-Za-z][-._A-Za-z0-9]*(=[-._A-Za-z0-9]*)?$",
    "a word has one or two dashes, the flag, and an equals sign and the value if there is one, "
    "such as --telemetry=false; the value has letters, digits, dots, dashes and underscores",
)
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
