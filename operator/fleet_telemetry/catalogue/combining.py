"""The built-in products and the cluster's own together, without a silent takeover.

A TelemetryProduct takes the place of a built-in product only if it has its name and says so. It
claims no image that another product has: a built-in product comes first, then the older
TelemetryProduct, then the name. What loses is not in effect at all, and its condition says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fleet_telemetry.api.reasons import PolicyReason
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.pattern_index import PatternIndex
from fleet_telemetry.catalogue.product import Product

_MOST_PATTERNS = 512
"""Patterns of all TelemetryProducts together."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a TelemetryProduct that is valid by itself is not in effect."""

    reason: PolicyReason
    message: str


@dataclass(frozen=True)
class Combined:
    """The catalogue in effect, and the TelemetryProducts that are not in it."""

    catalogue: Catalogue
    rejected: Mapping[str, Rejection] = field(default_factory=dict)


def combine(builtin: Catalogue, own: Iterable[Product]) -> Combined:
    """Combine them. The result does not depend on the order of ``own``."""
    accepted: dict[str, Product] = {}
    rejected: dict[str, Rejection] = {}
    patterns = 0
    waiting: list[Product] = []
    for product in sorted(own, key=_age):
        patterns += len(product.spec.images)
        if patterns > _MOST_PATTERNS:
            message = f"all TelemetryProducts together may have {_MOST_PATTERNS} image patterns"
            rejected[product.name] = Rejection(PolicyReason.TOO_MANY_PATTERNS, message)
        else:
            waiting.append(product)
    taken, names = PatternIndex(builtin.products.values()), dict(builtin.products)
    # A product that takes the place of a built-in one may free images that an older one asked for.
    progress = True
    while progress:
        progress = False
        for product in list(waiting):
            found = _find_rejection(product, names.get(product.name), taken)
            if found is None:
                if product.name in names:
                    taken.remove(product.name)
                accepted[product.name] = names[product.name] = as_accepted(product, builtin)
                taken.add(accepted[product.name])
                rejected.pop(product.name, None)
                waiting.remove(product)
                progress = True
            else:
                rejected[product.name] = found
    return Combined(builtin.with_products(dict(sorted(accepted.items()))), rejected)


def as_accepted(product: Product, builtin: Catalogue) -> Product:
    """The product with the mark that it takes the place of a built-in one, if it does."""
    if product.origin is None or product.name not in builtin.products:
        return product
    return replace(product, origin=replace(product.origin, replaces_builtin=True))


def find_rejection(product: Product, catalogue: Catalogue) -> Rejection | None:
    """Why a TelemetryProduct may not join the other products of a catalogue; None if it may."""
    taken = PatternIndex(catalogue.products.values())
    return _find_rejection(product, catalogue.products.get(product.name), taken)


def _find_rejection(
    product: Product, namesake: Product | None, taken: PatternIndex
) -> Rejection | None:
    if namesake is not None and namesake.has_builtin_name and not product.spec.overrides_builtin:
        return Rejection(
            PolicyReason.BUILTIN_NOT_OVERRIDDEN,
            f"{product.name} is a built-in product; to replace it whole, set "
            "spec.overridesBuiltin: true, or else choose another name",
        )
    clash = next(_clashes(product, taken), None)
    if clash is None:
        return None
    pattern, other_pattern, other = clash
    what = "built-in product" if other.origin is None else "TelemetryProduct"
    return Rejection(
        PolicyReason.CONFLICT,
        f"the image {pattern} belongs to the {what} {other.name} (its pattern is {other_pattern}); "
        "remove the image here, or replace that product under its own name",
    )


def _clashes(product: Product, taken: PatternIndex) -> Iterator[tuple[str, str, Product]]:
    for image in product.spec.images:
        for pattern, other in taken.overlapping(image.pattern):
            if other.name != product.name:
                yield image.pattern, pattern, other


def _age(product: Product) -> tuple[datetime, str]:
    return (product.origin.created if product.origin else _EARLIEST, product.name)
