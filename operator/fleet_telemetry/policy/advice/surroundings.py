"""What a policy meets in the cluster now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from fleet_telemetry.api.policy import ClusterTelemetryPolicySpec, Policy, PolicyKind
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.policy.precedence import covers_channel
from fleet_telemetry.workloads.workload import Workload, WorkloadRef

_NAMED = 3
MOST_IMAGES = 2000
"""How many different images are looked up in the catalogue: 40 microseconds each, while admission
waits."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is in the cluster besides the policy. What is missing counts as not there, unless
    ``is_whole`` says that it may only not have been read."""

    now: datetime
    catalogue: Catalogue
    namespaces: Mapping[str, Mapping[str, str]]
    """Their labels."""
    workloads: Mapping[WorkloadRef, Workload]
    """Those that run a product of the catalogue."""
    policies: Iterable[Policy] = ()
    """All policies; one of the same name is an earlier version."""
    is_whole: bool = True
    """Whether this is everything. Of a part, the namespaces are those that were read."""


@dataclass(frozen=True)
class Scene:
    """A policy and what it covers."""

    policy: Policy
    around: Surroundings
    _images: dict[tuple[str, str], Product | None] = field(default_factory=dict)

    @property
    def catalogue(self) -> Catalogue:
        """The products that are known."""
        return self.around.catalogue

    @cached_property
    def namespaces(self) -> Collection[str]:
        """The namespaces whose workloads the policy may cover."""
        spec = self.policy.spec
        if not isinstance(spec, ClusterTelemetryPolicySpec):
            return (self.policy.namespace,)
        selector = spec.namespace_selector
        return {
            name
            for name, labels in self.around.namespaces.items()
            if selector is None or selector.matches(labels)
        }

    @cached_property
    def in_namespaces(self) -> Collection[Workload]:
        """The workloads of these namespaces."""
        names = self.namespaces
        return [one for one in self.around.workloads.values() if one.ref.namespace in names]

    @cached_property
    def selected(self) -> Collection[Workload]:
        """Those that the policy's selector selects, too, whatever they run."""
        return [one for one in self.in_namespaces if self.selects(one)]

    def selects(self, workload: Workload) -> bool:
        """Whether the policy's selector selects a workload."""
        selector = self.policy.spec.selector
        return selector is None or selector.matches(workload.labels)

    @cached_property
    def running(self) -> Mapping[str, Product] | None:
        """The products that the selected workloads run, by name, up to the first that the policy
        covers; None if they are too many to know."""
        found: dict[str, Product] = {}
        for workload in self.selected:
            products = self.products_of(workload)
            if products is None:
                return None
            for product in products:
                if product.name not in found:
                    found[product.name] = product
                    if self.covers(product):
                        return found
        return found

    def products_of(self, workload: Workload) -> tuple[Product, ...] | None:
        """The products that a workload runs; None if too many images were looked up before."""
        products: dict[str, Product] = {}
        for container in workload.template.containers:
            key = container.image, container.name
            if key not in self._images:
                if len(self._images) >= MOST_IMAGES:
                    return None
                match = self.catalogue.match_image(*key)
                self._images[key] = match.product if match is not None else None
            product = self._images[key]
            if product is not None:
                products[product.name] = product
        return tuple(products.values())

    def covers(self, product: Product) -> bool:
        """Whether the policy covers a channel of the product, wherever it runs."""
        return any(
            covers_channel(
                self.policy, product.name, channel.name, built_in=product.has_builtin_name
            )
            for channel in product.spec.channels
        )

    @cached_property
    def named(self) -> tuple[Product, ...] | None:
        """The products that the policy names; None if it covers every built-in one, or if one that
        it names is not known."""
        spec = self.policy.spec
        if spec.products is None:
            return None
        names = dict.fromkeys((*spec.products, *spec.additional_products))
        found = [self.catalogue.products.get(name) for name in names]
        known = [product for product in found if product is not None]
        return tuple(known) if len(known) == len(found) else None

    def others(self) -> Iterator[Policy]:
        """The other policies that may cover the same workloads."""
        mine = self.policy
        for other in self.around.policies:
            is_same = (other.kind, other.namespace, other.name) == (
                mine.kind,
                mine.namespace,
                mine.name,
            )
            is_apart = (
                PolicyKind.CLUSTER not in (mine.kind, other.kind)
                and mine.namespace != other.namespace
            )
            if not is_same and not is_apart:
                yield other


def listed(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def shown(ref: WorkloadRef, policy: Policy) -> str:
    """A workload, as the author of a policy names it."""
    name = ref.name if policy.namespace else f"{ref.namespace}/{ref.name}"
    return f"{ref.kind} {name}"
