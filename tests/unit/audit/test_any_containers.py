"""Containers in objects of kinds that the audit does not judge."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml

from fleet_telemetry.audit.any_containers import containers_in, may_have_containers
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.result import Audit, ExitCode
from fleet_telemetry.audit.sources import Definitions
from tests.support.builders import NOW

_IMAGE = "grafana/grafana:11.2.0"
_RUNS = {"name": "main", "image": _IMAGE}
_OTHER = {"name": "other", "image": "nginx"}
_POD = {"spec": {"containers": [_RUNS]}}
_SIDECAR = {**_RUNS, "restartPolicy": "Always"}
_CHILD = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": _POD}}
_SCHEMA = {"type": "array", "items": {"properties": {"image": {"type": "string"}}}}


def _audit(kind: str, write: Any, **content: Any) -> Audit:
    manifest = {
        "apiVersion": "v1" if kind == "Pod" else "example.com/v1",
        "kind": kind,
        "metadata": {"name": "it"},
        **content,
    }
    text = write(manifest).encode()
    return audit([gather_files(["-"], io.BytesIO(text), "default", NOW)], NOW, Definitions())


_RUNNING: dict[str, tuple[str, Any]] = {
    "LeaderWorkerSet": (
        "LeaderWorkerSet",
        {"leaderWorkerTemplate": {"leaderTemplate": {"spec": {}}, "workerTemplate": _POD}},
    ),
    "RayService": (
        "RayService",
        {"rayClusterConfig": {"headGroupSpec": {"template": _POD}}},
    ),
    "RayJob": (
        "RayJob",
        {"rayClusterSpec": {"workerGroupSpecs": [{"template": {}}, {"template": _POD}]}},
    ),
    "Workflow": ("Workflow", {"templates": [{"name": "a"}, {"name": "b", "container": _RUNS}]}),
    "script": ("CronWorkflow", {"workflowSpec": {"templates": [{"script": _RUNS}]}}),
    "container set": ("Workflow", {"templates": [{"containerSet": {"containers": [_RUNS]}}]}),
    "sidecars": ("Workflow", {"templates": [{"container": _OTHER, "sidecars": [_RUNS]}]}),
    "Task": ("Task", {"steps": [_OTHER, _RUNS]}),
    "Volcano": ("Job", {"tasks": [{"name": "a", "template": _POD}]}),
    "JobSet": ("JobSet", {"replicatedJobs": [{"template": {"spec": {"template": _POD}}}]}),
    "ScaledJob": ("ScaledJob", {"jobTargetRef": {"template": _POD}}),
    "native sidecar": ("CloneSet", {"template": {"spec": {"initContainers": [_SIDECAR]}}}),
    "CloneSet": ("CloneSet", {"template": _POD}),
    "other and own": ("CloneSet", {"template": {"spec": {"containers": [_OTHER]}}, "x": [_POD]}),
    "containers with others": ("Foo", {"containers": [7, {"image": 7}, _RUNS]}),
    "ephemeral": ("Pod", {"containers": [_OTHER], "ephemeralContainers": [_RUNS]}),
    "Pod": ("Pod", _POD["spec"]),
}


@pytest.mark.parametrize(("kind", "spec"), _RUNNING.values(), ids=_RUNNING)
@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_an_object_that_runs_a_known_product_is_listed(kind: str, spec: Any, write: Any) -> None:
    result = _audit(kind, write, spec=spec)
    assert [(one.kind, one.products, one.images) for one in result.unmanaged] == [
        (kind, ("grafana",), (_IMAGE,))
    ]
    assert result.problems == ()
    assert result.exit_code is ExitCode.ONLY_UNKNOWN


@pytest.mark.parametrize("group", ["kyverno.io/v1", "policies.kyverno.io/v1alpha1"])
def test_a_policy_that_says_how_containers_are_to_be_runs_none(group: str) -> None:
    spec = {"rules": [{"mutate": {"patchStrategicMerge": _POD}}]}
    result = _audit("ClusterPolicy", yaml.safe_dump, spec=spec, apiVersion=group)
    assert (result.unmanaged, result.problems) == ((), ())


@pytest.mark.parametrize(
    "pipeline",
    [
        {"kind": "pipeline", "type": "kubernetes", "steps": [_RUNS]},
        {"kind": "Something", "script": "|"},
    ],
)
def test_what_is_no_object_of_kubernetes_is_no_problem(pipeline: dict[str, Any]) -> None:
    text = yaml.safe_dump(pipeline).encode()
    given = [gather_files(["-"], io.BytesIO(text), "default", NOW)]
    result = audit(given, NOW, Definitions())
    assert (result.unmanaged, result.problems) == ((), ())


def test_an_object_that_holds_others_is_listed_once() -> None:
    result = _audit("Template", yaml.safe_dump, objects=[_CHILD, _CHILD])
    assert [one.kind for one in result.unmanaged] == ["Template"]


_NOT_RUNNING: dict[str, tuple[str, Any]] = {
    "a definition": (
        "CustomResourceDefinition",
        {"schema": {"properties": {"containers": _SCHEMA, "container": {"image": _IMAGE}}}},
    ),
    "a schema": (
        "Composition",
        {"properties": {"containers": _SCHEMA, "container": {"properties": {"image": {}}}}},
    ),
    "data": ("ConfigMap", {"containers": [_RUNS]}),
    "an earlier template": ("ControllerRevision", {"template": _POD}),
    "a name": ("PrometheusRule", {"labels": {"container": _IMAGE, "containers": _IMAGE}}),
    "names": ("Foo", {"containers": [_IMAGE], "container": [_RUNS], "steps": [[_RUNS]]}),
    "an init container": ("CloneSet", {"template": {"spec": {"initContainers": [_RUNS]}}}),
    "another product": ("CloneSet", {"template": {"spec": {"containers": [_OTHER]}}}),
    "patterns": ("Foo", {"containers": [{"image": "*:*"}, {"image": "!grafana/grafana:9.0.0"}]}),
    "choices": ("Foo", {"containers": [{"image": "a/* | grafana/grafana:11.*"}]}),
    "no image": ("Foo", {"containers": [{"image": ""}, {"image": None}, {}, None]}),
}


@pytest.mark.parametrize(("kind", "spec"), _NOT_RUNNING.values(), ids=_NOT_RUNNING)
@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_an_object_that_runs_none_is_not_listed(kind: str, spec: Any, write: Any) -> None:
    result = _audit(kind, write, spec=spec)
    assert (result.unmanaged, result.problems) == ((), ())
    assert result.exit_code is ExitCode.NOTHING_FOUND


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (b"containers: []", True),
        (b'{"container" : {}}', True),
        (b"container: {}", True),
        (b"- 'steps':", True),
        (b"ephemeralContainers: []", True),
        (b'"cont\\u0061iner": {}', True),
        (b"expr: sum by (container) (x)", False),
        (b"a description: of steps", False),
    ],
)
def test_most_documents_are_not_searched(text: bytes, may: bool) -> None:
    assert may_have_containers(text) is may


def test_a_deep_or_a_wide_object_is_searched_without_recursion() -> None:
    part: Any = {"containers": [_RUNS]}
    for depth in range(100_000):
        part = {"a": part} if depth % 2 else [part]
    assert containers_in({"spec": part}) == []
    wide = {"spec": [{"containers": [_RUNS]} for _ in range(10_000)]}
    assert containers_in(wide) == [_RUNS] * 10_000
