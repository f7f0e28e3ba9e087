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

_USAGE = "SONAR_TELEMETRY_ENABLE"
_UPDATE = "SONAR_UPDATECENTER_ACTIVATE"
_CHANNELS = [
    (ChannelName.USAGE, _USAGE, "sonar.telemetry.enable"),
    (ChannelName.UPDATE_CHECK, _UPDATE, "sonar.updatecenter.activate"),
]
_OLD, _NEW = "sonarqube:8.9.10-community", "sonarqube:26.7.0.124771-community"


@pytest.mark.parametrize(
    "image",
    [
        "sonarqube",
        "sonarqube:lts",
        "sonarqube:26.7.0.124771-community",
        "library/sonarqube:2026.4.0-developer",
        "docker.io/library/sonarqube:2026.4.0-datacenter-app",
        f"registry:5000/hub/library/sonarqube@{DIGEST}",
    ],
)
@pytest.mark.parametrize("container", ["sonarqube", "sonarqube-dce", "main"])
def test_the_server_is_known_by_its_image(image: str, container: str) -> None:
    assert match_image(image, container).product.name == "sonarqube"


@pytest.mark.parametrize(
    ("image", "container"),
    [
        # The search nodes of the Data Center Edition, by their tag and by their container.
        ("sonarqube:2026.4.0-datacenter-search", "sonarqube-dce-search"),
        ("sonarqube:2026.4.0-datacenter-search", "sonarqube"),
        ("sonarqube:datacenter-search", "main"),
        ("sonarqube:lts-datacenter-search", "main"),
        ("sonarqube:8.9.0-datacenter-search", "main"),
        ("sonarqube:2026.4.0-datacenter-app", "sonarqube-dce-search"),
        (f"sonarqube@{DIGEST}", "sonarqube-dce-search"),
        # The chart's MCP pod, the scanner and others.
        ("sonarsource/sonarqube-mcp:1.2.0", "mcp"),
        ("sonarsource/sonar-scanner-cli:11", "sonarqube"),
        ("sonarqube-exporter:1", "sonarqube"),
        ("postgresql:15", "sonarqube"),
        ("sonarqube/prometheus:1", "sonarqube"),
    ],
)
def test_search_nodes_and_other_images_are_never_taken_for_it(image: str, container: str) -> None:
    assert find(image, container) is None


@every(
    ("tag", "expected"),
    [
        # Whether earlier versions read the environment is not established.
        ("7.9.6-community", "VersionNotCovered"),
        ("8.2-community", "VersionNotCovered"),
        ("8.2.9-community", "VersionNotCovered"),
        # By release.
        ("8.3-community", "covered"),
        ("8.3.0-community", "covered"),
        ("8.9.10-developer", "covered"),
        ("9.8.0-community", "covered"),
        ("9.8-community", "covered"),
        ("9.9.0-community", "covered"),
        ("9.9-community", "covered"),
        ("9.9.0.65466-community", "covered"),
        ("10.7.0-datacenter-app", "covered"),
        ("10-community", "covered"),
        # By calendar, with two digits and with four.
        ("25.1.0.102122-community", "covered"),
        ("25.6.0.109173-community", "covered"),
        ("26.7.0.124771-community", "covered"),
        ("26.9-community", "covered"),
        ("2025.1.1-developer", "covered"),
        ("2025.4-lta-enterprise", "covered"),
        ("2025-lta-developer", "covered"),
        ("2026.4.0-datacenter-app", "covered"),
        # Floats across a border of what is known.
        ("8-community", "VersionUnreadable"),
        ("9-community", "VersionUnreadable"),
        # Names no version.
        ("latest", "VersionUnreadable"),
        ("community", "VersionUnreadable"),
        ("developer", "VersionUnreadable"),
        ("lts", "VersionUnreadable"),
        ("lts-community", "VersionUnreadable"),
    ],
)
@every(("channel", "name"), [row[:2] for row in _CHANNELS])
def test_both_channels_are_switched_by_variables_at_every_start(
    tag: str, expected: str, channel: ChannelName, name: str
) -> None:
    expected = expected.replace("covered", f"On, Start {name}")
    assert describe(f"sonarqube:{tag}", channel) == expected


@pytest.mark.parametrize("image", ["sonarqube", "sonarqube:9-community", f"sonarqube@{DIGEST}"])
@pytest.mark.parametrize(("channel", "name", "_property"), _CHANNELS)
def test_the_variable_does_no_harm_where_the_version_cannot_be_read(
    image: str, channel: ChannelName, name: str, _property: str
) -> None:
    found = match_image(image)
    rule = found.product.harmless_rule(channel, found.image)
    assert rule is not None
    assert [switch.env.name for switch in rule.switches if switch.env] == [name]


def test_the_harmless_rule_knows_everything_that_beats_the_variable_in_any_version() -> None:
    for channel, *_ in _CHANNELS:
        harmless = match_image(_NEW).product.harmless_rule(channel, match_image(_NEW).image)
        assert harmless is not None
        for image in (_OLD, _NEW):
            known = harmless.switches[0].overrides
            assert [o for o in switch_of(image, channel).overrides if o not in known] == []


@pytest.mark.parametrize("image", [_OLD, _NEW])
@pytest.mark.parametrize(("channel", "name", "_property"), _CHANNELS)
def test_what_is_written_for_a_wish(
    image: str, channel: ChannelName, name: str, _property: str
) -> None:
    variable = variable_of(image, channel)
    assert variable.name == name
    assert variable.value_for(Submission.DISABLED) == "false"
    assert variable.value_for(Submission.ENABLED) == "true"


