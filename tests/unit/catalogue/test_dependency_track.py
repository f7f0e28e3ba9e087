from __future__ import annotations

import pytest

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.catalogue.glob import glob_matches
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

_V4 = "TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
_RC1 = "DT_TELEMETRY_SUBMISSION_ENABLED_DEFAULT"
_V5 = "DT_TELEMETRY_SUBMISSION_DEFAULT_ENABLED"
_CRON = "DT_TASK_TELEMETRY_SUBMISSION_CRON"


@every(
    ("image", "edition"),
    [
        ("dependencytrack/apiserver:4.14.3", "standard"),
        ("docker.io/dependencytrack/apiserver:4.14.3-alpine", "standard"),
        ("ghcr.io/dependencytrack/apiserver:5.0.4", "standard"),
        (f"dependencytrack/apiserver@{DIGEST}", "standard"),
        (f"registry:5000/hub/dependencytrack/apiserver:4.14.3@{DIGEST}", "standard"),
        ("dependencytrack/bundled:4.13.0", "standard"),
        ("dependencytrack/hyades-apiserver:5.6.0", "hyades"),
        ("ghcr.io/dependencytrack/hyades-apiserver:5.7.0-alpha.8", "hyades"),
    ],
)
@every("container", ["dependency-track-api-server", "api-server", "main", ""])
def test_the_server_is_known_by_its_image_in_any_container(
    image: str, edition: str, container: str
) -> None:
    found = match_image(image, container)
    assert found.product.name == "dependency-track"
    assert found.image.edition == edition


@every(
    "image",
    [
        "dependencytrack/frontend:4.14.3",
        "docker.io/dependencytrack/frontend:4.14.3",
        "ghcr.io/dependencytrack/hyades-frontend:5.6.0",
        "dependencytrack/v4-migrator:5.0.4",
        "ghcr.io/dependencytrack/hyades-vulnerability-analyzer:5.6.0",
        "ghcr.io/dependencytrack/hyades-notification-publisher:5.6.0",
        "dependencytrack/apiserver-exporter:1",
        "somebody/apiserver:4.14.3",
        "apiserver:4.14.3",
        "dependencytrack/apiserver/cache:1",
        "registry.k8s.io/kube-apiserver:v1.36.0",
    ],
)
@every("container", ["dependency-track-api-server", "dependency-track-frontend"])
def test_the_frontend_and_other_images_are_never_taken_for_it(image: str, container: str) -> None:
    assert find(image, container) is None


@every(
    ("tag", "expected"),
    [
        # No telemetry before 4.13.
        ("4.0.0", "NoTelemetry"),
        ("4.12.7", "NoTelemetry"),
        ("4.12.7-alpine", "NoTelemetry"),
        ("4.12", "NoTelemetry"),
        # The images began with 4.0.0.
        ("4.0.0-beta.1", "NoTelemetry"),
        ("3.8.0", "VersionNotKnown"),
        ("3.8", "VersionNotKnown"),
        # Builds on the way to 4.13 may have it or not.
        ("4.13.0-SNAPSHOT", "VersionNotCovered"),
        ("4.13.0-rc.1", "VersionNotCovered"),
        # Version 4 from 4.13 on.
        ("4.13.0", f"On, Seed {_V4}"),
        ("4.13", f"On, Seed {_V4}"),
        ("4.13.6-alpine", f"On, Seed {_V4}"),
        ("4.14.3", f"On, Seed {_V4}"),
        ("4.14", f"On, Seed {_V4}"),
        ("4.15.0-SNAPSHOT", f"On, Seed {_V4}"),
        ("4.29.9", f"On, Seed {_V4}"),
        # The candidates of 5.0.0 differ from each other.
        ("5.0.0-alpha.1", "VersionNotCovered"),
        ("5.0.0-beta.1", "VersionNotCovered"),
        ("5.0.0-rc.1", f"On, Seed {_RC1}, Start {_CRON}"),
        ("5.0.0-rc.2", f"On, Seed {_V5}, Start {_CRON}"),
        ("5.0.0-rc.3", f"On, Seed {_V5}, Start {_CRON}"),
        ("5.0.0", f"On, Seed {_V5}, Start {_CRON}"),
        ("5.0.4", f"On, Seed {_V5}, Start {_CRON}"),
        ("5.0", f"On, Seed {_V5}, Start {_CRON}"),
        ("5.1.1", f"On, Seed {_V5}, Start {_CRON}"),
        # No later version exists.
        ("6.0.0", "VersionNotKnown"),
        ("6.0.0-rc.1", "VersionNotKnown"),
        # Tags that may be versions of several kinds.
        ("3", "VersionNotKnown"),
        ("4", "VersionNotKnown"),
        ("5", "VersionNotKnown"),
        ("4-snapshot", "VersionNotKnown"),
        ("5-snapshot", "VersionNotKnown"),
        ("5.0.0-SNAPSHOT", "VersionUnreadable"),
        ("5.0.0-rc", "VersionUnreadable"),
        # Tags that name no version.
        ("latest", "VersionUnreadable"),
        ("latest-alpine", "VersionUnreadable"),
        ("snapshot", "VersionUnreadable"),
        ("feature-telemetry", "VersionUnreadable"),
    ],
)
def test_each_version_has_its_own_switch(tag: str, expected: str) -> None:
    for name in ("apiserver", "bundled"):
        assert describe(f"dependencytrack/{name}:{tag}") == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("5.0.0", "VersionNotCovered"),
        ("5.0.4", "VersionNotCovered"),
        ("5.6.0", "VersionNotCovered"),
        ("5.7.0-alpha.7", "VersionNotCovered"),
        ("5.7.0-alpha.8", f"On, Seed {_RC1}"),
        ("5.7.0-alpha.9", f"On, Seed {_RC1}"),
        ("5.7.0", f"On, Seed {_RC1}"),
        ("5.7.0-alpha", "VersionUnreadable"),
        ("5.7.0-SNAPSHOT", "VersionUnreadable"),
        ("5", "VersionNotKnown"),
        ("5.8.0", "VersionNotKnown"),
        ("4.14.3", "VersionNotKnown"),
        ("snapshot", "VersionUnreadable"),
    ],
)
def test_the_archived_preview_is_told_apart_though_its_numbers_clash(
    tag: str, expected: str
) -> None:
    assert describe(f"dependencytrack/hyades-apiserver:{tag}") == expected


