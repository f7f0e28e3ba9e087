from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.objects.manifest import (
    dig,
    items_at,
    mapping_at,
    number_at,
    read_time,
    text_at,
)
from fleet_telemetry.workloads.owner import Owner, read_controller
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.references import ReferenceKind, ValueReference
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS, WorkloadKind
from fleet_telemetry.workloads.template_reading import read_template
from fleet_telemetry.workloads.workload import (
    EnvVar,
    FieldOwners,
    Mount,
    Pod,
    PodPhase,
    PodTemplate,
    Volume,
    VolumeKind,
    Workload,
    WorkloadRef,
)
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_VALUES
from tests.support.vendor_manifests import (
    AT_REST,
    CREATED,
    KINDS,
    Manifest,
    owner,
    pod,
    template_path,
    workload,
)


def _read(manifest: Mapping[str, Any]) -> Workload:
    found = read_workload(manifest)
    assert found is not None
    return found


def _template(**pod_spec: Any) -> PodTemplate:
    return read_template({"spec": pod_spec})


# --- digging ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), {"a": {"b": [1, {"c": 0}], "n": None, "f": False}}),
        (("a", "b"), [1, {"c": 0}]),
        (("a", "f"), False),
        (("a", "n"), None),
        (("a", "n", "x"), None),
        (("a", "b", "c"), None),
        (("x",), None),
        (("x", "y", "z"), None),
    ],
)
def test_dig_finds_what_is_there_or_none(path: tuple[str, ...], value: object) -> None:
    assert dig({"a": {"b": [1, {"c": 0}], "n": None, "f": False}}, *path) == value


@pytest.mark.parametrize("garbage", [None, [], "text", 7, 1.5, True, b"", object()])
def test_what_is_of_the_wrong_shape_reads_as_absent(garbage: object) -> None:
    assert dig(garbage, "a") is None
    assert mapping_at({"a": garbage}, "a") == {}
    assert items_at({"a": garbage}, "a") == []
    assert items_at({"a": [garbage, {"b": 1}]}, "a") == [{"b": 1}]
    assert text_at({"a": garbage}, "a") == (garbage if isinstance(garbage, str) else "")
    if not isinstance(garbage, int):
        assert number_at({"a": garbage}, "a", default=4) == 4


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T08:00:00Z", dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)),
        ("2026-11-20T08:00:00+00:00", dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)),
        ("2026-11-20T10:00:00+02:00", dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)),
        ("2026-11-20T08:00:00.123456Z", dt.datetime(2026, 11, 20, 8, 0, 0, 123456, dt.UTC)),
        # Without a zone it could be any time.
        ("2026-11-20T08:00:00", None),
        ("2026-11-20", None),
        ("yesterday", None),
        ("2026-13-45T99:00:00Z", None),
        ("", None),
        (None, None),
        (1_790_000_000, None),
        (dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC), None),
    ],
)
def test_times_are_read_as_kubernetes_writes_them(text: object, time: dt.datetime | None) -> None:
    assert read_time(text) == time


# --- workloads -------------------------------------------------------------------------------


