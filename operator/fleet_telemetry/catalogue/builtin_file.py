"""The built-in products in the form that the operator reads at its start.

People write one YAML file for each product, in ``products/``. Parsing YAML takes several times as
long as this file, which ``make generate`` writes: a product in each line, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from fleet_telemetry.api.policy import ProductName
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.product import Product

FILE = "builtin.jsonl"


class _BuiltinMetadata(msgspec.Struct, frozen=True):
    name: ProductName


class BuiltinSpec(TelemetryProductSpec, frozen=True, kw_only=True):
    """A built-in product may have no images: of some, only users build them, and name the product
    as the base of their own."""

    images: tuple[Image, ...] = ()

    def as_spec(self) -> TelemetryProductSpec:
        """The specification, which has no image only if it is a built-in product's."""
        return TelemetryProductSpec(**msgspec.structs.asdict(self))


class ProductFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A catalogue file is a TelemetryProduct manifest."""

    api_version: Annotated[str, msgspec.Meta(pattern="^fleettelemetry.io/v1alpha1$")]
    kind: Annotated[str, msgspec.Meta(pattern="^TelemetryProduct$")]
    metadata: _BuiltinMetadata
    spec: BuiltinSpec

    @property
    def product_spec(self) -> TelemetryProductSpec:
        """The specification."""
        return self.spec.as_spec()


class _BuiltinEntry(msgspec.Struct, frozen=True):
    name: ProductName
    spec: BuiltinSpec


class _Written(msgspec.Struct, frozen=True):
    name: str
    spec: TelemetryProductSpec


def read_product(text: bytes) -> Product:
    """Read one catalogue file. Raises ValueError with a sentence for a person."""
    file = msgspec.yaml.decode(text, type=ProductFile)
    return Product.compile(file.metadata.name, file.product_spec)


def is_product(name: str) -> bool:
    """Whether a file in ``products/`` is a product. ``*.test.yaml`` is the table of one."""
    return name.endswith(".yaml") and not name.endswith(".test.yaml")


def encode(products: Iterable[Product]) -> str:
    """The file of these products."""
    written = (_Written(product.name, product.spec) for product in products)
    return msgspec.json.Encoder().encode_lines(written).decode()


def decode(text: bytes) -> Iterator[Product]:
    """The products of the file. Raises ValueError."""
    for entry in msgspec.json.Decoder(_BuiltinEntry).decode_lines(text):
        yield Product.compile(entry.name, entry.spec.as_spec())
