"""What every product of the built-in catalogue has to satisfy, those of tomorrow included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
import yaml

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.setting import DefaultState, Semantics, Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.schema import ApiType
from fleet_telemetry.audit.kubernetes_yaml import LOADER
from fleet_telemetry.catalogue.builtin_file import BuiltinSpec, read_product
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.catalogue.version import VersionRanges, VersionSpan
from fleet_telemetry.switches.registry import mechanism_of
from tests.support.every import every

_FILES = {
    file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
    for file in (resources.files("fleet_telemetry.catalogue") / "products").iterdir()
    if file.name.endswith(".yaml") and not file.name.endswith(".test.yaml")
}
_WITHOUT_HOST = {
    ("eck-operator", ChannelName.USAGE): "Kibana sends what it writes.",
    ("memgraph", ChannelName.USAGE): "The host was not read.",
    ("scylladb", ChannelName.UPDATE_CHECK): "The host was not read.",
    ("flyway", ChannelName.USAGE): "The library that sends has no source.",
    ("forgejo", ChannelName.UPDATE_CHECK): "It asks the cluster's DNS, which asks on.",
}
"""The channels of which no host is known, and why."""

_NO_NEXT_WORD = {
    "timescaledb": "postgres/postgres, src/backend/postmaster/postmaster.c: it requires a value.",
}
"""Products whose parser reads the value of a flag in the same word alone, and where that stands."""

# Half a million times the same few hundred tags.
_span = cache(VersionSpan.parse)
_PRODUCTS = dict(builtin().products)
_CHANNELS = {
    f"{name}-{channel.name}": (product, channel)
    for name, product in _PRODUCTS.items()
    for channel in product.spec.channels
}
_RULES = {
    f"{name}-{index + 1}": (product, channel.name, rule)
    for name, (product, channel) in _CHANNELS.items()
    for index, rule in enumerate(channel.rules)
}
_SWITCHES = {
    f"{name}-{index + 1}": switch
    for name, (_, _, rule) in _RULES.items()
    for index, switch in enumerate(rule.switches)
}
_BOUNDS = {
    re.split(r"<|>=", bound)[1].partition("-")[0]
    for _, _, rule in _RULES.values()
    for versions in rule.versions
    for bound in versions.split()
}
# Versions around every bound that any product names, and far from all of them.
_TAGS = [
    *("0.1.0", "1", "4", "4.13", "5", "5.0", "5.9", "9.9", "10.7.0", "25.6.0.1", "2026.4.0", "99"),
    *(f"{bound}{end}" for bound in _BOUNDS for end in ("", ".0", "-SNAPSHOT", "-rc.1", "-alpine")),
]


def test_the_four_products_are_there_in_the_order_of_their_names() -> None:
    assert set(_PRODUCTS) >= {"dependency-track", "emqx", "sonarqube", "sourcegraph"}
    assert list(_PRODUCTS) == sorted(_FILES)


def test_the_catalogue_is_read_once() -> None:
    assert builtin() is builtin()


def test_patterns_are_those_of_all_products() -> None:
    expected = [image.pattern for product in _PRODUCTS.values() for image in product.spec.images]
    assert list(builtin().patterns()) == expected
    assert len(set(expected)) == len(expected)


@pytest.mark.parametrize("image", ["nginx:1", "busybox", "", "/", "a/b/c:5.0.0", "emq/x"])
def test_an_image_of_nobody_is_recognised_as_nothing(image: str) -> None:
    assert builtin().match_image(image, "main") is None


@every("name", sorted(_FILES))
class TestEveryProduct:
    def test_is_named_like_its_file(self, name: str) -> None:
        assert _PRODUCTS[name].name == name
        written = read_product(_FILES[name].encode()).spec
        assert written == _PRODUCTS[name].spec, "builtin.jsonl is older: run make generate"

    def test_has_a_title_a_homepage_and_a_summary_of_what_it_sends(self, name: str) -> None:
        spec = _PRODUCTS[name].spec
        assert spec.title
        assert spec.homepage.startswith("https://")
        assert [channel.name for channel in spec.channels if not channel.summary] == []

    @pytest.mark.thorough
    def test_has_no_word_that_nobody_reads(self, name: str) -> None:
        """A mistyped key would be ignored in silence, as an older operator ignores newer ones."""
        manifest = yaml.load(_FILES[name], Loader=LOADER)
        assert list(_unknown_keys(manifest["spec"], TelemetryProductSpec)) == []

    def test_survives_the_way_through_the_api_server(self, name: str) -> None:
        spec = _PRODUCTS[name].spec
        kind = TelemetryProductSpec if spec.images else BuiltinSpec
        assert msgspec.convert(msgspec.to_builtins(spec), kind) == kind(
            **msgspec.structs.asdict(spec)
        )

    def test_has_each_channel_once(self, name: str) -> None:
        names = [channel.name for channel in _PRODUCTS[name].spec.channels]
        assert len(set(names)) == len(names)
        assert set(_PRODUCTS[name].rules) == set(names)

    def test_says_something_of_every_image(self, name: str) -> None:
        product = _PRODUCTS[name]
        silent = [
            image.pattern
            for image in product.spec.images
            if not any(product.has_channel(channel, image) for channel in ChannelName)
        ]
        assert silent == []

    def test_is_the_only_one_to_claim_its_images(self, name: str) -> None:
        for image in _PRODUCTS[name].spec.images:
            reference = image.pattern.replace("*", "x").replace("?", "x")
            container = next(iter(image.only_containers), "main")
            for prefix in ("", "mirror.example:5000/hub/"):
                found = builtin().match_image(f"{prefix}{reference}:1.0.0", container)
                assert found is not None
                assert (found.product.name, found.image) == (name, image)

    @pytest.mark.thorough
    def test_has_at_most_one_rule_for_each_version(self, name: str) -> None:
        product = _PRODUCTS[name]
        for channel, rules in product.rules.items():
            for image in product.spec.images:
                for tag in _TAGS:
                    span = _span(tag)
                    assert span is not None, tag
                    holding = [
                        rule.rule.versions
                        for rule in rules
                        if rule.concerns(image) and rule.versions.covers(span)
                    ]
                    assert len(holding) <= 1, (channel, image.pattern, tag, holding)
                    found = product.rule_for(channel, image, span)
                    assert (found.rule is None) is (holding == [])
                    assert (found.reason is None) is (found.rule is not None)

    def test_names_its_hosts_in_full_and_where_something_is_sent(self, name: str) -> None:
        for channel in _PRODUCTS[name].spec.channels:
            assert bool(channel.hosts) is ((name, channel.name) not in _WITHOUT_HOST), channel.name
            for host in channel.hosts:
                assert host.host == host.host.lower().strip(".")
                assert "." in host.host
                assert 0 < host.port < 65536
                VersionRanges.parse(host.versions)

    def test_names_only_components_that_it_has_at_its_hosts(self, name: str) -> None:
        spec = _PRODUCTS[name].spec
        components = {image.component for image in spec.images}
        for channel in spec.channels:
            for host in channel.hosts:
                assert set(host.components) <= components, host.host

    def test_gives_its_variables_to_whoever_asks_for_all(self, name: str) -> None:
        product = _PRODUCTS[name]
        by_channel = [
            switch for channel in product.spec.channels for switch in product.switches(channel.name)
        ]
        assert list(product.switches()) == by_channel
        assert {switch.env.name for switch in product.all_switches if switch.env is not None} == {
            switch.env.name for switch in by_channel if switch.env is not None
        }


def _unknown_keys(value: Any, expected: Any, at: str = "spec") -> Iterator[str]:
    """Keys of a file that no type of the model has."""
    types = list(_struct_types(expected))
    if isinstance(value, dict) and types:
        (struct,) = types
        hints = get_type_hints(struct, include_extras=True)
        fields = {field.encode_name: field.name for field in msgspec.structs.fields(struct)}
        for key, child in value.items():
            if key not in fields:
                yield f"{at}.{key}"
            else:
                yield from _unknown_keys(child, hints[fields[key]], f"{at}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _unknown_keys(child, expected, f"{at}[{index}]")


def _struct_types(expected: Any) -> Iterator[type[ApiType]]:
    if isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        yield expected  # type: ignore[misc]
    for part in get_args(expected):
        yield from _struct_types(part)


@every("name", _RULES)
class TestEveryRule:
    def test_says_where_it_was_read(self, name: str) -> None:
        _, _, rule = _RULES[name]
        assert rule.sources
        assert all(len(source) > 10 for source in rule.sources)

    def test_is_in_force_for_some_version_of_some_image(self, name: str) -> None:
        product, channel, rule = _RULES[name]
        ranges = VersionRanges.parse(rule.versions)
        inside = [tag for tag in _TAGS if ranges.covers(_span(tag))]
        # A range of candidates may hold none of the tags above, but its own lower bound.
        inside += [text.partition(" ")[0].removeprefix(">=") for text in rule.versions]
        assert any(
            product.rule_for(channel, image, _span(tag)).rule is rule
            for image in product.spec.images or (Image(pattern=product.name),)
            for tag in inside
        )

    def test_has_a_switch_or_a_remedy_where_something_is_sent(self, name: str) -> None:
        _, _, rule = _RULES[name]
        if rule.default is DefaultState.NO_TELEMETRY:
            assert rule.switches == ()
        else:
            assert any(map(mechanism_of, rule.switches)) or rule.remedy

    def test_never_sets_what_it_refuses(self, name: str) -> None:
        _, _, rule = _RULES[name]
        for variable in rule.refuses:
            assert variable.effect
            for switch in rule.switches:
                assert switch.env is None or not switch.env.is_named(variable.env)

    def test_speaks_only_of_editions_and_components_that_images_have(self, name: str) -> None:
        product, _, rule = _RULES[name]
        assert set(rule.editions) <= {image.edition for image in product.spec.images}
        assert set(rule.components) <= {image.component for image in product.spec.images}


@every("name", _SWITCHES)
class TestEverySwitch:
    def test_has_a_variable_unless_it_is_switched_at_run_time(self, name: str) -> None:
        switch = _SWITCHES[name]
        is_asked = switch.semantics is Semantics.RUNTIME and switch.resource is None
        assert (mechanism_of(switch) is None) is is_asked

    def test_understands_what_we_write(self, name: str) -> None:
        variable = _SWITCHES[name].env
        if variable is not None:
            disabled = variable.value_for(Submission.DISABLED)
            enabled = variable.value_for(Submission.ENABLED)
            assert disabled is not None
            assert disabled != enabled
            # By the product's own way of reading, not because we would have written it.
            begins = variable.word.begins if variable.word else ""
            reading = variable.reading
            assert reading.setting_of(disabled.removeprefix(begins)) is Setting.DISABLED
            if enabled is not None:
                assert reading.setting_of(enabled.removeprefix(begins)) is Setting.ENABLED

    def test_only_a_seed_has_a_proof(self, name: str) -> None:
        switch = _SWITCHES[name]
        assert switch.seed_proof is None or switch.semantics is Semantics.SEED

    def test_is_not_proven_by_data_that_we_redirect_ourselves(self, name: str) -> None:
        switch = _SWITCHES[name]
        if switch.seed_proof is not None and switch.env is not None:
            for pattern in switch.seed_proof.redirected_by:
                assert not glob_matches(pattern, switch.env.name)

    def test_is_none_of_the_names_that_do_nothing_or_beat_it(self, name: str) -> None:
        switch = _SWITCHES[name]
        if switch.env is not None:
            for other in (*switch.ineffective, *switch.env.shadows):
                assert not switch.env.is_named(other)
            for override in switch.overrides:
                assert override.env is None or not switch.env.is_named(override.env)

    def test_says_of_each_thing_that_beats_it_what_it_is(self, name: str) -> None:
        overrides = _SWITCHES[name].overrides
        for override in overrides:
            assert override.argument or override.env or override.mount
            assert not override.values or override.means is not None
            # A flag without a value is not read, so it says itself what it means.
            assert override.argument is None or (
                override.argument.endswith("=") or override.means is not None
            )
        things = {(each.argument, each.env, each.mount, each.values) for each in overrides}
        assert len(things) == len(overrides)

    def test_reads_the_flag_too_whose_value_is_the_next_word(self, name: str) -> None:
        """--flag=value is no word of a container with --flag value, so --flag alone, or what it
        begins with, is an override of its own."""
        if name.partition("-Usage")[0] in _NO_NEXT_WORD:
            return
        overrides = _SWITCHES[name].overrides
        own = [one.argument for one in overrides if one.argument and one.env is None]
        for flag in own:
            if flag.startswith("--") and flag.endswith("="):
                bare = flag.removesuffix("=")
                assert any(bare.startswith(other) for other in own), flag


def test_only_products_with_such_flags_are_left_out() -> None:
    assert set(_NO_NEXT_WORD) <= {product.name for product, _, _ in _RULES.values()}