def test_every_kind_has_a_template_and_so_has_a_pod() -> None:
    assert {kind.value for kind in WorkloadKind} == set(KINDS)
    assert {kind: template_path(kind) for kind in (*KINDS, "Pod")} == TEMPLATE_PATHS


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_is_read_whole(self, kind: str) -> None:
        found = _read(workload(kind))
        assert found.ref == WorkloadRef("appsec", WorkloadKind(kind), "web")
        assert found.uid == "11111111-2222-3333-4444-555555555555"
        assert found.labels == {"app": "web", "tier": "gold"}
        assert found.created == dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)
        assert found.generation == 3
        assert found.controller is None
        assert found.field_owners == FieldOwners(known=True, entries=frozenset({("web", "PLAIN")}))

    def test_gives_the_main_containers_and_not_those_that_do_chores(self, kind: str) -> None:
        web, sidecar = _read(workload(kind)).template.containers
        assert (web.index, web.name, web.image) == (0, "web", "registry:5000/web:1.2.3")
        assert web.arguments == ("/bin/web", "--quiet", "--port=80")
        assert web.working_dir == "/srv"
        assert web.user_id == 1000
        assert web.env == (
            EnvVar("PLAIN", "one"),
            EnvVar("EMPTY"),
            EnvVar("MISSING"),
            EnvVar(
                "SECRET",
                by_reference=True,
                reference=ValueReference(ReferenceKind.SECRET, "s", "k"),
            ),
        )
        assert web.has_env_from
        assert web.mounts == (Mount("/data", "data"), Mount("/scratch", "scratch"))
        assert web.ports == (("http", 80), ("", 81))
        assert (sidecar.index, sidecar.name, sidecar.image) == (1, "sidecar", "sidecar:2")
        assert (sidecar.user_id, sidecar.arguments, sidecar.env) == (0, (), ())
        assert not sidecar.has_env_from

    def test_gives_the_volumes_and_those_that_init_containers_may_fill(self, kind: str) -> None:
        template = _read(workload(kind)).template
        assert template.volumes == (
            Volume("scratch", VolumeKind.PER_POD),
            Volume("data", VolumeKind.CLAIM, "web-data"),
            Volume("config", VolumeKind.OTHER),
        )
        assert template.init_volumes == {"scratch"}

    @pytest.mark.parametrize("absent", [{}, {"spec": None}, {"spec": {}}, {"spec": {"x": 1}}])
    @pytest.mark.parametrize("metadata", [{}, {"metadata": None}, {"metadata": {"name": None}}])
    def test_may_lack_everything(self, kind: str, absent: Manifest, metadata: Manifest) -> None:
        found = _read({"kind": kind, **metadata, **absent})
        assert found.ref == WorkloadRef("default", WorkloadKind(kind), "")
        assert found.template == PodTemplate(())
        assert found.replicas == 1
        assert (found.uid, found.labels, found.created, found.generation) == ("", {}, None, 0)
        assert found.field_owners == FieldOwners()
        assert found.field_owners.covers("any", "THING")

    def test_is_at_rest_when_its_status_says_so(self, kind: str) -> None:
        assert not _read(workload(kind)).rolling_out

    def test_reads_the_same_twice(self, kind: str) -> None:
        assert _read(workload(kind)) == _read(workload(kind))
        assert hash(_read(workload(kind))) == hash(_read(workload(kind)))

    def test_is_left_as_it_was(self, kind: str) -> None:
        manifest = workload(kind)
        before = deepcopy(manifest)
        read_workload(manifest)
        assert manifest == before


@pytest.mark.parametrize(
    "kind",
    ["Pod", "Service", "ConfigMap", "List", "CloneSet", "deployment", "", None, 7, [], {}, True],
)
def test_any_other_kind_is_no_workload(kind: object) -> None:
    assert read_workload({**workload(), "kind": kind}) is None
    assert read_workload({"metadata": {"name": "web"}}) is None


@pytest.mark.parametrize(
    ("kind", "of", "controller", "is_part"),
    [
        ("ReplicaSet", "Deployment", True, True),
        ("Job", "CronJob", True, True),
        # An owner that does not control leaves the workload to itself.
        ("ReplicaSet", "Deployment", False, False),
        ("Job", "CronJob", False, False),
        # Controlled by something else it is a workload still; injection then happens at the pod.
        ("ReplicaSet", "EMQX", True, False),
        ("StatefulSet", "EMQX", True, False),
        ("Job", "Workflow", True, False),
        ("Deployment", "CronJob", True, False),
        ("Job", "Deployment", True, False),
        ("ReplicaSet", "CronJob", True, False),
    ],
)
def test_a_part_of_a_workload_is_none_of_its_own(
    kind: str, of: str, controller: bool, is_part: bool
) -> None:
    manifest = workload(kind)
    manifest["metadata"]["ownerReferences"] = [owner(of, "whole", controller=controller)]
    assert (read_workload(manifest) is None) is is_part


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([], None),
        (None, None),
        ("web", None),
        ([None, "web", {}], None),
        ([owner("EMQX", "broker", controller=False)], None),
        ([{"kind": "EMQX", "name": "broker", "controller": None}], None),
        (
            [owner("EMQX", "broker", api_version="apps.emqx.io/v2beta1")],
            Owner("apps.emqx.io", "EMQX", "broker", "uid-of-broker"),
        ),
        (
            [
                owner("Thing", "first", controller=False),
                owner("ReplicationController", "second", api_version="v1"),
            ],
            Owner("", "ReplicationController", "second", "uid-of-second"),
        ),
        ([{"controller": True}], Owner("", "", "", "")),
        ([{"controller": True, "kind": None, "name": 7}], Owner("", "", "", "")),
    ],
)
def test_the_controller_is_the_owner_that_is_marked(owners: object, expected: Owner | None) -> None:
    assert read_controller({"metadata": {"ownerReferences": owners}}) == expected


