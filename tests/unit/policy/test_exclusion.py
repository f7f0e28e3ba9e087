"""Which namespaces are excluded, and how a selector of them is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.policy.exclusion import ExcludedNamespaces, parse_label_selector
from tests.support.depth import examples

PROD = {"matchLabels": {"stage": "prod"}}
NOT_LAB = {"matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["lab"]}]}


def excluded(selector: Any = None, *names: str) -> ExcludedNamespaces:
    read = parse_label_selector(json.dumps(selector or {}))
    return ExcludedNamespaces(frozenset(names), read)


def test_by_default_none_is_excluded() -> None:
    assert not ExcludedNamespaces().covers("a", {})
    assert not excluded().covers("a", {"stage": "lab"})


@pytest.mark.parametrize(
    ("selector", "labels", "covered"),
    [
        (PROD, {"stage": "prod"}, False),
        (PROD, {"stage": "lab"}, True),
        (PROD, {}, True),
        (NOT_LAB, {}, False),
        (NOT_LAB, {"stage": "lab"}, True),
        ({**PROD, **NOT_LAB}, {"stage": "prod"}, False),
        ({"matchLabels": {"example.com/stage": ""}}, {"example.com/stage": ""}, False),
        ({"matchExpressions": [{"key": "x", "operator": "Exists"}]}, {}, True),
        ({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}, {"x": ""}, True),
    ],
)
def test_what_the_selector_does_not_select_is(
    selector: Any, labels: dict[str, str], covered: bool
) -> None:
    assert excluded(selector).covers("a", labels) is covered
    assert excluded(selector, "a").covers("a", labels)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no LabelSelector in JSON"),
        ("stage=prod", "no LabelSelector in JSON"),
        ("[]", "no LabelSelector in JSON"),
        ("null", "no LabelSelector in JSON"),
        ("[" * 60_000, "no LabelSelector in JSON"),
        ('{"matchLabels": ["a"]}', "no LabelSelector in JSON"),
        ('{"matchLabels": {"a": 1}}', "no LabelSelector in JSON"),
        ('{"matchLables": {"a": "b"}}', "matchLables: there is no such field"),
        ('{"matchLabels": {"a b": "c"}}', "'a b' is no key of a label"),
        ('{"matchLabels": {"": "c"}}', "'' is no key of a label"),
        ('{"matchLabels": {"a": "$(NAME)"}}', "is no value of a label"),
        ('{"matchLabels": {"a": "' + "x" * 64 + '"}}', "no LabelSelector in JSON"),
        ('{"matchLabels": {"a": "b\\n"}}', "is no value of a label"),
        ('{"matchExpressions": [{"key": "a", "operator": "in"}]}', "no LabelSelector in JSON"),
        (
            '{"matchExpressions": [{"key": "a", "operator": "Exists", "value": "b"}]}',
            r"matchExpressions\[0\].value: there is no such field",
        ),
        (
            '{"matchExpressions": [{"key": "a", "operator": "In"}]}',
            r"matchExpressions\[0\]: In needs values",
        ),
        (
            '{"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}',
            r"matchExpressions\[0\]: Exists takes no values",
        ),
        ('{"matchLabels": {}}' + " " * 70_000, "may have 65536 characters"),
    ],
)
def test_a_wrong_selector_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_label_selector(text)


@examples(200)
@given(
    st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["matchLabels", "matchExpressions", "key", "values", "x"]),
                    inner,
                )
            ),
        ).map(json.dumps),
    )
)
def test_whatever_is_given_is_a_selector_or_refused(text: str) -> None:
    try:
        selector = parse_label_selector(text)
    except ValueError:
        return
    assert isinstance(selector, LabelSelector)
