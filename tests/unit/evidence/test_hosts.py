"""The hosts that a container's channels are sent to."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.evidence.hosts import hosts_of_container, names_asked
from tests.support.builders import SONARQUBE, catalogue, container, manifest, product, workload

USAGE, UPDATES = ChannelName.USAGE, ChannelName.UPDATE_CHECK
IMAGES = [
    {"pattern": "acme/server", "component": "server"},
    {"pattern": "acme/worker", "component": "worker"},
]


def rule(**more: Any) -> dict[str, Any]:
    return {"default": "On", **more}


def channel(name: str, *hosts: dict[str, Any], **of_rule: Any) -> dict[str, Any]:
    return {"name": name, "hosts": list(hosts), "rules": [rule(**of_rule)]}


def targets(image: str, *channels: dict[str, Any]) -> tuple[MatchedContainer, ...]:
    known = catalogue(product("acme", images=IMAGES, channels=list(channels)))
    return match_containers(workload(manifest(container(image))).template, known)


def test_hosts_are_those_of_the_version() -> None:
    found = targets(
        "acme/server:2.1",
        channel(
            "Usage",
            {"host": "new.acme.example", "versions": [">=2"]},
            {"host": "old.acme.example", "versions": ["<2"]},
        ),
    )
    assert names_asked(found) == {"new.acme.example"}
    given = workload(manifest(container(SONARQUBE), container("nginx:1", name="web")))
    sonarqube = match_containers(given.template, builtin())
    assert "telemetry.sonarsource.com" in names_asked(sonarqube)


def test_pods_do_not_ask_for_the_hosts_of_browsers() -> None:
    page = {"host": "page.acme.example", "sentBy": "Browser"}
    found = targets("acme/server:2", channel("Usage", page, {"host": "sent.acme.example"}))
    assert names_asked(found) == {"sent.acme.example"}
    assert len(list(hosts_of_container(found[0], USAGE))) == 2


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("acme/server:2", {"usage.acme.example", "updates.acme.example"}),
        # The worker has no such channel, although the host names no components.
        ("acme/worker:2", {"updates.acme.example"}),
    ],
)
def test_an_image_without_the_channel_has_none_of_its_hosts(image: str, expected: set[str]) -> None:
    found = targets(
        image,
        channel("Usage", {"host": "usage.acme.example"}, components=["server"]),
        channel("UpdateCheck", {"host": "updates.acme.example"}),
    )
    assert names_asked(found) == expected
    assert names_asked(found, UPDATES) == {"updates.acme.example"}
    assert names_asked(found, USAGE) == expected - {"updates.acme.example"}


def test_the_hosts_of_all_channels_are_those_of_each() -> None:
    for one in builtin().products.values():
        for image in one.spec.images:
            template = workload(manifest(container(image.pattern.replace("*", "x")))).template
            found = match_containers(template, builtin())
            of_each = (names_asked(found, channel) for channel in ChannelName)
            assert names_asked(found) == frozenset().union(*of_each), image.pattern
