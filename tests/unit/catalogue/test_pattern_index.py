"""Finding the patterns that overlap one: the same as by comparing all, in fewer steps."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.glob import patterns_overlap
from fleet_telemetry.catalogue.pattern_index import PatternIndex
from fleet_telemetry.catalogue.product import Origin, Product
from tests.support.depth import examples
from tests.support.steps import steps_of

_CREATED = datetime(2026, 11, 20, tzinfo=UTC)
_patterns = st.lists(
    st.text("ab?*/", min_size=1, max_size=6).filter(lambda text: not text.endswith("/")),
    min_size=1,
    max_size=8,
)


def _product(name: str, patterns: list[str], *, overrides: bool = False) -> Product:
    spec = {
        "title": name,
        "overridesBuiltin": overrides,
        "images": [{"pattern": pattern} for pattern in patterns],
        "channels": [{"name": "Usage", "rules": [{"default": "Off"}]}],
    }
    return Product.compile(
        name, msgspec.convert(spec, TelemetryProductSpec), Origin(_CREATED, _CREATED)
    )


@examples(500)
@given(st.lists(_patterns, min_size=1, max_size=4), st.text("ab?*/", min_size=1, max_size=6))
def test_it_finds_what_comparing_all_patterns_finds(given: list[list[str]], wanted: str) -> None:
    products = [_product(f"p{place}", patterns) for place, patterns in enumerate(given)]
    index = PatternIndex(products)
    expected = [
        (image.pattern, product.name)
        for product in products
        for image in product.spec.images
        if patterns_overlap(wanted, image.pattern)
    ]
    assert [(pattern, one.name) for pattern, one in index.overlapping(wanted)] == expected
    index.remove("p0")
    left = [(pattern, name) for pattern, name in expected if name != "p0"]
    assert [(pattern, one.name) for pattern, one in index.overlapping(wanted)] == left


def _unrelated(size: int) -> list[Product]:
    return [_product(f"own-{n}", [f"acme{n}/server{n}"]) for n in range(size)]


def _waiting_for_each_other(size: int) -> list[Product]:
    """Each asks for an image that the next one frees, and the last one is the first to join."""
    names = [f"p{n}" for n in range(size)]
    wanted = [*(f"built-in/p{n + 1}" for n in range(size - 1)), "acme/free"]
    pairs = zip(names, wanted, strict=True)
    return [_product(name, [pattern], overrides=True) for name, pattern in pairs]


def test_combining_many_products_takes_steps_by_their_number() -> None:
    few, many = (
        steps_of(lambda own=own: combine(Catalogue({}), own))
        for own in (_unrelated(100), _unrelated(400))
    )
    assert many < 6 * few, "four times as many products take about four times as many steps"


def test_each_product_takes_few_steps_beside_the_built_in_ones() -> None:
    """The others are added to the built-in ones again whenever one of them changes."""
    known = len(builtin().products)
    none, many = (
        steps_of(lambda own=own: combine(builtin(), own)) for own in ([], _unrelated(400))
    )
    assert many - none < 400 * known, "less than one step for each pair"


@pytest.mark.parametrize("size", [1, 2, 40])
def test_products_that_wait_for_each_other_all_join(size: int) -> None:
    known = {f"p{n}": _product(f"p{n}", [f"built-in/p{n}"]) for n in range(size)}
    own = _waiting_for_each_other(size)
    builtins = Catalogue({name: _built_in(one) for name, one in known.items()})
    combined = combine(builtins, own)
    assert combined.rejected == {}
    found = combined.catalogue.match_image("acme/free:1.0.0", "main")
    assert found is not None
    assert found.product.name == f"p{size - 1}"


def _built_in(product: Product) -> Product:
    """The same as a built-in product."""
    return Product.compile(product.name, product.spec)
