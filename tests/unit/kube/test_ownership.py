"""Which pods and parts belong to a workload: by the uids of the owner references alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.kube.workload_store import UNPROVEN_SECONDS, Fleet
from fleet_telemetry.workloads.owner import Owner, read_controller
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef
from tests.support.builders import (
    NGINX,
    SONARQUBE,
    Manifest,
    container,
    controller_of,
    manifest,
    pod_manifest,
)
from tests.support.depth import examples

CATALOGUE = builtin()
HASH = "5d4f8c7b9"


def ref(kind: str, name: str, namespace: str = "appsec") -> WorkloadRef:
    return WorkloadRef(namespace, WorkloadKind(kind), name)


def make(kind: str, name: str, *, owner: Manifest | None = None, **more: Any) -> Manifest:
    """An object that runs a product; ``owner`` controls it."""
    reference = controller_of(owner) if owner else None
    made = manifest(container(SONARQUBE), kind=kind, name=name, owner=reference, **more)
    api = WorkloadKind(kind).type.api
    made["apiVersion"] = api.api_version
    return made


class Cluster:
    """A store, and what it reports."""

    def __init__(self, *manifests: Manifest) -> None:
        self.changed: list[WorkloadRef] = []
        self.fleet = Fleet(self.changed.append)
        self.see(*manifests)

    def see(self, *manifests: Manifest) -> None:
        """Watch events."""
        for one in manifests:
            if one["kind"] == "Pod":
                self.fleet.upsert_pod(one, CATALOGUE)
            else:
                self.fleet.upsert_workload(one, CATALOGUE)

    def pods(self, kind: str, name: str, namespace: str = "appsec") -> list[str]:
        return [pod.name for pod in self.fleet.pods_of(ref(kind, name, namespace))]

    @property
    def listed(self) -> set[str]:
        return {f"{found.kind}/{found.name}" for found in self.fleet.workloads}

    def wait(self, seconds: float = UNPROVEN_SECONDS) -> None:
        self.fleet.settle(1000.0)
        self.fleet.settle(1000.0 + seconds)


WHOLES = [("Deployment", "ReplicaSet"), ("Rollout", "ReplicaSet"), ("CronJob", "Job")]


@pytest.mark.parametrize(("whole_kind", "part_kind"), WHOLES)
def test_a_pod_belongs_to_a_workload_by_the_uids_of_the_whole_chain(
    whole_kind: str, part_kind: str
) -> None:
    whole = make(whole_kind, "web")
    # Neither the name nor a label says anything.
    part = make(part_kind, "part", owner=whole)
    cluster = Cluster(whole, part, pod_manifest(part))
    assert cluster.pods(whole_kind, "web") == ["it-1"]
    assert cluster.listed == {f"{whole_kind}/web"}


@pytest.mark.parametrize("kind", [kind.value for kind in WorkloadKind])
def test_a_pod_that_a_workload_controls_is_its_own(kind: str) -> None:
    whole = make(kind, "web")
    assert Cluster(whole, pod_manifest(whole)).pods(kind, "web") == ["it-1"]


FORGED: dict[str, Callable[[Manifest], object]] = {
    "of an earlier object of the same name": lambda one: one.update(uid="earlier"),
    "without a uid": lambda one: one.update(uid=""),
    "of another API group": lambda one: one.update(apiVersion="apps.example.org/v1"),
    "of the core group": lambda one: one.update(apiVersion="v1"),
    "of another kind": lambda one: one.update(kind="StatefulSet"),
    "of another name": lambda one: one.update(name="other"),
    "not the controller": lambda one: one.update(controller=False),
    "no boolean": lambda one: one.update(controller="true"),
    "no controller named": lambda one: one.pop("controller"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("forged", ["part", "pod"])
def test_an_owner_reference_that_does_not_hold_counts_for_nothing(
    forge: Callable[[Manifest], object], forged: str
) -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", f"web-{HASH}", owner=whole, labels={"pod-template-hash": HASH})
    pod = pod_manifest(part, labels={"pod-template-hash": HASH})
    forge((part if forged == "part" else pod)["metadata"]["ownerReferences"][0])
    cluster = Cluster(whole, part, pod)
    assert cluster.pods("Deployment", "web") == []
    found = cluster.fleet.workload_of("appsec", read_controller(pod))
    assert found is None or found.ref.kind != "Deployment"
    cluster.wait()
    assert cluster.pods("Deployment", "web") == []
    if forged == "part":
        # Its pods run, so it is listed as what it is.
        assert cluster.pods("ReplicaSet", f"web-{HASH}") == ["it-1"]


def test_an_owner_in_another_namespace_is_none() -> None:
    whole = make("StatefulSet", "web", namespace="victim")
    pod = pod_manifest(whole)
    pod["metadata"]["namespace"] = "attacker"
    cluster = Cluster(whole, pod)
    assert cluster.pods("StatefulSet", "web", "victim") == []
    assert cluster.pods("StatefulSet", "web", "attacker") == []


def test_of_several_owners_the_controller_counts() -> None:
    one, two = make("StatefulSet", "one"), make("StatefulSet", "two")
    pod = pod_manifest(two)
    pod["metadata"]["ownerReferences"].insert(0, {**controller_of(one), "controller": False})
    cluster = Cluster(one, two, pod)
    assert (cluster.pods("StatefulSet", "one"), cluster.pods("StatefulSet", "two")) == (
        [],
        ["it-1"],
    )


def test_a_bare_replica_set_with_a_fitting_name_is_a_workload_of_its_own() -> None:
    whole = make("Deployment", "emqx2")
    bare = make("ReplicaSet", "emqx2-zz")
    pod = pod_manifest(bare, labels={"pod-template-hash": "zz"})
    cluster = Cluster(whole, bare, pod)
    assert cluster.pods("Deployment", "emqx2") == []
    assert cluster.pods("ReplicaSet", "emqx2-zz") == ["it-1"]


def test_a_deployment_that_was_created_again_has_no_pods_of_the_one_before() -> None:
    before = make("Deployment", "web")
    part = make("ReplicaSet", f"web-{HASH}", owner=before)
    again = make("Deployment", "web")
    again["metadata"]["uid"] = "new"
    cluster = Cluster(before, part, pod_manifest(part), again)
    assert cluster.pods("Deployment", "web") == []
    # It still runs where the garbage collector does not come: it is listed as what it is.
    cluster.wait()
    assert cluster.listed == {"Deployment/web", f"ReplicaSet/web-{HASH}"}
    assert cluster.pods("ReplicaSet", f"web-{HASH}") == ["it-1"]
    left = cluster.fleet.workloads[ref("ReplicaSet", f"web-{HASH}")]
    assert left.is_injected_by_pod


def test_an_orphan_is_listed_until_it_is_adopted() -> None:
    labels = {"pod-template-hash": HASH}
    whole = make("Deployment", "web")
    part = make("ReplicaSet", f"web-{HASH}", owner=whole, labels=labels)
    orphan = make("ReplicaSet", f"web-{HASH}", labels=labels)
    cluster = Cluster(whole, part, pod_manifest(part))

    # kubectl delete --cascade=orphan
    cluster.see(orphan)
    cluster.fleet.delete_workload(ref("Deployment", "web"))
    assert cluster.listed == {f"ReplicaSet/web-{HASH}"}
    assert cluster.pods("ReplicaSet", f"web-{HASH}") == ["it-1"]
    assert cluster.fleet.workloads[ref("ReplicaSet", f"web-{HASH}")].is_adoptable

    # kubectl apply
    again = make("Deployment", "web")
    again["metadata"]["uid"] = "new"
    cluster.see(again)
    assert cluster.listed == {"Deployment/web", f"ReplicaSet/web-{HASH}"}
    cluster.see(make("ReplicaSet", f"web-{HASH}", owner=again, labels=labels))
    assert cluster.listed == {"Deployment/web"}
    assert cluster.pods("Deployment", "web") == ["it-1"]
    assert cluster.changed[-2:] == [
        ref("ReplicaSet", f"web-{HASH}"),
        ref("Deployment", "web"),
    ]


def test_an_orphan_whose_adopter_is_not_known_yet_stays_listed() -> None:
    again = make("Deployment", "web")
    orphan = make("ReplicaSet", "part")
    cluster = Cluster(orphan, pod_manifest(orphan), make("ReplicaSet", "part", owner=again))
    assert cluster.pods("ReplicaSet", "part") == ["it-1"]
    cluster.see(again)
    assert cluster.listed == {"Deployment/web"}


def test_a_part_waits_for_its_whole_before_it_is_listed() -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", "part", owner=whole)
    cluster = Cluster(part, pod_manifest(part))
    cluster.wait(UNPROVEN_SECONDS - 1)
    assert (cluster.listed, cluster.changed) == (set(), [])
    cluster.fleet.settle(1000.0 + UNPROVEN_SECONDS)
    assert cluster.listed == {"ReplicaSet/part"}
    cluster.see(whole)
    assert cluster.listed == {"Deployment/web"}
    cluster.wait()
    assert cluster.listed == {"Deployment/web"}


def test_a_part_of_a_workload_that_runs_no_product_any_more_is_listed_while_it_has_pods() -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", "part", owner=whole)
    old = make("ReplicaSet", "old", owner=whole, replicas=0)
    cluster = Cluster(whole, part, old, pod_manifest(part))
    cluster.see(manifest(container(NGINX), kind="Deployment", name="web"))
    cluster.wait()
    assert cluster.listed == {"ReplicaSet/part"}
    cluster.see(make("ReplicaSet", "part", owner=whole, replicas=0))
    assert cluster.listed == set()
    cluster.wait()
    assert cluster.listed == set()


def test_a_part_without_pods_is_not_listed() -> None:
    part = make("ReplicaSet", "part", owner=make("Deployment", "web"))
    cluster = Cluster(part)
    cluster.wait()
    assert cluster.listed == set()


def test_a_pod_that_its_controller_released_is_nobodys() -> None:
    whole = make("StatefulSet", "web")
    pod = pod_manifest(whole)
    cluster = Cluster(whole, pod)
    pod["metadata"]["ownerReferences"] = []
    cluster.see(pod)
    assert cluster.pods("StatefulSet", "web") == []
    (found,) = cluster.fleet.unmanaged.all()
    assert found.name == "it-1"


def test_a_pod_that_was_adopted_is_no_longer_its_former_owners() -> None:
    one, two = make("ReplicaSet", "one"), make("ReplicaSet", "two")
    cluster = Cluster(one, two, pod_manifest(one))
    cluster.changed.clear()
    cluster.see(pod_manifest(two))
    assert (cluster.pods("ReplicaSet", "one"), cluster.pods("ReplicaSet", "two")) == ([], ["it-1"])
    assert cluster.changed == [ref("ReplicaSet", "one"), ref("ReplicaSet", "two")]


def test_the_deletion_of_an_earlier_object_does_not_delete_its_successor() -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", "part", owner=whole)
    cluster = Cluster(whole, part)
    for name, kind in (("web", "Deployment"), ("part", "ReplicaSet")):
        cluster.fleet.delete_workload(ref(kind, name), "earlier")
    cluster.see(pod_manifest(part))
    assert cluster.pods("Deployment", "web") == ["it-1"]


# What somebody may adopt


@pytest.mark.parametrize("whole_kind", ["Deployment", "Rollout"])
@pytest.mark.parametrize("first", ["whole", "bare"])
def test_a_replica_set_that_a_selector_matches_may_be_adopted(whole_kind: str, first: str) -> None:
    whole = make(whole_kind, "web", selector={"matchLabels": {"app": "it"}})
    bare = make("ReplicaSet", "bare", labels={"app": "it", "tier": "web"})
    cluster = Cluster(*((whole, bare) if first == "whole" else (bare, whole)))
    found = ref("ReplicaSet", "bare")
    assert cluster.fleet.workloads[found].is_adoptable
    cluster.changed.clear()
    cluster.fleet.delete_workload(ref(whole_kind, "web"))
    assert not cluster.fleet.workloads[found].is_adoptable
    assert found in cluster.changed


@pytest.mark.parametrize(
    "changes",
    [
        {"selector": {"matchLabels": {"app": "other"}}},
        {"namespace": "other", "selector": {"matchLabels": {"app": "it"}}},
        {"selector": {}, "pod": {}},
        {"selector": {"matchLabels": "nonsense"}},
    ],
)
def test_a_replica_set_that_no_selector_matches_is_nobodys(changes: Manifest) -> None:
    whole = make("Deployment", "web", **changes)
    cluster = Cluster(whole, make("ReplicaSet", "bare", labels={"app": "bare"}))
    assert not cluster.fleet.workloads[ref("ReplicaSet", "bare")].is_adoptable


def test_an_address_of_two_pods_is_shared_until_one_has_finished() -> None:
    one, two = make("StatefulSet", "one"), make("StatefulSet", "two")
    other = make("StatefulSet", "two", namespace="other")
    status = {"phase": "Running", "podIP": "10.1.0.1"}
    first = pod_manifest(one, "first", status=status)
    cluster = Cluster(one, two, other, first)
    (found,) = cluster.fleet.pods_of(ref("StatefulSet", "one"))
    assert not cluster.fleet.is_address_shared(found)
    for owner in (two, other):
        second = pod_manifest(owner, "second", status=status)
        cluster.see(second)
        assert cluster.fleet.is_address_shared(found)
        cluster.see({**second, "status": {**status, "phase": "Succeeded"}})
        assert not cluster.fleet.is_address_shared(found)
        cluster.see(second)
        assert cluster.fleet.is_address_shared(found)
        cluster.see({**second, "status": {**status, "podIP": "10.1.0.2"}})
        assert not cluster.fleet.is_address_shared(found)
        cluster.see(second)
        cluster.fleet.delete_pod((owner["metadata"]["namespace"], "second"))
        assert not cluster.fleet.is_address_shared(found)


# Waiting for an owner


def arriving(cluster: Cluster, of: Manifest, *later: Iterable[Manifest]) -> str:
    """The name of the workload that a pod's request finds, while objects arrive one by one."""

    async def run() -> str:
        reference = controller_of(of)
        owner = Owner("apps", of["kind"], reference["name"], reference["uid"])
        waiting = asyncio.create_task(cluster.fleet.wait_for("appsec", owner, 5.0))
        for manifests in later:
            await asyncio.sleep(0)
            cluster.see(*manifests)
        found = await waiting
        assert not cluster.fleet._awaited
        return found.ref.name if found else ""

    return asyncio.run(run())


