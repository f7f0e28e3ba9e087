"""Which hosts are listed, and which are left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import Sender
from fleet_telemetry.audit.result import Finding, HostName
from fleet_telemetry.catalogue.product import Product


class Action(StrEnum):
    """What the list is for."""

    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A product's channel that is sent to a host."""

    product: str
    channel: ChannelName


@dataclass(frozen=True, slots=True)
class ListedHost:
    """A host with one of its ports."""

    host: str
    port: int
    uses: tuple[Use, ...]
    sent_by_browser: bool = False
    """Only browsers connect to it: the desktops' network counts, not the cluster's."""
    also_serves: tuple[str, ...] = ()
    """What else is served under the name, on whatever port."""


@dataclass(frozen=True, slots=True)
class HostList:
    """The list, in order of the names."""

    action: Action
    hosts: tuple[ListedHost, ...]
    left_out: tuple[ListedHost, ...] = ()
    """A denial would block something else, too."""
    serial: int = 1
    """Of a zone; it has to grow."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names alone, each once."""
        return tuple(dict.fromkeys(one.host for one in self.hosts))

    @property
    def spared(self) -> tuple[str, ...]:
        """Names that are left out, and are below a name of the list: some forms are about all names
        below a host, and have to except these."""
        listed = set(self.names)
        names = dict.fromkeys(one.host for one in self.left_out)
        return tuple(name for name in names if any(above in listed for above in _above(name)))


def _above(name: str) -> Iterator[str]:
    """The names above a name, such as example.com of www.example.com."""
    while "." in name:
        name = name.partition(".")[2]
        yield name


Found = tuple[Use, HostName]


def hosts_of_findings(
    findings: Iterable[Finding], channels: Collection[ChannelName] = ()
) -> Iterator[Found]:
    """The hosts of what an audit found, whether something is sent to them now or not."""
    for one in findings:
        if not channels or one.channel in channels:
            yield from ((Use(one.product, one.channel), host) for host in one.hosts)


def hosts_of_products(
    products: Iterable[Product], channels: Collection[ChannelName] = ()
) -> Iterator[Found]:
    """The hosts of all versions of products."""
    for product in products:
        for channel in product.spec.channels:
            if channels and channel.name not in channels:
                continue
            for host in channel.hosts:
                yield (
                    Use(product.name, channel.name),
                    HostName(
                        host=host.host,
                        port=host.port,
                        sent_by_browser=host.sent_by is Sender.BROWSER,
                        also_serves=host.also_serves,
                    ),
                )


def make_list(
    found: Iterable[Found], action: Action, *, include_shared: bool = False, serial: int = 1
) -> HostList:
    """The list. A host that serves something else, too, is denied only on request."""
    merged: dict[tuple[str, int], ListedHost] = {}
    shared: dict[str, dict[str, None]] = {}
    for use, host in found:
        key = host.host, host.port
        known = merged.get(key)
        by_browser = host.sent_by_browser and (known is None or known.sent_by_browser)
        uses = {use, *(known.uses if known else ())}
        merged[key] = ListedHost(*key, tuple(sorted(uses)), by_browser)
        if host.also_serves:
            shared.setdefault(host.host, {})[host.also_serves] = None
    hosts = [
        replace(one, also_serves=tuple(sorted(shared.get(one.host, ()))))
        for _, one in sorted(merged.items())
    ]
    leaves_out = action is Action.DENY and not include_shared
    return HostList(
        action=action,
        hosts=tuple(one for one in hosts if not (leaves_out and one.also_serves)),
        left_out=tuple(one for one in hosts if leaves_out and one.also_serves),
        serial=serial,
    )
