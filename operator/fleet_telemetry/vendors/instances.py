"""The pods of a workload that are asked: those at whose address only the product can answer.

A Service is never dialled. Whoever may write Services, or pods with the labels that it selects, or
EndpointSlices, decides where it leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet_telemetry.api.product.spec import Api
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.vendors.pod_address import why_not_its_own
from fleet_telemetry.workloads.workload import Container, Pod


@dataclass(frozen=True, slots=True)
class Instance:
    """A pod that is asked, and its container that runs the product's API."""

    pod: Pod
    container: Container

    def port(self, target: int | str, api: Api) -> int | None:
        """The port of the product's own container that a ``targetPort`` means; None if it means
        that of another container, or none.

        A container need not declare its ports; the catalogue's port of the API counts then. A port
        that another container of the pod declares, too, never counts: either may have taken it.
        """
        own = self.container.ports
        number = target
        if isinstance(number, str):
            number = next((number for name, number in own if name and name == target), 0)
        others = {
            number
            for container in self.pod.template.containers
            if container.index != self.container.index
            for _, number in container.ports
        }
        is_declared = any(one == number for _, one in own)
        is_api = number == api.port and number not in self.pod.template.init_ports
        return number if (is_declared or is_api) and number not in others else None


@dataclass(frozen=True, slots=True)
class Unasked:
    """A pod that runs and is not asked, and why, to follow its name in a sentence."""

    pod: str
    why: str

    def __str__(self) -> str:
        return f"pod {self.pod} {self.why}"


def find_instances(
    pods: Iterable[Pod],
    product: str,
    api: Api,
    catalogue: Catalogue,
    *,
    is_shared: Callable[[Pod], bool],
    loopback: bool = False,
) -> tuple[tuple[Instance, ...], tuple[Unasked, ...]]:
    """The pods to ask, and those that run and cannot be asked, in the order given.

    ``pods`` are the workload's by their owner references. ``is_shared`` says whether another pod
    has a pod's address too. Pods that have finished, or have no address yet, are neither.
    """
    instances = []
    unasked = []
    for pod in pods:
        if not pod.address or not pod.counts:
            continue
        container = _container_of(pod, product, api, catalogue)
        why = why_not_its_own(pod, loopback=loopback)
        if not why and is_shared(pod):
            why = f"has the address {pod.address}, and so does another pod"
        if not why and container is None:
            why = f"runs no container of {product} that has the API"
        if not why and not pod.ready:
            why = "is not ready"
        if why or container is None:
            unasked.append(Unasked(pod.name, why))
        else:
            instances.append(Instance(pod, container))
    return tuple(instances), tuple(unasked)


def _container_of(pod: Pod, product: str, api: Api, catalogue: Catalogue) -> Container | None:
    """The container with the API; of several, one that declares its port."""
    found = [
        target.container
        for target in match_containers(pod.template, catalogue)
        if target.product.name == product
        and (not api.components or target.image.component in api.components)
    ]
    declaring = (one for one in found if any(number == api.port for _, number in one.ports))
    return next(declaring, found[0] if found else None)
