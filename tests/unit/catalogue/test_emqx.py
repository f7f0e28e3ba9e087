from __future__ import annotations

import pytest

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.switches.reading import ReadingSource
from tests.support.every import every
from tests.support.product_tables import (
    DIGEST,
    describe,
    find,
    hosts_of,
    match_image,
    read,
    rule_of,
    switch_of,
    variable_of,
)

_NAME = "EMQX_TELEMETRY__ENABLE"
_SEED = f"On, Seed {_NAME}"
_START = f"On, Start {_NAME}"
_LICENCE = f"ByLicence, Start {_NAME}"
_EVERY = ["emqx/emqx:5.0.22", "emqx/emqx:5.8.9", "emqx/emqx:6.2.2", "emqx/emqx-enterprise:5.10.4"]


@pytest.mark.parametrize(
    ("image", "edition"),
    [
        ("emqx/emqx:5.8.9", "open-source"),
        ("docker.io/emqx/emqx:5.8.9-elixir", "open-source"),
        ("emqx:5", "open-source"),
        ("docker.io/library/emqx:5.8", "open-source"),
        ("public.ecr.aws/emqx/emqx:5.8.9", "open-source"),
        (f"registry:5000/hub/emqx/emqx@{DIGEST}", "open-source"),
        ("emqx/emqx-enterprise:5.10.4", "enterprise"),
        ("registry:5000/emqx/emqx-enterprise:6.2.2-sf", "enterprise"),
        ("emqx/emqx-ee:4.4.19", "enterprise"),
    ],
)
def test_the_broker_is_known_by_its_image(image: str, edition: str) -> None:
    found = match_image(image, "emqx")
    assert found.product.name == "emqx"
    assert found.image.edition == edition


@pytest.mark.parametrize(
    "image",
    [
        "emqx/emqx-operator-controller:2.2.29",
        "emqx/emqx-exporter:0.2",
        "emqx/emqtt-bench:0.4",
        "emqx/emqx-builder:5.3",
        "emqx/neuron:2",
        "emqx/ekuiper:1",
        "emqx/emqx-enterprise-tools:1",
        "emqx/emqx/sidecar:1",
        "hivemq/hivemq4:4",
    ],
)
def test_its_operator_and_other_images_are_never_taken_for_it(image: str) -> None:
    assert find(image, "emqx") is None


@every(
    ("tag", "open_source", "enterprise"),
    [
        # Version 4 has another switch.
        ("4.3.22", "VersionNotCovered", "VersionNotCovered"),
        ("4.4.19", "VersionNotCovered", "VersionNotCovered"),
        ("4.4", "VersionNotCovered", "VersionNotCovered"),
        ("4", "VersionNotKnown", "VersionNotKnown"),
        ("5.0.0-beta.1", "VersionNotCovered", "VersionNotCovered"),
        # What somebody set at run time beats the variable of the first versions for ever.
        ("5.0.0", _SEED, _SEED),
        ("5.0.4", _SEED, _SEED),
        ("5.0.22", _SEED, _SEED),
        ("5.0.23-rc.1", _SEED, _SEED),
        ("5.0.23", _START, "VersionNotCovered"),
        ("5.0.26", _START, "VersionNotCovered"),
        ("5.0", "VersionUnreadable", "VersionUnreadable"),
        ("5.1.0-rc.1", _START, "VersionNotCovered"),
        # Enterprise builds of these leave the application out.
        ("5.1.0", _START, "NoTelemetry"),
        ("5.1", _START, "NoTelemetry"),
        ("5.8.3", _START, "NoTelemetry"),
        ("5.8.4", _START, "NoTelemetry"),
        ("5.8.9", _START, "NoTelemetry"),
        ("5.8.9-elixir", _START, "NoTelemetry"),
        ("5.8", _START, "NoTelemetry"),
        ("5.8.11", _START, "NoTelemetry"),
        # One edition from here on, its candidates included.
        ("5.9.0-beta.4", _START, "VersionNotCovered"),
        ("5.9.0-rc.1", _START, "VersionNotCovered"),
        ("5.9.0", _LICENCE, _LICENCE),
        ("5.9", _LICENCE, _LICENCE),
        ("5.10.4", _LICENCE, _LICENCE),
        ("6.0.3", _LICENCE, _LICENCE),
        ("6.2.2", _LICENCE, _LICENCE),
        ("6.3.0-beta.2", _LICENCE, _LICENCE),
        ("6.2", _LICENCE, _LICENCE),
        ("6", "VersionNotKnown", "VersionNotKnown"),
        ("7.0.0", "VersionNotKnown", "VersionNotKnown"),
        ("3.2.1", "VersionNotKnown", "VersionNotKnown"),
        # Tags that may be versions of several kinds, or of none.
        ("5", "VersionNotKnown", "VersionNotKnown"),
        ("latest", "VersionUnreadable", "VersionUnreadable"),
        ("latest-elixir", "VersionUnreadable", "VersionUnreadable"),
    ],
)
def test_the_version_and_the_edition_decide(tag: str, open_source: str, enterprise: str) -> None:
    assert describe(f"emqx/emqx:{tag}") == open_source
    assert describe(f"library/emqx:{tag}") == open_source
    assert describe(f"emqx/emqx-enterprise:{tag}") == enterprise


def test_the_old_enterprise_image_is_recognised_and_nothing_is_said_of_it() -> None:
    assert describe("emqx/emqx-ee:4.4.19") == "VersionNotCovered"


