"""Image patterns with the product that has each, found without comparing all of them.

Two patterns overlap only if the last parts do. Most last parts have no wildcard, so most patterns
are found by a key; of the others, the text around the wildcards is compared first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from fleet_telemetry.catalogue.glob import patterns_overlap
from fleet_telemetry.catalogue.product import Product

_Place = tuple[int, str, Product]
"""The order in which a pattern was added, the pattern, and its product."""


@dataclass(frozen=True, slots=True)
class _Last:
    """The last part of a pattern: the text before its first wildcard and after its last one."""

    head: str
    tail: str
    is_wild: bool

    @classmethod
    def of(cls, pattern: str) -> _Last:
        last = pattern.rpartition("/")[2]
        wild = [place for place, character in enumerate(last) if character in "*?"]
        if not wild:
            return cls(last, last, is_wild=False)
        return cls(last[: wild[0]], last[wild[-1] + 1 :], is_wild=True)

    def may_meet(self, other: _Last) -> bool:
        """Whether a text may match both, by what stands around the wildcards."""
        return (self.head.startswith(other.head) or other.head.startswith(self.head)) and (
            self.tail.endswith(other.tail) or other.tail.endswith(self.tail)
        )


class PatternIndex:
    """The patterns of products, by their last parts."""

    def __init__(self, products: Iterable[Product] = ()) -> None:
        self._order = count()
        self._named: dict[str, list[_Place]] = {}
        self._wild: list[tuple[_Last, _Place]] = []
        for product in products:
            self.add(product)

    def add(self, product: Product) -> None:
        """Add the patterns of a product."""
        for image in product.spec.images:
            last, place = _Last.of(image.pattern), (next(self._order), image.pattern, product)
            if last.is_wild:
                self._wild.append((last, place))
            else:
                self._named.setdefault(last.head, []).append(place)

    def remove(self, name: str) -> None:
        """Remove the patterns of the product of this name."""
        self._wild = [one for one in self._wild if one[1][2].name != name]
        for last, places in list(self._named.items()):
            self._named[last] = [place for place in places if place[2].name != name]

    def overlapping(self, pattern: str) -> Iterator[tuple[str, Product]]:
        """The patterns that share an image with one, and their products, in the order in which they
        were added."""
        last = _Last.of(pattern)
        near = [place for other, place in self._wild if last.may_meet(other)]
        if last.is_wild:
            for name, places in self._named.items():
                if name.startswith(last.head) and name.endswith(last.tail):
                    near.extend(places)
        else:
            near.extend(self._named.get(last.head, ()))
        for _, other, product in sorted(near, key=lambda place: place[0]):
            if patterns_overlap(pattern, other):
                yield other, product