@every(
    ("value", "meaning"),
    [
        ("true", Setting.ENABLED),
        ("TRUE", Setting.ENABLED),
        (" true ", Setting.ENABLED),
        ("false", Setting.DISABLED),
        ("False", Setting.DISABLED),
        # Only the word "true" is true.
        ("1", Setting.DISABLED),
        ("yes", Setting.DISABLED),
        ("on", Setting.DISABLED),
        # A blank value falls back to the default, which is on.
        ("", Setting.ENABLED),
        ("  ", Setting.ENABLED),
    ],
)
@every(("channel", "name"), [row[:2] for row in _CHANNELS])
@every("image", [_OLD, _NEW])
def test_how_it_reads_its_variables(
    image: str, channel: ChannelName, name: str, value: str, meaning: Setting
) -> None:
    assert read(image, [(name, value)], channel=channel).setting is meaning


@pytest.mark.parametrize(("channel", "name", "key"), _CHANNELS)
@pytest.mark.parametrize("image", [_OLD, _NEW])
class TestWhatBeatsTheVariable:
    def test_an_argument(self, image: str, channel: ChannelName, name: str, key: str) -> None:
        for value, meaning in (("true", Setting.ENABLED), ("false", Setting.DISABLED)):
            contrary = "false" if value == "true" else "true"
            reading = read(image, [(name, contrary)], [f"-D{key}={value}"], channel)
            assert (reading.setting, reading.source) == (meaning, ReadingSource.OVERRIDE)

    def test_the_last_of_two_arguments(
        self, image: str, channel: ChannelName, name: str, key: str
    ) -> None:
        arguments = [f"-D{key}=true", "-Dother=x", f"-D{key}=false"]
        assert read(image, [(name, "true")], arguments, channel).setting is Setting.DISABLED

    @pytest.mark.parametrize("carrier", ["_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"])
    def test_a_system_property_which_beats_the_argument_too(
        self, image: str, channel: ChannelName, name: str, key: str, carrier: str
    ) -> None:
        reading = read(
            image,
            [(name, "false"), (carrier, f"-Xmx1g -D{key}=true")],
            [f"-D{key}=false"],
            channel,
        )
        assert reading.setting is Setting.ENABLED

    def test_but_nothing_that_only_looks_like_it(
        self, image: str, channel: ChannelName, name: str, key: str
    ) -> None:
        variables = [(name, "false"), ("JAVA_TOOL_OPTIONS", f"-Xmx1g -D{key}d=true")]
        arguments = [f"-D{key.upper()}=true", f"{key}=true", f"--{key}=true"]
        assert read(image, variables, arguments, channel).setting is Setting.DISABLED

    def test_a_dotted_name_in_images_before_9_9(
        self, image: str, channel: ChannelName, name: str, key: str
    ) -> None:
        reading = read(image, [(name, "false"), (key, "true")], channel=channel)
        assert reading.setting is (Setting.ENABLED if image == _OLD else Setting.DISABLED)


@pytest.mark.parametrize(
    ("tag", "dotted_names_count"), [("8.3.0", True), ("9.8.0", True), ("9.9.0", False)]
)
def test_dotted_names_stop_counting_with_9_9(tag: str, dotted_names_count: bool) -> None:
    for channel, name, key in _CHANNELS:
        reading = read(f"sonarqube:{tag}", [(name, "false"), (key, "true")], channel=channel)
        assert (reading.setting is Setting.ENABLED) is dotted_names_count


@pytest.mark.parametrize(
    "name", ["SONAR_TELEMETRY_ENABLED", "sonar_telemetry_enable", "SONAR_TELEMETRY"]
)
@pytest.mark.parametrize("image", [_OLD, _NEW])
def test_a_name_like_it_does_nothing(image: str, name: str) -> None:
    assert not variable_of(image).is_named(name)
    assert read(image, [(name, "false")]).setting is Setting.ENABLED


@pytest.mark.parametrize("image", [_OLD, _NEW])
def test_the_wrong_name_that_was_once_printed_is_known(image: str) -> None:
    assert "SONAR_TELEMETRY_ENABLED" in switch_of(image).ineffective


@pytest.mark.parametrize("image", [_OLD, _NEW])
def test_one_channels_switch_does_not_govern_the_other(image: str) -> None:
    update = read(image, [(_USAGE, "false")], channel=ChannelName.UPDATE_CHECK)
    usage = read(image, [(_UPDATE, "false")], channel=ChannelName.USAGE)
    assert {update.setting, usage.setting} == {Setting.ENABLED}


@pytest.mark.parametrize("image", [_OLD, _NEW])
def test_no_version_refuses_a_variable(image: str) -> None:
    assert rule_of(image).refuses == ()


@pytest.mark.parametrize("image", ["sonarqube:8.9.10-community", "sonarqube:26.7.0-community"])
def test_where_it_sends(image: str) -> None:
    assert hosts_of(image, ChannelName.USAGE) == {("telemetry.sonarsource.com", 443)}
    assert hosts_of(image, ChannelName.UPDATE_CHECK) == {
        ("downloads.sonarsource.com", 443),
        ("update.sonarsource.org", 80),
    }
    assert hosts_of(image, ChannelName.LICENSE) == set()


def test_opting_out_is_said_to_phone_home_once() -> None:
    (usage,) = (
        channel
        for channel in match_image(_NEW).product.spec.channels
        if channel.name is ChannelName.USAGE
    )
    assert "DELETE" in usage.summary


@pytest.mark.parametrize("carrier", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize(("channel", "name", "key"), _CHANNELS)
def test_a_quoted_system_property_counts_too(
    carrier: str, quote: str, channel: ChannelName, name: str, key: str
) -> None:
    quoted = f"{quote}-D{key}=true{quote}"
    reading = read(_NEW, [(name, "false"), (carrier, quoted)], channel=channel)
    assert reading.setting is Setting.ENABLED
