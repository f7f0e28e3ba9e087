"""All products that are known at a time: the built-in ones and the cluster's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from fleet_telemetry.api.product import Image
from fleet_telemetry.catalogue.builtin_file import FILE, decode
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.product import Product


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """A product that an image runs."""

    product: Product
    image: Image
    reference: ImageReference


@dataclass(frozen=True)
class Catalogue:
    """Products by name."""

    products: Mapping[str, Product]

    def match_image(self, image: str, container: str) -> ImageMatch | None:
        """The product that a container runs, by its image."""
        reference = ImageReference.parse(image)
        for product in self._candidates(reference):
            entry = product.match_image(reference, container)
            if entry is not None:
                return ImageMatch(product, entry, reference)
        return None

    def _candidates(self, image: ImageReference) -> Iterator[Product]:
        """The products with a pattern that may cover the image, in their order. A pod template may
        have thousands of containers, and a cluster hundreds of patterns."""
        products, named, wild = self._index
        positions = {*named.get(image.path.rpartition("/")[2], ()), *wild}
        return (products[position] for position in sorted(positions))

    @cached_property
    def _index(self) -> tuple[list[Product], dict[str, set[int]], set[int]]:
        """The products, and their positions: by the last part of each pattern, and of those with a
        pattern whose last part has a wildcard."""
        named: dict[str, set[int]] = {}
        wild: set[int] = set()
        products = list(self.products.values())
        for position, product in enumerate(products):
            for image in product.spec.images:
                last = image.pattern.rpartition("/")[2]
                is_wild = "*" in last or "?" in last
                (wild if is_wild else named.setdefault(last, set())).add(position)
        return products, named, wild

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