def test_a_request_waits_for_the_part_and_for_the_whole() -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", "part", owner=whole)
    assert arriving(Cluster(whole, part), part) == "web"
    assert arriving(Cluster(whole), part, [part]) == "web"
    assert arriving(Cluster(), part, [part], [whole]) == "web"
    assert arriving(Cluster(), part, [whole], [part]) == "web"


# Any order of events


_KINDS = {"d": "Deployment", "r": "ReplicaSet", "p": "Pod"}
_NAMES = st.sets(st.sampled_from(["a", "b"]), max_size=2)


@st.composite
def _objects(draw: st.DrawFn) -> dict[str, Manifest]:
    """Deployments, ReplicaSets and pods with few names and uids, owned crosswise."""
    found: dict[str, Manifest] = {}
    owners: list[Manifest] = []
    for letter in "drp":
        for name in draw(_NAMES):
            owner = draw(st.sampled_from([None, *owners]))
            if letter == "p":
                of = owner or make("ReplicaSet", "nobody")
                made = pod_manifest(of, name)
            else:
                made = make(_KINDS[letter], name, owner=owner if letter == "r" else None)
                made["metadata"]["uid"] = draw(st.sampled_from(["1", "2"]))
                owners.append(made)
            found[letter + name] = made
    return found


def _expected(objects: dict[str, Manifest], whole: Manifest) -> list[str]:
    """The pods of a workload, said anew."""

    def controls(owner: Manifest, one: Manifest) -> bool:
        return controller_of(owner) in one["metadata"].get("ownerReferences", [])

    parts = [
        one
        for one in objects.values()
        if whole["kind"] == "Deployment" and one["kind"] == "ReplicaSet" and controls(whole, one)
    ]
    return sorted(
        one["metadata"]["name"]
        for one in objects.values()
        if one["kind"] == "Pod" and any(controls(owner, one) for owner in (whole, *parts))
    )


