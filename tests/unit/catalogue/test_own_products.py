"""What a TelemetryProduct may not say, while a built-in product may."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.neutral_images import NEUTRAL_IMAGES
from fleet_telemetry.catalogue.own_products import (
    compile_own,
    find_own_problems,
    problem_of_pattern,
)
from fleet_telemetry.catalogue.product import ProductError
from tests.support.depth import examples
from tests.support.every import every


def spec(*rules: dict[str, Any], **image: Any) -> TelemetryProductSpec:
    given = {
        "title": "Acme",
        "images": [{"pattern": "acme/widget", **image}],
        "channels": [{"name": "Usage", "rules": list(rules)}],
    }
    return msgspec.convert(given, TelemetryProductSpec)


def rule(name: str = "ACME_TELEMETRY", **env: Any) -> dict[str, Any]:
    switch = {"semantics": "Start", "env": {"name": name, "disabled": "no", **env}}
    return {"default": "On", "switches": [switch]}


def problems(*rules: dict[str, Any], **image: Any) -> str:
    try:
        compile_own("acme", spec(*rules, **image))
    except ProductError as error:
        return str(error)
    return ""


def test_a_plain_product_is_taken() -> None:
    assert problems(rule(aliases=["ACME_PHONE_HOME"], enabled="yes")) == ""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"disabled": "true"}, "disabled is true, which reading makes Enabled"),
        ({"disabled": "TRUE"}, "disabled is TRUE, which reading makes Enabled"),
        ({"disabled": "off", "enabled": "false"}, "enabled is false, which reading makes Disabled"),
        ({"disabled": "1", "reading": {"enabled": ["1"], "disabled": ["0"]}}, "disabled is 1"),
        ({"disabled": "true", "reading": {"enabled": [], "disabled": ["true"]}}, ""),
        ({"disabled": "1", "reading": {"enabled": ["0"], "disabled": ["1"]}}, ""),
        ({"disabled": "off"}, ""),
    ],
)
def test_a_value_that_the_reading_makes_the_opposite_is_refused(
    env: dict[str, Any], said: str
) -> None:
    switch = {"semantics": "Start", "env": {"name": "ACME_TELEMETRY", **env}}
    found = problems({"default": "On", "switches": [switch]})
    assert said in found if said else found == ""


@pytest.mark.parametrize(
    "changed",
    [
        rule("LD_PRELOAD"),
        rule("java_opts"),
        rule(aliases=["Y", "HTTPS_PROXY"]),
        # Any case of the name is the switch, so the case of the prefix proves nothing.
        rule("Ld_Preload", anyCaseAfter="Ld_"),
        # All spellings of a property are the switch.
        rule(configProperty={"name": "java.tool.options"}),
        rule(configProperty={"name": "http-proxy"}),
    ],
)
def test_a_dangerous_switch_is_refused(changed: dict[str, Any]) -> None:
    assert "may not be a switch" in problems(changed)


@pytest.mark.parametrize("env", [{"disabled": "$(PASSWORD)"}, {"enabled": "x$(PASSWORD)"}])
def test_a_value_that_inserts_a_variable_is_refused(env: dict[str, str]) -> None:
    assert "inserts another variable" in problems(rule(**env))


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "DB_HOST", "ACME_LICENSE"])
def test_only_own_switches_are_removed(name: str) -> None:
    refusing = {
        "default": "On",
        "versions": ["<1.0"],
        "refuses": [{"env": name, "effect": "It does not start."}],
    }
    found = problems(rule() | {"versions": [">=1.0"]}, refusing)
    assert f"it refuses {name}" in found


@pytest.mark.parametrize("config_property", ["ld.preload", "db.host"])
def test_a_property_removes_only_own_switches(config_property: str) -> None:
    refusal = {"env": "ACME_TELEMETRY", "effect": "x", "configProperty": config_property}
    refusing = {"default": "On", "versions": ["<1.0"], "refuses": [refusal]}
    found = problems(rule() | {"versions": [">=1.0"]}, refusing)
    assert "it refuses ACME_TELEMETRY" in found


def test_the_switch_of_another_version_may_be_removed() -> None:
    refusing = {
        "default": "On",
        "versions": ["<1.0"],
        "refuses": [{"env": "ACME_TELEMETRY", "effect": "It does not start."}],
    }
    assert problems(rule() | {"versions": [">=1.0"]}, refusing) == ""


# Patterns


@every(
    "pattern",
    [
        *("*", "**", "*/*", "**/*", "?*", "*?", "registry.example/*", "docker.io/*", "acme/*"),
        *("library/*", "acme/", "/", "-", ".", "?????", "a*", "*a*", "*/a?", "a*b*c", "abc/**"),
        # General words, which teams call their own images by.
        *("server", "*server*", "*api*", "*/app", "*-operator", "web", "*controller*", "core"),
        *("*sql*", "*node*", "*proxy*", "*ngi*", "kube-*", "*/*exporter", "*image*", "*base*"),
    ],
)
def test_a_pattern_that_does_not_name_a_product_is_refused(pattern: str) -> None:
    assert problem_of_pattern(pattern) != ""
    assert pattern in problems(rule(), pattern=pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("acme/widget", "widget", "k6", "acme/widget-*", "*/widget", "vllm/vllm-openai", "n8n"),
        # A common image is a product, too.
        *("grafana/grafana", "nginx", "minio/minio", "acme/server", "acme/core"),
    ],
)
def test_a_pattern_that_names_a_product_is_taken(pattern: str) -> None:
    assert problem_of_pattern(pattern) == ""


def test_the_built_in_products_keep_to_it() -> None:
    for product in builtin().products.values():
        spec = product.spec
        if not spec.images:  # users build them; the rest is the same
            spec = msgspec.structs.replace(spec, images=(Image(pattern=product.name),))
        # A variable with words of a command line can do anything; a reviewed word does one thing.
        words = {one.env.name for one in product.all_switches if one.env and one.env.word}
        found = [
            one
            for one in find_own_problems(spec)
            # The arguments of an image are read in its Dockerfile, which is reviewed.
            if one.partition(" ")[0] not in words and "imageArguments" not in one
        ]
        assert found == []


@examples(300)
@given(st.text(alphabet="*?/-._", min_size=1, max_size=30))
def test_wildcards_alone_are_refused(pattern: str) -> None:
    assert problem_of_pattern(pattern) != ""


@examples(300)
@given(
    st.sampled_from([image.rpartition("/")[2] for image in NEUTRAL_IMAGES[-60:]]),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_no_piece_of_a_general_word_stands_for_a_product(word: str, start: int, end: int) -> None:
    # Each general word is in the list four times.
    piece = word.removeprefix("shop-").removeprefix("billing-")[start : start + end]
    assert problem_of_pattern(f"*{piece}*") != ""


@pytest.mark.parametrize("image", [{"excludeTags": ["*"]}, {"excludeContainers": ["a", "?*"]}])
def test_an_image_that_excludes_everything_is_refused(image: dict[str, Any]) -> None:
    assert "which is everything" in problems(rule(), **image)
