"""A product ready to be asked: which container runs it, and which rule holds for its version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations, product

from fleet_telemetry.api.argument_names import is_runner
from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.argument_switch import ArgumentSwitch
from fleet_telemetry.api.product.channel import Channel, ChannelRule, Host, Provenance
from fleet_telemetry.api.product.env_switch import spelt_in_capitals
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.known_versions import TagReader, TagReading
from fleet_telemetry.catalogue.marks import find_mark_problems
from fleet_telemetry.catalogue.tag_template import match_template
from fleet_telemetry.catalogue.version import VersionRanges, VersionSpan


class ProductError(ValueError):
    """A product contradicts itself; ``problems`` are sentences that say where and how."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"product {name}: " + "; ".join(problems))


_LEAST_CERTAIN_FIRST = (Provenance.USER, Provenance.DOCUMENTATION, Provenance.SOURCE)


def least_certain(found: Iterable[Provenance | None]) -> Provenance | None:
    """The least certain of several provenances; None if there are none."""
    known = (one for one in found if one is not None)
    return min(known, key=_LEAST_CERTAIN_FIRST.index, default=None)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its ranges read."""

    rule: ChannelRule
    versions: VersionRanges

    def concerns(self, image: Image) -> bool:
        """Whether it speaks of this edition and component at all."""
        return (not self.rule.editions or image.edition in self.rule.editions) and (
            not self.rule.components or image.component in self.rule.components
        )


@dataclass(frozen=True, slots=True)
class RuleLookup:
    """The rule for a version, or why there is none."""

    rule: ChannelRule | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The TelemetryProduct that a product comes from."""

    created: datetime
    changed: datetime
    """When its spec or its metadata were last written."""
    replaces_builtin: bool = False


@dataclass(frozen=True)
class Product:
    """A product whose specification holds together."""

    name: str
    spec: TelemetryProductSpec
    rules: Mapping[ChannelName, tuple[CompiledRule, ...]]
    tags: TagReader
    origin: Origin | None = None
    """None for a built-in product, which is reviewed."""

    @property
    def has_builtin_name(self) -> bool:
        """Whether it is built in or takes the place of a product that is."""
        return self.origin is None or self.origin.replaces_builtin

    @classmethod
    def compile(
        cls, name: str, spec: TelemetryProductSpec, origin: Origin | None = None
    ) -> Product:
        """Raises ProductError, which names every problem at once."""
        problems: list[str] = []
        if not spec.channels:
            problems.append("channels: name one, or a base that has them")
        rules = {
            channel.name: tuple(_compile_rules(channel, problems)) for channel in spec.channels
        }
        for channel in spec.channels:
            problems.extend(_check_channel(channel, rules[channel.name], spec))
        problems.extend(find_mark_problems(spec, _places(spec, rules)))
        problems.extend(_check_lines(spec))
        tags = TagReader((), spec.versions.major_tags)
        try:
            tags = TagReader.compile(spec.versions)
        except ValueError as error:
            problems.append(f"versions: {error}")
        for channel in spec.channels:
            problems.extend(_check_reach(channel, rules[channel.name], tags))
        if problems:
            raise ProductError(name, problems)
        return cls(name, spec, rules, tags, origin)

    def match_image(self, image: ImageReference, container: str) -> Image | None:
        """The entry for a container's image, or None if it is something else."""
        for entry in self.spec.images:
            if image.matches(entry.pattern):
                excluded = any(glob_matches(tag, image.tag) for tag in entry.exclude_tags) or any(
                    glob_matches(name, container) for name in entry.exclude_containers
                )
                named = not entry.only_containers or any(
                    glob_matches(name, container) for name in entry.only_containers
                )
                return entry if named and not excluded else None
        return None

    def read_tag(self, image: ImageReference, entry: Image) -> TagReading:
        """The version that a container's image has, by its tag. The tags of images that users build
        on a base number their own releases, unless a template says otherwise."""
        if self.spec.base is not None and not any(
            match_template(template, image.tag) is not None for template in entry.tags
        ):
            return TagReading(None, Reason.VERSION_UNREADABLE)
        return self.tags.read(image.tag, entry.edition, entry.tags)

    def has_channel(self, channel: ChannelName, image: Image) -> bool:
        """Whether this component of the product uses the channel in any version."""
        return any(rule.concerns(image) for rule in self.rules.get(channel, ()))

    def rule_for(self, channel: ChannelName, image: Image, span: VersionSpan | None) -> RuleLookup:
        """What holds for a version; a floating tag has a rule only if all its versions share it."""
        rules = [rule for rule in self.rules.get(channel, ()) if rule.concerns(image)]
        for rule in rules:
            if rule.versions.covers(span):
                return RuleLookup(rule.rule)
        if span is None or any(rule.versions.touches(span) for rule in rules):
            return RuleLookup(None, Reason.VERSION_UNREADABLE)
        return RuleLookup(None, Reason.VERSION_NOT_COVERED)

    def possible_rules(
        self, channel: ChannelName, image: Image, span: VersionSpan | None
    ) -> Iterator[ChannelRule]:
        """The rules of all versions that the image may have."""
        for rule in self.rules.get(channel, ()):
            if rule.concerns(image) and (span is None or rule.versions.touches(span)):
                yield rule.rule

    def provenance_of(
        self, channel: ChannelName, image: Image, span: VersionSpan | None
    ) -> Provenance | None:
        """Where the facts of a version come from; those of the versions that the image may have, if
        it is not known. None if there are no facts."""
        rules = [*self.possible_rules(channel, image, span)]
        if rules and self.origin is not None:
            return Provenance.USER
        return least_certain(rule.provenance for rule in rules)

    def hosts_of(
        self, channel: ChannelName, image: Image, span: VersionSpan | None
    ) -> Iterator[tuple[Host, bool]]:
        """The hosts that a version talks to, and whether it surely does: a floating tag, or one
        that cannot be read, may stand for a version that talks to another host."""
        for host, ranges in self._hosts.get(channel, ()):
            if host.components and image.component not in host.components:
                continue
            certain = ranges.covers(span)
            if certain or span is None or ranges.touches(span):
                yield host, certain

    @cached_property
    def _hosts(self) -> Mapping[ChannelName, tuple[tuple[Host, VersionRanges], ...]]:
        """The hosts of each channel, with their versions read."""
        return {
            channel.name: tuple(
                (host, VersionRanges.parse(host.versions)) for host in channel.hosts
            )
            for channel in self.spec.channels
        }

    def harmless_rule(self, channel: ChannelName, image: Image) -> ChannelRule | None:
        """The rule whose switches may be set whatever the version is."""
        for rule in self.rules.get(channel, ()):
            if rule.concerns(image) and rule.rule.harmless_anywhere:
                return rule.rule
        return None

    def switches(self, *channels: ChannelName) -> Iterator[Switch]:
        """Every switch of the channels, or of all channels if none is named."""
        for channel in self.spec.channels:
            if not channels or channel.name in channels:
                for rule in channel.rules:
                    yield from rule.switches

    @cached_property
    def all_switches(self) -> tuple[Switch, ...]:
        """Every switch of every channel in some version."""
        return tuple(self.switches())