@pytest.mark.parametrize(
    ("replicas", "read"), [(0, 0), (1, 1), (7, 7), (None, 1), ("3", 1), ([], 1), (1.5, 1)]
)
def test_replicas_default_to_one(replicas: object, read: int) -> None:
    assert _read(workload("Deployment", replicas=replicas)).replicas == read


def test_only_a_jobs_template_is_immutable() -> None:
    assert [kind for kind in KINDS if _read(workload(kind)).template_immutable] == ["Job"]


@every(
    ("kind", "spec", "restarts_no_pod"),
    [
        ("Deployment", {}, False),
        ("Deployment", {"replicas": None}, False),
        ("Deployment", {"replicas": 0}, True),
        ("Deployment", {"paused": True}, False),
        ("Deployment", {"paused": False}, False),
        ("Deployment", {"strategy": {"type": "Recreate"}}, False),
        ("StatefulSet", {}, False),
        ("StatefulSet", {"replicas": 0}, True),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, True),
        ("StatefulSet", {"updateStrategy": {"type": "RollingUpdate"}}, False),
        ("StatefulSet", {"updateStrategy": None}, False),
        ("StatefulSet", {"paused": True}, False),
        ("DaemonSet", {}, False),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, True),
        ("DaemonSet", {"updateStrategy": {"type": "RollingUpdate"}}, False),
        ("DaemonSet", {"replicas": 0}, False),
        ("ReplicaSet", {}, True),
        ("CronJob", {}, True),
        ("CronJob", {"suspend": False}, True),
        ("Job", {}, False),
        ("Job", {"suspend": True}, False),
    ],
)
def test_where_a_write_restarts_no_pod(kind: str, spec: Manifest, restarts_no_pod: bool) -> None:
    assert _read(workload(kind, **spec)).restarts_no_pod is restarts_no_pod


@pytest.mark.parametrize(
    ("kind", "generation", "revision", "first"),
    [
        ("Deployment", 1, None, True),
        ("Deployment", 1, "1", True),
        # Scaling raises the generation and leaves the revision.
        ("Deployment", 5, "1", True),
        ("Deployment", 5, "2", False),
        ("Deployment", 2, None, False),
        ("StatefulSet", 1, None, True),
        ("StatefulSet", 2, None, False),
        # Only a Deployment's annotation is written by its controller.
        ("StatefulSet", 2, "1", False),
        ("DaemonSet", 2, "1", False),
        ("ReplicaSet", 2, "1", False),
        ("CronJob", 1, None, True),
        ("CronJob", 2, None, False),
        ("Job", 1, None, True),
        ("Job", 4, None, True),
        # A file has no generation.
        ("Deployment", None, None, False),
    ],
)
def test_whether_the_template_is_the_first_one(
    kind: str, generation: int | None, revision: str | None, first: bool
) -> None:
    manifest = workload(kind)
    manifest["metadata"]["generation"] = generation
    if revision:
        manifest["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": revision}
    assert _read(manifest).first_template is first


_ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@every(
    ("kind", "status", "spec", "rolling_out"),
    [
        ("Deployment", {"observedGeneration": 2}, {}, True),
        ("Deployment", {"observedGeneration": 4}, {}, False),
        ("Deployment", {"updatedReplicas": 1}, {}, True),
        ("Deployment", {"availableReplicas": 1}, {}, True),
        ("Deployment", {"availableReplicas": None}, {}, True),
        ("Deployment", {"updatedReplicas": 3, "availableReplicas": 3}, {}, False),
        ("Deployment", {"updatedReplicas": 1, "availableReplicas": 1}, {"replicas": None}, False),
        ("Deployment", {"updatedReplicas": 0, "availableReplicas": 1}, {"replicas": None}, True),
        # What replaces no pods is not rolling out, whatever else its status says.
        ("Deployment", {"updatedReplicas": 1}, {"paused": True}, False),
        ("Deployment", {"observedGeneration": 2}, {"paused": True}, False),
        ("Deployment", {"observedGeneration": 2}, {"replicas": 0}, False),
        ("StatefulSet", {"observedGeneration": 2}, {}, True),
        ("StatefulSet", {"updateRevision": "web-2"}, {}, True),
        ("StatefulSet", {"readyReplicas": 1}, {}, True),
        ("StatefulSet", {"readyReplicas": None}, {}, True),
        ("StatefulSet", {"readyReplicas": 1}, {"replicas": None}, False),
        ("StatefulSet", {"updateRevision": "web-2"}, _ON_DELETE, False),
        ("DaemonSet", {"observedGeneration": 2}, {}, True),
        ("DaemonSet", {"updatedNumberScheduled": 3}, {}, True),
        ("DaemonSet", {"numberReady": 3}, {}, True),
        ("DaemonSet", {"desiredNumberScheduled": 0}, {}, False),
        ("DaemonSet", {"desiredNumberScheduled": None}, {}, False),
        ("DaemonSet", {"updatedNumberScheduled": 3}, _ON_DELETE, False),
        # These have no observedGeneration, ever, or nothing to replace.
        ("Job", {"active": None}, {}, False),
        ("CronJob", {}, {}, False),
        ("ReplicaSet", {"observedGeneration": 2, "readyReplicas": 0}, {}, False),
    ],
)
def test_whether_pods_are_still_being_replaced(
    kind: str, status: Manifest, spec: Manifest, rolling_out: bool
) -> None:
    manifest = workload(kind, **spec)
    manifest["status"] = AT_REST[kind] | status
    assert _read(manifest).rolling_out is rolling_out


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": 3}])
def test_a_workload_that_has_no_pods_yet_is_rolling_out(kind: str, status: object) -> None:
    manifest = workload(kind)
    manifest["status"] = status
    assert _read(manifest).rolling_out


# --- templates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod_user", "own_user", "user"),
    [
        (None, None, None),
        (1000, None, 1000),
        (1000, 0, 0),
        (0, None, 0),
        (None, 1001, 1001),
        (1000, 1001, 1001),
        ("1000", None, None),
    ],
)
def test_the_containers_user_beats_the_pods(
    pod_user: object, own_user: object, user: int | None
) -> None:
    container = {"name": "a", "securityContext": {"runAsUser": own_user}}
    template = _template(securityContext={"runAsUser": pod_user}, containers=[container])
    assert template.containers[0].user_id == user


@pytest.mark.parametrize(
    ("command", "args", "arguments"),
    [
        (None, None, ()),
        ([], [], ()),
        (["a", "b"], None, ("a", "b")),
        (None, ["-x"], ("-x",)),
        (["a"], ["-x", "-y"], ("a", "-x", "-y")),
        # One text is no list of letters.
        ("java -jar", "-Dx=y", ()),
        (7, {"a": 1}, ()),
    ],
)
def test_arguments_are_the_command_and_what_follows_it(
    command: object, args: object, arguments: tuple[str, ...]
) -> None:
    template = _template(containers=[{"name": "a", "command": command, "args": args}])
    assert template.containers[0].arguments == arguments


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ({"name": "A", "value": "x"}, EnvVar("A", "x")),
        ({"name": "A", "value": " x "}, EnvVar("A", " x ")),
        ({"name": "A", "value": ""}, EnvVar("A")),
        ({"name": "A", "value": None}, EnvVar("A")),
        ({"name": "A"}, EnvVar("A")),
        ({"name": "A", "valueFrom": None}, EnvVar("A")),
        ({"name": "A", "valueFrom": {}}, EnvVar("A")),
        (
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
            EnvVar("A", "", True, reference=ValueReference(ReferenceKind.OTHER)),
        ),
        (
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}},
            EnvVar("A", "", True, reference=ValueReference(ReferenceKind.CONFIG_MAP, "n", "k")),
        ),
        (
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "n", "optional": True}}},
            EnvVar(
                "A",
                "",
                True,
                reference=ValueReference(ReferenceKind.SECRET, "n", "", optional=True),
            ),
        ),
        (
            {"name": "A", "valueFrom": {"configMapKeyRef": 7}},
            EnvVar("A", "", True, reference=ValueReference(ReferenceKind.CONFIG_MAP)),
        ),
        (
            {"name": "A", "valueFrom": "x"},
            EnvVar("A", "", True, reference=ValueReference(ReferenceKind.OTHER)),
        ),
        # The API server refuses a value that is no text.
        ({"name": "A", "value": True}, EnvVar("A")),
        ({"name": "A", "value": False}, EnvVar("A")),
        ({"name": "A", "value": 0}, EnvVar("A")),
        ({"name": "A", "value": 1}, EnvVar("A")),
        ({"name": None, "value": "x"}, EnvVar("", "x")),
        ({}, EnvVar("")),
    ],
)
def test_variables_as_people_write_them(entry: Manifest, read: EnvVar) -> None:
    (container,) = _template(containers=[{"name": "a", "env": [entry]}]).containers
    assert container.env == (read,)


