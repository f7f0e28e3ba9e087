"""Which versions of a product are known, and to which ranges of them a fact applies."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.product.names import Label
from fleet_telemetry.api.schema import ApiType, Pattern, described

_VERSION = Pattern(
    r"^[0-9][-+.0-9A-Z_a-z]*$",
    "a version begins with a digit, such as 4.13.0: no v before it, no blanks",
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
