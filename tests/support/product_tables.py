"""Questions to the built-in catalogue, in the words of the tests."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import ChannelRule, Host
from fleet_telemetry.api.product.env_switch import EnvSwitch
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.catalogue import ImageMatch, builtin
from fleet_telemetry.catalogue.known_versions import TagReading
from fleet_telemetry.catalogue.product import RuleLookup
from fleet_telemetry.catalogue.version import VersionRanges, VersionSpan
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import SwitchReading, with_default
from fleet_telemetry.workloads.workload import Container, EnvVar

DIGEST = "sha256:" + "0a" * 32

Variables = Iterable[tuple[str, str]]


def find(image: str, container: str = "main") -> ImageMatch | None:
    return builtin().match_image(image, container)


def match_image(image: str, container: str = "main") -> ImageMatch:
    found = find(image, container)
    assert found is not None, f"{image} in {container} is not recognised"
    return found


def span_of(image: str) -> VersionSpan | None:
    return tag_of(image).version


def tag_of(image: str) -> TagReading:
    found = match_image(image)
    return found.product.read_tag(found.reference, found.image)


def look_up(image: str, channel: ChannelName = ChannelName.USAGE) -> RuleLookup:
    found = match_image(image)
    return found.product.rule_for(channel, found.image, span_of(image))


def rule_of(image: str, channel: ChannelName = ChannelName.USAGE) -> ChannelRule:
    found = look_up(image, channel)
    assert found.rule is not None, f"{image}: {found.reason}"
    return found.rule


def switch_of(image: str, channel: ChannelName = ChannelName.USAGE) -> Switch:
    """The first variable: that of the product's own setting, if there are several."""
    return next(switch for switch in rule_of(image, channel).switches if switch.env is not None)


def variable_of(image: str, channel: ChannelName = ChannelName.USAGE) -> EnvSwitch:
    variable = switch_of(image, channel).env
    assert variable is not None
    return variable


def describe(image: str, channel: ChannelName = ChannelName.USAGE) -> str:
    """The rule in one line: the default and every switch; or why there is none."""
    found = look_up(image, channel)
    if found.rule is None:
        return str(tag_of(image).fault or found.reason)
    switches = (
        f"{switch.semantics} {switch.env.name}" if switch.env else switch.semantics.value
        for switch in found.rule.switches
    )
    return ", ".join((found.rule.default.value, *switches))


def read(
    image: str,
    variables: Variables,
    arguments: Iterable[str] = (),
    channel: ChannelName = ChannelName.USAGE,
) -> SwitchReading:
    """What a container with these variables and arguments comes to."""
    env = tuple(EnvVar(name, value) for name, value in variables)
    container = Container(0, "main", image, args=tuple(arguments), env=env)
    return with_default(
        read_switch(container, switch_of(image, channel)), rule_of(image, channel).default
    )


def hosts_of(image: str, channel: ChannelName) -> set[tuple[str, int]]:
    """The hosts and ports that this image may talk to on a channel."""
    found, span = match_image(image), span_of(image)

    def concerns(host: Host) -> bool:
        ranges = VersionRanges.parse(host.versions)
        in_version = span is None or not host.versions or ranges.touches(span)
        return in_version and (not host.components or found.image.component in host.components)

    return {
        (host.host, host.port)
        for entry in found.product.spec.channels
        if entry.name is channel
        for host in entry.hosts
        if concerns(host)
    }
