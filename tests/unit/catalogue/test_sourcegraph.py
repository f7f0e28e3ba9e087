from __future__ import annotations

import pytest

from fleet_telemetry.api.policy import ChannelName, Submission
from fleet_telemetry.api.product.setting import Setting
from tests.support.every import every
from tests.support.product_tables import (
    DIGEST,
    describe,
    find,
    hosts_of,
    match_image,
    read,
    rule_of,
    variable_of,
)

_NAME = "TELEMETRY_GATEWAY_EXPORTER_EXPORT_ADDR"
_ESCAPE = f"On, Start {_NAME}"
_GATEWAY = ("telemetry-gateway.sourcegraph.com", 443)
_PINGS = ("pings.sourcegraph.com", 443)
_SITE = ("sourcegraph.com", 443)
_WITH_VARIABLE = [
    "sourcegraph/worker:5.2.1",
    "sourcegraph/worker:5.6.0",
    "sourcegraph/server:5.6.0",
]


@pytest.mark.parametrize(
    ("image", "container", "component"),
    [
        (f"index.docker.io/sourcegraph/frontend:7.6.0@{DIGEST}", "frontend", "frontend"),
        (f"index.docker.io/sourcegraph/worker:7.6.0@{DIGEST}", "worker", "worker"),
        ("sourcegraph/worker:5.6.0", "worker-0", "worker"),
        ("registry:5000/hub/sourcegraph/worker:5.6.0", "worker-1", "worker"),
        ("sourcegraph/frontend:5.2.0", "sourcegraph-frontend", "frontend"),
        ("sourcegraph/server:5.6.0", "server", "all-in-one"),
    ],
)
def test_the_two_senders_are_known_by_their_images(
    image: str, container: str, component: str
) -> None:
    found = match_image(image, container)
    assert found.product.name == "sourcegraph"
    assert found.image.component == component


@every(
    "name",
    [
        "precise-code-intel-worker",
        "migrator",
        "gitserver",
        "searcher",
        "search-indexer",
        "indexed-searcher",
        "syntax-highlighter",
        "blobstore",
        "executor",
        "grafana",
        "frontend-proxy",
        "worker/sidecar",
    ],
)
@every("container", ["frontend", "worker"])
def test_the_rest_of_sourcegraph_sends_nothing_of_its_own(name: str, container: str) -> None:
    assert find(f"index.docker.io/sourcegraph/{name}:7.6.0@{DIGEST}", container) is None


@pytest.mark.parametrize("image", ["frontend:7.6.0", "worker:7.6.0", "somebody/worker:7.6.0"])
def test_a_frontend_or_a_worker_of_somebody_else_is_not_meant(image: str) -> None:
    assert find(image, "worker") is None


@every(
    ("tag", "worker", "frontend", "server"),
    [
        ("4.5.1", "NoTelemetry", "On, Runtime", "On, Runtime"),
        ("5.1.9", "NoTelemetry", "On, Runtime", "On, Runtime"),
        ("5.2.0", "NoTelemetry", "On, Runtime", "On, Runtime"),
        ("5.2.1-rc.1", "VersionNotCovered", "On, Runtime", "VersionNotCovered"),
        ("5.2.1", _ESCAPE, "On, Runtime", f"{_ESCAPE}, Runtime"),
        ("5.3.0", _ESCAPE, "On, Runtime", f"{_ESCAPE}, Runtime"),
        ("5.6", _ESCAPE, "On, Runtime", f"{_ESCAPE}, Runtime"),
        ("5.12.9040", _ESCAPE, "On, Runtime", f"{_ESCAPE}, Runtime"),
        # The escape hatch is not verified for version 6 and later.
        ("6.0.0-rc.1", "On", "On, Runtime", "On"),
        ("6.0.0", "On", "On, Runtime", "On"),
        ("6.0", "On", "On, Runtime", "On"),
        ("7.0.2178", "On", "On, Runtime", "On"),
        # And the site configuration has no effect from about 7.1 on.
        ("7.1.0-rc.1", "On", "On", "On"),
        ("7.1.0", "On", "On", "On"),
        ("7.6.0", "On", "On", "On"),
        ("8.0.0", "VersionNotKnown", "VersionNotKnown", "VersionNotKnown"),
        # Floats across a border of what is known.
        ("5.2", "VersionUnreadable", "On, Runtime", "VersionUnreadable"),
        # The vendor publishes no such tags.
        ("5", "VersionNotKnown", "VersionNotKnown", "VersionNotKnown"),
        ("7", "VersionNotKnown", "VersionNotKnown", "VersionNotKnown"),
        # Names no version.
        ("insiders", "VersionUnreadable", "VersionUnreadable", "VersionUnreadable"),
        ("latest", "VersionUnreadable", "VersionUnreadable", "VersionUnreadable"),
    ],
)
def test_each_sender_has_its_own_switch_by_version(
    tag: str, worker: str, frontend: str, server: str
) -> None:
    for reference in (tag, f"{tag}@{DIGEST}"):
        assert describe(f"sourcegraph/worker:{reference}") == worker
        assert describe(f"sourcegraph/frontend:{reference}") == frontend
        assert describe(f"sourcegraph/server:{reference}") == server


