"""``TelemetryProduct``: what is known of one vendor's product. Catalogue files have this shape."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.policy import ProductName
from fleet_telemetry.api.product.channel import Channel
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.names import Label
from fleet_telemetry.api.product.versions import KnownVersions
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described

_PAGE = Pattern(r"^(https://.+)?$", "a home page begins with https://")


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
