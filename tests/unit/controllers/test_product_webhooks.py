"""The images for which the second webhook configuration is written."""

from __future__ import annotations

import pytest

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.controllers.product_webhooks import pattern_of, patterns_left
from tests.support.builders import SONARQUBE, container, manifest, workload


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


def test_only_containers_with_a_record_and_without_a_product_are_added() -> None:
    containers = [
        container("acme/widget:1"),
        container("istio/proxyv2:1", name="sidecar"),
        container(SONARQUBE, name="sonar"),
    ]
    template = workload(manifest(*containers)).template
    assert patterns_left(template, {"app", "sonar", "gone"}, builtin()) == {"acme/widget"}
    assert patterns_left(template, set(), builtin()) == set()
