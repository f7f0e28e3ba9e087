"""The EndpointSlice by which the Service for dnstap leads to the leader."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from fleet_telemetry.backoff import backoff_seconds
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.objects.manifest import Manifest, items_at, list_at, mapping_at, text_at
from fleet_telemetry.workloads.workload import FIELD_MANAGER

_log = logging.getLogger(__name__)

_SECONDS = 10.0
"""Between two looks at what there is."""
_FIRST_RETRY_SECONDS = 0.5
_PORT_NAME = "dnstap"
_COMPARED = ("addressType", "endpoints", "ports")


def slice_name(service: str) -> str:
    """The EndpointSlice's name."""
    return f"{service}-leader"


def desired_slice(options: ObserverOptions, service: Manifest | None) -> dict[str, Any]:
    """The EndpointSlice as it should be. ``service`` is the Service, None if it cannot be read."""
    port = next(iter(items_at(service, "spec", "ports")), {})
    # A Service and its EndpointSlices belong together by the names of their ports.
    name = _PORT_NAME if service is None else text_at(port, "name")
    metadata: dict[str, Any] = {
        "name": slice_name(options.service),
        "namespace": options.namespace,
        "labels": {
            "kubernetes.io/service-name": options.service,
            "endpointslice.kubernetes.io/managed-by": "fleettelemetry.io",
            "app.kubernetes.io/managed-by": FIELD_MANAGER,
        },
    }
    if service is not None:
        # It goes with the Service, also if nobody is left to delete it.
        owner = {"name": options.service, "uid": text_at(service, "metadata", "uid")}
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Service", **owner}]
    return {
        "apiVersion": kinds.ENDPOINT_SLICE.api_version,
        "kind": kinds.ENDPOINT_SLICE.kind,
        "metadata": metadata,
        "addressType": f"IPv{options.address.version}",
        "endpoints": [{"addresses": [str(options.address)], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": options.port, "protocol": "TCP"}],
    }


def is_as_desired(present: Manifest, desired: Manifest) -> bool:
    """Whether nothing has to be written. What others add outside of our fields does not count."""
    labels = mapping_at(present, "metadata", "labels")
    owners = {text_at(one, "uid") for one in items_at(present, "metadata", "ownerReferences")}
    wanted: Mapping[str, Any] = desired["metadata"]
    return (
        all(present.get(key) == desired[key] for key in _COMPARED)
        and wanted["labels"].items() <= labels.items()
        and {one["uid"] for one in wanted.get("ownerReferences", ())} <= owners
    )


def addresses_of(manifest: Manifest | None) -> set[str]:
    """The addresses of an EndpointSlice, as they are written there."""
    return {
        str(address)
        for endpoint in items_at(manifest, "endpoints")
        for address in list_at(endpoint, "addresses")
    }


class OwnSlice:
    """Keeps the EndpointSlice leading to this replica."""

    def __init__(self, client: KubernetesClient, options: ObserverOptions) -> None:
        self._client = client
        self._options = options
        self.former: tuple[str, ...] = ()
        """The addresses of the replica that it led to before."""
        self.problem = ""
        """Why name servers may not find this replica; empty if nothing speaks for that."""

    async def run(self) -> NoReturn:
        """Write it where it differs, and look again and again."""
        failures = 0
        while True:
            try:
                problem, failures = await self.reconcile(), 0
            except ApiError as error:
                problem, failures = f"it cannot be written: {error}", failures + 1
            if problem and problem != self.problem:
                name = f"{self._options.namespace}/{slice_name(self._options.service)}"
                _log.warning("EndpointSlice %s: %s", name, problem)
            self.problem = problem
            retry = backoff_seconds(failures, _FIRST_RETRY_SECONDS, _SECONDS)
            await asyncio.sleep(retry if failures else _SECONDS)

    async def reconcile(self) -> str:
        """Write it if it differs; what is wrong all the same. Raises ApiError."""
        options, client, kind = self._options, self._client, kinds.ENDPOINT_SLICE
        service, problem = await self._read_service()
        desired = desired_slice(options, service)
        present = await client.find(kind, slice_name(options.service), options.namespace)
        if present is None or not is_as_desired(present, desired):
            self.former = tuple(addresses_of(present) - addresses_of(desired))
            if present is not None and present.get("addressType") != desired["addressType"]:
                # It cannot be changed.
                await client.delete_this(kind, present)
            await client.apply(kind, desired)
            _log.info("%s/%s leads to this replica", options.namespace, options.service)
        return problem

    async def _read_service(self) -> tuple[Manifest | None, str]:
        """The Service, if it can be read, and what is wrong with it. Raises ApiError."""
        options = self._options
        where = f"{options.namespace}/{options.service}"
        try:
            service = await self._client.find(kinds.SERVICE, options.service, options.namespace)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            return None, ""
        if service is None:
            return None, f"there is no Service {where}; name servers cannot reach the operator"
        if mapping_at(service, "spec", "selector"):
            return service, (
                f"the Service {where} has a selector, so it leads to other replicas, too; remove it"
            )
        return service, ""
