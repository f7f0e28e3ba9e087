"""The catalogue in a line for each channel of a product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.api.product.channel import Channel, Sender
from fleet_telemetry.api.product.setting import DefaultState, Semantics
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.switches.registry import mechanism_of

_DEFAULTS = {
    DefaultState.ON: "sends",
    DefaultState.OFF: "sends nothing",
    DefaultState.BY_LICENCE: "by licence",
    DefaultState.UNKNOWN: "unknown",
    DefaultState.NO_TELEMETRY: "no telemetry",
}
_KINDS = {"env": "variable", "argument": "argument", "resource": "custom resource"}
_OTHERS = {Semantics.RUNTIME: "in the product itself", Semantics.NONE: "without effect"}


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """One channel of one product, over all versions."""

    product: str
    title: str
    channel: str
    defaults: tuple[str, ...]
    """What versions do without a switch, from the first rule on."""
    kinds: tuple[str, ...]
    """How it is switched: by a variable, an argument, in the product itself."""
    switches: tuple[str, ...]
    """What the switches are called."""
    hosts: tuple[str, ...]
    leaves: bool
    """Whether something is still sent in spite of the switches of some version."""

    def holds(self, word: str) -> bool:
        """Whether a word is in it, in any case."""
        texts = (self.product, self.title, self.channel, *self.switches, *self.hosts)
        return any(word.lower() in text.lower() for text in texts)


def summaries(products: Iterable[Product]) -> Iterator[ChannelSummary]:
    """Every channel of the products, in their order."""
    for product in products:
        for channel in product.spec.channels:
            yield _summary(product, channel)


def verified_versions(product: Product) -> tuple[str, ...]:
    """The last verified version of each line of versions."""
    return tuple(dict.fromkeys(line.verified for line in product.spec.versions.lines))


def _summary(product: Product, channel: Channel) -> ChannelSummary:
    kinds: dict[str, None] = {}
    names: dict[str, None] = {}
    for switch in (switch for rule in channel.rules for switch in rule.switches):
        mechanism = mechanism_of(switch)
        if mechanism is None or (switch.semantics in _OTHERS and switch.resource is None):
            kinds[_OTHERS.get(switch.semantics, "")] = None
        else:
            kinds[_KINDS.get(mechanism.name, mechanism.name)] = None
            names[mechanism.label(switch)] = None
    hosts = dict.fromkeys(
        f"{host.host} (browser)" if host.sent_by is Sender.BROWSER else host.host
        for host in channel.hosts
    )
    return ChannelSummary(
        product=product.name,
        title=product.spec.title,
        channel=channel.name,
        defaults=tuple(dict.fromkeys(_DEFAULTS[rule.default] for rule in channel.rules)),
        kinds=tuple(kinds) or ("none",),
        switches=tuple(names),
        hosts=tuple(hosts),
        leaves=any(rule.leaves for rule in channel.rules),
    )
