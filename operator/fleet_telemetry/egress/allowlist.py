"""The allowlist as an artefact, for firewalls and proxies outside of the cluster.

One list of entries, in the formats that their administrators need. All are functions of the entries
alone, whatever their order: the ConfigMap that holds them changes only when an entry does.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

import msgspec

from fleet_telemetry.api.policy import DNS_LABEL, HOST_NAME, ChannelName
from fleet_telemetry.egress.model import Address, Network
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at

NAME = "fleet-telemetry-allowlist"
"""The ConfigMap of a release that is called as the docs call it."""
LARGEST_CONFIG_MAP = 800_000
"""Bytes of values. The API server takes 1 MiB; the request is longer by what JSON escapes."""
_VERSION = 1


class AllowlistError(Exception):
    """There is no allowlist to be had there; the message says what is wrong."""


class Format(StrEnum):
    """In what form."""

    PLAIN = "plain"
    JSON = "json"
    CSV = "csv"
    SQUID = "squid"

    @property
    def key(self) -> str:
        """Under which key of the ConfigMap."""
        return _KEYS[self]


_KEYS = {
    Format.PLAIN: "allowlist.txt",
    Format.JSON: "allowlist.json",
    Format.CSV: "allowlist.csv",
    Format.SQUID: "squid.conf",
}


class EntryAction(StrEnum):
    """What the policies want of a host."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class AllowlistEntry:
    """One host that one product calls on one channel, at one port, and what is wanted of it.

    A host may be wanted both ways, by different products or channels. What is outside of the
    cluster cannot tell the pods apart, so what is allowed to one is let through to all: plain and
    squid hold every host that has an entry with ``ALLOW``.
    """

    host: str
    port: int
    product: str
    channel: ChannelName
    action: EntryAction
    addresses: tuple[Address, ...] = ()
    """Empty where none is known: the host is named, and no address."""
    ranges: tuple[Network, ...] = ()
    """The provider's, where it publishes any."""
    used_by: int = 0
    """How many workloads."""

    @property
    def networks(self) -> tuple[Network, ...]:
        """Addresses and ranges alike."""
        return (*map(ip_network, self.addresses), *self.ranges)


def render(entries: Iterable[AllowlistEntry], form: Format) -> str:
    """The allowlist in one of its formats; ends with a line break."""
    return _RENDERERS[form](_sorted(entries))


def config_map(entries: Iterable[AllowlistEntry], namespace: str, name: str) -> dict[str, Any]:
    """The ConfigMap with one key for each format.

    Where all together are too large for a ConfigMap, formats are left out, JSON as the last one:
    the command line makes them all from it. Raises AllowlistError where that alone is too large.
    """
    tidy = _sorted(entries)
    data: dict[str, str] = {}
    size = 0
    for form in (Format.JSON, Format.SQUID, Format.PLAIN, Format.CSV):
        text = _RENDERERS[form](tidy)
        if size + len(text.encode()) <= LARGEST_CONFIG_MAP:
            data[form.key] = text
            size += len(text.encode())
        elif form is Format.JSON:
            count = len(tidy)
            raise AllowlistError(f"the allowlist of {count} entries is too large for a ConfigMap")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "fleet-telemetry"},
        },
        "data": dict(sorted(data.items())),
    }


def from_config_map(manifest: Manifest) -> tuple[AllowlistEntry, ...]:
    """The entries in a ConfigMap as ``config_map`` makes it. Raises AllowlistError for any other,
    and where somebody has changed it to what no entry can be."""
    where = f"ConfigMap {text_at(manifest, 'metadata', 'namespace')}/" + text_at(
        manifest, "metadata", "name"
    )
    key = Format.JSON.key
    text = mapping_at(manifest, "data").get(key)
    if not isinstance(text, str):
        raise AllowlistError(f"{where} is not an allowlist: it has no key {key}")
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
        if version != _VERSION:
            raise AllowlistError(
                f"{where} has an allowlist of version {version}, and this command knows version "
                f"{_VERSION} only; use the command of the operator's release"
            )
        entries = msgspec.json.decode(text, type=_Document).entries
        return _sorted(map(_read, entries))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AllowlistError(f"{where} has no allowlist under {key}: {error}") from None


# Reading


class _Versioned(msgspec.Struct, frozen=True):
    version: int


class _Entry(msgspec.Struct, frozen=True):
    action: EntryAction
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    product: str
    channel: ChannelName
    workloads: Annotated[int, msgspec.Meta(ge=0)]
    addresses: tuple[str, ...]
    ranges: tuple[str, ...]


class _Document(msgspec.Struct, frozen=True):
    entries: tuple[_Entry, ...]