def _delete(cluster: Cluster, key: str) -> None:
    if key[0] == "p":
        cluster.fleet.delete_pod(("appsec", key[1:]))
    else:
        cluster.fleet.delete_workload(ref(_KINDS[key[0]], key[1:]))


def _assert_as_expected(cluster: Cluster, objects: dict[str, Manifest]) -> None:
    for key, one in objects.items():
        owners = one["metadata"].get("ownerReferences", [])
        wholes = [o for k, o in objects.items() if k[0] == "d" and controller_of(o) in owners]
        if key[0] == "p":
            continue
        if wholes:
            assert f"{one['kind']}/{key[1:]}" not in cluster.listed
        elif not any(owner["kind"] == "Deployment" for owner in owners):
            assert cluster.pods(one["kind"], key[1:]) == _expected(objects, one)


@examples(300)
@given(st.lists(_objects(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history: list[dict[str, Manifest]], rng: Any) -> None:
    cluster = Cluster()
    before: dict[str, Manifest] = {}
    for number, objects in enumerate(history):
        events = [*objects, *(key for key in before if key not in objects)]
        rng.shuffle(events)
        for key in events:
            if key in objects:
                cluster.see(objects[key])
            else:
                _delete(cluster, key)
        cluster.fleet.settle(float(number))
        before = objects
    _assert_as_expected(cluster, before)
    # Nothing is left of what is gone.
    for key in before:
        _delete(cluster, key)
    fleet = cluster.fleet
    assert not any(
        (fleet.workloads, fleet._parts, fleet._parts_of, fleet._unproven, fleet._adopters,
         fleet._adoptees, fleet._pods, fleet._node_of_pod, fleet._pods_at)
    )  # fmt: skip


# The template that a pod was created from


REVISION = {"controller-revision-hash": "web-2"}
SETTLED = dict.fromkeys(
    ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled"), 1
)


def status_of(kind: str, **status: Any) -> Manifest:
    return {**make(kind, "web"), "status": {"observedGeneration": 2, **status}}


@pytest.mark.parametrize(
    ("owner", "labels", "certain"),
    [
        (status_of("StatefulSet", updateRevision="web-2"), REVISION, True),
        (status_of("StatefulSet", updateRevision="web-3"), REVISION, False),
        (status_of("StatefulSet", updateRevision="web-2"), {}, False),
        (status_of("StatefulSet", updateRevision=""), {"controller-revision-hash": ""}, False),
        # The controller has not seen the newest template yet.
        (status_of("StatefulSet", updateRevision="web-2", observedGeneration=1), REVISION, False),
        (status_of("DaemonSet", **SETTLED), {}, True),
        (status_of("DaemonSet", **SETTLED, numberMisscheduled=1), {}, False),
        (status_of("DaemonSet", **SETTLED, observedGeneration=1), {}, False),
        (status_of("DaemonSet", **{**SETTLED, "updatedNumberScheduled": 0}), {}, False),
        (status_of("DaemonSet"), {}, False),
        (status_of("Job"), {}, True),
        # Its template may have been edited since.
        (status_of("ReplicaSet"), {}, False),
        (make("ReplicaSet", "web", generation=1), {}, True),
        (make("ReplicationController", "web", generation=1), {}, True),
        (make("ReplicationController", "web"), {}, False),
    ],
)
def test_a_pod_is_certain_to_be_of_the_present_template(
    owner: Manifest, labels: dict[str, str], certain: bool
) -> None:
    cluster = Cluster(owner, pod_manifest(owner, labels=labels))
    (found,) = cluster.fleet.pods_of(ref(owner["kind"], "web"))
    template = cluster.fleet.workloads[ref(owner["kind"], "web")].template
    assert found.origin == (template if certain else None)


def test_a_pod_of_a_part_is_of_the_parts_template() -> None:
    whole = make("Deployment", "web")
    part = make("ReplicaSet", "part", owner=whole, pod={"nodeName": "a"})
    cluster = Cluster(whole, part, pod_manifest(part))
    (found,) = cluster.fleet.pods_of(ref("Deployment", "web"))
    assert found.origin is not None
    owner = Owner("apps", "ReplicaSet", "part", part["metadata"]["uid"])
    assert cluster.fleet.origin_of("appsec", owner, found.template) == found.origin
    assert cluster.fleet.origin_of("other", owner, found.template) is None
    assert cluster.fleet.origin_of("appsec", None, found.template) is None


# Runs that are over


def run(name: str, owner: Manifest, day: int, **status: int) -> Manifest:
    """A Job."""
    made = make("Job", name, owner=owner)
    made["metadata"]["creationTimestamp"] = f"2026-11-{day:02}T01:00:00Z"
    return {**made, "status": status}


def test_between_runs_the_pods_of_the_last_run_count() -> None:
    nightly = make("CronJob", "nightly")
    first, last = run("b", nightly, 1, succeeded=1), run("a", nightly, 12, failed=1)
    over = {"phase": "Succeeded"}
    earlier = [run(f"e{day}", nightly, day, succeeded=1) for day in range(2, 12)]
    cluster = Cluster(
        nightly,
        first,
        *earlier[:5],
        last,
        *earlier[5:],
        pod_manifest(first, "first", status=over),
        pod_manifest(last, "last", status={"phase": "Failed"}),
    )
    assert cluster.pods("CronJob", "nightly") == ["last"]
    # A run that has not begun, or is not this CronJob's, changes nothing.
    again = make("CronJob", "nightly")
    again["metadata"]["uid"] = "earlier"
    cluster.see(run("c", nightly, 13), run("d", again, 14, succeeded=1))
    assert cluster.pods("CronJob", "nightly") == ["last"]
    # While one runs, it alone counts.
    now = run("e", nightly, 15, active=1)
    cluster.see(now, pod_manifest(now, "now"))
    assert cluster.pods("CronJob", "nightly") == ["now"]


def test_the_template_of_the_last_job_speaks_for_pods_that_are_gone() -> None:
    nightly = make("CronJob", "nightly")
    cluster = Cluster(nightly, run("a", nightly, 1, succeeded=1))
    (found,) = cluster.fleet.pods_of(ref("CronJob", "nightly"))
    assert (found.name, found.counts, found.address) == ("a", False, "")
    (container_of_job,) = found.template.containers
    (container_of_whole,) = cluster.fleet.workloads[ref("CronJob", "nightly")].template.containers
    assert container_of_job.env == container_of_whole.env
    assert (container_of_job.schedule, container_of_whole.schedule is None) == (None, False)


def test_nothing_ran_yet() -> None:
    nightly = make("CronJob", "nightly")
    assert Cluster(nightly, run("a", nightly, 1)).pods("CronJob", "nightly") == []


def test_the_template_of_a_finished_job_speaks_for_its_pods() -> None:
    job = {**make("Job", "once"), "status": {"succeeded": 1}}
    assert Cluster(job).pods("Job", "once") == ["once"]
    assert Cluster(make("Job", "once")).pods("Job", "once") == []


OPERATOR = {
    "apiVersion": "example.org/v1",
    "kind": "Nightly",
    "metadata": {"name": "it", "uid": "uid-of-it"},
}


def test_the_template_says_nothing_where_pods_are_injected_by_themselves() -> None:
    job = {**make("Job", "once", owner=OPERATOR), "status": {"succeeded": 1}}
    assert Cluster(job).pods("Job", "once") == []
    nightly = make("CronJob", "nightly", owner=OPERATOR)
    assert Cluster(nightly, run("a", nightly, 1, succeeded=1)).pods("CronJob", "nightly") == []