def test_variables_keep_their_order_and_their_repetitions() -> None:
    env = [{"name": name, "value": str(n)} for n, name in enumerate("ABA")]
    (container,) = _template(containers=[{"env": env}]).containers
    assert container.env == (EnvVar("A", "0"), EnvVar("B", "1"), EnvVar("A", "2"))


@pytest.mark.parametrize(("env_from", "has"), [(None, False), ([], False), ([{}], True)])
def test_whole_sources_of_variables_are_noted(env_from: object, has: bool) -> None:
    assert _template(containers=[{"envFrom": env_from}]).containers[0].has_env_from is has


def test_an_index_is_the_place_in_the_manifests_own_list() -> None:
    template = _template(containers=[None, {"name": "a"}, "x", {"name": "b"}])
    assert [(each.index, each.name) for each in template.containers] == [(1, "a"), (3, "b")]


_NEW = {"volumeClaimTemplate": {"spec": {"resources": {}}}}
_CLONE = {"volumeClaimTemplate": {"spec": {"dataSource": {"name": "backup"}}}}
_CLONE_BY_REF = {"volumeClaimTemplate": {"spec": {"dataSourceRef": {"name": "backup"}}}}
_GIVEN = {"volumeClaimTemplate": {"spec": {"volumeName": "old-disk"}}}


@pytest.mark.parametrize(
    ("source", "kind", "claim"),
    [
        ({"emptyDir": {}}, VolumeKind.PER_POD, ""),
        ({"emptyDir": {"medium": "Memory"}}, VolumeKind.PER_POD, ""),
        ({"ephemeral": _NEW}, VolumeKind.PER_POD, ""),
        ({"ephemeral": {}}, VolumeKind.PER_POD, ""),
        ({"ephemeral": _CLONE}, VolumeKind.OTHER, ""),
        ({"ephemeral": _CLONE_BY_REF}, VolumeKind.OTHER, ""),
        ({"ephemeral": _GIVEN}, VolumeKind.OTHER, ""),
        ({"persistentVolumeClaim": {"claimName": "c"}}, VolumeKind.CLAIM, "c"),
        ({"persistentVolumeClaim": {}}, VolumeKind.OTHER, ""),
        ({"persistentVolumeClaim": None}, VolumeKind.OTHER, ""),
        ({"hostPath": {"path": "/"}}, VolumeKind.OTHER, ""),
        ({"secret": {"secretName": "s"}}, VolumeKind.OTHER, ""),
        ({"nfs": {}}, VolumeKind.OTHER, ""),
        ({}, VolumeKind.OTHER, ""),
        # A null takes a source away, as in a Helm value.
        ({"emptyDir": None, "persistentVolumeClaim": {"claimName": "c"}}, VolumeKind.CLAIM, "c"),
        ({"ephemeral": None, "hostPath": {"path": "/"}}, VolumeKind.OTHER, ""),
    ],
)
def test_what_a_volumes_source_says_of_its_age(
    source: Manifest, kind: VolumeKind, claim: str
) -> None:
    assert _template(volumes=[{"name": "v", **source}]).volumes == (Volume("v", kind, claim),)


def test_only_claim_templates_that_begin_empty_are_kept() -> None:
    templates = [
        {"metadata": {"name": "data"}, "spec": {"resources": {}}},
        {"metadata": {"name": "bare"}},
        {"metadata": {"name": "clone"}, "spec": {"dataSource": {"name": "backup"}}},
        {"metadata": {"name": "clone2"}, "spec": {"dataSourceRef": {"name": "backup"}}},
        {"metadata": {"name": "given"}, "spec": {"volumeName": "old-disk"}},
        {"metadata": {"name": "nulls"}, "spec": {"dataSource": None, "volumeName": ""}},
        None,
    ]
    found = _read(workload("StatefulSet", volumeClaimTemplates=templates))
    assert found.claim_templates == {"data", "bare", "nulls"}