@pytest.mark.parametrize("image", ["emqx/emqx", f"emqx/emqx@{DIGEST}", "emqx/emqx-enterprise"])
def test_a_version_that_cannot_be_read_gets_nothing(image: str) -> None:
    found = match_image(image)
    assert describe(image) == "VersionUnreadable"
    assert found.product.harmless_rule(ChannelName.USAGE, found.image) is None


@pytest.mark.parametrize("image", _EVERY)
def test_what_is_written_for_a_wish(image: str) -> None:
    assert variable_of(image).value_for(Submission.DISABLED) == "false"
    assert variable_of(image).value_for(Submission.ENABLED) == "true"


@every(
    ("value", "meaning"),
    [
        ("true", Setting.ENABLED),
        (" true ", Setting.ENABLED),
        ("false", Setting.DISABLED),
        (" false", Setting.DISABLED),
        # Everything else keeps the node from starting.
        ("", Setting.UNKNOWN),
        (" ", Setting.UNKNOWN),
        ("FALSE", Setting.UNKNOWN),
        ("True", Setting.UNKNOWN),
        ("0", Setting.UNKNOWN),
        ("no", Setting.UNKNOWN),
        ("off", Setting.UNKNOWN),
        ("null", Setting.UNKNOWN),
    ],
)
@every("image", _EVERY)
def test_how_it_reads_its_variable(image: str, value: str, meaning: Setting) -> None:
    assert variable_of(image).setting_of(value) is meaning


@every(
    ("name", "is_switch"),
    [
        (_NAME, True),
        ("EMQX_telemetry__enable", True),
        ("EMQX_Telemetry__Enable", True),
        # The prefix itself is taken as it stands.
        ("emqx_telemetry__enable", False),
        ("Emqx_TELEMETRY__ENABLE", False),
        ("EMQX_TELEMETRY_ENABLE", False),
        ("EMQX_TELEMETRY__ENABLED", False),
        ("EMQX_TELEMETRY", False),
    ],
)
@every("image", _EVERY)
def test_any_case_after_the_prefix_is_the_switch(image: str, name: str, is_switch: bool) -> None:
    assert variable_of(image).is_named(name) is is_switch


@pytest.mark.parametrize("image", _EVERY)
def test_two_spellings_at_once_are_ambiguous(image: str) -> None:
    reading = read(image, [(_NAME, "false"), ("EMQX_telemetry__enable", "true")])
    assert (reading.setting, reading.source) == (Setting.UNKNOWN, ReadingSource.AMBIGUOUS)


@pytest.mark.parametrize("image", _EVERY)
def test_the_variable_beats_the_one_that_holds_all_settings_in_upper_case(image: str) -> None:
    both = read(image, [("EMQX_TELEMETRY", "{enable = true}"), (_NAME, "false")])
    alone = read(image, [("EMQX_TELEMETRY", "{enable = false}")])
    assert both.setting is Setting.DISABLED
    assert alone.setting is Setting.UNKNOWN


@pytest.mark.parametrize("name", ["EMQX_telemetry", "EMQX_Telemetry"])
@pytest.mark.parametrize("image", _EVERY)
def test_the_one_in_lower_case_comes_later_and_beats_it(image: str, name: str) -> None:
    assert read(image, [(_NAME, "false"), (name, "{enable=true}")]).setting is Setting.UNKNOWN


@pytest.mark.parametrize("name", ["EMQX_TELEMETRY__ENABLED", "EMQX_TELEMETRY_ENABLE"])
@pytest.mark.parametrize("image", _EVERY)
def test_names_like_it_do_nothing(image: str, name: str) -> None:
    assert name in switch_of(image).ineffective
    without = read(image, [])
    assert read(image, [(name, "false")]) == without


@pytest.mark.parametrize(
    ("image", "meaning"),
    [
        ("emqx/emqx:5.0.22", Setting.ENABLED),
        ("emqx/emqx:5.8.9", Setting.ENABLED),
        ("emqx/emqx:5.9.0", Setting.UNKNOWN),
        ("emqx/emqx-enterprise:6.2.2", Setting.UNKNOWN),
    ],
)
def test_what_nothing_set_means(image: str, meaning: Setting) -> None:
    assert read(image, []).setting is meaning


def test_only_the_first_versions_need_a_proof_of_their_seed() -> None:
    proof = switch_of("emqx/emqx:5.0.22").seed_proof
    assert proof is not None
    assert proof.path == "/opt/emqx/data"
    assert switch_of("emqx/emqx:5.0.23").seed_proof is None
    assert switch_of("emqx/emqx:6.2.2").seed_proof is None


@pytest.mark.parametrize("image", _EVERY)
def test_no_version_refuses_a_variable(image: str) -> None:
    assert rule_of(image).refuses == ()


@pytest.mark.parametrize(
    ("image", "hosts"),
    [
        ("emqx/emqx-ee:4.4.19", set()),
        ("emqx/emqx:5.0.0", {("telemetry.emqx.io", 443)}),
        ("emqx/emqx:5.8.9", {("telemetry.emqx.io", 443)}),
        ("emqx/emqx-enterprise:6.2.2", {("telemetry.emqx.io", 443)}),
        ("emqx/emqx", {("telemetry.emqx.io", 443)}),
    ],
)
def test_where_it_sends(image: str, hosts: set[tuple[str, int]]) -> None:
    assert hosts_of(image, ChannelName.USAGE) == hosts
    for channel in (ChannelName.UPDATE_CHECK, ChannelName.ERROR_REPORT, ChannelName.LICENSE):
        assert hosts_of(image, channel) == set()
