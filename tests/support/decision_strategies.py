"""Whatever can be in a cluster, for property tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from fleet_telemetry.api.policy import Policy
from tests.support.builders import (
    DIGEST,
    EMQX_SWITCH,
    FROM_SECRET,
    LATER,
    LONG_AGO,
    NAMESPACE,
    NOW,
    OWNER,
    RC1_SWITCH,
    SONAR_SWITCH,
    SONAR_UPDATES,
    V4_SWITCH,
    V5_CRON,
    V5_SWITCH,
    WORKER_SWITCH,
    Manifest,
    claimed,
    manifest,
    policy,
)

SWITCH_OF_IMAGE: dict[str, str | None] = {
    # What is drawn most stands first.
    "sonarqube:26.7.0.124771-community": SONAR_SWITCH,
    "dependencytrack/apiserver:4.13.0": V4_SWITCH,
    "emqx/emqx:5.8.9": EMQX_SWITCH,
    "dependencytrack/apiserver:5.0.4": V5_SWITCH,
    "sourcegraph/worker:5.6.0": WORKER_SWITCH,
    "dependencytrack/apiserver:latest": None,
    "sonarqube:latest": SONAR_SWITCH,
    "emqx/emqx-enterprise:5.8.6": None,
    "sourcegraph/worker:6.4.0": None,
    "mirror.example:5000/hub/dependencytrack/bundled:4.14.3-alpine": V4_SWITCH,
    "dependencytrack/apiserver:4.12.7": None,
    "dependencytrack/apiserver:4.14": V4_SWITCH,
    "dependencytrack/apiserver:5.0.0-rc.1": RC1_SWITCH,
    "dependencytrack/apiserver:5.0.0-rc.2": V5_SWITCH,
    "dependencytrack/hyades-apiserver:5.7.0-alpha.8": RC1_SWITCH,
    "dependencytrack/hyades-apiserver:5.0.4": None,
    "dependencytrack/apiserver:4": None,
    "dependencytrack/apiserver" + DIGEST: None,
    "sonarqube:9.8.0-community": SONAR_SWITCH,
    "sonarqube" + DIGEST: SONAR_SWITCH,
    "emqx/emqx:4.4.19": None,
    "emqx/emqx:5.0.10": EMQX_SWITCH,
    "emqx/emqx-enterprise:5.10.4": EMQX_SWITCH,
    "emqx/emqx:6.2.2": EMQX_SWITCH,
    "emqx/emqx:latest": None,
    "sourcegraph/worker:5.1.0": None,
    "sourcegraph/frontend:5.6.0": None,
    "sourcegraph/frontend:7.6.0": None,
    "sourcegraph/server:5.6.0": WORKER_SWITCH,
}
"""The variable that the channel Usage has in each, by the facts and not by the catalogue."""
OTHER_IMAGES = ("nginx:1.29", "dependencytrack/frontend:4.14.3", "sonarqube:2026.4.0-x-search", "")

SWITCHES = (V4_SWITCH, RC1_SWITCH, V5_SWITCH, SONAR_SWITCH, EMQX_SWITCH, WORKER_SWITCH)
OTHER_NAMES_OF_SWITCHES = (
    SONAR_UPDATES,
    "EMQX_TELEMETRY__enable",
    "dt.telemetry.submission.default-enabled",
    V5_CRON,
)
CATALOGUE_NAMES = (*SWITCHES, *OTHER_NAMES_OF_SWITCHES)
RELATED_NAMES = ("LOG_LEVEL", "EXTRA_JAVA_OPTIONS")
FREE_NAMES = ("A", "_JAVA_OPTIONS", "EMQX_TELEMETRY", "SONAR_TELEMETRY_ENABLED")
VALUES = ("false", "true", "", "$(A)", " FALSE ", "INFO", "-", "é\u0000")


def entries(names: Iterable[str]) -> list[Manifest]:
    """Every entry of ``env`` that may be found under these names; the likely ones many times."""
    return [
        entry
        for name in names
        for entry in (
            *({"name": name, "value": value} for value in VALUES),
            {"name": name},
            *([{"name": name, "valueFrom": dict(FROM_SECRET)}] * (4 if name in SWITCHES else 1)),
            *([{"name": name, "value": "false"}, {"name": name, "value": "true"}] * 6)
            * (name in CATALOGUE_NAMES),
        )
    ]


@cache
def _env(image: str, names: tuple[str, ...]) -> st.SearchStrategy[list[Manifest]]:
    return st.lists(st.sampled_from(entries(_names_for(image, names))), max_size=3)


def _names_for(image: str, names: Iterable[str]) -> list[str]:
    """Of the names, those that mean something to an image, and those that mean nothing at all."""
    family = next((word for word in _NAMES_OF if word in image), "")
    strange = {name for own in _NAMES_OF.values() for name in own} - set(_NAMES_OF.get(family, ()))
    return [name for name in names if name not in strange]


_NAMES_OF = {
    "dependencytrack": (
        V4_SWITCH,
        RC1_SWITCH,
        V5_SWITCH,
        V5_CRON,
        "dt.telemetry.submission.default-enabled",
    ),
    "sonarqube": (SONAR_SWITCH, SONAR_UPDATES, "SONAR_TELEMETRY_ENABLED"),
    "emqx": (EMQX_SWITCH, "EMQX_TELEMETRY__enable", "EMQX_TELEMETRY"),
    "sourcegraph": (WORKER_SWITCH,),
}
_MORE = (
    {},
    {"ports": [{"containerPort": 1}]},
    {"envFrom": [{"configMapRef": {"name": "settings"}}]},
    {"args": ["-Dsonar.telemetry.enable=true", "a b"]},
)
ALL_NAMES = (*CATALOGUE_NAMES, *RELATED_NAMES, *FREE_NAMES)

RESTARTING: tuple[dict[str, Any], ...] = (
    {},
    {"kind": "StatefulSet"},
    {"kind": "DaemonSet"},
    {"created": NOW},
    {"labels": {"tier": "gold"}},
    {"paused": True},
)
"""Shapes of workloads whose pods a new template replaces."""
RESTING: tuple[dict[str, Any], ...] = (
    {"kind": "CronJob"},
    {"kind": "ReplicaSet"},
    {"kind": "ReplicationController"},
    {"replicas": 0},
    {"replicas": 0, "labels": {"tier": "gold"}},
    {"kind": "StatefulSet", "updateStrategy": {"type": "OnDelete"}},
)
"""Shapes of workloads in which a new template replaces no pod."""
FOREIGN: tuple[dict[str, Any], ...] = ({"kind": "Job"}, {"kind": "StatefulSet", "owner": OWNER})
"""Shapes of workloads whose template is never written once they are there."""
SHAPES = (*RESTARTING, *RESTING, *FOREIGN)


@st.composite
def containers(
    draw: st.DrawFn, name: str, names: tuple[str, ...], images: tuple[str, ...]
) -> Manifest:
    """A container with anything in it that matters."""
    image = draw(st.sampled_from(images))
    env = draw(_env(image, names))
    return {
        "name": name,
        "image": image,
        **({"env": [dict(entry) for entry in env]} if env else {}),
        **draw(st.sampled_from(_MORE)),
    }


@st.composite
def manifests(
    draw: st.DrawFn,
    *,
    names: tuple[str, ...] = ALL_NAMES,
    images: tuple[str, ...] = (*SWITCH_OF_IMAGE, *OTHER_IMAGES),
    shapes: tuple[dict[str, Any], ...] = SHAPES,
    unclaimed: tuple[tuple[str, ...] | None, ...] = (None, (), CATALOGUE_NAMES, ALL_NAMES),
) -> Manifest:
    """A workload with anything in it that matters, some of its variables claimed by nobody."""
    found = [draw(containers("app", names, images))]
    if draw(st.booleans()):
        found.append(draw(containers("side", names, images)))
    given = manifest(*found, **draw(st.sampled_from(shapes)))
    but = draw(st.sampled_from(unclaimed))
    return given if but is None else claimed(given, but=but)  # None: nobody knows who wrote what


def _settings(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    env = [{"name": name, "value": value} for name, value in pairs]
    products = ("dependency-track", "sonarqube", "emqx", "sourcegraph")
    return [{"product": product, "env": env} for product in products]


RELATED: tuple[list[dict[str, Any]], ...] = (
    [],
    _settings(("LOG_LEVEL", "INFO")),
    _settings(("LOG_LEVEL", "$(A)"), ("EXTRA_JAVA_OPTIONS", "")),
)
MISTAKEN: tuple[list[dict[str, Any]], ...] = (
    _settings(*((name, "true") for name in CATALOGUE_NAMES)),
    _settings((SONAR_UPDATES, "false"), ("EMQX_TELEMETRY__enable", "true")),
)


def _exception(*, cluster: bool, expires: Any) -> dict[str, Any]:
    workload = {"kind": "Deployment", "name": "it"} | ({"namespace": NAMESPACE} if cluster else {})
    return {"exceptions": [{"workload": workload, "reason": "because", "expiresAt": expires}]}


def _scopes() -> Iterator[tuple[bool, dict[str, Any]]]:
    for cluster in (False, True):
        yield cluster, {}
        yield cluster, {"selector": {"matchLabels": {"tier": "gold"}}}
        yield cluster, {"products": ["sonarqube", "unanswered-of"]}
        yield cluster, {"channels": ["Usage", "UpdateCheck"]}
        yield cluster, {"channels": ["UpdateCheck", "License"]}
        yield cluster, _exception(cluster=cluster, expires=LATER)
        yield cluster, _exception(cluster=cluster, expires=LONG_AGO)


SCOPES = tuple(_scopes())
WISHES = (
    {"submission": "Disabled"},
    {"submission": "Enabled"},
    {"submission": "Disabled", "mode": "Audit"},
    {"submission": "Enabled", "mode": "Audit"},
)


def _injections(*rollouts: str) -> Iterator[dict[str, Any]]:
    yield {}
    for rollout, when, conflict, more in product(
        rollouts,
        ("FirstInstallOrUpgrade", "Always", "Never"),
        ("Override", "Keep"),
        (*RELATED, *MISTAKEN),
    ):
        yield {
            "injection": {
                "when": when,
                "rollout": rollout,
                "onConflict": conflict,
                "settings": more,
            }
        }


PATIENT = tuple(_injections("OnNextRollout"))
INJECTIONS = tuple(_injections("OnNextRollout", "Immediate"))


@st.composite
def policy_sets(
    draw: st.DrawFn,
    *,
    injections: tuple[dict[str, Any], ...] = INJECTIONS,
    **fixed: Any,
) -> tuple[Policy, ...]:
    """Policies that can stand beside each other. ``fixed``: what all of them say alike."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        cluster, scope = draw(st.sampled_from(SCOPES))
        wish = draw(st.sampled_from(WISHES))
        injection = draw(st.sampled_from(injections))
        age = timedelta(days=draw(st.integers(0, 1)))
        spec = {**scope, **wish, **injection, **fixed}
        found.append(policy("abcd"[number], cluster=cluster, created=NOW - age, **spec))
    return tuple(found)