# --- pods ------------------------------------------------------------------------------------


def test_a_pod_is_read_whole() -> None:
    found = read_pod(pod())
    assert found.name == "web-5d4f8c7b9-abcde"
    assert found.uid == "66666666-7777-8888-9999-000000000000"
    assert found.owner == Owner("apps", "ReplicaSet", "web-5d4f8c7b9", "uid-of-web-5d4f8c7b9")
    assert found.template.labels["pod-template-hash"] == "5d4f8c7b9"
    assert found.phase is PodPhase.RUNNING
    assert not found.terminating
    template = _read(workload()).template
    labels = {**template.labels, "pod-template-hash": "5d4f8c7b9"}
    assert found.template == replace(template, labels=labels)


@pytest.mark.parametrize(
    ("phase", "read"),
    [
        *((phase.value, phase) for phase in PodPhase),
        (None, PodPhase.UNKNOWN),
        ("running", PodPhase.UNKNOWN),
        ("Evicted", PodPhase.UNKNOWN),
        (7, PodPhase.UNKNOWN),
        ([], PodPhase.UNKNOWN),
    ],
)
def test_a_phase_that_is_not_known_is_unknown(phase: object, read: PodPhase) -> None:
    assert read_pod({**pod(), "status": {"phase": phase}}).phase is read


@pytest.mark.parametrize(("deleted", "terminating"), [(CREATED, True), (None, False)])
def test_a_pod_with_a_deletion_time_is_terminating(deleted: object, terminating: bool) -> None:
    assert read_pod(pod(deletionTimestamp=deleted)).terminating is terminating


def test_an_empty_pod_is_read() -> None:
    assert read_pod({}) == Pod("", PodTemplate(()))


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        (None, {}),
        ([], {}),
        ({"a": "b"}, {"a": "b"}),
        ({"a": None, "b": ""}, {"a": "", "b": ""}),
        ({1: 2}, {"1": "2"}),
    ],
)
def test_labels_are_texts(labels: object, read: dict[str, str]) -> None:
    manifest = workload()
    manifest["metadata"]["labels"] = labels
    assert _read(manifest).labels == read


# --- garbage ---------------------------------------------------------------------------------

_GARBAGE: tuple[Any, ...] = (
    None,
    "",
    "text",
    0,
    -1,
    10**30,
    1.5,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    ["text"],
    [{}],
    {"name": None},
    {"": {"": []}},
    {None: 1, 7: 2},
    {'k:{"name":': {}, "k:[]": {}, "k:": {}, 'k:{"name":7}': None, "k:null": {}},
    dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
    "\ud800",
)


def _paths(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield from _paths(child, (*at, key))


def _check(found: Workload | Pod) -> None:
    """Every part is what its type promises, as later stages rely on it."""
    if isinstance(found, Workload):
        assert isinstance(found.ref.name, str)
        assert isinstance(found.ref.namespace, str)
        assert found.ref.namespace
        assert all(isinstance(n, int) for n in (found.generation, found.replicas))
        assert isinstance(found.rolling_out, bool)
        assert isinstance(found.restarts_no_pod, bool)
        assert all(isinstance(text, str) for pair in found.labels.items() for text in pair)
        assert all(isinstance(text, str) for pair in found.field_owners.entries for text in pair)
        assert all(isinstance(name, str) for name in found.claim_templates)
        assert isinstance(found.is_injected_by_pod, bool)
    for container in found.template.containers:
        texts = [container.name, container.image, container.working_dir, *container.arguments]
        texts += [text for entry in container.env for text in (entry.name, entry.value)]
        texts += [text for mount in container.mounts for text in (mount.path, mount.volume)]
        texts += [name for name, _ in container.ports]
        assert all(isinstance(text, str) for text in texts)
        assert all(isinstance(number, int) for _, number in container.ports)
    hash(found.template)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*KINDS, "Pod"])
