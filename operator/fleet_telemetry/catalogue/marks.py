"""Marks of a product that contradict each other or the rest of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import ChannelRule, Host, Sender
from fleet_telemetry.api.product.env_switch import EnvSwitch, spelt_in_capitals
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.version import VersionRanges

Placed = tuple[str, EnvSwitch, VersionRanges, tuple[Image, ...]]
"""Where a variable stands, the variable, and for which versions and images it may be set."""


def find_mark_problems(
    spec: TelemetryProductSpec, ranges: Iterable[tuple[ChannelName, int, VersionRanges]]
) -> Iterator[str]:
    """Sentences that say what is wrong and where. ``ranges`` has the readable rules: channel, place
    in the channel, versions."""
    for channel in spec.channels:
        for place, rule in enumerate(channel.rules):
            where = f"channel {channel.name}, rule {place + 1}"
            yield from _about_leaves(where, rule)
            yield from _about_persistence(where, rule)
        for host in channel.hosts:
            yield from _about_browsers(f"channel {channel.name}, host {host.host}", host)
    ranges = list(ranges)
    variables = list(_variables(spec, ranges))
    for where, env, _, _ in variables:
        yield from _own_contradictions(where, env)
    yield from _about_both(variables)
    yield from _about_refusals(spec, ranges, variables)


def _about_both(variables: Iterable[Placed]) -> Iterator[str]:
    """Switches of the same versions and images that exclude each other. A product may have a
    thousand switches, so they are found by their names."""
    by_name: dict[str, list[Placed]] = {}
    for one in variables:
        by_name.setdefault(one[1].name.lower(), []).append(one)
    for where, env, versions, images in variables:
        near = dict.fromkeys(name.lower() for name in env.exclusive_with)
        for _, other, others, its_images in (two for name in near for two in by_name.get(name, ())):
            if env.name == other.name or not env.excludes(other.name):
                continue
            if versions.overlaps(others) and any(image in its_images for image in images):
                yield (
                    f"{where}: {env.name} is exclusive with {other.name}, which is a switch of the "
                    "same versions; the product would get both"
                )


def _about_refusals(
    spec: TelemetryProductSpec,
    ranges: Iterable[tuple[ChannelName, int, VersionRanges]],
    variables: Iterable[Placed],
) -> Iterator[str]:
    """Variables that one rule sets, and another one refuses for versions that get it."""
    versions = {(channel, place): found for channel, place, found in ranges}
    by_name: dict[str, list[Placed]] = {}
    for one in variables:
        for spelling in dict.fromkeys(map(spelt_in_capitals, _names(one[1]))):
            by_name.setdefault(spelling, []).append(one)
    for channel in spec.channels:
        for place, rule in enumerate(channel.rules):
            where = f"channel {channel.name}, rule {place + 1}"
            found = versions.get((channel.name, place))
            if found is None:
                continue
            images = _images_of(spec, rule)
            for refusal in rule.refuses:
                for its_place, env, others, its_images in by_name.get(
                    spelt_in_capitals(refusal.env), ()
                ):
                    named = env.is_named(refusal.env) or refusal.is_named(env.name)
                    shared = any(image in its_images for image in images)
                    if its_place != where and named and shared and found.overlaps(others):
                        yield (
                            f"{where}: it refuses {refusal.env}, which {its_place} sets in the "
                            "same versions; harmlessAnywhere sets it in every version"
                        )


def _names(env: EnvSwitch) -> Iterator[str]:
    yield from (env.name, *env.aliases)
    if env.config_property is not None:
        yield env.config_property.name


def _images_of(spec: TelemetryProductSpec, rule: ChannelRule) -> tuple[Image, ...]:
    """The images that a rule concerns."""
    return tuple(
        image
        for image in spec.images
        if (not rule.editions or image.edition in rule.editions)
        and (not rule.components or image.component in rule.components)
    )


def _about_browsers(where: str, host: Host) -> Iterator[str]:
    for name, value in (
        ("addresses", host.addresses),
        ("publishedRanges", host.published_ranges),
    ):
        if host.sent_by is Sender.BROWSER and value:
            yield f"{where}: {name} is for network policies, and none contains a browser"


def _about_leaves(where: str, rule: ChannelRule) -> Iterator[str]:
    if rule.leaves and all(switch.semantics is Semantics.NONE for switch in rule.switches):
        yield (
            f"{where}: leaves says what is sent in spite of switches, and no switch has an effect; "
            "write it into remedy or summary"
        )
    if rule.leaves and any(switch.sufficient for switch in rule.switches):
        yield f"{where}: a switch that is sufficient stops everything, and leaves says otherwise"


def _about_persistence(where: str, rule: ChannelRule) -> Iterator[str]:
    for switch in rule.switches:
        env = switch.env
        if env is None or not env.persists:
            continue
        if switch.semantics is not Semantics.START:
            yield (
                f"{where}: {env.name} persists and is no Start switch; persists says what each "
                "start writes"
            )
        if env.keeps_opt_out and not rule.remedy:
            yield (
                f"{where}: {env.name} persists and has no value that enables; say in remedy how "
                "an earlier opt-out is reverted"
            )


def _variables(
    spec: TelemetryProductSpec, ranges: Iterable[tuple[ChannelName, int, VersionRanges]]
) -> Iterator[Placed]:
    versions = {(channel, place): found for channel, place, found in ranges}
    for channel in spec.channels:
        for place, rule in enumerate(channel.rules):
            found = versions.get((channel.name, place))
            if found is None:
                continue
            # What is harmless to every version is set wherever no rule is for the version.
            reach = VersionRanges() if rule.harmless_anywhere else found
            images = _images_of(spec, rule)
            for switch in rule.switches:
                if switch.env is not None:
                    where = f"channel {channel.name}, rule {place + 1}"
                    yield where, switch.env, reach, images


def _about_reading(where: str, env: EnvSwitch) -> Iterator[str]:
    """A value that is written, and that the reading lists as the opposite."""
    for field, value, opposite in (
        ("disabled", env.disabled, Setting.ENABLED),
        ("enabled", env.enabled, Setting.DISABLED),
    ):
        if value is not None and env.reading.listed(env.value_read(value)) is opposite:
            yield (
                f"{where}: {env.name}: {field} is {value}, which reading makes {opposite}; list it "
                f"in reading.{field} (default: true enables, and false disables)"
            )


def _about_word(where: str, env: EnvSwitch) -> Iterator[str]:
    if env.word is None:
        return
    for value in (env.disabled, env.enabled):
        if value is not None and not value.startswith(env.word.begins):
            yield f"{where}: {env.name}: the value {value} does not begin with {env.word.begins}"
    if env.config_property is not None or env.any_case_after or env.aliases or env.shadows:
        yield (
            f"{where}: {env.name} holds words of a command line, which excludes configProperty, "
            "anyCaseAfter, aliases and shadows"
        )
    if env.name in env.word.weaker:
        yield f"{where}: {env.name} is weaker than itself"


def _own_contradictions(where: str, env: EnvSwitch) -> Iterator[str]:
    yield from _about_word(where, env)
    yield from _about_reading(where, env)
    for name in env.exclusive_with:
        if env.is_named(name):
            yield f"{where}: the switch {env.name} is exclusive with {name}, which is itself"
        if name in env.shadows:
            yield (
                f"{where}: {name} is in shadows of {env.name}, which the switch overrides, and in "
                "exclusiveWith, beside which the product does not start"
            )
