"""What a TelemetryProduct may say. A built-in product is reviewed and may say more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fleet_telemetry.api.argument_names import ADVICE as FLAG_ADVICE
from fleet_telemetry.api.argument_names import is_refused_flag
from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.env_switch import EnvSwitch, spelt_in_capitals
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.product.versions import KnownVersions
from fleet_telemetry.api.resource_names import (
    GROUP_ADVICE,
    PATH_ADVICE,
    is_refused_group,
    is_refused_path,
)
from fleet_telemetry.api.variable_names import (
    ADVICE,
    EXPANSION_ADVICE,
    is_refused_name,
    is_refused_value,
)
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.neutral_images import NEUTRAL_IMAGES
from fleet_telemetry.catalogue.product import Origin, Product, ProductError

_MOST_NEUTRAL_IMAGES = 1
"""A pattern that covers more than one of them does not mean one product."""
_NEUTRAL = tuple(ImageReference.parse(image) for image in NEUTRAL_IMAGES)
_UNSET = {"api": None, "channels": (), "versions": KnownVersions()}
_LITERAL = re.compile(r"[A-Za-z0-9]")
_LITERAL_RUN = re.compile(r"[A-Za-z0-9]{3}")


def compile_own(name: str, spec: TelemetryProductSpec, origin: Origin | None = None) -> Product:
    """The product of a TelemetryProduct. Raises ProductError, which names every problem at once."""
    problems: list[str] = []
    product: Product | None = None
    try:
        product = Product.compile(name, _with_base(name, spec), origin)
    except ProductError as error:
        problems.extend(error.problems)
    problems.extend(find_own_problems(spec))
    if product is not None and any(switch.suspend for switch in product.all_switches):
        base = f"base {spec.base}: " if spec.base is not None else ""
        problems.append(
            f"{base}only a built-in product suspends CronJobs, which stops all that they do; "
            "leave out suspend, and write into remedy what to do"
        )
    if problems or product is None:
        raise ProductError(name, problems)
    return product


def _with_base(name: str, spec: TelemetryProductSpec) -> TelemetryProductSpec:
    """The product with what its base says of channels, versions and API. Raises ProductError."""
    if spec.base is None:
        return spec
    base = builtin().products.get(spec.base)
    if base is None:
        problem = f"base {spec.base}: no built-in product has this name"
        raise ProductError(name, [problem])
    own = [word for word in ("api", "channels", "versions") if getattr(spec, word) != _UNSET[word]]
    problems = [f"base {spec.base}: {word} comes from the base; leave it out" for word in own]
    for what in ("edition", "component"):
        known = {getattr(image, what) for image in base.spec.images} or _named(base, what)
        problems.extend(
            f"image {image.pattern}: the base {spec.base} has no {what} "
            f"{getattr(image, what)!r}; it has {', '.join(sorted(known))}"
            for image in spec.images
            if known and getattr(image, what) not in known
        )
    if problems:
        raise ProductError(name, problems)
    return msgspec.structs.replace(
        spec, channels=base.spec.channels, versions=base.spec.versions, api=base.spec.api
    )


def _named(base: Product, what: str) -> set[str]:
    """The editions or components that the rules of a product without images name."""
    rules = (rule for channel in base.spec.channels for rule in channel.rules)
    return {name for rule in rules for name in getattr(rule, f"{what}s")}


def find_own_problems(spec: TelemetryProductSpec) -> Iterator[str]:
    """What a TelemetryProduct may not say, in sentences."""
    if not spec.images:
        yield "images: name the images that run the product; only a built-in one may have none"
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
    for argument in (
        switch.argument
        for channel in spec.channels
        for rule in channel.rules
        for switch in rule.switches
        if switch.argument is not None
    ):
        yield from _problems_of_argument(argument)
    yield from _problems_of_resources(spec)
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


def _problems_of_argument(argument: ArgumentSwitch) -> Iterator[str]:
    names = (argument.flag, *argument.aliases, *((argument.negation,) if argument.negation else ()))
    for flag in names:
        if is_refused_flag(flag):
            yield f"the flag {flag} may not be a switch: {FLAG_ADVICE}"
    if argument.image_arguments:
        yield (
            f"argument {argument.flag}: only a built-in product says which arguments an image has; "
            "leave out imageArguments, or write an empty list if the images have none"
        )


def _problems_of_resources(spec: TelemetryProductSpec) -> Iterator[str]:
    rules = (rule for channel in spec.channels for rule in channel.rules)
    for resource in (switch.resource for rule in rules for switch in rule.switches):
        if resource is not None and is_refused_group(resource.group):
            yield f"resource {resource.label}: {GROUP_ADVICE}"
        if resource is not None and is_refused_path(resource.path):
            yield f"resource {resource.label}: {PATH_ADVICE}"
