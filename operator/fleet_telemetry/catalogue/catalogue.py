"""All products that are known at a time: the built-in ones and the cluster's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from operator import itemgetter

from fleet_telemetry.api.product.image import Image
from fleet_telemetry.catalogue.builtin_file import FILE, decode
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.product import Product


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """A product that an image runs."""

    product: Product
    image: Image
    reference: ImageReference


_HEAD = 2
_Places = dict[str, tuple[tuple[int, Product], ...]]
"""Products with their places in the catalogue, by a part of their patterns."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The products by the last part of their patterns. A pod template may have thousands of
    containers, and a cluster hundreds of patterns."""

    named: _Places
    """By a last part without wildcards."""
    wild: _Places
    """By at most so many of the characters before the first wildcard of the last part."""

    @classmethod
    def of(cls, products: Iterable[Product]) -> _Index:
        named: dict[str, dict[int, Product]] = {}
        wild: dict[str, dict[int, Product]] = {}
        for place, product in enumerate(products):
            for image in product.spec.images:
                last = image.pattern.rpartition("/")[2]
                literal = last.partition("*")[0].partition("?")[0]
                if literal == last:
                    named.setdefault(last, {})[place] = product
                else:
                    wild.setdefault(literal[:_HEAD], {})[place] = product
        return cls(
            {key: tuple(found.items()) for key, found in named.items()},
            {key: tuple(found.items()) for key, found in wild.items()},
        )

    def candidates(self, last: str) -> Iterable[Product]:
        """The products with a pattern that may cover an image with this last part, in their
        order."""
        found = self.named.get(last, ())
        for length in range(min(len(last), _HEAD) + 1) if self.wild else ():
            found += self.wild.get(last[:length], ())
        if len(found) > 1:
            found = tuple(sorted(dict(found).items(), key=itemgetter(0)))
        return [product for _, product in found]


@dataclass(frozen=True)
class Catalogue:
    """Products by name."""

    products: Mapping[str, Product]

    def match_image(self, image: str, container: str) -> ImageMatch | None:
        """The product that a container runs, by its image."""
        reference = ImageReference.parse(image)
        for product in self._index.candidates(reference.path.rpartition("/")[2]):
            entry = product.match_image(reference, container)
            if entry is not None:
                return ImageMatch(product, entry, reference)
        return None

    @cached_property
    def _index(self) -> _Index:
        return _Index.of(self.products.values())

    def with_products(self, products: Mapping[str, Product]) -> Catalogue:
        """With more products, which are asked first and replace those of the same name whole."""
        rest = {name: product for name, product in self.products.items() if name not in products}
        return Catalogue({**products, **rest})

    def patterns(self) -> Iterator[str]:
        """Every image pattern."""
        for product in self.products.values():
            for image in product.spec.images:
                yield image.pattern


@cache
def builtin() -> Catalogue:
    """The products that come with the operator."""
    file = resources.files("fleet_telemetry.catalogue") / FILE
    return Catalogue({product.name: product for product in decode(file.read_bytes())})
