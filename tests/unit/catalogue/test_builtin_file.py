"""The built-in products as the operator reads them, and as people write them."""

from __future__ import annotations

import msgspec
import pytest

from fleet_telemetry.catalogue.builtin_file import decode, encode, is_product, read_product
from fleet_telemetry.catalogue.catalogue import builtin

_BARE = """\
apiVersion: fleettelemetry.io/v1alpha1
kind: TelemetryProduct
metadata: {name: kit}
spec: {title: Kit, channels: [{name: Usage, rules: [{default: "On"}]}]}
"""


def test_every_product_survives() -> None:
    products = list(builtin().products.values())
    text = encode(products)
    assert text.count("\n") == len(products)
    assert list(decode(text.encode())) == products


def test_a_product_without_images_survives() -> None:
    kit = read_product(_BARE.encode())
    assert list(decode(encode([kit]).encode())) == [kit]


@pytest.mark.parametrize(
    "text",
    [b"x", b'{"name": "a"}', b'{"name": "A", "spec": {}}', b'{"name":"a","spec":{"title":"A"}}\n['],
)
def test_what_is_no_product_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        list(decode(text))


def test_tables_and_other_files_are_no_products() -> None:
    names = ["a.yaml", "a.test.yaml", "README.md", "a.yml", "a.test.yaml.orig"]
    assert [name for name in names if is_product(name)] == ["a.yaml"]
