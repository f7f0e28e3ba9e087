from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.selector import (
    VALUES_RULE,
    LabelRequirement,
    LabelSelector,
    SelectorOperator,
)
from tests.support.depth import steady


def _selector(**spec: Any) -> LabelSelector:
    return msgspec.convert(spec, LabelSelector)


def _requirement(operator: str, *values: str) -> LabelSelector:
    requirement: dict[str, Any] = {"key": "tier", "operator": operator}
    if values:
        requirement["values"] = list(values)
    return _selector(matchExpressions=[requirement])


@pytest.mark.parametrize("labels", [{}, {"a": "b"}, {"a": "", "b": "c"}])
def test_an_empty_selector_matches_everything(labels: dict[str, str]) -> None:
    assert _selector().matches(labels)
    assert _selector(matchLabels={}, matchExpressions=[]).matches(labels)


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ({"app": "emqx", "env": "prod"}, True),
        ({"app": "emqx", "env": "prod", "more": "x"}, True),
        ({"app": "emqx"}, False),
        ({"app": "emqx", "env": "test"}, False),
        ({"app": "EMQX", "env": "prod"}, False),
        ({}, False),
    ],
)
def test_all_match_labels_have_to_be_equal(labels: dict[str, str], matches: bool) -> None:
    assert _selector(matchLabels={"app": "emqx", "env": "prod"}).matches(labels) is matches


def test_an_empty_value_is_not_an_absent_label() -> None:
    selector = _selector(matchLabels={"app": ""})
    assert selector.matches({"app": ""})
    assert not selector.matches({})
    assert not selector.matches({"app": "emqx"})


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ("gold", "silver"), {"gold"}),
        ("In", ("gold", ""), {"gold", ""}),
        ("NotIn", ("gold", "silver"), {None, "bronze", ""}),
        ("NotIn", ("gold", ""), {None, "bronze"}),
        ("Exists", (), {"gold", "bronze", ""}),
        ("DoesNotExist", (), {None}),
    ],
)
def test_operators_compare_as_kubernetes_does(
    operator: str, values: tuple[str, ...], selected: set[str | None]
) -> None:
    selector = _requirement(operator, *values)
    for value in (None, "gold", "bronze", ""):
        labels = {"unrelated": "gold"} | ({} if value is None else {"tier": value})
        assert selector.matches(labels) is (value in selected), value


def test_every_operator_is_in_the_table() -> None:
    assert {member.value for member in SelectorOperator} == {
        "In",
        "NotIn",
        "Exists",
        "DoesNotExist",
    }


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ({"app": "emqx", "tier": "gold"}, True),
        ({"app": "emqx", "tier": "gold", "legacy": "yes"}, False),
        ({"app": "emqx", "tier": "bronze"}, False),
        ({"app": "other", "tier": "gold"}, False),
        ({"tier": "gold"}, False),
    ],
)
def test_labels_and_expressions_have_to_hold_together(
    labels: dict[str, str], matches: bool
) -> None:
    selector = _selector(
        matchLabels={"app": "emqx"},
        matchExpressions=[
            {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
            {"key": "legacy", "operator": "DoesNotExist"},
        ],
    )
    assert selector.matches(labels) is matches


def test_two_expressions_on_one_label_have_to_hold_both() -> None:
    selector = _selector(
        matchExpressions=[
            {"key": "tier", "operator": "Exists"},
            {"key": "tier", "operator": "NotIn", "values": ["gold"]},
        ]
    )
    assert selector.matches({"tier": "silver"})
    assert not selector.matches({"tier": "gold"})
    assert not selector.matches({})


@pytest.mark.parametrize(
    "spec",
    [
        {"matchLabels": {"a": 1}},
        {"matchLabels": []},
        {"matchLabels": {"a": "x" * 64}},
        {"matchExpressions": [{"key": "a", "operator": "Equals", "values": ["b"]}]},
        {"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]},
        {"matchExpressions": [{"operator": "Exists"}]},
        {"matchExpressions": [{"key": "", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "a"}]},
        {"matchExpressions": {"key": "a", "operator": "Exists"}},
    ],
)
def test_what_kubernetes_refuses_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"at `\$\.match"):
        msgspec.convert(spec, LabelSelector)


def test_the_rule_on_values_names_both_groups_of_operators() -> None:
    for word in ("In", "NotIn", "Exists", "DoesNotExist"):
        assert word in VALUES_RULE.message


_KEYS = st.sampled_from("abc")
_VALUES = st.sampled_from(["", "x", "y"])
_LABELS = st.dictionaries(_KEYS, _VALUES)


@steady
@given(_LABELS, _KEYS, st.lists(_VALUES, min_size=1, unique=True))
def test_each_operator_is_the_negation_of_its_counterpart(
    labels: dict[str, str], key: str, values: list[str]
) -> None:
    def holds(operator: SelectorOperator, *listed: str) -> bool:
        return LabelRequirement(key=key, operator=operator, values=listed).matches(labels)

    assert holds(SelectorOperator.IN, *values) != holds(SelectorOperator.NOT_IN, *values)
    assert holds(SelectorOperator.EXISTS) != holds(SelectorOperator.DOES_NOT_EXIST)
    if holds(SelectorOperator.IN, *values):
        assert holds(SelectorOperator.EXISTS)
    if holds(SelectorOperator.DOES_NOT_EXIST):
        assert holds(SelectorOperator.NOT_IN, *values)


@steady
@given(_LABELS, _LABELS)
def test_match_labels_are_short_for_in_with_one_value(
    wanted: dict[str, str], labels: dict[str, str]
) -> None:
    spelled_out = [
        {"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()
    ]
    assert _selector(matchLabels=wanted).matches(labels) is _selector(
        matchExpressions=spelled_out
    ).matches(labels)
    assert _selector(matchLabels=wanted).matches(labels) is (wanted.items() <= labels.items())
