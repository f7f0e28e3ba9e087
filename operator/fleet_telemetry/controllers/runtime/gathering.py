"""The instances of a product that a check asks, with a credential that may be sent to them.

Whether it may is asked before the credential is read, and again right before each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.controllers.runtime.check_job import CheckJob
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from fleet_telemetry.controllers.runtime.requests import InstanceClient
from fleet_telemetry.controllers.runtime.service_lists import ServiceLists
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.combining import InstanceAnswer
from fleet_telemetry.evidence.credentials import (
    CredentialDestination,
    CredentialWithheldError,
    images_of,
    why_withheld,
    why_withheld_from,
)
from fleet_telemetry.evidence.pod_versions import gather_pod_facts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.secrets import read_secret
from fleet_telemetry.objects.manifest import mapping_at
from fleet_telemetry.vendors.adapters import ADAPTERS
from fleet_telemetry.vendors.endpoints import EndpointError, find_endpoints, unreached
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.vendors.instances import Instance, Unasked, find_instances
from fleet_telemetry.vendors.service import Endpoint
from fleet_telemetry.workloads.workload import WorkloadRef


@dataclass(frozen=True)
class RunningInstances:
    """The running instances of a product, and the client for them."""

    client: InstanceClient
    endpoints: tuple[Endpoint, ...]
    unasked: tuple[Unasked, ...] = ()
    """Pods with a setting of their own that cannot be asked for it."""

    async def read(self) -> list[InstanceAnswer]:
        """The answers of all instances. Raises CredentialWithheldError."""
        return [
            *await self.client.read(self.endpoints),
            *(
                InstanceAnswer(one.pod, None, Reason.NO_VERIFIED_POD, f"A pod {one.why}.")
                for one in self.unasked
            ),
        ]


class InstanceGatherer:
    """Finds the instances to ask, and reads the credential for them."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        vendors: VendorClient,
        services: ServiceLists,
        gate: HostGate,
        *,
        is_current: Callable[[CheckJob, Check], bool],
        is_asked: Callable[[WorkloadRef, Check], bool],
        loopback: bool,
    ) -> None:
        """``is_current`` says whether a job's check was not replaced since it began, ``is_asked``
        whether policies, as they are now, would plan it."""
        self._cache = cache
        self._client = client
        self._vendors = vendors
        self._services = services
        self._gate = gate
        self._is_current = is_current
        self._is_asked = is_asked
        self._loopback = loopback

    async def gather(self, job: CheckJob) -> RunningInstances:
        """Read the credentials and find the endpoints.

        Raises CredentialWithheldError, SecretError, EndpointError, ApiError.
        """
        check = job.check
        assert check.grant is not None, "a check without credentials sends no request"
        adapter = ADAPTERS[check.api.adapter]
        labels = self._cache.labels_of(job.ref.namespace)
        if check.grant.namespace_selector is not None:
            # The cache may be behind; whoever took the label away wants nothing to be sent.
            labels = await self._read_namespace_labels(job.ref.namespace)
        self._check_destination(job, labels)
        credentials = await read_secret(
            self._client, check.grant.secret, adapter.keys, check.product
        )
        services = await self._services.of(job.ref.namespace)
        instances, unasked = self._find_instances(job)
        if not instances:
            raise _no_instance(unasked)
        endpoints = find_endpoints(
            check.api,
            namespace=job.ref.namespace,
            instances=instances,
            services=services,
            named=check.service,
            per_pod=adapter.per_pod,
        )
        schemes = [endpoint.scheme for endpoint in endpoints]
        withheld = why_withheld_from(check.grant, schemes, ", ".join(map(str, endpoints[:1])))
        if withheld is not None:
            raise CredentialWithheldError(withheld)
        client = InstanceClient(
            self._vendors,
            job.breaker,
            self._gate,
            adapter,
            credentials,
            confirm=lambda endpoint: self._confirm(job, check, endpoint),
        )
        unasked += unreached(instances, endpoints)
        return RunningInstances(client, endpoints, unasked if adapter.per_pod else ())

    def _find_instances(
        self, job: CheckJob, name: str | None = None
    ) -> tuple[tuple[Instance, ...], tuple[Unasked, ...]]:
        """The pods to ask, as they are now, and those that cannot be asked; of all pods, or of the
        one with a name."""
        fleet = self._cache.fleet
        return find_instances(
            (pod for pod in fleet.pods_of(job.ref) if name in (None, pod.name)),
            job.check.product,
            job.check.api,
            self._cache.catalogue,
            is_shared=fleet.is_address_shared,
            loopback=self._loopback,
        )

    def _check_destination(self, job: CheckJob, namespace_labels: Mapping[str, str]) -> None:
        """Raise CredentialWithheldError if the credential may not be sent to the workload now."""
        check, workload = job.check, self._cache.fleet.workloads.get(job.ref)
        catalogue = self._cache.catalogue
        product = catalogue.products.get(check.product)
        assert check.grant is not None
        if workload is None or product is None:
            raise CredentialWithheldError(Reported(fault=Reason.ENDPOINT_NOT_FOUND))
        if not self._is_asked(job.ref, check):
            raise _changed()
        pods = gather_pod_facts(self._cache.fleet.pods_of(job.ref), catalogue)
        images = images_of(product, match_containers(workload.template, catalogue), pods)
        to = CredentialDestination(job.ref.namespace, namespace_labels, images)
        withheld = why_withheld(check.grant, to)
        if withheld is not None:
            raise CredentialWithheldError(withheld)

    def _confirm(self, job: CheckJob, check: Check, endpoint: Endpoint) -> None:
        """Raise CredentialWithheldError if a request that had to wait may no longer be sent."""
        instances, _ = self._find_instances(job, endpoint.instance)
        if [one.pod.address for one in instances] != [endpoint.address]:
            # Its address may be another pod's by now.
            message = f"The pod {endpoint.instance} changed before the request was sent."
            raise CredentialWithheldError(Reported(fault=Reason.NO_VERIFIED_POD, message=message))
        if not self._is_current(job, check):
            raise _changed()
        self._check_destination(job, self._cache.labels_of(job.ref.namespace))

    async def _read_namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels that a namespace has now. Raises ApiError."""
        manifest = await self._client.get(kinds.NAMESPACE, namespace)
        return {str(k): str(v) for k, v in mapping_at(manifest, "metadata", "labels").items()}


def _changed() -> CredentialWithheldError:
    message = "The policy or the workload changed before the request was sent."
    return CredentialWithheldError(Reported(fault=Reason.UNREACHABLE, message=message))


def _no_instance(unasked: tuple[Unasked, ...]) -> EndpointError:
    if not unasked:
        return EndpointError("no pod of the workload has an address yet")
    more = f" (and {len(unasked) - 1} more pods)" if len(unasked) > 1 else ""
    return EndpointError(f"No pod can be asked: {unasked[0]}{more}.", Reason.NO_VERIFIED_POD)