@pytest.mark.parametrize(
    "image",
    [
        f"dependencytrack/apiserver@{DIGEST}",
        # Charts accept a digest as tag.
        f"dependencytrack/apiserver:{DIGEST}",
        "dependencytrack/apiserver",
        "dependencytrack/hyades-apiserver",
    ],
)
def test_a_version_that_cannot_be_read_gets_nothing(image: str) -> None:
    found = match_image(image)
    assert describe(image) == "VersionUnreadable"
    # The variable of version 4 keeps version 5 from starting.
    assert found.product.harmless_rule(ChannelName.USAGE, found.image) is None


@pytest.mark.parametrize(
    ("tag", "refused"),
    [
        ("4.12.7", set()),
        ("4.13.0", set()),
        ("4.14.3", set()),
        ("5.0.0-rc.1", set()),
        ("5.0.0-rc.2", {_V4, _RC1}),
        ("5.0.4", {_V4, _RC1}),
        ("5.1.1", {_V4, _RC1}),
        ("5.0", {_V4, _RC1}),
    ],
)
def test_version_5_refuses_the_older_names(tag: str, refused: set[str]) -> None:
    rule = rule_of(f"dependencytrack/apiserver:{tag}")
    assert {variable.env for variable in rule.refuses} == refused
    assert all("refuses to start" in variable.effect for variable in rule.refuses)


@pytest.mark.parametrize("tag", ["4.13.0", "5.0.0-rc.1", "5.0.4"])
def test_what_is_written_for_a_wish(tag: str) -> None:
    variable = variable_of(f"dependencytrack/apiserver:{tag}")
    assert variable.value_for(Submission.DISABLED) == "false"
    assert variable.value_for(Submission.ENABLED) == "true"


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("true", Setting.ENABLED),
        ("TRUE", Setting.ENABLED),
        (" True ", Setting.ENABLED),
        ("false", Setting.DISABLED),
        ("FALSE", Setting.DISABLED),
        # Only the word "true" is true.
        ("1", Setting.DISABLED),
        ("yes", Setting.DISABLED),
        ("TRUE1", Setting.DISABLED),
        # Empty counts as unset.
        ("", Setting.UNSET),
        ("  ", Setting.UNSET),
    ],
)
def test_how_version_4_reads_its_variable(value: str, meaning: Setting) -> None:
    for tag in ("4.13.0", "4.14.3"):
        assert variable_of(f"dependencytrack/apiserver:{tag}").setting_of(value) is meaning


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("true", Setting.ENABLED),
        ("TRUE", Setting.ENABLED),
        (" true ", Setting.ENABLED),
        ("1", Setting.ENABLED),
        ("yes", Setting.ENABLED),
        ("Y", Setting.ENABLED),
        ("on", Setting.ENABLED),
        ("oui", Setting.ENABLED),
        ("false", Setting.DISABLED),
        (" FALSE ", Setting.DISABLED),
        ("0", Setting.DISABLED),
        ("no", Setting.DISABLED),
        ("off", Setting.DISABLED),
        ("garbage", Setting.DISABLED),
        ("t", Setting.DISABLED),
        ("enabled", Setting.DISABLED),
        ("", Setting.UNSET),
        (" ", Setting.UNSET),
    ],
)
def test_how_version_5_reads_its_variable(value: str, meaning: Setting) -> None:
    for tag in ("5.0.0-rc.1", "5.0.0-rc.2", "5.0.4"):
        assert variable_of(f"dependencytrack/apiserver:{tag}").setting_of(value) is meaning


