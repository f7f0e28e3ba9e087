"""The labels of pods that a workload does not have yet.

They are those of the pod template, and those that controllers add to each pod. A network policy may
select by either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fleet_telemetry.api.selector import LabelSelector, SelectorOperator
from fleet_telemetry.egress.selectors import read_selector
from fleet_telemetry.workloads.workload import Workload

_SOME_VALUE = "(some value)"
"""Stands for a value that nobody knows yet. No label can have it."""


def labels_to_come(
    workload: Workload, selectors: Iterable[LabelSelector]
) -> Iterator[Mapping[str, str]]:
    """The labels that pods of the workload will have, with an invented value where it is not known.
    Where a selector names a value that the workload's pods may get, also with that value."""
    # The workload's own selector matches all of its pods.
    own = {**read_selector(workload.pod_selector).match_labels, **workload.template.labels}
    added = workload.ref.kind.type.added_labels
    labels = {**dict.fromkeys(added, _SOME_VALUE), **own}
    yield labels
    for selector in selectors:
        named = {
            key: value
            for key, value in _values_in(selector)
            if key not in own
            and added.get(key, False)
            and value.startswith(f"{workload.ref.name}-")
        }
        if named:
            yield {**labels, **named}


def _values_in(selector: LabelSelector) -> Iterator[tuple[str, str]]:
    """The keys and values by which it selects, one value for each key."""
    for part in selector.match_expressions:
        if part.operator is SelectorOperator.IN and part.values:
            yield part.key, part.values[0]
    yield from selector.match_labels.items()
