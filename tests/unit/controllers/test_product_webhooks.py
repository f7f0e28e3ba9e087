"""The images for which the second webhook configuration is written."""

from __future__ import annotations

import pytest

from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.controllers.product_webhooks import pattern_of


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        ("acme/widget:1", "acme/widget"),
        ("registry.example:5000/hub/acme/widget@sha256:" + "0" * 64, "acme/widget"),
        ("widget", "widget"),
        ("", ""),
        ("acme/wid*get", ""),
        ("acme/w'||true||'", ""),
        ("a" * 300, ""),
    ],
)
def test_the_pattern_of_an_image(image: str, pattern: str) -> None:
    assert pattern_of(image) == pattern
    if pattern:
        assert ImageReference.parse(image).matches(pattern)
