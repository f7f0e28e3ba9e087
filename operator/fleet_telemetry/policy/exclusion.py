"""Namespaces in which the operator changes no workload.

The webhook need not know them: the API server does not call it for their workloads. The controller
gets the same ones as the webhook configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fleet_telemetry.api.selector import LabelRequirement, LabelSelector, SelectorOperator
from fleet_telemetry.objects.labels import is_label_key, is_label_value

_LONGEST = 64 * 1024
"""Characters of a selector."""


@dataclass(frozen=True, slots=True)
class ExcludedNamespaces:
    """Those with a certain name, and those that a selector does not select."""

    names: frozenset[str] = frozenset()
    selector: LabelSelector = field(default_factory=LabelSelector)

    def covers(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether nothing in a namespace with these labels may be changed."""
        return namespace in self.names or not self.selector.matches(labels)


def parse_label_selector(text: str) -> LabelSelector:
    """Read a LabelSelector from JSON. Raises ValueError with what is wrong, for a person."""
    if len(text) > _LONGEST:
        raise ValueError(f"a selector may have {_LONGEST} characters, and this one has {len(text)}")
    try:
        content = msgspec.json.decode(text)
        selector = msgspec.convert(content, LabelSelector)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"it is no LabelSelector in JSON: {error}") from None
    for problem in (*_unknown_fields(content), *_problems(selector)):
        raise ValueError(problem)
    return selector


def _unknown_fields(content: Any) -> Iterator[str]:
    """Fields that a LabelSelector does not have: a misspelt one would select everything."""
    parts: list[tuple[str, Any, type]] = [("", content, LabelSelector)]
    parts += [
        (f"matchExpressions[{index}].", requirement, LabelRequirement)
        for index, requirement in enumerate(content.get("matchExpressions", ()))
    ]
    for where, part, kind in parts:
        known = {one.encode_name for one in msgspec.structs.fields(kind)}
        for name in part:
            if name not in known:
                yield f"{where}{name}: there is no such field; there are {', '.join(sorted(known))}"


def _problems(selector: LabelSelector) -> Iterator[str]:
    """What the API server would refuse, too."""
    for key, value in selector.match_labels.items():
        yield from _bad_label(f"matchLabels[{key!r}]", key, (value,))
    for index, requirement in enumerate(selector.match_expressions):
        where = f"matchExpressions[{index}]"
        yield from _bad_label(where, requirement.key, requirement.values)
        if _takes_values(requirement) is not bool(requirement.values):
            verb = "needs" if _takes_values(requirement) else "takes no"
            yield f"{where}: {requirement.operator} {verb} values"


def _takes_values(requirement: LabelRequirement) -> bool:
    return requirement.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)


def _bad_label(where: str, key: str, values: tuple[str, ...]) -> Iterator[str]:
    if not is_label_key(key):
        yield f"{where}: {key!r} is no key of a label"
    for value in values:
        if not is_label_value(value):
            yield f"{where}: {value!r} is no value of a label"
