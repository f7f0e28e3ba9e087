"""The images of a product, and how their containers start it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.policy import REGISTRY
from fleet_telemetry.api.product.names import LABEL, LITERAL_RULE, NAME_GLOB, Source
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described

_GLOB = Pattern(
    r"^[A-Za-z0-9*?._/-]+$",
    "write an image by the last parts of its repository, such as acme/server, with * and ? as "
    "wildcards: no port, no tag, no digest",
)
_TAG_TEMPLATE = Pattern(
    r"^[-._A-Za-z0-9*?]*\{version\}[-._A-Za-z0-9*?]*$",
    "a tag has {version} in one place, such as stable-{version}, and around it letters, digits, "
    "dots, dashes, underscores, and the wildcards * and ?",
)
_IMAGE_NAME_RULE = Rule(
    r"self.matches('(^|/)([-._A-Za-z0-9]*[A-Za-z0-9][-._A-Za-z0-9]*|"
    r"[^/]*[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][^/]*)$')",
    "the last part of the pattern names the image: it has letters or digits, and at least three "
    "in a row beside wildcards, so that it does not match every image",
)
ExcludedName = Annotated[
    str,
    described(
        "A glob.",
        pattern=NAME_GLOB,
        max_length=63,
        rules=(LITERAL_RULE,),
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
        described("The edition, for rules.", pattern=LABEL, max_length=63),
    ] = "standard"
    component: Annotated[
        str,
        described("The component, for rules.", pattern=LABEL, max_length=63),
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
                described("A glob.", pattern=NAME_GLOB, max_length=128, rules=(LITERAL_RULE,)),
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
