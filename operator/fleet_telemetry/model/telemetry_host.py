"""``TelemetryHost``: the addresses of one telemetry host, kept across restarts."""

from __future__ import annotations

from typing import Annotated

from fleet_telemetry.model.conditions import Condition
from fleet_telemetry.model.schema import ApiType, Time, described


class HostAddress(ApiType, frozen=True, kw_only=True):
    """One address that the host was seen to have."""

    ip: Annotated[str, described("The address.", max_length=45)]
    expires_at: Annotated[Time, described("When it is forgotten unless seen again.")]


class PublishedRanges(ApiType, frozen=True, kw_only=True):
    """Ranges that a provider publishes for the host."""

    provider: Annotated[str, described("Who publishes them.", max_length=63)]
    etag: Annotated[str, described("The provider's digest of them.", max_length=256)]
    cidrs: Annotated[tuple[str, ...], described("The ranges.", list_type="set", max_length=64)]


class TelemetryHostStatus(ApiType, frozen=True, kw_only=True):
    """What is known of the host."""

    addresses: Annotated[
        tuple[HostAddress, ...],
        described("Its addresses.", list_type="map", list_keys=("ip",), max_length=64),
    ] = ()
    ranges: Annotated[PublishedRanges | None, described("Its published ranges.")] = None
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Resolved, Fresh, Held, Sinkholed, CollateralRisk.",
            list_type="map",
            list_keys=("type",),
            max_length=16,
        ),
    ] = ()
