"""Orders that are refused in every dialect, and the order of their parts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.selector import LabelRequirement, LabelSelector, SelectorOperator
from fleet_telemetry.egress.dialects.parts import batches, selector
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network, Reachable
from fleet_telemetry.egress.networks import outermost
from tests.support import dialect_strategies
from tests.support.depth import steady
from tests.support.dialect_cases import allow, around, covered, deny, isolate, to
from tests.support.dialect_strategies import desired_policies

BY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
HOST = to("t.example.com", "192.0.2.1/32", "2001:db8::1/128")
BLANKS = {"podSelector", "namespaceSelector", "namespaces"}
"""Selectors may be empty: they select everything, and that is meant."""


def test_every_dialect_but_auto_is_there() -> None:
    assert sorted(one.name for one in DIALECTS) == sorted(set(EgressDialect) - {EgressDialect.AUTO})


# Refusals


@BY_DIALECT
@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (deny(HOST, selector={}), "selector of the pods of shop/Deployment/web is empty"),
        (deny(HOST, selector={"matchLabels": {}, "matchExpressions": []}), "is empty"),
        (deny(HOST, selector={"matchLabels": {"a": "b"}, "match": {}}), "has no match:"),
        (
            isolate(reachable=[Reachable(namespace_selector={"match_labels": {"a": "b"}})]),
            "A selector has no match_labels",
        ),
        (
            isolate(reachable=[Reachable(pod_selector={"match_labels": {"a": "b"}})]),
            "A selector has no match_labels",
        ),
        (deny(to("t.example.com", "::/0")), "t.example.com are a range of every address"),
        (allow(to("t.example.com", "0.0.0.0/0")), "a range of every address"),
        (isolate(reachable=[Reachable()]), "either a range or pods"),
        (
            isolate(reachable=[Reachable(ip_network("10.0.0.0/8"), pod_selector={})]),
            "either a range or pods",
        ),
        (isolate(reachable=[Reachable(ip_network("::/0"))]), "::/0 is every address"),
    ],
)
def test_an_order_that_would_do_something_else_is_refused(
    dialect: Any, order: DesiredNetworkPolicy, reason: str
) -> None:
    said = dialect.cannot(order)
    assert reason in said
    assert said.endswith(".")
    with pytest.raises(ValueError, match=reason):
        dialect.render(order)


@BY_DIALECT
def test_what_is_reachable_means_nothing_without_isolation(dialect: Any) -> None:
    plain, more = deny(HOST), deny(HOST, reachable=[Reachable()])
    assert dialect.cannot(more) is None
    assert dialect.render(more) == dialect.render(plain)


@BY_DIALECT
@pytest.mark.parametrize("order", [deny(), allow()], ids=["Deny", "Allow"])
def test_nothing_to_deny_or_to_allow_is_no_policy(
    dialect: Any, order: DesiredNetworkPolicy
) -> None:
    assert dialect.cannot(order) is None
    assert dialect.render(order) is None


@BY_DIALECT
def test_a_denial_without_any_address_is_no_policy(dialect: Any) -> None:
    assert dialect.render(deny(to("t.example.com"))) is None


# What holds for whatever is rendered


def everywhere(order: DesiredNetworkPolicy) -> Iterator[tuple[Any, Any]]:
    """The dialects that can express the order, each with what comes of it."""
    for dialect in DIALECTS:
        if dialect.cannot(order) is None:
            yield dialect, dialect.render(order)


def parts(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every part of a manifest with the key under which it stands."""
    yield name, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from parts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner, name)


@steady
@given(desired_policies())
def test_no_list_is_empty_and_nothing_is_left_blank(order: DesiredNetworkPolicy) -> None:
    for _, manifest in everywhere(order):
        for name, part in parts(manifest) if manifest else ():
            assert type(part) in (dict, list, str, int, bool), (name, part)
            if part in ({}, []):
                assert name in BLANKS, name


