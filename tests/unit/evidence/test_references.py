"""The variables of a container by reference, as the kubelet would build them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.evidence.config_maps import ABSENT, ConfigMapFacts, read_config_map
from fleet_telemetry.evidence.references import (
    MOST_NAMES,
    names_to_read,
    with_values,
    with_values_of_pod,
)
from fleet_telemetry.workloads.references import Unread
from fleet_telemetry.workloads.workload import Container
from tests.support.builders import SONAR_SWITCH, SONARQUBE, catalogue, container, manifest
from tests.support.builders import workload as read
from tests.support.config_maps import ConfigMapHistory, config_map, moment
from tests.support.depth import examples


def _of_key(key: str, name: str = "settings", **more: Any) -> Mapping[str, Any]:
    return {"configMapKeyRef": {"name": name, "key": key, **more}}


def _all_of(name: str = "settings", prefix: str = "", **more: Any) -> dict[str, Any]:
    given = {"prefix": prefix} if prefix else {}
    return {"configMapRef": {"name": name, **more}, **given}


SECRET = {"secretRef": {"name": "settings"}}


def _read(env: Mapping[str, Any] | None = None, *env_from: Any) -> Container:
    more = {"envFrom": list(env_from)} if env_from else {}
    return read(manifest(container(SONARQUBE, env=env, **more))).template.containers[0]


def _resolved(given: Container, *, created: int | None = None, **maps: ConfigMapFacts) -> Container:
    targets = match_containers(read(manifest(container(SONARQUBE))).template, catalogue())
    (target,) = targets
    placed = (replace(target, container=given),)
    if created is None:
        found = with_values(placed, maps)
    else:
        found = with_values_of_pod(placed, maps, moment(created))
    return found[0].container


def shown(found: Container, name: str) -> str | Unread | None:
    """A variable: its value, why it is not known, or None if it is certainly not set."""
    entry = found.variable(name)
    if entry is not None and not entry.by_reference:
        return entry.value
    reference = entry.reference if entry is not None else found.env_from_unread
    if reference is not None:
        return reference.unread or Unread.NEVER
    return Unread.NEVER if found.has_env_from else None


def _facts(data: Mapping[str, str], **more: Any) -> ConfigMapFacts:
    return read_config_map(config_map(data, **more))


@dataclass(frozen=True)
class Case:
    """What a container says, and what its variable A is then."""

    given: Container
    is_: str | Unread | None


ONE = _facts({"A": "1", "k": "2"})
TWO = _facts({"A": "3"})
CASES = {
    "a key": Case(_read({"A": _of_key("k")}), "2"),
    "a key of a map that was not read": Case(_read({"A": _of_key("k", "no")}), Unread.NOT_READ),
    "a key of a missing map": Case(_read({"A": _of_key("k", "gone")}), Unread.MISSING),
    "an optional one": Case(_read({"A": _of_key("k", "gone", optional=True)}), None),
    "a missing key": Case(_read({"A": _of_key("no")}), Unread.MISSING),
    "an optional missing key": Case(_read({"A": _of_key("no", optional=True)}), None),
    "a key of binary data": Case(_read({"A": _of_key("bin", "binary")}), Unread.MISSING),
    "optional that is no boolean": Case(
        _read({"A": _of_key("no", optional="yes")}), Unread.MISSING
    ),
    "a key of a Secret": Case(
        _read({"A": {"secretKeyRef": {"name": "settings", "key": "k"}}}), Unread.NEVER
    ),
    "a field": Case(_read({"A": {"fieldRef": {"fieldPath": "metadata.name"}}}), Unread.NEVER),
    "two sources": Case(
        _read({"A": {**_of_key("k"), "secretKeyRef": {"name": "settings"}}}), Unread.NEVER
    ),
    "all of a map": Case(_read(None, _all_of()), "1"),
    "all of a map without it": Case(_read(None, _all_of("other")), None),
    "all of a map that was not read": Case(_read(None, _all_of("no")), Unread.NOT_READ),
    "all of a missing map": Case(_read(None, _all_of("gone")), Unread.MISSING),
    "all of an optional missing map": Case(_read(None, _all_of("gone", optional=True)), None),
    "env over envFrom": Case(_read({"A": "0"}, _all_of()), "0"),
    "a reference over envFrom": Case(_read({"A": _of_key("k")}, _all_of()), "2"),
    "a Secret over envFrom": Case(
        _read({"A": {"secretKeyRef": {"name": "x", "key": "y"}}}, _all_of()), Unread.NEVER
    ),
    "an optional missing key over envFrom": Case(
        _read({"A": _of_key("no", optional=True)}, _all_of()), "1"
    ),
    "the later of two": Case(_read(None, _all_of(), _all_of("two")), "3"),
    "the later of two, turned": Case(_read(None, _all_of("two"), _all_of()), "1"),
    "a Secret that comes later": Case(_read(None, _all_of(), SECRET), Unread.NEVER),
    "a Secret that comes first": Case(_read(None, SECRET, _all_of()), "1"),
    "a Secret with another prefix": Case(_read(None, _all_of(), {**SECRET, "prefix": "DB_"}), "1"),
    "a Secret with a prefix of it": Case(
        _read(None, _all_of(), {**SECRET, "prefix": "A"}), Unread.NEVER
    ),
    "an unread map that comes later": Case(_read(None, _all_of(), _all_of("no")), Unread.NOT_READ),
    "a prefix": Case(_read(None, _all_of("prefixed", prefix="A")), "5"),
    "a prefix that hides it": Case(_read(None, _all_of(prefix="P_")), None),
    "a value that looks like a reference": Case(_read(None, _all_of("odd")), "$(B)"),
    "an entry of envFrom with nothing": Case(_read(None, {}, _all_of()), "1"),
    "nothing after it": Case(_read(None, _all_of(), {"prefix": "A"}), Unread.NEVER),
    "a huge map without it": Case(_read(None, _all_of("huge")), Unread.NOT_READ),
    "a key of a huge map": Case(_read({"A": _of_key("A", "huge")}), Unread.NOT_READ),
    "too many sources": Case(_read(None, _all_of(), *[_all_of("other")] * 40), Unread.NOT_READ),
    "too many variables": Case(
        _read(None, _all_of(), *(_all_of("full", prefix=f"P{n}_") for n in range(9))), "1"
    ),
    "too many variables that may be it": Case(
        _read(None, _all_of(), _all_of("full"), _all_of("full", prefix="A")), Unread.NOT_READ
    ),
    "a value that is too long": Case(_read(None, _all_of("long")), Unread.NOT_READ),
}
MAPS = {
    "settings": ONE,
    "two": TWO,
    "gone": ABSENT,
    "other": _facts({"B": "4"}),
    "binary": read_config_map(config_map({}, binaryData={"bin": "MQ=="})),
    "prefixed": _facts({"": "5"}),
    "odd": _facts({"A": "$(B)"}),
    "huge": _facts({f"key-{one}": "" for one in range(20_000)}),
    "full": _facts({f"KEY{one}": "" for one in range(400)}),
    "long": _facts({"A": "x" * 100_000}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_pod_gets_what_the_kubelet_gives_it(case: Case) -> None:
    assert shown(_resolved(case.given, **MAPS), "A") == case.is_


def test_a_container_without_config_maps_stays_the_same_object() -> None:
    given = _read({"A": {"secretKeyRef": {"name": "x", "key": "y"}}}, SECRET)
    assert _resolved(given, **MAPS) is given


def test_what_can_be_edited_is_the_container_as_written() -> None:
    given = _read({"A": _of_key("k")}, _all_of())
    found = _resolved(given, **MAPS)
    assert found.as_written is given
    assert given.as_written is given
    assert _resolved(found, **MAPS).as_written is given


def test_the_maps_of_switches_are_read_first_and_few_of_them() -> None:
    env = {f"X{one}": _of_key("k", f"map-{one}") for one in range(20)}
    given = manifest(
        container(SONARQUBE, env={**env, SONAR_SWITCH: _of_key("k", "switch")}, envFrom=[_all_of()])
    )
    names = names_to_read(match_containers(read(given).template, catalogue()))
    assert names[:2] == ("switch", "settings")
    assert len(names) == MOST_NAMES
    other = manifest(container("nginx:1", env=env))
    assert names_to_read(match_containers(read(other).template, catalogue())) == ()


# A pod

KEYS = ("A", "B")
MANAGERS = ("helm", "kubectl-edit")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "remove", "lock", "delete"]),
        st.sampled_from(["first", "first", "second"]),
        st.sampled_from(MANAGERS),
        st.sampled_from(KEYS),
        st.sampled_from(["0", "1"]),
    ),
    min_size=2,
    max_size=10,
)
_REFERENCES = st.booleans().map(lambda optional: {"optional": True} if optional else {})
_CONTAINERS = st.builds(
    lambda env, env_from: _read(env, *env_from),
    st.dictionaries(
        st.sampled_from(KEYS),
        st.sampled_from(["0", "9"])
        | st.builds(
            lambda key, name, more: _of_key(key, name, **more),
            st.sampled_from(KEYS),
            st.sampled_from(["first", "second"]),
            _REFERENCES,
        ),
        max_size=2,
    ),
    st.lists(
        st.builds(
            lambda name, more: _all_of(name, **more),
            st.sampled_from(["first", "first", "second"]),
            _REFERENCES,
        ),
        min_size=1,
        max_size=2,
    ),
)


def _environment(given: Container, maps: Mapping[str, Mapping[str, str] | None]) -> Any:
    """What the kubelet builds (makeEnvironmentVariables); None if the container cannot start."""
    found: dict[str, str] = {}
    for source in given.env_from:
        data = maps[source.name]
        if data is None and not source.optional:
            return None
        found |= data or {}
    for entry in given.env:
        if entry.reference is None:
            found[entry.name] = entry.value
            continue
        value = (maps[entry.reference.name] or {}).get(entry.reference.key)
        if value is not None:
            found[entry.name] = value
        elif not entry.reference.optional:
            return None
    return found


@examples(1000)
@given(
    _CONTAINERS, _STEPS, st.lists(st.integers(0, 1), min_size=10, max_size=10), st.integers(0, 9)
)
def test_what_is_said_of_a_pod_is_what_it_must_have_got(
    given_container: Container, steps: list[Any], pauses: list[int], created: int
) -> None:
    """Whatever happened, and whenever the container started: no value is claimed that it may not
    have. Only what happens within one second to one key is left out."""
    maps = {"first": ConfigMapHistory(), "second": ConfigMapHistory()}
    at = 0
    touched: set[tuple[int, str]] = set()
    possible: list[Any] = []
    last_before: Any = _environment(given_container, {"first": None, "second": None})
    for (what, name, manager, key, value), pause in zip(steps, pauses, strict=False):
        at += pause
        if (at, name) in touched:
            at += 1
        touched.add((at, name))
        one = maps[name]
        match what:
            case "set":
                one.set(at, manager, key, value)
            case "remove":
                one.remove(key)
            case "lock":
                one.lock(at, manager)
            case _:
                one.delete()
        now = _environment(given_container, {key: one.data for key, one in maps.items()})
        if at < created:
            last_before = now
        else:
            possible.append(now)
    # The container has started by now, and may have started again at any time since.
    environments = [one for one in (last_before, *possible) if one is not None]
    read_now = {
        name: ABSENT if (found := one.manifest()) is None else read_config_map(found)
        for name, one in maps.items()
    }
    found = _resolved(given_container, created=created, **read_now)
    for key in KEYS:
        said = shown(found, key)
        if not isinstance(said, Unread):
            assert all(one.get(key) == said for one in environments), (key, said, environments)


def test_a_pod_younger_than_all_of_it_has_all_of_it() -> None:
    given = _read({"B": _of_key("k")}, _all_of())
    locked = _facts({"A": "1", "k": "2"}, created=moment(0), immutable=True)
    found = _resolved(given, created=5, settings=locked)
    assert [shown(found, name) for name in ("A", "B", "C")] == ["1", "2", None]
    open_ = _facts({"A": "1", "k": "2"}, created=moment(0))
    found = _resolved(given, created=5, settings=open_)
    assert [shown(found, name) for name in ("A", "B", "C")] == ["1", "2", Unread.CHANGED]
    found = _resolved(given, created=-5, settings=open_)
    assert [shown(found, name) for name in ("A", "B", "C")] == [Unread.CHANGED] * 3


def test_of_a_map_that_is_gone_nothing_is_known() -> None:
    found = _resolved(_read({"A": _of_key("k")}, _all_of()), created=5, settings=ABSENT)
    assert shown(found, "A") is Unread.MISSING
    found = _resolved(_read({"A": _of_key("k", optional=True)}), created=5, settings=ABSENT)
    assert shown(found, "A") is Unread.CHANGED


def test_in_a_file_no_pod_is_older_than_its_map() -> None:
    facts = read_config_map({"data": {"A": "1"}}, is_in_file=True)
    assert shown(_resolved(_read(None, _all_of()), created=-5, settings=facts), "A") == "1"
    assert shown(_resolved(_read(None, _all_of()), created=-5, settings=facts), "B") is None
