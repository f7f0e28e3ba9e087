"""Finds the endpoints of a product's API: a Service of the workload's pods, or the pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from fleet_telemetry.api.policy import Scheme, ServiceReference
from fleet_telemetry.api.product import Api
from fleet_telemetry.vendors.service import Endpoint, Service, ServicePort
from fleet_telemetry.workloads.workload import Pod


class EndpointError(ValueError):
    """The product's API has no endpoint; the message says what to do."""


def find_endpoints(
    api: Api,
    *,
    namespace: str,
    pods: Iterable[Pod],
    services: Iterable[Service],
    named: ServiceReference | None,
    per_pod: bool,
) -> tuple[Endpoint, ...]:
    """One endpoint for the workload, or one for each of its pods. Raises EndpointError.

    ``services`` are those of the workload's namespace; others are never considered, and neither is
    one that could lead to something else than the workload's pods: whoever may write a policy or
    a Service must not be able to have a credential sent elsewhere.
    """
    # The address of a finished pod may belong to another pod by now.
    running = [pod for pod in pods if pod.address and pod.counts]
    if not running:
        raise EndpointError("no pod of the workload has an address yet")
    leading = [
        service
        for service in sorted(services, key=lambda found: (not found.address, found.name))
        if service.namespace == namespace
        and any(service.selects(pod.template.labels) for pod in running)
    ]
    if named is not None:
        return _from_named(api, named, namespace, running, leading, per_pod=per_pod)
    for service in leading:
        port = _port_of(api, service, running)
        if port is not None:
            way = _Way(api, service, port)
            return way.endpoints(running, per_pod=per_pod)
    if per_pod:
        # Pods need no Service.
        return tuple(
            Endpoint(Scheme.HTTP, pod.address, api.port, pod.address, instance=pod.name)
            for pod in running
        )
    raise EndpointError(
        f"no Service of the namespace leads to port {api.port} of the workload's pods; name one in "
        f"spec.runtime.endpoints"
    )


def _from_named(
    api: Api,
    named: ServiceReference,
    namespace: str,
    pods: list[Pod],
    leading: list[Service],
    *,
    per_pod: bool,
) -> tuple[Endpoint, ...]:
    service = next((found for found in leading if found.name == named.name), None)
    if service is None:
        raise EndpointError(
            f"spec.runtime.endpoints: no Service {named.name!r} of the namespace {namespace} "
            f"selects the workload's pods"
        )
    port = next((found for found in service.ports if found.number == named.port), None)
    if port is None:
        ports = ", ".join(str(found.number) for found in service.ports) or "none"
        raise EndpointError(
            f"spec.runtime.endpoints: the Service {named.name!r} has no port {named.port}, only "
            f"{ports}"
        )
    way = _Way(api, service, port, named.scheme, named.base_path.rstrip("/"))
    return way.endpoints(pods, per_pod=per_pod)


def _port_of(api: Api, service: Service, pods: list[Pod]) -> ServicePort | None:
    """The port that leads to the API: by the container's port, else by a name."""
    names = api.port_names
    by_number = (
        port for port in service.ports if any(_target(port, pod) == api.port for pod in pods)
    )
    by_name = (port for port in service.ports if port.target in names or port.name in names)
    return next(chain(by_number, by_name), None)


def _target(port: ServicePort, pod: Pod) -> int | None:
    """The container's port that a Service's port leads to; None where no container has its name."""
    if isinstance(port.target, int):
        return port.target
    named = chain.from_iterable(container.ports for container in pod.template.containers)
    return next((number for name, number in named if name == port.target), None)


@dataclass(frozen=True, slots=True)
class _Way:
    """A port of a Service that leads to the API."""

    api: Api
    service: Service
    port: ServicePort
    scheme: Scheme = Scheme.HTTP
    base_path: str = ""

    def endpoints(self, pods: list[Pod], *, per_pod: bool) -> tuple[Endpoint, ...]:
        """Through the Service's own address where it has one and one answer will do."""
        host = f"{self.service.name}.{self.service.namespace}.svc"
        if self.service.address and not per_pod:
            return (
                Endpoint(self.scheme, self.service.address, self.port.number, host, self.base_path),
            )
        if not per_pod:
            # A headless Service has no address; any of its pods reports for the product.
            pods = [pod for pod in pods if self.service.selects(pod.template.labels)][:1]
        # Otherwise every pod is an endpoint, also if the Service selects only some of them.
        return tuple(
            Endpoint(
                self.scheme,
                pod.address,
                _target(self.port, pod) or self.api.port,
                host,
                self.base_path,
                instance=pod.name,
            )
            for pod in pods
        )