@steady
@given(desired_policies())
def test_no_part_stands_in_two_places(order: DesiredNetworkPolicy) -> None:
    # Whoever changes one part would change the other, and YAML would write an anchor.
    for _, manifest in everywhere(order):
        seen = [id(part) for _, part in parts(manifest) if isinstance(part, (dict, list))]
        assert len(seen) == len(set(seen))


@steady
@given(desired_policies())
def test_an_isolation_always_has_a_policy(order: DesiredNetworkPolicy) -> None:
    for _, manifest in everywhere(order):
        assert manifest is not None or order.action is not EgressAction.ISOLATE


@steady
@given(desired_policies(), st.randoms(use_true_random=False))
def test_equal_orders_give_the_same_bytes(order: DesiredNetworkPolicy, luck: random.Random) -> None:
    def shuffled(items: Any) -> Any:
        listed = list(items)
        return tuple(luck.sample(listed, len(listed)))

    def turned(given: Any) -> Any:
        if given is None:
            return None
        labels = given.get("matchLabels", {})
        expressions = [
            {**one, "values": list(shuffled(one["values"]))} if one.get("values") else one
            for one in given.get("matchExpressions", ())
        ]
        return {
            "matchExpressions": list(shuffled(expressions)),
            "matchLabels": {key: labels[key] for key in shuffled(labels)},
        }

    def peer(given: Reachable) -> Reachable:
        return Reachable(
            given.cidr,
            turned(given.namespace_selector),
            turned(given.pod_selector),
            shuffled(given.ports),
        )

    other = replace(
        order,
        selector=turned(order.selector),
        destinations=shuffled(
            [replace(one, networks=shuffled(one.networks)) for one in order.destinations]
        ),
        reachable=shuffled(map(peer, order.reachable)),
        owners=shuffled(order.owners),
    )
    for dialect, manifest in everywhere(order):
        assert json.dumps(dialect.render(other)) == json.dumps(manifest)


# Parts


@steady
@given(st.lists(dialect_strategies.networks(), max_size=12))
def test_minimal_networks_are_the_same_addresses_without_repetition(
    networks: list[Network],
) -> None:
    found = outermost(networks)
    assert set(found) <= set(networks)
    assert list(found) == sorted(found, key=lambda n: (n.version, n.network_address))
    for index, one in enumerate(found):
        for other in found[index + 1 :]:
            assert one.version != other.version or not one.overlaps(other)
    for address in around(networks):
        assert covered(found, address) == covered(networks, address)


def test_neighbours_are_not_joined() -> None:
    pair = (ip_network("192.0.2.0/32"), ip_network("192.0.2.1/32"))
    assert outermost(pair) == pair


def test_the_selector_is_written_without_parts_that_say_nothing() -> None:
    given = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "z", "operator": "Exists", "values": []},
            {"key": "c", "operator": "In", "values": ["y", "x", "y"]},
            {"operator": "In", "key": "c", "values": ["x", "y"]},
        ],
    }
    assert selector(given) == {
        "matchLabels": {"a": "1", "b": "2"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["x", "y"]},
            {"key": "z", "operator": "Exists"},
        ],
    }
    assert list(selector(given)["matchLabels"]) == ["a", "b"]
    assert selector({"matchLabels": {}, "matchExpressions": []}) == {}


def test_a_selector_of_our_own_types_is_the_same() -> None:
    requirement = LabelRequirement(key="a", operator=SelectorOperator.IN, values=("x", "y"))
    given = LabelSelector(match_labels={"b": "1"}, match_expressions=(requirement,))
    assert selector(msgspec.to_builtins(given)) == {
        "matchLabels": {"b": "1"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}],
    }


def test_a_misshapen_selector_is_not_read_as_one_that_selects_everything() -> None:
    for wrong in ({"matchExpressions": "a"}, {"matchExpressions": {"key": "a"}}):
        with pytest.raises((TypeError, KeyError)):
            selector(wrong)


@steady
@given(st.lists(st.integers(), max_size=60), st.integers(1, 25))
def test_batches_keep_everything_in_its_place(items: list[int], size: int) -> None:
    found = [list(some) for some in batches(items, size)]
    assert [item for some in found for item in some] == items
    assert all(0 < len(some) <= size for some in found)
