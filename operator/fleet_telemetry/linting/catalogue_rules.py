"""What products say of each other: names and images that two of them claim."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.catalogue.combining import Combined
from fleet_telemetry.catalogue.pattern_index import PatternIndex
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.linting.finding import LintFinding

MOST_PATTERNS = 2048
"""Image patterns of the built-in catalogue. The webhook's match conditions hold all of them."""


def check_own(product: Product, combined: Combined) -> Iterator[LintFinding]:
    """Why a TelemetryProduct would not join the built-in products and the others."""
    rejection = combined.rejected.get(product.name)
    if rejection is not None:
        yield LintFinding(
            ("spec", "images"), rejection.message, f"the cluster rejects it: {rejection.reason}"
        )


def check_built_in(product: Product, taken: PatternIndex) -> Iterator[LintFinding]:
    """Images that two built-in products claim."""
    for place, image in enumerate(product.spec.images):
        for pattern, other in taken.overlapping(image.pattern):
            if other.name != product.name:
                what = f"image {image.pattern}: {other.name} has {pattern}, too"
                advice = "make one of them longer, or one product of the two"
                yield LintFinding(("spec", "images", place), what, advice)