def test_garbage_anywhere_in_a_manifest_reads_as_absent(kind: str) -> None:
    original = pod() if kind == "Pod" else workload(kind)
    original["metadata"]["ownerReferences"] = [owner("EMQX", "broker")]
    original["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    for path in _paths(original):
        if not path:
            continue
        *parents, last = path
        for garbage in _GARBAGE:
            manifest = dict(original)
            at: Any = manifest
            for key in parents:  # copies no more than the way to what is replaced
                at[key] = at[key].copy()
                at = at[key]
            at[last] = garbage
            found = read_pod(manifest) if kind == "Pod" else read_workload(manifest)
            if found is not None:
                _check(found)


@steady
@given(st.sampled_from(KINDS), WILD_VALUES, WILD_VALUES, WILD_VALUES)
def test_wild_manifests_never_raise(
    kind: str, metadata: object, spec: object, status: object
) -> None:
    manifest = {"kind": kind, "metadata": metadata, "spec": spec, "status": status}
    _check(_read(manifest))
    _check(read_pod(manifest))
    wild_template = {"kind": kind, "spec": {"template": spec, "jobTemplate": {"spec": status}}}
    _check(_read(wild_template))


@pytest.mark.parametrize("garbage", [None, [], "text", 7])
def test_a_document_that_is_no_mapping_is_no_workload(garbage: Any) -> None:
    assert read_workload(garbage) is None


def _selector_of(kind: str, **spec: Any) -> Any:
    body = {"template": {"metadata": {"labels": {"app": "it"}}, "spec": {}}}
    given = {**body, **spec} if kind != "CronJob" else {"jobTemplate": {"spec": body}, **spec}
    found = read_workload({"kind": kind, "metadata": {"name": "it"}, "spec": given})
    assert found is not None
    return found.pod_selector


def test_the_pods_of_a_workload_are_found_by_its_selector() -> None:
    selector = {"matchLabels": {"app": "it", "tier": "web"}}
    assert _selector_of("Deployment", selector=selector) == selector


def test_the_pods_of_a_cron_job_are_found_by_the_labels_that_it_gives_them() -> None:
    assert _selector_of("CronJob") == {"matchLabels": {"app": "it"}}


def test_the_pods_of_a_job_are_found_by_its_name_unless_it_has_a_selector_of_its_users() -> None:
    generated = {"matchLabels": {"batch.kubernetes.io/controller-uid": "1"}}
    by_name = {"matchLabels": {"batch.kubernetes.io/job-name": "it"}}
    own = {"matchLabels": {"mine": "1"}}
    assert _selector_of("Job", selector=generated) == by_name
    assert _selector_of("Job", selector=own, manualSelector=True) == own


def test_the_nodes_network_is_seen() -> None:
    assert read_template({"spec": {"hostNetwork": True}}).host_network
    assert not read_template({"spec": {}}).host_network


def _status(*states: Manifest, key: str = "containerStatuses") -> Manifest:
    return {key: [{"name": "c", "state": state} for state in states]}


_RUNS: Manifest = {"running": {"startedAt": "2026-03-01T12:00:05Z"}}
_ENDED: Manifest = {
    "terminated": {"startedAt": "2026-03-01T12:00:01Z", "finishedAt": "2026-03-01T12:00:09Z"}
}


@pytest.mark.parametrize(
    ("status", "terminating", "started", "ended"),
    [
        ({}, False, None, None),
        ({"phase": "Failed"}, False, None, None),
        (_status({"waiting": {"reason": "CrashLoopBackOff"}}), True, None, None),
        (_status(_RUNS), False, 5, None),
        (_status(_RUNS, _ENDED), False, 1, None),
        (_status(_RUNS) | _status(_ENDED, key="initContainerStatuses"), True, 1, None),
        (_status(_ENDED), False, 1, None),
        (_status(_ENDED), True, 1, 9),
        (_status(_ENDED) | {"phase": "Succeeded"}, False, 1, 9),
        (_status(_ENDED, {"terminated": {}}) | {"phase": "Failed"}, False, 1, None),
        (_status(_ENDED, {"terminated": {"finishedAt": 7}}) | {"phase": "Failed"}, False, 1, None),
    ],
)
def test_when_the_containers_of_a_pod_ran(
    status: Manifest, *, terminating: bool, started: int | None, ended: int | None
) -> None:
    metadata: dict[str, object] = {"name": "p"}
    if terminating:
        metadata["deletionTimestamp"] = "2026-03-01T12:00:08Z"
    pod = read_pod({"metadata": metadata, "status": status})

    def second(number: int | None) -> dt.datetime | None:
        return None if number is None else dt.datetime(2026, 3, 1, 12, 0, number, tzinfo=dt.UTC)

    assert (pod.containers_started, pod.containers_ended) == (second(started), second(ended))
