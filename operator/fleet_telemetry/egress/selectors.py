"""Relations between label selectors, which hold for all pods that exist or may exist.

A network policy of ours selects the pods that the workload's own selector matches. Pods of somebody
else may have such labels, too, and what is right for the workload's pods may be wrong for those.
Where that matters, ours selects fewer pods, by labels that the workload's pods do not have.
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
    """The values that one label may have."""

    absent: bool
    named: frozenset[str]
    others: bool
    """True: any value that is not in ``named``. False: only the values in ``named``."""

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
        """Whether no pod can match."""
        return not (self.absent or self.named or self.others)


_ANYTHING = _Values(absent=True, named=frozenset(), others=True)


def read_selector(selector: Manifest) -> LabelSelector:
    """A LabelSelector from a manifest that the API server has accepted."""
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
    """Whether the outer selector certainly selects every pod that the inner one selects."""
    mine = _by_label(inner)
    return all(
        mine.get(key, _ANYTHING) & wanted == mine.get(key, _ANYTHING)
        for key, wanted in _by_label(outer).items()
    )


def _may_meet(mine: Mapping[str, _Values], theirs: Mapping[str, _Values]) -> bool:
    return not any(
        (mine.get(key, _ANYTHING) & values).is_nothing for key, values in theirs.items()
    ) and not any(values.is_nothing for values in mine.values())


def both(one: LabelSelector, other: LabelSelector) -> LabelSelector:
    """A selector of the pods that both select."""
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
    """A selector that still selects the pods with these labels, and none that any of the others
    selects.

    None where there is no such selector: each part of one of the others holds for some of the pods.
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
