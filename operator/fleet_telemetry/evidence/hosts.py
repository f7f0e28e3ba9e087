"""The hosts that a channel of a workload is sent to."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.product import Host
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.verdict import Verdict


def hosts_of(targets: Iterable[MatchedContainer], verdict: Verdict) -> tuple[Host, ...]:
    """Each host and port once, also those of which it is not certain that the version has them."""
    found: dict[tuple[str, int], Host] = {}
    for one in targets:
        if one.product.name == verdict.product:
            for host, _ in one.product.hosts_of(verdict.channel, one.image, one.version):
                found.setdefault((host.host, host.port), host)
    return tuple(found.values())