def _read(entry: _Entry) -> AllowlistEntry:
    """Raises ValueError. What passes here goes into a firewall's configuration as it is."""
    for pattern, value in ((HOST_NAME, entry.host), (DNS_LABEL, entry.product)):
        # A whole match: the patterns' own end would let a line break pass.
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!a} is no name")
    for text in (*entry.addresses, *entry.ranges):
        if "%" in text:
            raise ValueError(f"{text!a} is on this link only")
    ranges = tuple(map(ip_network, entry.ranges))
    for network in ranges:
        if not network.prefixlen:
            raise ValueError(f"{network} is everything")
    return AllowlistEntry(
        host=entry.host,
        port=entry.port,
        product=entry.product,
        channel=entry.channel,
        action=entry.action,
        addresses=tuple(map(ip_address, entry.addresses)),
        ranges=ranges,
        used_by=entry.workloads,
    )


# Order


def _sorted(entries: Iterable[AllowlistEntry]) -> tuple[AllowlistEntry, ...]:
    tidy = {
        AllowlistEntry(
            host=entry.host,
            port=entry.port,
            product=entry.product,
            channel=entry.channel,
            action=entry.action,
            addresses=tuple(sorted(set(entry.addresses), key=_address_order)),
            ranges=tuple(sorted(set(entry.ranges), key=_network_order)),
            used_by=entry.used_by,
        )
        for entry in entries
    }
    return tuple(sorted(tidy, key=_entry_order))


def _entry_order(entry: AllowlistEntry) -> tuple[object, ...]:
    return (
        entry.host,
        entry.port,
        entry.product,
        entry.channel,
        entry.action,
        entry.used_by,
        tuple(map(_address_order, entry.addresses)),
        tuple(map(_network_order, entry.ranges)),
    )


def _address_order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _network_order(network: Network) -> tuple[int, int, int]:
    return network.version, int(network.network_address), network.prefixlen


def _outermost(networks: Iterable[Network]) -> list[Network]:
    """Sorted, each once, none inside another: firewalls refuse sets that overlap."""
    found: list[Network] = []
    for network in sorted(networks, key=_network_order):
        # Whatever contains this one sorts before it.
        if not found or network.network_address not in found[-1]:
            found.append(network)
    return found


# Formats

_TITLE = "Written by fleet-telemetry; what you change here is lost."


def _plain(entries: Sequence[AllowlistEntry]) -> str:
    allowed = _allowed(entries)
    lines = [f"# {_TITLE}"]
    if not allowed:
        lines.append("# No telemetry host is allowed.")
    for entry in allowed:
        known = f"{entry.host}:{entry.port} ({entry.product}, {entry.channel})"
        if not (entry.addresses or entry.ranges):
            known += ": no address is known"
        lines.append(f"# {known}")
    networks = _outermost(network for entry in allowed for network in entry.networks)
    return _lines(*lines, *map(str, networks))


def _squid(entries: Sequence[AllowlistEntry]) -> str:
    allowed = _allowed(entries)
    if not allowed:
        return _lines(f"# {_TITLE}", "# No telemetry host is allowed.")
    lines = [
        f"# {_TITLE}",
        "# To be included in front of the last http_access line. To allow it to some clients only,",
        "# deny the others before.",
    ]
    for port in sorted({entry.port for entry in allowed}):
        hosts = sorted({entry.host for entry in allowed if entry.port == port})
        lines += [
            f"acl fleet_telemetry_port_{port} port {port}",
            # Without -n, who asks for an address is let through where its owner has the name
            # server say that the address is one of these hosts.
            *(f"acl fleet_telemetry_hosts_{port} dstdomain -n {host}" for host in hosts),
            f"http_access allow fleet_telemetry_hosts_{port} fleet_telemetry_port_{port}",
        ]
    return _lines(*lines)


def _csv(entries: Sequence[AllowlistEntry]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["action", "host", "port", "product", "channel", "workloads", "kind", "cidr"])
    for entry in entries:
        shared = [entry.action, entry.host, entry.port, entry.product, entry.channel, entry.used_by]
        for address in entry.addresses:
            cidr = f"{address}/{address.max_prefixlen}"
            writer.writerow([*shared, "address", cidr])
        for network in entry.ranges:
            writer.writerow([*shared, "range", network])
        if not (entry.addresses or entry.ranges):
            writer.writerow([*shared, "", ""])
    return text.getvalue()


def _json(entries: Sequence[AllowlistEntry]) -> str:
    lines = ",\n".join(
        json.dumps(
            {
                "action": entry.action,
                "host": entry.host,
                "port": entry.port,
                "product": entry.product,
                "channel": entry.channel,
                "workloads": entry.used_by,
                "addresses": list(map(str, entry.addresses)),
                "ranges": list(map(str, entry.ranges)),
            }
        )
        for entry in entries
    )
    # One line for each entry: it is read by people and compared by their tools.
    body = f"\n{lines}\n" if lines else ""
    return _lines(f'{{"version": {_VERSION}, "entries": [{body}]}}')


_RENDERERS = {
    Format.PLAIN: _plain,
    Format.JSON: _json,
    Format.CSV: _csv,
    Format.SQUID: _squid,
}


def _allowed(entries: Iterable[AllowlistEntry]) -> list[AllowlistEntry]:
    return [entry for entry in entries if entry.action is EntryAction.ALLOW]


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
