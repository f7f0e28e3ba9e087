"""Names that several parts of a product have."""

from __future__ import annotations

from typing import Annotated

from fleet_telemetry.api.schema import Pattern, Rule, described
from fleet_telemetry.api.variable_names import ENV_NAME

NAME_GLOB = Pattern(
    r"^[-._A-Za-z0-9*?]+$",
    "a glob has letters, digits, dots, dashes, underscores, and the wildcards * and ?",
)
LABEL = Pattern(r"^[a-z0-9-]+$", "the name has lower case letters, digits and dashes")
_PROGRAM = Pattern(
    r"^[-._A-Za-z0-9]*[A-Za-z0-9]$",
    "the name has letters, digits, dots, dashes and underscores, and ends with a letter or a "
    "digit: no path",
)
LITERAL_RULE = Rule(
    "self.matches('[A-Za-z0-9]')",
    "a pattern of wildcards alone would exclude everything; remove the image instead",
)
Label = Annotated[str, described("A short name.", pattern=LABEL, min_length=1, max_length=63)]
EnvName = Annotated[
    str, described("A variable's name.", pattern=ENV_NAME, min_length=1, max_length=256)
]
ProgramName = Annotated[str, described("A name.", pattern=_PROGRAM, min_length=1, max_length=64)]
Source = Annotated[
    str,
    described(
        "The source of the fact: repository@tag:path, or a page.", min_length=1, max_length=512
    ),
]