def _compile_rules(channel: Channel, problems: list[str]) -> Iterator[CompiledRule]:
    for index, rule in enumerate(channel.rules):
        try:
            yield CompiledRule(rule, VersionRanges.parse(rule.versions))
        except ValueError as error:
            problems.append(f"channel {channel.name}, rule {index + 1}: {error}")
    for host in channel.hosts:
        try:
            VersionRanges.parse(host.versions)
        except ValueError as error:
            problems.append(f"channel {channel.name}, host {host.host}: {error}")


def _names_all_images(spec: TelemetryProductSpec) -> bool:
    """Whether no other images run the product: users do not build them."""
    return spec.base is None and bool(spec.images)


def _places(
    spec: TelemetryProductSpec, rules: Mapping[ChannelName, tuple[CompiledRule, ...]]
) -> Iterator[tuple[ChannelName, int, VersionRanges]]:
    """The versions of each rule by its place; without those whose ranges cannot be read."""
    for channel in spec.channels:
        for place, rule in enumerate(channel.rules):
            compiled = next((one for one in rules[channel.name] if one.rule is rule), None)
            if compiled is not None:
                yield channel.name, place, compiled.versions


def _check_property(where: str, variable: str, name: str) -> Iterator[str]:
    if name and spelt_in_capitals(name) != variable:
        yield f"{where}: the variable {variable} is not the property {name} in capitals"


def _check_lines(spec: TelemetryProductSpec) -> Iterator[str]:
    editions = {image.edition for image in spec.images}
    for index, line in enumerate(spec.versions.lines if _names_all_images(spec) else ()):
        for edition in sorted(set(line.editions) - editions):
            yield f"versions, line {index + 1}: no image has the edition {edition!r}"


def _check_reach(
    channel: Channel, rules: tuple[CompiledRule, ...], tags: TagReader
) -> Iterator[str]:
    for rule in rules:
        if not tags.may_be_in(rule.versions, rule.rule.editions):
            where = f"channel {channel.name}, {_ranges(rule.rule)}"
            yield f"{where}: no version of spec.versions is in this range"


