"""The arguments that the operator writes into containers, for the chart's admission policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fleet_telemetry.catalogue.product import Product


def argument_words(products: Iterable[Product]) -> dict[str, Any]:
    """The words of the built-in products, the flags that are replaced, in lower case, and the
    images' own arguments that a created list has besides."""
    arguments = [
        switch.argument
        for product in products
        for switch in product.all_switches
        if switch.argument is not None
    ]
    words = {word for one in arguments for word in (one.disabled, one.enabled) if word is not None}
    flags = {spelling.lower() for one in arguments for spelling in one.spellings}
    images = {one.image_arguments for one in arguments if one.image_arguments is not None}
    return {
        "words": sorted(words),
        "flags": sorted(flags),
        "images": [list(words) for words in sorted(images)],
    }
