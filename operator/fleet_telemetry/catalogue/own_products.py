"""What a TelemetryProduct may say. A built-in product is reviewed and may say more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet_telemetry.api.product import EnvSwitch, Image, TelemetryProductSpec, spelt_in_capitals
from fleet_telemetry.api.variable_names import (
    ADVICE,
    EXPANSION_ADVICE,
    is_refused_name,
    is_refused_value,
)
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.neutral_images import NEUTRAL_IMAGES
from fleet_telemetry.catalogue.product import Origin, Product, ProductError

_MOST_NEUTRAL_IMAGES = 1
"""A pattern that covers more than one of them does not mean one product."""
_NEUTRAL = tuple(ImageReference.parse(image) for image in NEUTRAL_IMAGES)
_LITERAL = re.compile(r"[A-Za-z0-9]")
_LITERAL_RUN = re.compile(r"[A-Za-z0-9]{3}")


def compile_own(name: str, spec: TelemetryProductSpec, origin: Origin | None = None) -> Product:
    """The product of a TelemetryProduct. Raises ProductError, which names every problem at once."""
    problems: list[str] = []
    product: Product | None = None
    try:
        product = Product.compile(name, spec, origin)
    except ProductError as error:
        problems.extend(error.problems)
    problems.extend(find_own_problems(spec))
    if problems or product is None:
        raise ProductError(name, problems)
    return product


def find_own_problems(spec: TelemetryProductSpec) -> Iterator[str]:
    """What a TelemetryProduct may not say, in sentences."""
    for image in spec.images:
        yield from _problems_of_image(image)
    switches = [
        switch.env
        for channel in spec.channels
        for rule in channel.rules
        for switch in rule.switches
        if switch.env is not None
    ]
    for switch in switches:
        yield from _problems_of_switch(switch)
    for channel in spec.channels:
        for refusal in (refusal for rule in channel.rules for refusal in rule.refuses):
            names = [refusal.env]
            if refusal.config_property is not None:  # all its spellings are removed
                names.append(spelt_in_capitals(refusal.config_property))
            if not all(_is_own(name, switches) for name in names):
                yield (
                    f"channel {channel.name}: it refuses {refusal.env}, which is not a switch "
                    "of this product; what a version refuses is removed, so only a switch of "
                    "another version may be named"
                )


def problem_of_pattern(pattern: str) -> str:
    """Why a pattern does not name the images of one product; empty if it does."""
    last = pattern.rpartition("/")[2]
    if not _LITERAL.search(last):
        return "the last part of the pattern does not name an image"
    if ("*" in last or "?" in last) and not _LITERAL_RUN.search(last):
        return "beside wildcards, the last part needs three letters or digits in a row"
    covered = [image.path for image in _NEUTRAL if image.matches(pattern)]
    if len(covered) > _MOST_NEUTRAL_IMAGES:
        return (
            f"the pattern also covers images of other software, such as {covered[0]} and "
            f"{covered[1]}; name the images of the product"
        )
    return ""


def _is_own(name: str, switches: list[EnvSwitch]) -> bool:
    return not is_refused_name(name) and any(switch.is_named(name) for switch in switches)


def _problems_of_image(image: Image) -> Iterator[str]:
    problem = problem_of_pattern(image.pattern)
    if problem:
        yield f"image {image.pattern}: {problem}"
    for excluded in (*image.exclude_tags, *image.exclude_containers):
        if not _LITERAL.search(excluded):
            yield f"image {image.pattern}: it excludes {excluded}, which is everything"


def _problems_of_switch(switch: EnvSwitch) -> Iterator[str]:
    names = [switch.name, *switch.aliases]
    if switch.config_property is not None:
        names.append(spelt_in_capitals(switch.config_property.name))
    for name in names:
        if is_refused_name(name):
            yield f"{name} may not be a switch: {ADVICE}"
    for value in (switch.disabled, switch.enabled or ""):
        if is_refused_value(value):
            yield f"switch {switch.name}, value {value}: {EXPANSION_ADVICE}"
