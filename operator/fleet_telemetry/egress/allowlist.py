"""The allowlist for firewalls and proxies outside of the cluster.

One list of entries, in the formats that their administrators need. Each is a function of the set of
entries: the ConfigMap that holds them changes only when an entry does.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

import msgspec

from fleet_telemetry.api.policy import DNS_LABEL, HOST_NAME, ChannelName
from fleet_telemetry.egress.model import Address, Network
from fleet_telemetry.egress.networks import network_order, outermost
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at

NAME = "fleet-telemetry-allowlist"
"""The ConfigMap of a release with the name that the documentation uses."""
LARGEST_CONFIG_MAP = 800_000
"""Bytes of values. The API server accepts 1 MiB; JSON escapes make the request longer."""
_VERSION = 1
_HOST = re.compile(HOST_NAME.expression)
_PRODUCT = re.compile(DNS_LABEL.expression)


class AllowlistError(Exception):
    """There is no usable allowlist; the message says what is wrong."""


REQUESTS_KEY = "requests.json"
"""The key in the ConfigMap of what policies ask for and the list does not contain."""


class AllowlistFormat(StrEnum):
    """A format of the allowlist."""

    PLAIN = "plain"
    JSON = "json"
    CSV = "csv"
    SQUID = "squid"

    @property
    def key(self) -> str:
        """Its key in the ConfigMap."""
        return _KEYS[self]


_KEYS = {
    AllowlistFormat.PLAIN: "allowlist.txt",
    AllowlistFormat.JSON: "allowlist.json",
    AllowlistFormat.CSV: "allowlist.csv",
    AllowlistFormat.SQUID: "squid.conf",
}


class EntryAction(StrEnum):
    """What the policies do with a host."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class AllowlistEntry:
    """One host that one product calls on one channel, at one port, and the action for it.

    plain and squid hold every entry with ``ALLOW``: ``perimeter.build_allowlist`` has taken out of
    them what any policy denies.
    """

    host: str
    port: int
    product: str
    channel: ChannelName
    action: EntryAction
    addresses: tuple[Address, ...] = ()
    """Empty where none is known."""
    ranges: tuple[Network, ...] = ()
    """The ranges that the provider publishes, if any."""
    used_by: int = 0
    """The number of workloads."""

    @property
    def networks(self) -> tuple[Network, ...]:
        """Addresses and ranges alike."""
        return (*map(ip_network, self.addresses), *self.ranges)


def render(entries: Iterable[AllowlistEntry], form: AllowlistFormat) -> str:
    """The allowlist in one format; ends with a line break."""
    return _RENDERERS[form](_sorted(entries))


def config_map(
    entries: Iterable[AllowlistEntry], namespace: str, name: str, requests: str = ""
) -> dict[str, Any]:
    """The ConfigMap with one key for each format, and one for the rendered requests, if any.

    Where they are too large together, formats are left out, but never JSON: the command line makes
    all the others from it. Raises AllowlistError where JSON alone is too large.
    """
    tidy = _sorted(entries)
    data: dict[str, str] = {}
    size = 0
    for form in (
        AllowlistFormat.JSON,
        AllowlistFormat.SQUID,
        AllowlistFormat.PLAIN,
        AllowlistFormat.CSV,
    ):
        text = _RENDERERS[form](tidy)
        if size + len(text.encode()) <= LARGEST_CONFIG_MAP:
            data[form.key] = text
            size += len(text.encode())
        elif form is AllowlistFormat.JSON:
            count = len(tidy)
            raise AllowlistError(f"the allowlist of {count} entries is too large for a ConfigMap")
    if requests:
        data[REQUESTS_KEY] = requests
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
    and where somebody changed an entry to an invalid one."""
    where = f"ConfigMap {text_at(manifest, 'metadata', 'namespace')}/" + text_at(
        manifest, "metadata", "name"
    )
    key = AllowlistFormat.JSON.key
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
        entries = msgspec.json.decode(text, type=_AllowlistDocument).entries
        return _sorted(map(read_entry, entries))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AllowlistError(f"{where} has no allowlist under {key}: {error}") from None


# Reading


class _Versioned(msgspec.Struct, frozen=True):
    version: int


class EntryDocument(msgspec.Struct, frozen=True):
    """An entry as it is in JSON."""

    action: EntryAction
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    product: str
    channel: ChannelName
    workloads: Annotated[int, msgspec.Meta(ge=0)]
    addresses: tuple[str, ...]
    ranges: tuple[str, ...]


class _AllowlistDocument(msgspec.Struct, frozen=True):
    entries: tuple[EntryDocument, ...]


def read_entry(entry: EntryDocument) -> AllowlistEntry:
    """An entry from JSON. Raises ValueError. A valid entry goes into a firewall's configuration
    unchanged."""
    # A full match: the end of the patterns themselves accepts a line break.
    if not _HOST.fullmatch(entry.host):
        raise ValueError(f"{entry.host!a} is no name")
    if not _PRODUCT.fullmatch(entry.product):
        raise ValueError(f"{entry.product!a} is no name")
    for text in (*entry.addresses, *entry.ranges):
        if "%" in text:
            raise ValueError(f"{text!a} is link-local")
    ranges = tuple(map(ip_network, entry.ranges))
    for network in ranges:
        if not network.prefixlen:
            raise ValueError(f"{network} is every address there is")
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
    return tuple(sorted(set(map(tidy_entry, entries)), key=entry_order))


def tidy_entry(entry: AllowlistEntry) -> AllowlistEntry:
    """The entry with its addresses and ranges in order, each once."""
    return replace(
        entry,
        addresses=tuple(sorted(set(entry.addresses), key=_address_order)),
        ranges=tuple(sorted(set(entry.ranges), key=network_order)),
    )


def entry_order(entry: AllowlistEntry) -> tuple[object, ...]:
    """The sort key of a tidy entry."""
    return (
        entry.host,
        entry.port,
        entry.product,
        entry.channel,
        entry.action,
        entry.used_by,
        tuple(map(_address_order, entry.addresses)),
        tuple(map(network_order, entry.ranges)),
    )


def _address_order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


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
    # Firewalls refuse sets that overlap.
    networks = outermost(network for entry in allowed for network in entry.networks)
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
            # Without -n, squid looks up the name of an address that a client asks for. The owner of
            # an address can have its name server return one of these hosts.
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
    lines = ",\n".join(json.dumps(entry_document(entry)) for entry in entries)
    # One line for each entry: people read it, and their tools compare it.
    body = f"\n{lines}\n" if lines else ""
    return _lines(f'{{"version": {_VERSION}, "entries": [{body}]}}')


def entry_document(entry: AllowlistEntry) -> Mapping[str, Any]:
    """The entry as it is in JSON."""
    return {
        "action": entry.action,
        "host": entry.host,
        "port": entry.port,
        "product": entry.product,
        "channel": entry.channel,
        "workloads": entry.used_by,
        "addresses": list(map(str, entry.addresses)),
        "ranges": list(map(str, entry.ranges)),
    }


_RENDERERS = {
    AllowlistFormat.PLAIN: _plain,
    AllowlistFormat.JSON: _json,
    AllowlistFormat.CSV: _csv,
    AllowlistFormat.SQUID: _squid,
}


def _allowed(entries: Iterable[AllowlistEntry]) -> list[AllowlistEntry]:
    return [entry for entry in entries if entry.action is EntryAction.ALLOW]


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