@pytest.mark.parametrize("name", ["worker", "frontend", "server"])
def test_a_version_that_cannot_be_read_gets_nothing(name: str) -> None:
    found = match_image(f"sourcegraph/{name}@{DIGEST}")
    assert describe(f"sourcegraph/{name}@{DIGEST}") == "VersionUnreadable"
    assert found.product.harmless_rule(ChannelName.USAGE, found.image) is None


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ("sourcegraph/worker:7.6.0", "allow-air-gapped"),
        ("sourcegraph/frontend:7.6.0", "allow-air-gapped"),
        ("sourcegraph/server:7.6.0", "allow-air-gapped"),
        ("sourcegraph/worker:6.0.0", "egress"),
        ("sourcegraph/frontend:7.1.0", "egress"),
        ("sourcegraph/frontend:7.0.0", "update.channel"),
        ("sourcegraph/server:5.6.0", "update.channel"),
    ],
)
def test_where_no_variable_works_the_remedy_is_told(image: str, word: str) -> None:
    assert word in rule_of(image).remedy


@pytest.mark.parametrize("image", _WITH_VARIABLE)
def test_off_is_a_variable_that_is_there_and_empty_and_on_is_its_absence(image: str) -> None:
    assert variable_of(image).value_for(Submission.DISABLED) == ""
    assert variable_of(image).value_for(Submission.ENABLED) is None
    assert read(image, [(_NAME, "")]).setting is Setting.DISABLED
    assert read(image, []).setting is Setting.ENABLED


@pytest.mark.parametrize(
    "value", [" ", "https://telemetry-gateway.sourcegraph.com:443", "false", "none", "http://[::1]"]
)
@pytest.mark.parametrize("image", _WITH_VARIABLE)
def test_any_address_is_on(image: str, value: str) -> None:
    assert read(image, [(_NAME, value)]).setting is Setting.ENABLED


@pytest.mark.parametrize("image", _WITH_VARIABLE)
def test_the_variable_of_the_one_program_beats_it(image: str) -> None:
    own = f"{_NAME}_worker"
    assert read(image, [(_NAME, ""), (own, "https://gateway")]).setting is Setting.ENABLED
    assert read(image, [(_NAME, "https://gateway"), (own, "")]).setting is Setting.DISABLED
    assert read(image, [(_NAME, ""), (f"{_NAME}_frontend", "x")]).setting is Setting.DISABLED


@every(
    "name",
    [
        "SRC_TELEMETRY_EVENTS_EXPORT_ALL",
        "SRC_TELEMETRY_EVENTS_EXPORT_ALL_worker",
        "EXPORT_USAGE_DATA_ENABLED",
    ],
)
@every(
    ("value", "forces"),
    [
        *((value, True) for value in ("true", "TRUE", "True", "1", "t", "T")),
        *((value, False) for value in ("false", "0", "f", "", "yes")),
    ],
)
@every("image", _WITH_VARIABLE)
def test_what_forces_the_export_is_seen(image: str, name: str, value: str, forces: bool) -> None:
    reading = read(image, [(_NAME, ""), (name, value)])
    assert reading.setting is (Setting.ENABLED if forces else Setting.DISABLED)


@pytest.mark.parametrize("image", _WITH_VARIABLE)
def test_no_version_refuses_a_variable(image: str) -> None:
    assert rule_of(image).refuses == ()


@pytest.mark.parametrize(
    ("image", "hosts"),
    [
        ("sourcegraph/worker:5.2.0", set()),
        ("sourcegraph/worker:5.2.1", {_GATEWAY}),
        ("sourcegraph/worker:7.6.0", {_GATEWAY}),
        ("sourcegraph/worker:5", {_GATEWAY}),
        ("sourcegraph/frontend:5.1.9", {_SITE}),
        ("sourcegraph/frontend:5.2.0", {_PINGS}),
        ("sourcegraph/frontend:7.6.0", {_PINGS}),
        ("sourcegraph/frontend:5", {_PINGS, _SITE}),
        ("sourcegraph/server:5.1.9", {_SITE}),
        ("sourcegraph/server:5.2.0", {_PINGS}),
        ("sourcegraph/server:7.6.0", {_PINGS, _GATEWAY}),
        ("sourcegraph/server", {_PINGS, _GATEWAY, _SITE}),
    ],
)
def test_where_each_sender_sends(image: str, hosts: set[tuple[str, int]]) -> None:
    assert hosts_of(image, ChannelName.USAGE) == hosts


def test_published_addresses_and_shared_ones() -> None:
    usage, licence = match_image("sourcegraph/server:7.6.0").product.spec.channels
    published = {host.host: (host.addresses, host.published_ranges) for host in usage.hosts}
    assert published == {
        "telemetry-gateway.sourcegraph.com": (("34.107.157.31",), None),
        "pings.sourcegraph.com": (("34.36.231.254",), None),
        "sourcegraph.com": ((), "Cloudflare"),
    }
    assert [host.published_ranges for host in licence.hosts] == ["Cloudflare"]


@pytest.mark.parametrize("name", ["worker", "frontend", "server"])
def test_licence_checks_are_a_channel_of_their_own_without_any_switch(name: str) -> None:
    image = f"sourcegraph/{name}:7.6.0"
    found = match_image(image)
    assert hosts_of(image, ChannelName.LICENSE) == {_SITE}
    assert _SITE not in hosts_of(image, ChannelName.USAGE)
    assert not found.product.has_channel(ChannelName.LICENSE, found.image)
    assert list(found.product.switches(ChannelName.LICENSE)) == []