def _check_channel(
    channel: Channel, rules: tuple[CompiledRule, ...], spec: TelemetryProductSpec
) -> Iterator[str]:
    """What neither the schema nor CEL can say."""
    for index, rule in enumerate(channel.rules):
        where = f"channel {channel.name}, rule {index + 1}"
        if _names_all_images(spec):
            yield from _check_labels(where, rule, spec)
        refused = {refusal.env for refusal in rule.refuses}
        for refusal in rule.refuses:
            yield from _check_property(where, refusal.env, refusal.config_property or "")
        for switch in rule.switches:
            if switch.env is not None:
                own = switch.env.config_property
                yield from _check_property(where, switch.env.name, own.name if own else "")
            if switch.env is not None and any(map(switch.env.is_named, refused)):
                yield f"{where}: it refuses its own switch {switch.env.name}"
    yield from _check_arguments(channel)
    yield from _check_suspensions(channel, rules, spec.images)
    yield from _check_overlaps(channel, rules, spec.images or tuple(_possible_images(channel)))


def _check_labels(where: str, rule: ChannelRule, spec: TelemetryProductSpec) -> Iterator[str]:
    for edition in sorted(set(rule.editions) - {image.edition for image in spec.images}):
        yield f"{where}: no image has the edition {edition!r}"
    for component in sorted(set(rule.components) - {image.component for image in spec.images}):
        yield f"{where}: no image has the component {component!r}"


def _possible_images(channel: Channel) -> Iterator[Image]:
    """Images with each edition and component of the rules, for a product that has no own ones."""
    editions = {"standard"}.union(*(rule.editions for rule in channel.rules))
    components = {"server"}.union(*(rule.components for rule in channel.rules))
    for edition, component in product(sorted(editions), sorted(components)):
        yield Image(pattern="any", edition=edition, component=component)


def _check_overlaps(
    channel: Channel, rules: tuple[CompiledRule, ...], images: tuple[Image, ...]
) -> Iterator[str]:
    for first, second in combinations(rules, 2):
        shared = [image for image in images if first.concerns(image) and second.concerns(image)]
        if shared and first.versions.overlaps(second.versions):
            yield (
                f"channel {channel.name}: two rules overlap for {shared[0].pattern} "
                f"({_ranges(first.rule)} and {_ranges(second.rule)})"
            )


def _check_argument(where: str, argument: ArgumentSwitch) -> Iterator[str]:
    """What the words of an argument mean to the product itself."""
    for word, meaning in (
        (argument.disabled, Setting.DISABLED),
        (argument.enabled, Setting.ENABLED),
    ):
        if word is not None and argument.setting_of(word) is not meaning:
            found = argument.setting_of(word) if argument.is_flag(word) else "another flag"
            yield (
                f"{where}: argument {argument.flag}: the word {word} means {found}, not {meaning}, "
                "by the fields dashes, values, bare and reading"
            )
    for program in (*argument.programs, *argument.scripts):
        if is_runner(program):
            yield (
                f"{where}: argument {argument.flag}: {program} runs other programs, so its "
                "arguments are not those of the product"
            )
    image = argument.image_arguments
    if image and argument.after is not None and image[0] != argument.after:
        yield (
            f"{where}: argument {argument.flag}: imageArguments begin with {image[0]}, and not "
            f"with the subcommand {argument.after}"
        )
    if image and any(map(argument.is_flag, image)):
        yield f"{where}: argument {argument.flag}: imageArguments have the flag itself"


def _check_arguments(channel: Channel) -> Iterator[str]:
    for index, rule in enumerate(channel.rules):
        where = f"channel {channel.name}, rule {index + 1}"
        arguments = [one.argument for one in rule.switches if one.argument is not None]
        flags = [argument.flag for argument in arguments]
        for argument in arguments:
            yield from _check_argument(where, argument)
        for flag in sorted({flag for flag in flags if flags.count(flag) > 1}):
            yield f"{where}: two switches have the flag {flag}"


def _check_suspensions(
    channel: Channel, rules: tuple[CompiledRule, ...], images: tuple[Image, ...]
) -> Iterator[str]:
    """A CronJob stops as a whole, so it has to be clear which one it is."""
    suspending = [one for one in rules if any(switch.suspend for switch in one.rule.switches)]
    for image in images:
        concerned = any(one.concerns(image) for one in suspending)
        if concerned and not image.only_containers:
            yield (
                f"channel {channel.name}: it is switched by suspending a CronJob, and image "
                f"{image.pattern} has no onlyContainers; name the containers that only call home"
            )


def _ranges(rule: ChannelRule) -> str:
    return " or ".join(rule.versions) or "every version"
