"""Manifests in files: what is judged, what is counted, and what is said of the rest."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.audit import files
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.files import gather_files, read_definitions
from fleet_telemetry.audit.result import Audit, ExitCode, Finding, Problem
from fleet_telemetry.audit.sources import Definitions
from fleet_telemetry.linting.document import Document
from tests.support.every import every
from tests.support.lint_files import PRODUCT
from tests.support.ray_clusters import RAY, group, ray_cluster

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_IMAGE = "sonarqube:26.7.0.124771-community"
_OFF = {"name": "SONAR_TELEMETRY_ENABLE", "value": "false"}


def _workload(name: str = "sonar", kind: str = "Deployment", **container: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": _IMAGE, **container}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    api, spec = {
        "Deployment": ("apps/v1", {"template": template}),
        "StatefulSet": ("apps/v1", {"template": template}),
        "DaemonSet": ("apps/v1", {"template": template}),
        "ReplicaSet": ("apps/v1", {"template": template}),
        "ReplicationController": ("v1", {"template": template}),
        "Job": ("batch/v1", {"template": template}),
        "CronJob": ("batch/v1", {"jobTemplate": {"spec": {"template": template}}}),
        "Rollout": ("argoproj.io/v1alpha1", {"template": template}),
        "Pod": ("v1", pod),
    }[kind]
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _text(*manifests: Any) -> str:
    return yaml.safe_dump_all(manifests, explicit_start=True)


def _audit(
    text: str | bytes,
    *named: str,
    namespace: str = "default",
    definitions: Definitions | None = None,
) -> Audit:
    data = text.encode() if isinstance(text, str) else text
    gathered = gather_files(named or ("-",), io.BytesIO(data), namespace, _NOW)
    return audit([gathered], _NOW, definitions or Definitions())


def _problem(text: str | bytes) -> Problem:
    result = _audit(text)
    (problem,) = result.problems
    assert problem.place.file == "-"
    assert problem.advice
    assert result.exit_code is ExitCode.ERROR
    return problem


def _usage(result: Audit) -> Finding:
    (usage,) = [one for one in result.findings if one.channel == "Usage"]
    return usage


def _rows(result: Audit) -> list[tuple[str, str, str, Sends]]:
    assert result.problems == ()
    return [
        (one.namespace, one.kind, one.name, one.sends)
        for one in result.findings
        if one.channel == "Usage"
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "ReplicationController",
        "Job",
        "CronJob",
        "Rollout",
    ],
)
def test_every_kind_of_workload_is_judged(kind: str) -> None:
    assert _rows(_audit(_text(_workload(kind=kind)))) == [("default", kind, "sonar", Sends.YES)]
    off = _audit(_text(_workload(kind=kind, env=[_OFF])))
    assert _rows(off) == [("default", kind, "sonar", Sends.NO)]


def test_a_file_shows_what_is_declared_and_nothing_that_runs() -> None:
    usage = _usage(_audit(_text(_workload(env=[_OFF]))))
    assert usage.declared == "Disabled"
    assert usage.running == usage.reported == usage.egress == "Unknown"


def test_a_seed_in_data_that_is_elsewhere_is_not_proven_by_a_file() -> None:
    seed = {"name": "TELEMETRY_SUBMISSION_ENABLED_DEFAULT", "value": "false"}
    database = {"name": "ALPINE_DATABASE_MODE", "value": "external"}
    image = "dependencytrack/apiserver:4.14.3"
    result = _audit(_text(_workload(image=image, env=[seed, database])))
    (row,) = _rows(result)
    assert row[3] is Sends.UNKNOWN
    assert result.exit_code is ExitCode.ONLY_UNKNOWN


def test_the_line_of_an_object_is_where_it_begins() -> None:
    text = "# x\n---\n# y\n" + yaml.safe_dump(_workload()) + _text(_workload("b"))
    second = text[: text.index("name: b")].count("\n")
    lines = {one.name: one.place.line for one in _audit(text).findings}
    assert lines["sonar"] == 4
    assert text.splitlines()[lines["b"] - 2] == "---"
    assert lines["b"] < second


def test_an_object_without_a_namespace_is_in_the_default_one() -> None:
    other = _workload("b")
    other["metadata"]["namespace"] = "own"
    rows = _rows(_audit(_text(_workload(), other), namespace="given"))
    assert [row[:3] for row in rows] == [
        ("given", "Deployment", "sonar"),
        ("own", "Deployment", "b"),
    ]


def test_a_generated_name_is_shown_as_one() -> None:
    job = _workload(kind="Job")
    job["metadata"] = {"generateName": "scan-"}
    assert [row[2] for row in _rows(_audit(_text(job, job)))] == ["scan-...", "scan-..."]


def test_pods_and_unknown_kinds_are_listed_if_they_run_a_product() -> None:
    clone = _workload("clone")
    clone["apiVersion"], clone["kind"] = "apps.kruise.io/v1alpha1", "CloneSet"
    volcano = _workload("volcano", "Job")
    volcano["apiVersion"] = "batch.volcano.sh/v1alpha1"
    result = _audit(
        _text(_workload("bare", "Pod"), clone, volcano, _workload("web", "Pod", image="x"))
    )
    assert [(one.kind, one.name) for one in result.unmanaged] == [
        ("Pod", "bare"),
        ("CloneSet", "clone"),
        ("Job", "volcano"),
    ]
    assert result.exit_code is ExitCode.ONLY_UNKNOWN
    assert result.coverage.workloads == 0
    assert result.coverage.containers == 4


def test_what_others_create_is_told_by_its_owner_if_that_is_there() -> None:
    def controlled(manifest: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
        owner = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": name,
            "uid": "u",
            "controller": True,
        }
        manifest["metadata"]["ownerReferences"] = [owner]
        return manifest

    part = controlled(_workload("sonar-abc", "ReplicaSet"), "Deployment", "sonar")
    pods = [controlled(_workload(f"p{n}", "Pod"), "ReplicaSet", "sonar-abc") for n in range(3)]
    for pod in pods:
        pod["metadata"]["labels"] = {"pod-template-hash": "abc"}
    whole = _workload()
    for given in ([whole, part, *pods], [*pods, part, whole], [*pods, whole]):
        result = _audit(_text(*given))
        assert [row[1:3] for row in _rows(result)] == [("Deployment", "sonar")]
        assert result.unmanaged == ()
    result = _audit(_text(part, *pods))
    assert [row[1:3] for row in _rows(result)] == [("ReplicaSet", "sonar-abc")]
    assert result.unmanaged == ()
    result = _audit(_text(*pods))
    assert [one.name for one in result.unmanaged] == ["p0"]


def test_the_same_workload_twice_in_a_file_is_a_problem_and_in_two_files_is_not(
    tmp_path: Path,
) -> None:
    text = _text(_workload(), _workload())
    problem = _problem(text)
    assert "stands in line 2, too" in problem.what
    assert len(_audit(text).findings) == 2 * len(_audit(_text(_workload())).findings)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(_text(_workload()))
    result = _audit("", str(tmp_path))
    assert [row[2] for row in _rows(result)] == ["sonar", "sonar"]
    assert result.coverage.files == 2


_POLICY = {
    "apiVersion": "fleettelemetry.io/v1alpha1",
    "kind": "ClusterTelemetryPolicy",
    "metadata": {"name": "off"},
    "spec": {"namespaceSelector": {"matchLabels": {"team": "a"}}},
}
_SWITCH = {"product": "sonarqube", "env": [{"name": "SONAR_TELEMETRY_ENABLE", "value": "x"}]}
_NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "default", "labels": {"team": "a"}},
}


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize("as_json", [True, False])
def test_policies_and_namespaces_count_wherever_they_stand(as_list: bool, as_json: bool) -> None:
    manifests = [_workload(), _POLICY, _NAMESPACE]
    given = [{"apiVersion": "v1", "kind": "List", "items": manifests}] if as_list else manifests
    text = "\n".join(map(json.dumps, given)) if as_json else _text(*given)
    result = _audit(text)
    assert result.judged
    usage = _usage(result)
    assert usage.policy is not None
    assert (usage.policy.name, usage.desired) == ("off", Submission.DISABLED)
    assert usage.state in (State.NON_COMPLIANT, State.PENDING)
    without = _audit(_text(_workload(), _POLICY))
    assert without.judged
    assert all(one.policy is None for one in without.findings)


@pytest.mark.parametrize("given", [(), (_NAMESPACE,)], ids=["without", "with the Namespace"])
@pytest.mark.parametrize(
    ("operator", "name", "is_covered"),
    [
        ("In", "default", True),
        ("In", "other", False),
        ("NotIn", "default", False),
        ("NotIn", "other", True),
    ],
)
def test_each_namespace_has_its_name_as_a_label(
    operator: str, name: str, given: tuple[Any, ...], *, is_covered: bool
) -> None:
    """The API server sets it."""
    wanted = {"key": "kubernetes.io/metadata.name", "operator": operator, "values": [name]}
    policy = {**_POLICY, "spec": {"namespaceSelector": {"matchExpressions": [wanted]}}}
    result = _audit(_text(_workload(), policy, *given))
    assert (_usage(result).policy is not None) is is_covered


def test_a_product_of_the_input_is_known() -> None:
    product = yaml.safe_load(PRODUCT)
    image = product["spec"]["images"][0]["pattern"]
    manifests = (_workload("own", image=f"{image}:1.2.3"), product)
    result = _audit(_text(*manifests))
    assert {one.product for one in result.findings} == {product["metadata"]["name"]}
    assert result.coverage.unknown_images == 0


@pytest.mark.parametrize(
    ("change", "line", "what"),
    [
        ({"spec": {"submission": "Off"}}, 6, "submission"),
        ({"spec": {"submision": "Disabled"}}, 6, "not a field"),
        ({"spec": {"egress": {"action": "Allow"}}}, 5, "egress.action"),
        ({"apiVersion": "fleettelemetry.io/v1"}, 1, "apiVersion"),
        ({"metadata": {}}, 3, "name"),
        ({"extra": 1}, 3, "extra"),
        ({"spec": {"injection": {"settings": [_SWITCH]}}}, 5, "SONAR_TELEMETRY_ENABLE"),
    ],
)  # fmt: skip
def test_a_policy_that_the_cluster_refuses_is_a_problem(change: Any, line: int, what: str) -> None:
    result = _audit("a: 1\n" + _text({**_POLICY, **change}, _NAMESPACE, _workload()))
    (problem,) = result.problems
    assert what in problem.what
    assert abs(problem.place.line - 2 - line) <= 2
    assert all(one.policy is None for one in result.findings)


def test_policies_are_read_from_files_of_their_own(tmp_path: Path) -> None:
    namespaced = {**_POLICY, "kind": "TelemetryPolicy", "spec": {}}
    (tmp_path / "a.yaml").write_text(_text({**_POLICY, "spec": {}}, _workload()))
    (tmp_path / "b.json").write_text(json.dumps(namespaced))
    definitions, problems = read_definitions([str(tmp_path)], io.BytesIO(), "given", _NOW)
    assert problems == []
    assert [str(one) for one in definitions.policies] == [
        "ClusterTelemetryPolicy off",
        "TelemetryPolicy given/off",
    ]
    result = _audit(_text(_workload()), definitions=definitions)
    assert _usage(result).policy is not None
    assert result.judged
    (tmp_path / "c.yaml").write_text("kind: x\n")
    _, problems = read_definitions([str(tmp_path / "c.yaml")], io.BytesIO(), "given", _NOW)
    assert ["no policy" in one.what for one in problems] == [True]
    (tmp_path / "d.yaml").write_text("kind: TelemetryPolicy\na: [")
    _, problems = read_definitions([str(tmp_path / "d.yaml")], io.BytesIO(), "given", _NOW)
    assert ["no YAML" in one.what for one in problems] == [True]


def test_a_policy_twice_is_a_problem() -> None:
    assert "too" in _problem(_text(_POLICY, _POLICY)).what


def _without(*path: str | int) -> dict[str, Any]:
    manifest: Any = json.loads(json.dumps(_workload()))
    part = manifest
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return manifest


def _with(value: object, *path: str | int) -> dict[str, Any]:
    manifest: Any = json.loads(json.dumps(_workload(env=[_OFF], args=["a"], command=["b"])))
    part = manifest
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return manifest


_POD = ("spec", "template", "spec")
_MAIN = (*_POD, "containers", 0)


@every(
    ("manifest", "what"),
    [
        (_without("apiVersion"), "it has no apiVersion"),
        (_without("metadata", "name"), "it has no metadata.name"),
        (_without("metadata"), "it has no metadata"),
        (_without("spec"), "it has no spec"),
        (_without("spec", "template"), "it has no spec.template.spec"),
        (_without(*_POD, "containers"), "it has no spec.template.spec.containers"),
        (_without(*_MAIN, "image"), "main has no image"),
        (_without(*_MAIN, "name"), "has no name"),
        (_with(7, "metadata", "name"), "metadata.name is 7"),
        (_with("A_b", "metadata", "name"), 'is "A_b"'),
        (_with("x" * 300, "metadata", "name"), "no name"),
        (_with("a.b", "metadata", "namespace"), "metadata.namespace"),
        (_with({"a": 1}, "metadata", "labels"), "the label a is no text"),
        (_with("x", "metadata", "labels"), "labels are no mapping"),
        (_with("3", "spec", "replicas"), "replicas is not a number"),
        (_with(True, "spec", "replicas"), "replicas is not a number"),
        (_with([], "spec"), "it has no spec"),
        (_with({"a": 1}, *_POD, "containers"), "containers is no list"),
        (_with([], *_POD, "containers"), "containers"),
        (_with(["x"], *_POD, "containers"), "a container is no mapping"),
        (_with(7, *_MAIN, "image"), "is 7, which is no image"),
        (_with("${IMAGE}", *_MAIN, "image"), "which is no image"),
        (_with("{{ .x }}", *_MAIN, "image"), "which is no image"),
        (_with("a b", *_MAIN, "image"), "which is no image"),
        (_with("sh -c", *_MAIN, "command"), "command of the container main is no list"),
        (_with([7], *_MAIN, "args"), "a word in args"),
        (_with({"A": "b"}, *_MAIN, "env"), "env of the container main is no list"),
        (_with([{"value": "x"}], *_MAIN, "env"), "a variable"),
        (_with(False, *_MAIN, "env", 0, "value"), "SONAR_TELEMETRY_ENABLE"),
        (_with(7, *_MAIN, "env", 0, "value"), "SONAR_TELEMETRY_ENABLE"),
        (_with([7], *_POD, "initContainers"), "a container is no mapping"),
    ],
)  # fmt: skip
def test_a_workload_that_the_cluster_refuses_is_not_judged(manifest: Any, what: str) -> None:
    for text in (_text(manifest), json.dumps(manifest)):
        result = _audit(text)
        assert what in _problem(text).what
        assert result.findings == ()


def test_the_line_of_a_fault_is_exact() -> None:
    manifest = _with(False, *_MAIN, "env", 0, "value")
    text = "a: 1\n" + _text(_workload("b"), {"kind": "List", "items": [_workload(), manifest]})
    result = _audit(text)
    (problem,) = result.problems
    assert text.splitlines()[problem.place.line - 1].strip() == "value: false"
    assert len(result.findings) > 0


_OFF_IN_RAY = {"RAY_USAGE_STATS_ENABLED": "0"}
_GROUPS = "spec.workerGroupSpecs"


def _worker(**container: Any) -> dict[str, Any]:
    found: dict[str, Any] = group("w", RAY, env=_OFF_IN_RAY)
    found["template"]["spec"]["containers"][0].update(container)
    return found


@every(
    ("workers", "what"),
    [
        ([_worker(image="{{ image }}")], 'is "{{ image }}", which is no image'),
        ([_worker(), _worker(image=7)], "is 7, which is no image"),
        ([_worker(env=[{"name": "RAY_STATS", "value": 0}])], "is 0, which is no text"),
        ([_worker(args=[True])], "a word in args"),
        ([_worker(env={"A": "b"})], "is no list"),
        ([{"template": 5}, 7], f"it has no {_GROUPS}[0].template.spec"),
        ([_worker(), 7], f"it has no {_GROUPS}[1].template.spec"),
        ([None], f"it has no {_GROUPS}[0].template.spec"),
        ([{}], f"it has no {_GROUPS}[0].template.spec"),
        ([{"template": {"spec": 5}}], f"it has no {_GROUPS}[0].template.spec"),
        ([{"template": {"spec": {}}}], f"it has no {_GROUPS}[0].template.spec.containers"),
        ({"a": _worker()}, f"it has no {_GROUPS}[0].template.spec"),
        (7, f"it has no {_GROUPS}[0].template.spec"),
    ],
)  # fmt: skip
def test_a_ray_cluster_with_workers_that_are_refused_is_not_judged(workers: Any, what: str) -> None:
    manifest = ray_cluster(env=_OFF_IN_RAY)
    manifest["spec"]["workerGroupSpecs"] = workers
    for text in (yaml.safe_dump(manifest), json.dumps(manifest)):
        result = _audit(text)
        (problem,) = result.problems
        assert what in problem.what
        assert result.findings == ()


def test_the_line_of_a_fault_in_a_group_of_workers_is_exact() -> None:
    workers = [_worker(), _worker(env=[{"name": "A", "value": 0}])]
    text = yaml.safe_dump(ray_cluster(workers=workers))
    assert text.splitlines()[_problem(text).place.line - 1].strip() == "value: 0"


@pytest.mark.parametrize("workers", [None, [], [_worker()], [_worker(), _worker()]])
def test_a_ray_cluster_with_proper_workers_is_judged(workers: Any) -> None:
    manifest = ray_cluster(env=_OFF_IN_RAY)
    manifest["spec"]["workerGroupSpecs"] = workers
    assert [row[1] for row in _rows(_audit(_text(manifest)))] == ["RayCluster"]


def _faulty(number: int) -> dict[str, Any]:
    return _with(False, *_MAIN, "env", 0, "value") | {"metadata": {"name": f"d{number}"}}


def _config_map(number: int) -> dict[str, Any]:
    name = {"name": f"c{number}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"a": number}}


_REFERRING = _workload(envFrom=[{"configMapRef": {"name": "c0"}}])
_LONG_LISTS: dict[str, list[dict[str, Any]]] = {
    "workloads": [_faulty(number) for number in range(9)],
    "ConfigMaps": [_REFERRING, *(_config_map(number) for number in range(9))],
    "policies": [{**_POLICY, "metadata": {"name": f"p{n}"}, "spec": {"x": n}} for n in range(9)],
}


@pytest.mark.parametrize("items", _LONG_LISTS.values(), ids=_LONG_LISTS)
@pytest.mark.parametrize("several", [False, True])
def test_a_list_of_faulty_items_is_parsed_once_for_their_lines(
    monkeypatch: pytest.MonkeyPatch, items: list[dict[str, Any]], several: bool
) -> None:
    parsed: list[bytes] = []
    parse = Document.parse.__func__  # type: ignore[attr-defined]  # of a class method

    def counted(cls: type[Document], file: str, text: bytes, *more: Any) -> Document:
        parsed.append(text)
        found: Document = parse(cls, file, text, *more)
        return found

    monkeypatch.setattr(Document, "parse", classmethod(counted))
    whole = {"apiVersion": "v1", "kind": "List", "items": items}
    # Several documents in one text cannot be parsed as one, and that is found out once.
    text = "\n".join(map(json.dumps, items)) if several else yaml.safe_dump(whole)
    result = _audit(text)
    assert len({one.place.line for one in result.problems}) == 9
    assert [len(one) > len(text) / 2 for one in parsed].count(True) == 1


def test_the_rest_of_a_file_is_read_after_what_cannot_be() -> None:
    text = _text(_workload("a")) + "---\nkind: Pod\na: [\n" + _text(_workload("b"))
    result = _audit(text)
    assert [one.name for one in result.findings if one.channel == "Usage"] == ["a", "b"]
    assert len(result.problems) == 1
    assert result.exit_code is ExitCode.ERROR


@pytest.mark.thorough
def test_a_truncated_file_is_a_problem_wherever_it_ends() -> None:
    text = yaml.safe_dump(_workload(env=[_OFF]), sort_keys=False)
    assert [row[3] for row in _rows(_audit(text))] == [Sends.NO]
    image = text.index(_IMAGE)
    for end in range(text.index("spec:"), text.index(_OFF["name"])):
        result = _audit(text[:end])
        if end > image:  # what is left of it may be an image, and is what is judged
            assert all(
                one.sends is not Sends.NO for one in result.findings if one.channel == "Usage"
            )
        else:
            assert result.problems, text[:end]


def test_a_template_is_told_once_a_file() -> None:
    text = "kind: Pod\nname: {{ .x }}\n---\nkind: Job\n{{ y }}\n" + _text(_workload())
    result = _audit(text)
    assert ["template" in one.what for one in result.problems] == [True]
    assert "helm template" in result.problems[0].advice
    assert result.findings


@pytest.mark.parametrize("text", ["", "\n", "a: 1\n", "# x\n---\n", "[]", "{}", "text\n"])
def test_an_input_without_objects_is_a_problem(text: str) -> None:
    assert "no Kubernetes object" in _problem(text).what


@pytest.mark.parametrize(
    "text", ["kind: Service\napiVersion: v1\n", "kind: List\nitems: []\n---\nkind: x\n"]
)
def test_an_input_without_workloads_is_none(text: str) -> None:
    result = _audit(text)
    assert (result.problems, result.findings) == ((), ())
    assert result.exit_code is ExitCode.NOTHING_FOUND


def test_other_files_of_a_folder_are_counted_and_no_problem(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / "values.yaml").write_text("image: {a: 1}\n")
    (tmp_path / "broken.json").write_text("{// a comment\n}")
    (tmp_path / "compose.yml").write_text("services: !reset {}\n")
    (tmp_path / "patch.yaml").write_text(
        "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}\n"
    )
    (tmp_path / "a.yaml").write_text(_text(_workload()))
    result = _audit("", str(tmp_path))
    assert len(_rows(result)) == 1
    assert result.coverage.not_objects == 5
    assert result.coverage.files == 6
    (tmp_path / "kustomization.yaml").unlink()
    assert ["patch" in one.advice for one in _audit("", str(tmp_path)).problems] == [True]


def test_a_file_that_goes_away_or_is_forbidden_is_a_problem(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(_text(_workload(name)))
    gathered = gather_files([str(tmp_path)], io.BytesIO(), "default", _NOW)
    (tmp_path / "b.yaml").unlink()
    result = audit([gathered], _NOW, Definitions())
    assert [one.name for one in result.findings if one.channel == "Usage"] == ["a", "c"]
    assert ["b.yaml" in one.place.file for one in result.problems] == [True]


def test_a_pipe_is_read_as_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = _text(_workload(), _POLICY)
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    result = _audit("", str(pipe))
    writer.join()
    assert len(_rows(result)) == 1


def test_a_long_stream_is_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_IN_MEMORY", 100)
    assert len(_rows(_audit(_text(*(_workload(f"w{n}") for n in range(20)))))) == 20
    monkeypatch.setattr(files, "_LARGEST_STREAM", 100)
    assert "GiB" in _audit(_text(_workload())).problems[0].what


def test_nothing_that_is_printed_has_control_characters() -> None:
    text = 'kind: Deployment\napiVersion: apps/v1\nmetadata: {name: "\\e[2J\\n"}\n'
    assert _problem(text).what.isprintable()
    assert _problem('kind: Pod\n"\\e": 1\n"\\e": 2\n').what.isprintable()


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_lists_in_lists_are_read_or_told(write: Callable[[Any], str]) -> None:
    manifest: Any = _workload()
    for depth in range(1, 9):
        manifest = {"apiVersion": "v1", "kind": "List", "items": [manifest]}
        result = _audit(write(manifest))
        assert bool(result.findings) is not bool(result.problems), depth
    assert "Lists in Lists" in result.problems[0].what


def test_too_many_parts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST_LIST_OF_PARTS", 1)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "u"}
    parts = [_workload(f"r{n}", "ReplicaSet") for n in range(3)]
    for part in parts:
        part["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    assert "have a controller" in _problem(_text(*parts)).what
