"""What label selectors say of each other, against every pod that there can be."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.selector import LabelRequirement, LabelSelector, SelectorOperator
from fleet_telemetry.egress.selectors import (
    apart_from,
    both,
    is_within,
    read_selector,
)

KEYS, VALUES = ("app", "tier"), ("a", "b", "c")
PODS = [
    {key: value for key, value in zip(KEYS, values, strict=True) if value is not None}
    for values in product((None, *VALUES, "other"), repeat=len(KEYS))
]
"""Every pod that selectors of these keys and values can tell from others."""


def requirements() -> st.SearchStrategy[LabelRequirement]:
    values = st.lists(st.sampled_from(VALUES), min_size=1, unique=True).map(tuple)
    some = st.sampled_from([SelectorOperator.IN, SelectorOperator.NOT_IN])
    none = st.sampled_from([SelectorOperator.EXISTS, SelectorOperator.DOES_NOT_EXIST])
    keys = st.sampled_from(KEYS)
    return st.builds(LabelRequirement, key=keys, operator=some, values=values) | st.builds(
        LabelRequirement, key=keys, operator=none
    )


SELECTORS = st.builds(
    LabelSelector,
    match_labels=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)),
    match_expressions=st.lists(requirements(), max_size=3).map(tuple),
)


def selected(selector: LabelSelector) -> list[dict[str, str]]:
    return [pod for pod in PODS if selector.matches(pod)]


@given(SELECTORS, SELECTORS)
def test_within_and_meeting_are_what_the_pods_say(one: LabelSelector, other: LabelSelector) -> None:
    mine, theirs = selected(one), selected(other)

    # A selector is changed only where there can be a pod that the other one selects, too.
    assert (apart_from(one, [other], ()) != one) == any(pod in theirs for pod in mine)
    # Of one that selects nothing, no claim is needed.
    if mine:
        assert is_within(one, other) == all(pod in theirs for pod in mine)


@given(SELECTORS, SELECTORS)
def test_both_select_what_both_select(one: LabelSelector, other: LabelSelector) -> None:
    theirs = selected(other)

    assert selected(both(one, other)) == [pod for pod in selected(one) if pod in theirs]


@given(SELECTORS, st.lists(SELECTORS, max_size=3), st.data())
def test_apart_from_others_the_pods_stay_and_no_other_is_met(
    one: LabelSelector, others: list[LabelSelector], data: st.DataObject
) -> None:
    free = [pod for pod in selected(one) if not any(other.matches(pod) for other in others)]
    pods = data.draw(st.lists(st.sampled_from(free), max_size=3)) if free else []

    found = apart_from(one, others, pods)

    if found is None:
        # Of one of the others, each part holds for some of the pods.
        assert any(
            all(any(part.matches(pod) for pod in pods) for part in parts(other)) for other in others
        )
        return
    left = selected(found)
    assert all(pod in left for pod in pods)
    assert all(pod in free for pod in left)


def parts(selector: LabelSelector) -> list[LabelSelector]:
    labels = [LabelSelector(match_labels={k: v}) for k, v in selector.match_labels.items()]
    return labels + [LabelSelector(match_expressions=(one,)) for one in selector.match_expressions]


def written(selector: LabelSelector | None) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = msgspec.json.decode(msgspec.json.encode(selector))
    return found


SONAR = {"matchLabels": {"app": "sonar"}}
OWN = ({"app": "sonar", "tier": "web"},)


@pytest.mark.parametrize(
    ("others", "expressions"),
    [
        # Of other applications nothing has to be said.
        ([{"matchLabels": {"app": "db"}}], None),
        ([{"matchLabels": {"tier": "backup"}}], [("tier", "NotIn", ["backup"])]),
        (
            [{"matchLabels": {"tier": "b"}}, {"matchLabels": {"tier": "a"}}],
            [("tier", "NotIn", ["a", "b"])],
        ),
        (
            [{"matchExpressions": [{"key": "job", "operator": "Exists"}]}],
            [("job", "DoesNotExist", [])],
        ),
        # The part that the pods have themselves is of no use.
        (
            [{"matchLabels": {"tier": "web", "track": "canary"}}],
            [("track", "NotIn", ["canary"])],
        ),
    ],
)
def test_how_it_is_written(others: list[Any], expressions: list[Any] | None) -> None:
    found = written(apart_from(read_selector(SONAR), map(read_selector, others), OWN))

    wanted = [
        {"key": key, "operator": operator, **({"values": values} if values else {})}
        for key, operator, values in expressions or ()
    ]
    assert found == {**SONAR, **({"matchExpressions": wanted} if wanted else {})}


def test_both_of_plain_labels_are_plain_labels() -> None:
    other = read_selector({"matchLabels": {"tier": "web"}})

    assert written(both(read_selector(SONAR), other)) == {
        "matchLabels": {"app": "sonar", "tier": "web"}
    }


def test_a_selector_is_read_as_it_is_written() -> None:
    given = {
        "matchLabels": {"app": "sonar"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["web"]},
            {"key": "job", "operator": "DoesNotExist"},
        ],
    }

    assert written(read_selector(given)) == given
