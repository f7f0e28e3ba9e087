"""What rules, switches and hosts of a channel say of each other and of the product's versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from fleet_telemetry.api.product.channel import Channel, ChannelRule, Host
from fleet_telemetry.api.product.env_switch import EnvSwitch
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.catalogue.product import CompiledRule, Product
from fleet_telemetry.catalogue.version import VersionRanges
from fleet_telemetry.linting.document import Path
from fleet_telemetry.linting.finding import LintFinding, channel_path
from fleet_telemetry.linting.override_rules import check_overrides
from fleet_telemetry.switches.registry import mechanism_of


def check_channels(product: Product, *, built_in: bool) -> Iterator[LintFinding]:
    """The faults of ``spec.channels``."""
    for place, channel in enumerate(product.spec.channels):
        rules = product.rules[channel.name]
        if built_in and not channel.summary:
            what = f"channel {channel.name}: it has no summary"
            yield LintFinding(channel_path(place), what, "say what is sent, by whom and when")
        for at, rule in enumerate(channel.rules):
            path = channel_path(place, "rules", at)
            where = f"channel {channel.name}, rule {at + 1}"
            yield from _check_rule(rule, product.spec, path, where, built_in=built_in)
            for number, switch in enumerate(rule.switches):
                yield from _check_switch(switch, (*path, "switches", number), where)
        yield from _check_hosts(channel, rules, product.spec, place)
        yield from _check_harmless(product, channel, place)


def _check_rule(
    rule: ChannelRule, spec: TelemetryProductSpec, path: Path, where: str, *, built_in: bool
) -> Iterator[LintFinding]:
    if built_in and not rule.sources:
        what = f"{where}: it does not say where it was read"
        yield LintFinding(path, what, "add sources: repository@tag:path, or a page")
    if rule.default is not DefaultState.NO_TELEMETRY and not rule.switches and not rule.remedy:
        what = f"{where}: it has neither a switch nor a remedy"
        yield LintFinding(path, what, "say in remedy what a person can do")
    if rule.switches and not spec.versions.lines:
        what = f"{where}: it has a switch, and every number in a tag passes for a version"
        yield LintFinding(path, what, "list the product's versions in spec.versions.lines")
    names = Counter(_labels(rule))
    for name, times in names.items():
        if times > 1:
            what = f"{where}: {times} switches are {name}"
            yield LintFinding((*path, "switches"), what, "keep one of them")


def _check_switch(switch: Switch, path: Path, where: str) -> Iterator[LintFinding]:
    yield from check_overrides(switch, (*path, "overrides"), where)
    if switch.env is None:
        return
    env_path = (*path, "env")
    yield from _check_reading(switch.env, env_path, where)
    others = (*switch.ineffective, *switch.env.shadows, *switch.env.exclusive_with)
    for name in (*others, *(one.env for one in switch.overrides if one.argument is None)):
        if name is not None and switch.env.is_named(name):
            what = f"{where}: {name} is the switch itself, and not something beside it"
            yield LintFinding(path, what, "remove it from the list")
    if switch.seed_proof is not None:
        for pattern in switch.seed_proof.redirected_by:
            if glob_matches(pattern, switch.env.name):
                what = f"{where}: {pattern} in redirectedBy matches the switch itself"
                yield LintFinding((*path, "seedProof"), what, "name other variables")


def _check_reading(env: EnvSwitch, path: Path, where: str) -> Iterator[LintFinding]:
    """What is written has to be understood by the product's own way of reading."""
    where = f"{where}, {env.name}"
    if env.disabled == env.enabled:
        yield LintFinding(path, f"{where}: disabled and enabled are the same value", "correct one")
        return
    for field, value, wanted in (
        ("disabled", env.disabled, Setting.DISABLED),
        ("enabled", env.enabled, Setting.ENABLED),
    ):
        if value is None:
            continue
        read = env.reading.setting_of(env.value_read(value))
        if read is not wanted:
            what = f"{where}: {field} is {value!r}, which reading makes {read}"
            yield LintFinding((*path, field), what, f"list it in reading.{field}, or correct it")
    for value in env.reading.disabled:
        if env.reading.setting_of(value) is not Setting.DISABLED:
            what = f"{where}: reading has {value!r} in disabled and in enabled"
            yield LintFinding((*path, "reading"), what, "keep one of them")


def _check_hosts(
    channel: Channel, rules: tuple[CompiledRule, ...], spec: TelemetryProductSpec, place: int
) -> Iterator[LintFinding]:
    components = {image.component for image in spec.images}
    sending = [one for one in rules if one.rule.default is not DefaultState.NO_TELEMETRY]
    seen: set[tuple[object, ...]] = set()
    for at, host in enumerate(channel.hosts):
        path = channel_path(place, "hosts", at)
        where = f"channel {channel.name}, host {host.host}"
        for component in sorted(set(host.components) - components):
            what = f"{where}: no image has the component {component!r}"
            yield LintFinding(path, what, "name one that spec.images has, or add the image")
        key = (host.host, host.port, host.versions, host.components)
        if key in seen:
            yield LintFinding(path, f"{where}: it stands twice", "remove one of them")
        seen.add(key)
        if rules and not any(_meet(host, one) for one in sending):
            what = f"{where}: no rule says that a version of it sends"
            yield LintFinding(path, what, "correct the versions of the host, or add the rule")
    if not channel.hosts:
        return  # Not known, or none of the cluster's connections: then there is nothing to deny.
    for at, rule in enumerate(channel.rules):
        compiled = next((one for one in rules if one.rule is rule), None)
        if compiled is None or rule.default not in (DefaultState.ON, DefaultState.BY_LICENCE):
            continue
        if not any(_meet(host, compiled) for host in channel.hosts):
            what = f"channel {channel.name}, rule {at + 1}: the versions send, and to no host"
            yield LintFinding(
                channel_path(place, "rules", at), what, "add the host, or correct its versions"
            )


def _meet(host: Host, rule: CompiledRule) -> bool:
    """Whether some version of the rule talks to the host."""
    shared = not host.components or not rule.rule.components
    shared = shared or bool({*host.components} & {*rule.rule.components})
    return shared and VersionRanges.parse(host.versions).overlaps(rule.versions)


def _check_harmless(product: Product, channel: Channel, place: int) -> Iterator[LintFinding]:
    """Of several, the first one is used where no version can be read, so they have to agree."""
    harmless = [one for one in product.rules[channel.name] if one.rule.harmless_anywhere]
    for first, second in combinations(harmless, 2):
        shared = [
            image
            for image in product.spec.images
            if first.concerns(image) and second.concerns(image)
        ]
        if shared and {*_labels(first.rule)} != {*_labels(second.rule)}:
            at = channel.rules.index(second.rule)
            what = (
                f"channel {channel.name}, rule {at + 1}: another rule before it is "
                "harmlessAnywhere, too, with other switches, and one alone is used"
            )
            yield LintFinding(channel_path(place, "rules", at), what, "mark one rule alone")
    for at, rule in enumerate(channel.rules):
        if rule.harmless_anywhere and not list(_labels(rule)):
            what = f"channel {channel.name}, rule {at + 1}: harmlessAnywhere without a switch"
            yield LintFinding(channel_path(place, "rules", at), what, "remove the mark")


def _labels(rule: ChannelRule) -> Iterator[str]:
    """What its switches are called in a pod template."""
    for switch in rule.switches:
        mechanism = mechanism_of(switch)
        if mechanism is not None:
            yield mechanism.label(switch)
