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
from fleet_telemetry.catalogue.glob import patterns_overlap
from fleet_telemetry.catalogue.product import Product

_MOST_PATTERNS = 512
"""Patterns of all TelemetryProducts together. Every pattern is compared with every other one."""
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
    # A product that takes the place of a built-in one may free images that an older one asked for.
    progress = True
    while progress:
        progress = False
        for product in list(waiting):
            rest = {n: p for n, p in builtin.products.items() if n not in accepted}
            found = find_rejection(product, Catalogue({**accepted, **rest}))
            if found is None:
                accepted[product.name] = as_accepted(product, builtin)
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
    namesake = catalogue.products.get(product.name)
    if namesake is not None and namesake.has_builtin_name and not product.spec.overrides_builtin:
        return Rejection(
            PolicyReason.BUILTIN_NOT_OVERRIDDEN,
            f"{product.name} is a built-in product; to replace it whole, set "
            "spec.overridesBuiltin: true, or else choose another name",
        )
    clash = next(_clashes(product, catalogue), None)
    if clash is None:
        return None
    pattern, other_pattern, other = clash
    what = "built-in product" if other.origin is None else "TelemetryProduct"
    return Rejection(
        PolicyReason.CONFLICT,
        f"the image {pattern} belongs to the {what} {other.name} (its pattern is {other_pattern}); "
        "remove the image here, or replace that product under its own name",
    )


def _clashes(product: Product, catalogue: Catalogue) -> Iterator[tuple[str, str, Product]]:
    for other in catalogue.products.values():
        if other.name == product.name:
            continue
        for image in product.spec.images:
            for taken in other.spec.images:
                if patterns_overlap(image.pattern, taken.pattern):
                    yield image.pattern, taken.pattern, other


def _age(product: Product) -> tuple[datetime, str]:
    return (product.origin.created if product.origin else _EARLIEST, product.name)
