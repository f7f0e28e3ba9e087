"""What products say of each other: names and images that two of them claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.glob import patterns_overlap
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.linting.finding import Finding

MOST_PATTERNS = 2048
"""Image patterns of the built-in catalogue. The webhook's match conditions hold all of them."""


def check_own(product: Product, own: Sequence[Product], builtin: Catalogue) -> Iterator[Finding]:
    """Why a TelemetryProduct would not join the built-in products and the others."""
    rejection = combine(builtin, own).rejected.get(product.name)
    if rejection is not None:
        yield Finding(
            ("spec", "images"), rejection.message, f"the cluster rejects it: {rejection.reason}"
        )


def check_built_in(product: Product, others: Mapping[str, Product]) -> Iterator[Finding]:
    """Images that two built-in products claim."""
    for place, image in enumerate(product.spec.images):
        for other in others.values():
            for taken in other.spec.images:
                if other.name != product.name and patterns_overlap(image.pattern, taken.pattern):
                    what = f"image {image.pattern}: {other.name} has {taken.pattern}, too"
                    advice = "make one of them longer, or one product of the two"
                    yield Finding(("spec", "images", place), what, advice)
