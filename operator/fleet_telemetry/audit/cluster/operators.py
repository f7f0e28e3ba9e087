"""What the Deployment of an operator in a cluster says of it: its arguments, as the chart writes
them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleet_telemetry.api.policy import DNS_SUBDOMAIN
from fleet_telemetry.policy.exclusion import ExcludedNamespaces, parse_label_selector
from fleet_telemetry.workloads.workload import PodTemplate

_ROLES = {"controller", "all"}
"""The commands that renew a Lease and change workloads."""
_LEASE = "--lease="
_NAMESPACE = "--excluded-namespace="
_SELECTOR = "--namespace-selector="
_NAME = re.compile(DNS_SUBDOMAIN.expression)
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class InstalledOperator:
    """A controller that a Deployment runs."""

    namespace: str
    """Its own: nothing in it is changed, and its Lease is there."""
    lease: str
    """The name of its Lease."""
    excluded: ExcludedNamespaces

    def excludes(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it changes nothing in a namespace with these labels."""
        return self.excluded.covers(namespace, labels)


def operators_in(namespace: str, template: PodTemplate) -> Iterator[InstalledOperator]:
    """The controllers among the containers of a template."""
    for one in template.containers:
        words = one.arguments
        lease = next(_values(words, _LEASE), "")
        if _ROLES & set(words) and len(lease) <= _LONGEST_NAME and _NAME.fullmatch(lease):
            yield InstalledOperator(namespace, lease, _excluded(namespace, words))


def _excluded(namespace: str, words: Sequence[str]) -> ExcludedNamespaces:
    names = frozenset({namespace, *_values(words, _NAMESPACE)})
    for text in _values(words, _SELECTOR):
        try:
            return ExcludedNamespaces(names, parse_label_selector(text))
        except ValueError:
            break  # this controller does not start with it
    return ExcludedNamespaces(names)


def _values(words: Sequence[str], flag: str) -> Iterator[str]:
    return (word.removeprefix(flag) for word in words if word.startswith(flag))
