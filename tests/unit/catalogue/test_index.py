"""Looking a product up finds what asking every product in turn finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.neutral_images import NEUTRAL_IMAGES
from tests.support.builders import product
from tests.support.depth import examples

_PATTERNS = [
    *("abc", "abd", "a/abc", "b/abc", "ab*", "abc*", "*abc", "a?c", "?bc",
     "x/*abc*", "abc?", "zzz*"),
]  # fmt: skip
_IMAGES = ["abc", "abd", "a/abc:1", "b/abc", "x/abcd", "ab", "a", "", "x/zabc", "zbc", "q/zzz", "/"]


@examples(300)
@given(
    st.lists(st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=3), max_size=6),
    st.sampled_from(_IMAGES),
)
def test_the_first_product_that_matches_is_found(patterns: list[list[str]], image: str) -> None:
    channels = [{"name": "Usage", "rules": [{"default": "On"}]}]
    products = {
        f"p{number}": product(
            f"p{number}", images=[{"pattern": one} for one in some], channels=channels
        )
        for number, some in enumerate(patterns)
    }
    catalogue = Catalogue(products)
    reference = ImageReference.parse(image)
    wanted = next((one for one in products.values() if one.match_image(reference, "c")), None)
    found = catalogue.match_image(image, "c")
    assert (found.product if found else None) is wanted


def test_an_image_of_the_built_in_catalogue_is_found_as_by_asking_all() -> None:
    own = [pattern.replace("*", "x").replace("?", "x") for pattern in builtin().patterns()]
    for image in (*own, *NEUTRAL_IMAGES):
        reference = ImageReference.parse(image)
        asked = (one for one in builtin().products.values() if one.match_image(reference, "c"))
        found = builtin().match_image(image, "c")
        assert (found.product if found else None) is next(asked, None)
