"""Patterns that match nothing, too much, or what an earlier one has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.own_products import problem_of_pattern
from fleet_telemetry.linting.finding import LintFinding

_REGULAR_EXPRESSION = re.compile(r"\.[*?]")
_GLOB_ADVICE = "write a glob: * is any text, ? one character, and a dot a dot"


def check_images(spec: TelemetryProductSpec) -> Iterator[LintFinding]:
    """The faults of ``spec.images``."""
    for place, image in enumerate(spec.images):
        path = ("spec", "images", place)
        for field, what, advice in _check_image(image):
            yield LintFinding((*path, field), what, advice)
        for earlier in spec.images[:place]:
            if _hides(earlier, image):
                yield LintFinding(
                    path,
                    f"image {image.pattern}: it is never used, because {earlier.pattern} comes "
                    "before it and matches the same images",
                    "put it first, or remove it",
                )


def _check_image(image: Image) -> Iterator[tuple[str, str, str]]:
    pattern = image.pattern
    where = f"image {pattern}"
    if not all(pattern.split("/")):
        yield (
            "pattern",
            f"{where}: it matches nothing, because a part of it is empty",
            ("remove the slash"),
        )
    if pattern != pattern.lower():
        yield (
            "pattern",
            f"{where}: it matches nothing, because images have no capitals",
            ("write it in lower case"),
        )
    first, slash, _ = pattern.partition("/")
    if slash and ("." in first or first == "localhost"):
        yield (
            "pattern",
            f"{where}: it begins with a registry, which is no part of the path",
            ("remove the registry"),
        )
    globs = [("pattern", pattern)]
    globs += [("excludeTags", glob) for glob in image.exclude_tags]
    globs += [("excludeContainers", glob) for glob in image.exclude_containers]
    globs += [("onlyContainers", glob) for glob in image.only_containers]
    globs += [("tags", glob) for glob in image.tags]
    for field, glob in globs:
        if _REGULAR_EXPRESSION.search(glob):
            yield field, f"{where}: {glob} looks like a regular expression", _GLOB_ADVICE
    problem = problem_of_pattern(pattern)
    if problem:
        yield "pattern", f"{where}: {problem}", "name the images of the product alone"
    for repository in image.repositories:
        if not ImageReference.parse(repository).matches(pattern):
            what = f"{where}: the repository {repository} has no image of this pattern"
            yield "repositories", what, "correct one of the two"


def _hides(earlier: Image, later: Image) -> bool:
    """Whether the first match is always the earlier one."""
    if any(character in later.pattern for character in "*?"):
        return earlier.pattern == later.pattern
    parts = later.pattern.split("/")
    own = earlier.pattern.split("/")
    return len(own) <= len(parts) and glob_matches(
        earlier.pattern, "/".join(parts[len(parts) - len(own) :])
    )
