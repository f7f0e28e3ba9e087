"""What a source of an audit hands over: a cluster, or files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fleet_telemetry.api.policy import Policy, PolicyKind
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.product import Product

PolicyKey = tuple[PolicyKind, str, str]
"""Kind, namespace and name."""


def policy_key(policy: Policy) -> PolicyKey:
    """What identifies a policy in a cluster."""
    return policy.kind, policy.namespace, policy.name


@dataclass(frozen=True, slots=True)
class Definitions:
    """What workloads are judged by."""

    policies: tuple[Policy, ...] = ()
    """Those that are valid."""
    products: tuple[tuple[Place, Product], ...] = ()
    """TelemetryProducts that are valid by themselves."""
    files: Mapping[PolicyKey, Place] = field(default_factory=dict)
    """Where policies stand that are in a file, and so are not applied yet."""

    def over(self, other: Definitions) -> Definitions:
        """Both, as if these were applied to where the others are: of two with the same name, this
        one, as old as the other."""
        policies = {policy_key(one): one for one in other.policies}
        for one in self.policies:
            key = policy_key(one)
            created = policies[key].created if key in policies else one.created
            policies[key] = replace(one, created=created)
        products = {one.name: (place, one) for place, one in other.products}
        products |= {one.name: (place, one) for place, one in self.products}
        files = {**other.files, **self.files}
        return Definitions(tuple(policies.values()), tuple(products.values()), files)


@dataclass
class Read:
    """What was read; see Coverage. Counted while ``Gathered.subjects`` is iterated."""

    files: int = 0
    objects: int = 0
    not_objects: int = 0
    workloads: int = 0
    """Those that run no product, where they are no subjects: a cluster has many of them."""
    containers: int = 0
    """Theirs, and those of such pods."""
    images: Counter[str] = field(default_factory=Counter)
    """Theirs, by repository; see ``images.py``."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a source reaches."""

    cluster: str = ""
    """Its name; empty for files."""
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The labels of the namespaces, as far as they were read."""
    is_whole: bool = False
    """Whether everything of a cluster was read."""


@dataclass
class Gathered:
    """One source. A cluster is one; all files together are one."""

    subjects: Iterable[Subject | Other]
    """Iterated once. Files are read meanwhile, so that nothing but the findings is in memory."""
    definitions: Definitions = Definitions()
    problems: list[Problem] = field(default_factory=list)
    """Complete once ``subjects`` is at its end."""
    read: Read = field(default_factory=Read)
    scope: Scope | None = None
    """None if nothing was read."""
