"""Images that the catalogue does not know, counted by repository."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.objects.text import printable

_MOST_REPOSITORIES = 100_000
"""Told apart; the rest is taken for one."""
_LONGEST_IMAGE = 512


def count_unknown(counts: Counter[str], images: Iterable[str]) -> None:
    """Count a container for each image."""
    for image in images:
        if image:
            name = _repository(image)
            if name not in counts and len(counts) >= _MOST_REPOSITORIES:
                name = "(others)"
            counts[name] += 1


def _repository(image: str) -> str:
    """An image without its tag and digest, in full, so that each has one name."""
    reference = ImageReference.parse(image)
    return printable(reference.repository if reference.path else image, _LONGEST_IMAGE)
