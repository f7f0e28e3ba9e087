"""``TelemetryHost``: the addresses of one telemetry host, kept across restarts.

Every field may be missing: an older operator did not write it, and somebody may have edited the
object. ``egress/host_status_codec.py`` reads it and corrects implausible values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.schema import ApiType, Time, described


class AddressFamily(StrEnum):
    """The two families of addresses."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


class LookupResult(StrEnum):
    """What came of one question to one name server."""

    OK = "Ok"
    """There are addresses."""
    NO_DATA = "NoData"
    """The name exists and has no address of this family."""
    NX_DOMAIN = "NxDomain"
    """The name does not exist."""
    TRANSIENT = "Transient"
    """No answer that says anything: a time-out, SERVFAIL, REFUSED, a network that is down."""
    FAULT = "Fault"
    """An answer that cannot be right: malformed, a loop of aliases."""


class HostAddress(ApiType, frozen=True, kw_only=True):
    """One address of the host."""

    ip: Annotated[str, described("The address.", max_length=45)]
    seen_at: Annotated[Time | None, described("When DNS last returned it.")] = None
    expires_at: Annotated[
        Time | None,
        described(
            "When it leaves allowlists unless DNS returns it again; absent once it has left them."
        ),
    ] = None
    deny_expires_at: Annotated[
        Time | None,
        described("When it leaves denylists and is deleted unless DNS returns it again."),
    ] = None


class HostNameServer(ApiType, frozen=True, kw_only=True):
    """A name server that returned addresses of one family."""

    name: Annotated[str, described("The name server.", min_length=1, max_length=253)]
    answered_at: Annotated[Time, described("When it last returned any.")]


class HostFamily(ApiType, frozen=True, kw_only=True):
    """What DNS returns for one family of the host's addresses."""

    family: Annotated[AddressFamily, described("The family.")]
    settled: Annotated[
        bool,
        described(
            "Whether DNS has responded once. From then on the catalogue's addresses are no "
            "longer allowed."
        ),
    ] = False
    last_answered_at: Annotated[
        Time | None,
        described("When DNS last gave a positive or negative response."),
    ] = None
    last_outcome: Annotated[LookupResult | None, described("The result of that response.")] = None
    negatives: Annotated[int, described("The number of consecutive negative responses.", ge=0)] = 0
    negative_since: Annotated[Time | None, described("When the first of those came.")] = None
    held_since: Annotated[
        Time | None,
        described(
            "Since when more than half of the allowlist is held although DNS no longer returns it."
        ),
    ] = None
    held_answers: Annotated[
        int, described("The number of consecutive responses without it since then.", ge=0)
    ] = 0
    views: Annotated[
        tuple[HostNameServer, ...],
        described(
            "The name servers that returned addresses. While one fails, its addresses are kept.",
            list_type="map",
            list_keys=("name",),
            max_length=64,
        ),
    ] = ()


class PublishedRanges(ApiType, frozen=True, kw_only=True):
    """Ranges that a provider publishes for the host."""

    provider: Annotated[str, described("The provider.", max_length=63)]
    etag: Annotated[str, described("The provider's digest of them.", max_length=256)]
    cidrs: Annotated[tuple[str, ...], described("The ranges.", list_type="set", max_length=64)]


class TelemetryHostStatus(ApiType, frozen=True, kw_only=True):
    """The observed state of the host."""

    as_of: Annotated[
        Time | None,
        described("When the name servers were queried for this state."),
    ] = None
    addresses: Annotated[
        tuple[HostAddress, ...],
        described("The host's addresses.", list_type="map", list_keys=("ip",), max_length=64),
    ] = ()
    families: Annotated[
        tuple[HostFamily, ...],
        described("What DNS returns for each family.", list_type="map", list_keys=("family",)),
    ] = ()
    capped_at: Annotated[
        Time | None,
        described("When addresses were last left out because there are too many."),
    ] = None
    ranges: Annotated[PublishedRanges | None, described("The host's published ranges.")] = None
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Resolved, Fresh, Held, Sinkholed, CollateralRisk, Complete, CatalogueAgrees.",
            list_type="map",
            list_keys=("type",),
            max_length=16,
        ),
    ] = ()


_Part = TypeVar("_Part", bound=ApiType)


def read_host_status(status: Mapping[str, Any]) -> TelemetryHostStatus:
    """A status as the API server gives it. What cannot be read in it is left out: it may be of
    another version, or edited by somebody, and the rest is worth having."""
    try:
        return msgspec.convert(status, TelemetryHostStatus)
    except msgspec.ValidationError:
        lists: tuple[tuple[str, type[ApiType]], ...] = (
            ("addresses", HostAddress),
            ("families", HostFamily),
            ("conditions", Condition),
        )
        read: dict[str, Any] = {key: tuple(_readable(status.get(key), t)) for key, t in lists}
        read["as_of"] = next(_readable([{"asOf": status.get("asOf")}], _AsOf), _AsOf()).as_of
        read["ranges"] = next(_readable([status.get("ranges")], PublishedRanges), None)
        return TelemetryHostStatus(**read)


class _AsOf(ApiType, frozen=True, kw_only=True):
    as_of: Time | None = None


def _readable(parts: object, kind: type[_Part]) -> Iterator[_Part]:
    for part in parts if isinstance(parts, list | tuple) else ():
        try:
            yield msgspec.convert(part, kind)
        except msgspec.ValidationError:
            continue
