"""Reads what a cluster runs, and what is known of its DNS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from fleet_telemetry.audit.cluster.failures import failure_of
from fleet_telemetry.audit.cluster.gathering import ClusterReader, GatheringRequest, connect_first
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.corefile.planning import DnsFacts
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.audit.sources import Gathered
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError
from fleet_telemetry.kube.connecting import Connection
from fleet_telemetry.objects.manifest import (
    Manifest,
    items_at,
    mapping_at,
    number_at,
    place_of,
    text_at,
)
from fleet_telemetry.objects.text import printable

_COREFILE = "Corefile"
_CUSTOM = "coredns-custom"
_NODE_LOCAL = "node-local-dns"
_OURS = "app.kubernetes.io/part-of=fleet-telemetry-operator"
_SERVICE_ENDING = "-dnstap"
_MOST_SERVICES = 200
_LONGEST = 200
_RIGHTS = "ask for the rights in docs/corefile.md, or compare by hand"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DnsService:
    """Where the operator listens."""

    place: str
    """namespace/name."""
    address: str
    port: int


@dataclass
class ClusterDns:
    """A cluster."""

    gathered: Gathered
    facts: DnsFacts = field(default_factory=DnsFacts)
    services: tuple[DnsService, ...] = ()
    """None is there while nothing is observed."""
    problems: list[Problem] = field(default_factory=list)
    """Beside those of ``gathered``."""


def read_dns(
    request: GatheringRequest, coredns: tuple[str, str], progress: GatheringProgress
) -> ClusterDns:
    """Read one cluster. Nothing is raised: what cannot be read is a problem.

    ``coredns`` is the namespace and the name of CoreDNS' ConfigMap and Deployment.
    """
    try:
        return asyncio.run(_read(request, coredns, progress))
    finally:
        progress.clear()


async def _read(
    request: GatheringRequest, coredns: tuple[str, str], progress: GatheringProgress
) -> ClusterDns:
    connection = await connect_first(request)
    if isinstance(connection, Problem):
        return ClusterDns(Gathered((), problems=[connection]))
    try:
        reader = ClusterReader(connection, request, progress)
        gathered = await reader.read()
        if not gathered.subjects and gathered.problems:
            return ClusterDns(gathered)
        return await _DnsReader(connection, reader.place, *coredns).read(gathered)
    finally:
        await connection.client.close()


@dataclass
class _DnsReader:
    connection: Connection
    place: Place
    namespace: str
    name: str
    problems: list[Problem] = field(default_factory=list)

    async def read(self, gathered: Gathered) -> ClusterDns:
        client, namespace = self.connection.client, self.namespace
        main, custom, node_local, deployment, services = await asyncio.gather(
            self._try(
                client.find(kinds.CONFIG_MAP, self.name, namespace),
                f"the ConfigMap {namespace}/{self.name}",
            ),
            self._try(
                client.find(kinds.CONFIG_MAP, _CUSTOM, namespace),
                f"the ConfigMap {namespace}/{_CUSTOM}",
            ),
            self._try(
                client.find(kinds.WORKLOAD_BY_KIND["DaemonSet"], _NODE_LOCAL, namespace),
                f"the DaemonSet {namespace}/{_NODE_LOCAL}",
            ),
            self._try(
                client.find(kinds.WORKLOAD_BY_KIND["Deployment"], self.name, namespace),
                f"the Deployment {namespace}/{self.name}",
            ),
            self._try(
                client.page(kinds.SERVICE, size=_MOST_SERVICES, selector=_OURS),
                "the Services",
            ),
        )
        files = _data(main) if main is not None else {}
        if main is not None and _COREFILE not in files:
            where = f"the ConfigMap {namespace}/{self.name}"
            what = f"{where} has no Corefile" if main else f"there is no {where[4:]}"
            advice = "name the one of your name servers with --coredns NAMESPACE/NAME"
            self.problems.append(Problem(place=self.place, what=what, advice=advice))
        facts = DnsFacts(
            corefile=files.pop(_COREFILE, None),
            beside=files,
            custom=None if custom is None else _data(custom),
            image=_image(deployment or {}),
            node_local=None if node_local is None else bool(node_local),
        )
        found = services.items if services else []
        return ClusterDns(gathered, facts, tuple(sorted(_services(found), key=str)), self.problems)

    async def _try(self, call: Awaitable[_T | None], what: str) -> _T | dict[str, object] | None:
        """What a call gives, an empty mapping for an object that does not exist; None if it could
        not be read, which is a problem."""
        try:
            found = await call
        except ApiError as error:
            failure = failure_of(error, self.connection.server)
            self.problems.append(
                Problem(
                    place=self.place,
                    what=f"{printable(what, _LONGEST)} cannot be read: {failure.what}",
                    advice=_RIGHTS if failure.is_forbidden else failure.advice,
                )
            )
            return None
        return {} if found is None else found


def _data(config_map: Manifest) -> dict[str, str]:
    data = mapping_at(config_map, "data")
    return {key: value for key, value in data.items() if isinstance(value, str)}


def _image(deployment: Manifest) -> str:
    containers = items_at(deployment, "spec", "template", "spec", "containers")
    return next((text_at(one, "image") for one in containers), "")


def _services(found: list[Manifest]) -> list[DnsService]:
    services = []
    for one in found:
        address = text_at(one, "spec", "clusterIP")
        ports = items_at(one, "spec", "ports")
        is_dnstap = text_at(one, "metadata", "name").endswith(_SERVICE_ENDING)
        if is_dnstap and address not in ("", "None") and ports:
            place = printable(place_of(one), _LONGEST)
            services.append(DnsService(place, address, number_at(ports[0], "port")))
    return services
