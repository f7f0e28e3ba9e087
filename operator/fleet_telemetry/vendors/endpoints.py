"""Finds the endpoints of a product's API: verified pods, at the port that a Service names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from fleet_telemetry.api.policy import Scheme, ServiceReference
from fleet_telemetry.api.product.spec import Api
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.instances import Instance, Unasked
from fleet_telemetry.vendors.service import Endpoint, Service, ServicePort


class EndpointError(ValueError):
    """The product's API has no endpoint; the message says what to do."""

    def __init__(self, message: str, reason: Reason = Reason.ENDPOINT_NOT_FOUND) -> None:
        self.reason = reason
        super().__init__(message)


def find_endpoints(
    api: Api,
    *,
    namespace: str,
    instances: Sequence[Instance],
    services: Iterable[Service],
    named: ServiceReference | None,
    per_pod: bool,
) -> tuple[Endpoint, ...]:
    """One endpoint for each of the instances, of which there is at least one, without those that
    ``unreached`` returns. With ``per_pod`` each has a setting of its own; otherwise any of them
    answers for all, and those that the Service does not select are left out. Raises EndpointError.

    The address is always that of an instance. A Service only says which port of the product's own
    container is meant, by which scheme, and for which name a certificate has to be. ``services``
    are those of the workload's namespace; others are never considered, and neither is one that
    could lead to something else than the workload's pods.
    """
    leading = [
        service
        # A Service that somebody adds later does not take the place of an older one.
        for service in sorted(services, key=lambda found: (found.created, found.name))
        if service.namespace == namespace
        and any(service.selects(one.pod.template.labels) for one in instances)
    ]
    if named is not None:
        return _from_named(api, named, namespace, instances, leading, per_pod=per_pod)
    for service in leading:
        for port in _ports_of(api, service, instances):
            found = tuple(_Way(api, service, port).endpoints(instances, per_pod=per_pod))
            if found:
                return found
    if per_pod:
        # Pods need no Service.
        found = tuple(
            Endpoint(Scheme.HTTP, one.pod.address, number, one.pod.address, instance=one.pod.name)
            for one in instances
            if (number := one.port(api.port, api)) is not None
        )
        if found:
            return found
    raise EndpointError(
        f"no Service of the namespace leads to port {api.port} of the product's container in the "
        f"workload's pods; name one in spec.runtime.endpoints"
    )


def unreached(instances: Iterable[Instance], endpoints: Iterable[Endpoint]) -> tuple[Unasked, ...]:
    """The instances without an endpoint, although another one has one at the same Service's port:
    their pods differ, as during a rollout. Nobody may take the others for all."""
    reached = {endpoint.instance for endpoint in endpoints}
    why = "has no port of the product's container alone where the others have the API"
    return tuple(Unasked(one.pod.name, why) for one in instances if one.pod.name not in reached)


def _from_named(
    api: Api,
    named: ServiceReference,
    namespace: str,
    instances: Sequence[Instance],
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
    found = tuple(way.endpoints(instances, per_pod=per_pod))
    if not found:
        container = instances[0].container.name
        raise EndpointError(
            f"spec.runtime.endpoints: port {named.port} of the Service {named.name!r} leads to "
            f"{port.target}, which is no port of the product's container {container!r} alone; "
            f"declare it in the ports of that container only, or name another port"
        )
    return found


def _ports_of(api: Api, service: Service, instances: Sequence[Instance]) -> Iterator[ServicePort]:
    """The ports that may lead to the API: by the container's port, then by a name."""
    names = api.port_names
    by_number = (
        port
        for port in service.ports
        if any(one.port(port.target, api) == api.port for one in instances)
    )
    by_name = (port for port in service.ports if port.target in names or port.name in names)
    return chain(by_number, by_name)


@dataclass(frozen=True, slots=True)
class _Way:
    """A port of a Service that leads to the API."""

    api: Api
    service: Service
    port: ServicePort
    scheme: Scheme = Scheme.HTTP
    base_path: str = ""

    def endpoints(self, instances: Sequence[Instance], *, per_pod: bool) -> Iterator[Endpoint]:
        """The endpoints at the pods for which the port is one of the product's container."""
        host = f"{self.service.name}.{self.service.namespace}.svc"
        for one in instances:
            if not per_pod and not self.service.selects(one.pod.template.labels):
                continue
            number = one.port(self.port.target, self.api)
            if number is not None:
                yield Endpoint(
                    self.scheme,
                    one.pod.address,
                    number,
                    host,
                    self.base_path,
                    instance=one.pod.name,
                    service_port=self.port.number,
                )
