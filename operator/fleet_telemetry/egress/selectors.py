"""What label selectors say of each other, whichever pods there are or will be.

A network policy of ours selects the pods that the workload's own selector does. Pods of somebody
else may have such labels, too, and what is right for the workload's pods may be wrong for those. So
ours is made to select fewer, where that is needed, by labels that the workload's pods do not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.selector import LabelRequirement, LabelSelector, SelectorOperator
from fleet_telemetry.objects.manifest import Manifest

_IN, _NOT_IN = SelectorOperator.IN, SelectorOperator.NOT_IN
_EXISTS, _ABSENT = SelectorOperator.EXISTS, SelectorOperator.DOES_NOT_EXIST
_CONTRARY = {_IN: _NOT_IN, _NOT_IN: _IN, _EXISTS: _ABSENT, _ABSENT: _EXISTS}


@dataclass(frozen=True, slots=True)
class _Values:
    """What one label may be."""

    absent: bool
    named: frozenset[str]
    others: bool
    """It may be whatever is not named, and nothing that is; otherwise the other way round."""

    @classmethod
    def of(cls, requirement: LabelRequirement) -> _Values:
        operator = requirement.operator
        return cls(
            absent=operator in (_NOT_IN, _ABSENT),
            named=frozenset(requirement.values),
            others=operator in (_NOT_IN, _EXISTS),
        )

    def __and__(self, other: _Values) -> _Values:
        if self.others and other.others:
            named = self.named | other.named
        elif self.others:
            named = other.named - self.named
        elif other.others:
            named = self.named - other.named
        else:
            named = self.named & other.named
        return _Values(self.absent and other.absent, named, self.others and other.others)

    def __invert__(self) -> _Values:
        return _Values(not self.absent, self.named, not self.others)

    @property
    def is_nothing(self) -> bool:
        """Whether no pod can be so."""
        return not (self.absent or self.named or self.others)


_ANYTHING = _Values(absent=True, named=frozenset(), others=True)


def read_selector(selector: Manifest) -> LabelSelector:
    """A LabelSelector as in manifests that the API server has taken."""
    return LabelSelector(
        match_labels=dict(selector.get("matchLabels") or {}),
        match_expressions=tuple(
            LabelRequirement(
                key=one["key"],
                operator=SelectorOperator(one["operator"]),
                values=tuple(one.get("values") or ()),
            )
            for one in selector.get("matchExpressions") or ()
        ),
    )


def labels_in(selector: LabelSelector) -> Iterator[str]:
    """The keys of the labels by which it selects."""
    yield from selector.match_labels
    yield from (part.key for part in selector.match_expressions)


def is_within(inner: LabelSelector, outer: LabelSelector) -> bool:
    """Whether whatever the inner one selects is surely selected by the outer one, too."""
    mine = _by_label(inner)
    return all(
        mine.get(key, _ANYTHING) & wanted == mine.get(key, _ANYTHING)
        for key, wanted in _by_label(outer).items()
    )


def may_meet(one: LabelSelector, other: LabelSelector) -> bool:
    """Whether there can be a pod that both select."""
    return _may_meet(_by_label(one), _by_label(other))


def _may_meet(mine: Mapping[str, _Values], theirs: Mapping[str, _Values]) -> bool:
    return not any(
        (mine.get(key, _ANYTHING) & values).is_nothing for key, values in theirs.items()
    ) and not any(values.is_nothing for values in mine.values())


def both(one: LabelSelector, other: LabelSelector) -> LabelSelector:
    """Selects what both select."""
    labels = dict(one.match_labels)
    expressions = list(one.match_expressions)
    for requirement in _requirements(other):
        (value, *more) = (*requirement.values, "")
        if (
            requirement.operator is _IN
            and len(more) == 1
            and labels.setdefault(requirement.key, value) == value
        ):
            continue
        if requirement not in expressions:
            expressions.append(requirement)
    return LabelSelector(match_labels=labels, match_expressions=tuple(expressions))


def apart_from(
    selector: LabelSelector,
    others: Iterable[LabelSelector],
    pods: Iterable[Mapping[str, str]],
) -> LabelSelector | None:
    """Selects the pods with these labels as before, and none that any of the others selects.

    None where that cannot be said: where each part of one of the others holds for some of the pods.
    """
    pods = tuple(pods)
    left = _by_label(selector)
    added: dict[tuple[str, SelectorOperator], set[str]] = {}
    for other in others:
        if not _may_meet(left, _by_label(other)):
            continue
        for part in sorted(_requirements(other), key=lambda part: (part.key, part.operator)):
            if not any(map(part.matches, pods)):
                break
        else:
            return None
        left[part.key] = left.get(part.key, _ANYTHING) & ~_Values.of(part)
        operator = _CONTRARY[part.operator]
        values = added.setdefault((part.key, operator), set(part.values))
        if operator is _NOT_IN:
            values |= set(part.values)
        else:
            values &= set(part.values)
    new = tuple(
        LabelRequirement(key=key, operator=operator, values=tuple(sorted(values)))
        for (key, operator), values in added.items()
    )
    return LabelSelector(
        match_labels=selector.match_labels, match_expressions=(*selector.match_expressions, *new)
    )


def _requirements(selector: LabelSelector) -> Iterator[LabelRequirement]:
    for key, value in selector.match_labels.items():
        yield LabelRequirement(key=key, operator=_IN, values=(value,))
    yield from selector.match_expressions


def _by_label(selector: LabelSelector) -> dict[str, _Values]:
    found: dict[str, _Values] = {}
    for part in _requirements(selector):
        found[part.key] = found.get(part.key, _ANYTHING) & _Values.of(part)
    return found