@pytest.mark.parametrize("name", [_V5, _V5.lower(), "dt.telemetry.submission.default-enabled"])
def test_version_5_takes_other_spellings(name: str) -> None:
    assert variable_of("dependencytrack/apiserver:5.0.4").is_named(name)
    assert read("dependencytrack/apiserver:5.0.4", [(name, "no")]).setting is Setting.DISABLED


@pytest.mark.parametrize("name", [_V4.lower(), "telemetry.submission.enabled.default", _RC1, _V5])
def test_version_4_takes_only_the_exact_name(name: str) -> None:
    assert not variable_of("dependencytrack/apiserver:4.14.3").is_named(name)
    assert read("dependencytrack/apiserver:4.14.3", [(name, "false")]).setting is Setting.ENABLED


@pytest.mark.parametrize(
    "carrier",
    [
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "JAVA_OPTIONS",
        "EXTRA_JAVA_OPTIONS",
    ],
)
def test_a_system_property_beats_the_variable_of_version_5(carrier: str) -> None:
    on, off = (f"-Ddt.telemetry.submission.default-enabled={word}" for word in ("true", "false"))
    image = "dependencytrack/apiserver:5.0.4"
    assert read(image, [(_V5, "false"), (carrier, f"-Xmx1g {on}")]).setting is Setting.ENABLED
    assert read(image, [(_V5, "true"), (carrier, off)]).setting is Setting.DISABLED
    assert read(image, [(_V5, "false"), (carrier, "-Xmx1g")]).setting is Setting.DISABLED
    assert read(image, [(_V5, "false")], ["java", on, "-jar"]).setting is Setting.ENABLED


@pytest.mark.parametrize("argument", ["-Dtelemetry.submission.enabled.default=true"])
def test_no_system_property_beats_the_variable_of_version_4(argument: str) -> None:
    image = "dependencytrack/apiserver:4.14.3"
    assert read(image, [(_V4, "false")], [argument]).setting is Setting.DISABLED
    assert read(image, [(_V4, "false"), ("JAVA_OPTIONS", argument)]).setting is Setting.DISABLED


def test_nothing_set_means_on() -> None:
    for tag in ("4.13.0", "5.0.0-rc.1", "5.0.4"):
        assert read(f"dependencytrack/apiserver:{tag}", []).setting is Setting.ENABLED


def test_the_seed_of_version_4_can_be_proven_where_its_database_is() -> None:
    proof = switch_of("dependencytrack/apiserver:4.14.3").seed_proof
    assert proof is not None
    assert proof.path == "/data/.dependency-track"
    assert proof.user_id == 1000
    assert set(proof.redirected_by_mounts) >= {"/etc/passwd", "/opt/owasp/dependency-track"}


@pytest.mark.parametrize(
    "name",
    [
        "ALPINE_DATABASE_URL",
        "ALPINE_DATABASE_MODE",
        "ALPINE_DATANUCLEUS_CACHE",
        "JAVA_OPTIONS",
        "EXTRA_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LOGGING_CONFIG_PATH",
        "LOGGING_LEVEL",
        "CONTEXT",
        "WAR_FILENAME",
        "HOME",
        "PATH",
        "JAVA_HOME",
        "LD_PRELOAD",
    ],
)
def test_whatever_can_redirect_the_database_is_named(name: str) -> None:
    proof = switch_of("dependencytrack/apiserver:4.14.3").seed_proof
    assert proof is not None
    assert any(glob_matches(pattern, name) for pattern in proof.redirected_by)


@pytest.mark.parametrize("tag", ["5.0.0-rc.1", "5.0.4"])
def test_the_seed_of_version_5_is_proven_by_its_report_only(tag: str) -> None:
    assert switch_of(f"dependencytrack/apiserver:{tag}").seed_proof is None


@pytest.mark.parametrize(
    ("image", "hosts"),
    [
        ("dependencytrack/apiserver:4.12.7", set()),
        ("dependencytrack/apiserver:4.13.0", {("metrics.dependencytrack.org", 443)}),
        ("dependencytrack/apiserver:5.0.4", {("metrics.dependencytrack.org", 443)}),
        ("dependencytrack/apiserver:4", {("metrics.dependencytrack.org", 443)}),
        ("dependencytrack/apiserver", {("metrics.dependencytrack.org", 443)}),
    ],
)
def test_where_it_sends(image: str, hosts: set[tuple[str, int]]) -> None:
    assert hosts_of(image, ChannelName.USAGE) == hosts


@pytest.mark.parametrize(
    "channel", [ChannelName.UPDATE_CHECK, ChannelName.ERROR_REPORT, ChannelName.LICENSE]
)
def test_it_has_no_other_reason_to_call_home(channel: ChannelName) -> None:
    found = match_image("dependencytrack/apiserver:4.14.3")
    assert not found.product.has_channel(channel, found.image)
    assert hosts_of("dependencytrack/apiserver:4.14.3", channel) == set()
