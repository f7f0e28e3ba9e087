"""Arguments that contradict themselves, and those that only a built-in product may have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import Product, ProductError
from tests.support.argument_products import GO, RUN


def spec(*arguments: dict[str, Any]) -> TelemetryProductSpec:
    switches = [{"semantics": "Start", "argument": one} for one in arguments]
    channels = [{"name": "Usage", "rules": [{"default": "On", "switches": switches}]}]
    images = [{"pattern": "acme/acme"}]
    return msgspec.convert(
        {"title": "Acme", "images": images, "channels": channels}, TelemetryProductSpec
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([{**GO, "disabled": "-other=false"}], "the word -other=false means another flag"),
        ([{**GO, "disabled": "-telemetry=no"}], "the word -telemetry=no means Unknown"),
        ([{**GO, "disabled": "-telemetry"}], "the word -telemetry means Enabled, not Disabled"),
        ([{**GO, "enabled": "-telemetry=0"}], "means Disabled, not Enabled"),
        ([{**RUN, "disabled": "-disable-telemetry"}], "means another flag"),
        ([{**GO, "programs": ["acme", "bash"]}], "bash runs other programs"),
        ([{**GO, "scripts": ["env"]}], "env runs other programs"),
        ([{**GO, "imageArguments": ["-telemetry=true"]}], "imageArguments have the flag itself"),
        ([{**RUN, "imageArguments": ["serve"]}], "not with the subcommand run"),
        ([GO, {**GO, "disabled": "--telemetry=0"}], "two switches have the flag telemetry"),
    ],
)
def test_what_contradicts_itself(arguments: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ProductError, match=says):
        Product.compile("acme", spec(*arguments))


@pytest.mark.parametrize("argument", [GO, RUN, {**GO, "imageArguments": []}])
def test_what_does_not(argument: dict[str, Any]) -> None:
    assert Product.compile("acme", spec(argument)).all_switches


@pytest.mark.parametrize(
    ("flag", "says"),
    [("config.file", "may not be a switch"), ("plugin-dir", "may not be a switch")],
)
def test_flags_of_a_telemetry_product(flag: str, says: str) -> None:
    argument = {**GO, "flag": flag, "disabled": f"-{flag}=false", "imageArguments": []}
    del argument["enabled"]

    assert Product.compile("acme", spec(argument)).all_switches
    with pytest.raises(ProductError, match=says):
        compile_own("acme", spec(argument))
    for other in ({"aliases": [flag]}, {"negation": flag}):
        with pytest.raises(ProductError, match=says):
            compile_own("acme", spec({**GO, "imageArguments": [], **other}))


def test_only_a_built_in_product_says_which_arguments_an_image_has() -> None:
    with pytest.raises(ProductError, match="only a built-in product says"):
        compile_own("acme", spec(GO))
    assert compile_own("acme", spec({**GO, "imageArguments": []})).all_switches
