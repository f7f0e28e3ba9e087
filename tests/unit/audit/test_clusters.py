"""Clusters, by an API server that is a stand-in."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, ObservedVerdict, Sends, State
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.cluster import listing
from fleet_telemetry.audit.cluster.gathering import GatheringRequest, gather_clusters
from fleet_telemetry.audit.cluster.progress import GatheringProgress, ProgressBar, bar, progress_on
from fleet_telemetry.audit.result import Audit, Finding
from fleet_telemetry.audit.sources import Definitions
from tests.support import builders
from tests.support.api_stub import CUT, ApiStub, Asked, Manifest, asked_kinds, namespace
from tests.support.builders import EMQX, NOW, SONARQUBE, container, manifest, pod_manifest

OFF = {"EMQX_TELEMETRY__ENABLE": "false"}
OWN = {"fleettelemetry.io": ["v1alpha1"]}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are tested by nobody's clock."""
    monkeypatch.setattr(listing, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def stub() -> Iterator[ApiStub]:
    with ApiStub() as stub:
        yield stub


def read(
    stub: ApiStub, tmp_path: Path, *namespaces: str, contexts: tuple[str, ...] = (), own: str = ""
) -> Audit:
    path = stub.kubeconfig(tmp_path / "config", "stub", "other", namespace=own or "default")
    request = GatheringRequest(
        kubeconfig=str(path), contexts=contexts, namespaces=namespaces, now=NOW
    )
    return audit(gather_clusters(request, GatheringProgress()), NOW, Definitions())


def deployment(name: str = "it", image: str = SONARQUBE, **more: Any) -> list[Manifest]:
    """A Deployment with its ReplicaSet and a pod."""
    env = more.pop("env", None)
    whole = manifest(container(image, env=env), name=name, **more)
    part = manifest(
        container(image, env=env),
        kind="ReplicaSet",
        name=f"{name}-1",
        owner=builders.controller_of(whole),
        replicas=1,
        namespace=whole["metadata"]["namespace"],
    )
    return [whole, part, pod_manifest(part, f"{name}-1-a")]


def on_a_claim(**given: Any) -> list[Manifest]:
    """The same, with its data on a volume claim."""
    found = deployment(**given)
    for one in found:
        spec = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        spec["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "d", "mountPath": "/data"}]
    return found


def by_workload(result: Audit) -> dict[tuple[str, str], Finding]:
    return {
        (one.kind, one.name): one for one in result.findings if one.channel is ChannelName.USAGE
    }


def test_a_deployment_is_judged_by_its_pods(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += deployment(image=EMQX, env=OFF)
    result = read(stub, tmp_path)
    assert result.problems == ()
    found = by_workload(result)["Deployment", "it"]
    assert (found.sends, found.reason) == (Sends.NO, Reason.RUNNING_IN_EVERY_POD)
    assert found.place.cluster == "stub"


def test_a_pod_that_was_started_without_the_setting_still_sends(
    stub: ApiStub, tmp_path: Path
) -> None:
    whole, part, _ = deployment(image=EMQX, env=OFF)
    old = manifest(
        container(EMQX),
        kind="ReplicaSet",
        name="old",
        owner=builders.controller_of(whole),
        replicas=1,
    )
    stub.objects += [whole, part, old, pod_manifest(old, "old-a")]
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert found.sends is not Sends.NO


def test_what_runs_no_product_is_counted_and_no_subject(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [*deployment("web", "nginx:1"), *deployment("sonar")]
    path = stub.kubeconfig(tmp_path / "config")
    (source,) = gather_clusters(
        GatheringRequest(kubeconfig=str(path), now=NOW), GatheringProgress()
    )
    subjects = list(source.subjects)
    assert [one.workload.ref.name for one in subjects if hasattr(one, "workload")] == ["sonar"]
    assert (source.read.workloads, source.read.containers) == (1, 1)
    assert dict(source.read.images) == {"docker.io/library/nginx": 1}


def test_pods_that_belong_to_no_workload_are_listed(stub: ApiStub, tmp_path: Path) -> None:
    _, part, pod = deployment()
    pod["metadata"]["ownerReferences"] = []
    stray = pod_manifest(part, "stray")
    stray["metadata"]["ownerReferences"][0]["uid"] = "another"
    done = pod_manifest(part, "done", status={"phase": "Succeeded"})
    done["metadata"]["ownerReferences"] = []
    stub.objects += [pod, stray, done]
    result = read(stub, tmp_path)
    assert sorted(one.name for one in result.unmanaged) == ["it-1-a", "stray"]


def test_a_product_that_only_a_pod_has_is_not_judged_and_is_listed(
    stub: ApiStub, tmp_path: Path
) -> None:
    """Another webhook added the container to the pods, and not to the workload's template."""
    whole, part, pod = deployment()
    pod["spec"]["containers"].append(container(EMQX, name="added"))
    nginx, nginx_part, with_sonarqube = deployment("web", "nginx:1")
    with_sonarqube["spec"]["containers"].append(container(SONARQUBE, name="added"))
    stub.objects += [whole, part, pod, nginx, nginx_part, with_sonarqube]
    result = read(stub, tmp_path)
    assert {(one.name, one.products) for one in result.unmanaged} == {
        ("it-1-a", ("emqx",)),
        ("web-1-a", ("sonarqube",)),
    }


def test_pages_are_put_together(
    stub: ApiStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for number in range(5):
        stub.objects += deployment(f"sonar-{number}")
    result = read(stub, tmp_path)
    assert len(by_workload(result)) == 5
    assert all(one.sends is Sends.YES for one in by_workload(result).values())


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [CUT, 429, 500, 503])
def test_what_fails_once_is_asked_for_again(stub: ApiStub, tmp_path: Path, fault: int) -> None:
    failed: set[tuple[str, str]] = set()

    def once(asked: Asked) -> int | None:
        key = asked.kind.plural, asked.query.get("continue", "")
        if key in failed:
            return None
        failed.add(key)
        return fault

    stub.objects += deployment(image=EMQX, env=OFF)
    stub.answer = once
    result = read(stub, tmp_path)
    assert result.problems == ()
    assert by_workload(result)["Deployment", "it"].sends is Sends.NO
    assert failed >= {("pods", ""), ("namespaces", ""), ("", "")}


def test_a_server_that_goes_away_in_the_middle(
    stub: ApiStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is kept, pods that may be missing prove nothing, and nobody waits for each of
    the other lists."""
    monkeypatch.setattr(listing, "PAGE", 2)
    gone = threading.Event()

    def go(asked: Asked) -> int | None:
        if asked.kind.plural == "pods" and asked.query.get("continue"):
            gone.set()
        return CUT if gone.is_set() else None

    for number in range(3):
        stub.objects += deployment(f"emqx-{number}", EMQX, env=OFF)
    stub.answer = go
    result = read(stub, tmp_path)
    assert result.exit_code == 1
    assert any("not all of pods" in one.what for one in result.problems)
    assert all("broke" in one.what for one in result.problems)
    assert {one.sends for one in by_workload(result).values()} == {Sends.UNKNOWN}
    assert {one.reason for one in by_workload(result).values()} == {"PodsNotReadable"}
    # The first page; then three attempts, of which the HTTP client itself repeats each.
    assert len([one for one in stub.asked if one.kind.plural == "pods"]) <= 7


def test_nobody_waits_for_every_list_of_a_server_that_is_gone(
    stub: ApiStub, tmp_path: Path
) -> None:
    names = [f"team-{number}" for number in range(20)]
    stub.objects += map(namespace, names)
    stub.answer = lambda asked: None if asked.kind.plural in ("", "namespaces") else CUT
    result = read(stub, tmp_path, *names)
    assert result.exit_code == 1
    # Those under way, each three times, and each of these twice by the HTTP client; not all 160.
    asked = {(one.kind.plural, one.namespace) for one in stub.asked if one.namespace}
    assert len(asked) < 40


@pytest.mark.thorough
@pytest.mark.parametrize("body", [b"<html>please log in</html>", b"[]", b"{}", b"", b'{"items":3}'])
def test_what_is_no_api_server_is_no_empty_cluster(
    stub: ApiStub, tmp_path: Path, body: bytes
) -> None:
    stub.answer = lambda asked: body if asked.kind.plural == "pods" else None
    (problem,) = read(stub, tmp_path).problems
    assert "is not a Kubernetes API server" in problem.what


def test_credentials_that_expire_in_the_middle(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda asked: 401 if asked.kind.plural == "pods" else None
    stub.objects += deployment(image=EMQX, env=OFF)
    result = read(stub, tmp_path)
    assert any("rejects the credentials" in one.what for one in result.problems)
    assert "s3cr3t" not in str(result)


def test_a_server_that_gives_no_answer_at_all_is_one_problem(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda _: 401
    (problem,) = read(stub, tmp_path).problems
    assert problem.place.cluster == "stub"
    assert len(stub.asked) == 1


def test_kinds_that_fail_alike_are_one_problem(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda asked: 500 if asked.kind.plural in ("jobs", "cronjobs") else None
    (problem,) = read(stub, tmp_path).problems
    assert problem.what.startswith("no cronjobs, jobs read: ")


def test_many_namespaces_are_not_all_named(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [namespace(f"team-{number:02}") for number in range(20)]
    stub.answer = lambda asked: 403 if asked.kind.plural == "pods" else None
    (problem,) = read(stub, tmp_path).problems
    assert "team-00, team-01, team-02, team-03, team-04 and 15 more" in problem.what


def test_what_may_be_read_in_one_namespace_is_read_there(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda asked: (
        None
        if asked.namespace in ("", "mine")
        and (asked.namespace or asked.kind.plural in ("", "namespaces"))
        else 403
    )
    stub.objects += [namespace("mine"), namespace("yours"), *deployment(namespace="mine")]
    result = read(stub, tmp_path)
    assert by_workload(result)["Deployment", "it"].sends is Sends.YES
    (problem,) = result.problems
    assert "in namespace yours" in problem.what


def test_a_name_with_control_characters_is_printable(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [namespace("\x1b[2Jevil")]
    stub.answer = lambda asked: 403 if asked.kind.plural == "pods" else None
    assert all(one.what.isprintable() for one in read(stub, tmp_path).problems)


def test_optional_kinds_that_are_not_served_are_not_asked_for(
    stub: ApiStub, tmp_path: Path
) -> None:
    assert read(stub, tmp_path).problems == ()
    asked = asked_kinds(stub.asked)
    assert asked.isdisjoint({"rollouts", "telemetrypolicies", "workloadtelemetries", "leases"})
    assert "secrets" not in asked


def policy_manifest(**spec: Any) -> Manifest:
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "ClusterTelemetryPolicy",
        "metadata": {"name": "opt-out", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"submission": "Disabled", **spec},
    }


def test_policies_of_the_cluster_are_applied(stub: ApiStub, tmp_path: Path) -> None:
    stub.groups = {**stub.groups, **OWN}
    stub.objects += [policy_manifest(), *deployment()]
    result = read(stub, tmp_path)
    found = by_workload(result)["Deployment", "it"]
    assert result.judged
    assert found.policy is not None
    assert found.state in (State.NON_COMPLIANT, State.PENDING)


def test_a_policy_that_is_not_valid_is_a_problem(stub: ApiStub, tmp_path: Path) -> None:
    stub.groups = {**stub.groups, **OWN}
    stub.objects += [policy_manifest(submission="Maybe")]
    (problem,) = read(stub, tmp_path).problems
    assert "ClusterTelemetryPolicy opt-out is not in effect" in problem.what


@pytest.mark.thorough
@pytest.mark.parametrize("labels", [{"tier": "prod"}, {"tier": "dev"}, None])
def test_a_policy_by_labels_of_namespaces(
    stub: ApiStub, tmp_path: Path, labels: dict[str, str] | None
) -> None:
    stub.groups = {**stub.groups, **OWN}
    selector = {"matchLabels": {"tier": "prod"}}
    stub.objects += [policy_manifest(namespaceSelector=selector), *deployment()]
    if labels is None:
        stub.answer = lambda asked: 403 if asked.kind.plural == "namespaces" else None
    else:
        stub.objects.append(namespace(builders.NAMESPACE, **labels))
    result = read(stub, tmp_path)
    covered = by_workload(result)["Deployment", "it"].policy is not None
    assert covered is (labels == {"tier": "prod"})
    assert bool(result.problems) is (labels is None)


def record(of: Manifest, *, uid: str = "", **channel: Any) -> Manifest:
    """The WorkloadTelemetry of a workload."""
    metadata = of["metadata"]
    owner = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": metadata["name"]}
    usage = {"name": "Usage", "declared": "Unknown", "running": "Unknown", **channel}
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "WorkloadTelemetry",
        "metadata": {
            "name": f"{of['kind'].lower()}-{metadata['name']}",
            "namespace": metadata["namespace"],
            "ownerReferences": [{**owner, "uid": uid or metadata["uid"]}],
            "managedFields": [
                {
                    "manager": "fleet-telemetry",
                    "subresource": "status",
                    "time": "2026-03-01T10:00:00Z",
                }
            ],
        },
        "status": {"product": "sonarqube", "channels": [usage]},
    }


def lease(renewed: datetime, manager: str = "fleet-telemetry") -> Manifest:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "it", "namespace": "ops", "managedFields": [{"manager": manager}]},
        "spec": {"holderIdentity": "pod", "renewTime": renewed.isoformat().replace("+00:00", "Z")},
    }


DENIED = {"egress": "Denied", "egressReason": "EveryAddressDenied"}
LIVE = lease(NOW - timedelta(seconds=3))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("uid", "leases", "counts"),
    [
        ("", [LIVE], True),
        ("of an earlier object", [LIVE], False),
        ("", [], False),
        ("", [lease(NOW - timedelta(hours=1))], False),
        ("", [lease(NOW, manager="kube-scheduler")], False),
    ],
)
def test_what_an_operator_recorded_counts_while_it_runs(
    stub: ApiStub, tmp_path: Path, uid: str, leases: list[Manifest], *, counts: bool
) -> None:
    stub.groups = {**stub.groups, **OWN}
    whole, *rest = deployment()
    stub.objects += [whole, *rest, *leases, record(whole, uid=uid, **DENIED)]
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert found.egress is (EgressVerdict.DENIED if counts else EgressVerdict.UNKNOWN)


ASKED = {
    "host": "telemetry.sonarsource.com",
    "pod": "it-1-a",
    "podUid": "uid-of-it-1-a",
    "firstTime": "2026-11-20T07:00:00Z",
    "lastTime": "2026-11-20T07:30:00Z",
    "lookups": 3,
}


@pytest.mark.parametrize(("leases", "runs"), [([LIVE], True), ([], False)])
def test_that_nothing_was_asked_for_counts_while_the_operator_runs(
    stub: ApiStub, tmp_path: Path, leases: list[Manifest], *, runs: bool
) -> None:
    stub.groups = {**stub.groups, **OWN}
    whole, *rest = deployment()
    quiet = {"observed": "Quiet", "observedSince": "2026-11-19T00:00:00Z"}
    stub.objects += [whole, *rest, *leases, record(whole, **quiet)]
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert found.observed is (ObservedVerdict.QUIET if runs else ObservedVerdict.UNKNOWN)
    reason = ObservedReason.NO_LOOKUP if runs else ObservedReason.OBSERVER_NOT_RUNNING
    assert found.observed_reason == reason
    since = datetime(2026, 11, 19, tzinfo=UTC) if runs else None
    assert found.observed_since == since


@pytest.mark.parametrize("leases", [[LIVE], []])
def test_a_lookup_that_an_operator_saw_stays_seen(
    stub: ApiStub, tmp_path: Path, leases: list[Manifest]
) -> None:
    stub.groups = {**stub.groups, **OWN}
    whole, *rest = deployment(env={builders.SONAR_SWITCH: "false"})
    rest[-1]["status"]["startTime"] = "2026-11-19T00:00:00Z"
    of_it = record(whole, observed="Contacted")
    of_it["status"]["contacts"] = [ASKED]
    stub.objects += [policy_manifest(), whole, *rest, *leases, of_it]
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert (found.state, found.state_reason) == (State.NON_COMPLIANT, Reason.OBSERVED_CONTACT)
    assert found.observed is ObservedVerdict.CONTACTED
    assert "3 times" in found.observed_message
    assert found.sends is Sends.YES


def test_why_it_is_not_known_is_as_the_operator_recorded_it(stub: ApiStub, tmp_path: Path) -> None:
    stub.groups = {**stub.groups, **OWN}
    whole, *rest = deployment()
    lost = {"observed": "Unknown", "observedReason": "LookupsLost"}
    stub.objects += [whole, *rest, LIVE, record(whole, egress="Denied", **lost)]
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert found.observed_reason == ObservedReason.LOOKUPS_LOST


def with_report(stub: ApiStub) -> None:
    """A workload with a report that an operator recorded."""
    stub.groups = {**stub.groups, **OWN}
    credentials = {
        "product": "dependency-track",
        "secretRef": {"name": "key", "namespace": "ops"},
        "namespaces": [builders.NAMESPACE],
        "requireTLS": False,
    }
    policy = policy_manifest(runtime={"credentials": [credentials]})
    whole, *rest = on_a_claim(image=builders.DTRACK_4, env={builders.V4_SWITCH: "false"})
    of_it = record(whole, reported="Disabled")
    of_it["status"]["product"] = "dependency-track"
    stub.objects += [policy, whole, *rest, of_it]


def test_a_report_of_an_operator_that_does_not_run_is_stale(stub: ApiStub, tmp_path: Path) -> None:
    with_report(stub)
    stale = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert (stale.state, stale.state_reason) == (State.UNKNOWN, Reason.REPORT_STALE)
    assert "2026-03-01 10:00 UTC" in stale.state_message
    stub.objects.append(LIVE)
    live = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert (live.state, live.state_reason) == (State.COMPLIANT, Reason.REPORTED)


def operator(*words: str) -> Manifest:
    """The Deployment of a controller."""
    runs = {**container("registry.test/operator:1"), "args": list(words)}
    return manifest(runs, name="ops-controller", namespace="ops")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("leases", "deployed", "forbidden", "expected"),
    [
        # Nobody may list the Leases; the one that the Deployment names may be read.
        ([LIVE], operator("controller", "--lease=it"), "list", Reason.REPORTED),
        ([LIVE], operator("all", "--lease=it"), "list", Reason.REPORTED),
        ([], operator("controller", "--lease=it"), "list", Reason.REPORT_STALE),
        (
            [lease(NOW - timedelta(hours=1))],
            operator("controller", "--lease=it"),
            "list",
            Reason.REPORT_STALE,
        ),
        # Not that one either.
        ([LIVE], operator("controller", "--lease=it"), "all", Reason.LEASE_NOT_READABLE),
        # Nothing says which it is.
        ([LIVE], operator("webhook", "--lease=it"), "list", Reason.LEASE_NOT_READABLE),
        ([LIVE], operator("controller"), "list", Reason.LEASE_NOT_READABLE),
        ([LIVE], operator("controller", "--lease="), "list", Reason.LEASE_NOT_READABLE),
        ([LIVE], operator("controller", "--lease=../it"), "list", Reason.LEASE_NOT_READABLE),
    ],
)
def test_without_a_right_to_see_whether_the_operator_runs_nothing_is_called_stale(
    stub: ApiStub,
    tmp_path: Path,
    *,
    leases: list[Manifest],
    deployed: Manifest,
    forbidden: str,
    expected: Reason,
) -> None:
    with_report(stub)
    stub.objects += [*leases, deployed]

    def answer(asked: Asked) -> int | None:
        is_lease = asked.kind.kind == "Lease"
        return 403 if is_lease and (not asked.name or forbidden == "all") else None

    stub.answer = answer
    result = read(stub, tmp_path)
    found = by_workload(result)["Deployment", "it"]
    assert found.state_reason == expected
    assert found.state is (State.COMPLIANT if expected is Reason.REPORTED else State.UNKNOWN)
    assert result.problems == ()
    if expected is Reason.LEASE_NOT_READABLE:
        assert "recorded Disabled on 2026-03-01 10:00 UTC." in found.state_message
        assert "its Lease may not be read" in found.state_message
        assert "Allow to get the operator's Lease" in found.advice


def test_a_seed_is_proven_by_its_volume(stub: ApiStub, tmp_path: Path) -> None:
    whole, part, pod = on_a_claim(
        image=builders.DTRACK_4, env={builders.V4_SWITCH: "false"}, generation=1
    )
    after = "2026-11-19T00:00:00Z"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "data",
            "namespace": builders.NAMESPACE,
            "uid": "c",
            "creationTimestamp": after,
        },
        "spec": {"volumeName": "pv"},
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": "pv",
            "creationTimestamp": after,
            "annotations": {"pv.kubernetes.io/provisioned-by": "csi"},
        },
    }
    stub.objects += [whole, part, pod, claim, volume]
    proven = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert (proven.sends, proven.reason) == (Sends.NO, Reason.SEED_PROVEN)
    stub.answer = lambda asked: 403 if asked.kind.plural == "persistentvolumes" else None
    result = read(stub, tmp_path)
    assert by_workload(result)["Deployment", "it"].reason == Reason.SEED_NOT_PROVEN
    assert "they prove no seed" in result.problems[0].what


def test_products_of_the_audit_itself_are_recognized(stub: ApiStub, tmp_path: Path) -> None:
    own = builders.own_product("ours", channels=[{"name": "Usage", "rules": [{"default": "On"}]}])
    from fleet_telemetry.audit.result import Place  # noqa: PLC0415

    definitions = Definitions(products=((Place(file="p.yaml"), own),))
    stub.objects += deployment(image="acme/ours:1")
    path = stub.kubeconfig(tmp_path / "config")
    request = GatheringRequest(kubeconfig=str(path), now=NOW, definitions=definitions)
    result = audit(gather_clusters(request, GatheringProgress()), NOW, definitions)
    assert by_workload(result)["Deployment", "it"].product == "ours"


def test_a_kubeconfig_may_be_a_pipe(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += deployment()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=stub.kubeconfig, args=(pipe,), daemon=True)
    writing.start()
    (source,) = gather_clusters(
        GatheringRequest(kubeconfig=str(pipe), now=NOW), GatheringProgress()
    )
    assert len(list(source.subjects)) == 1


def test_each_context_is_read_once(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += deployment()
    result = read(stub, tmp_path, contexts=("stub", "other", "stub", "nowhere"))
    usage = [one for one in result.findings if one.channel is ChannelName.USAGE]
    assert sorted(one.place.cluster for one in usage) == ["other", "stub"]
    (problem,) = result.problems
    assert problem.place.cluster == "nowhere"
    assert problem.advice == "it has these: other, stub"


class _Terminal:
    def __init__(self, *, is_terminal: bool) -> None:
        self.written = ""
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass


def test_progress_is_drawn_on_a_terminal_only() -> None:
    for is_terminal, dumb in ((False, False), (True, True)):
        terminal: Any = _Terminal(is_terminal=is_terminal)
        progress = progress_on(terminal, 80, dumb=dumb)
        progress.page(1, first=True, left=1)
        progress.clear()
        assert terminal.written == ""
    terminal = _Terminal(is_terminal=True)
    progress = progress_on(terminal, 80, dumb=False)
    assert isinstance(progress, ProgressBar)
    progress.page(500, first=True, left=500)
    assert terminal.written.startswith("\r[###")
    progress.clear()
    assert terminal.written.endswith("\r\x1b[K")


@pytest.mark.parametrize("columns", [0, 1, 20, 60, 200])
def test_the_bar_fits(columns: int) -> None:
    assert len(bar(1_000_000, 2_000_000, columns)) < max(columns, 1)
    assert bar(1, 2, 200).startswith(f"[{'#' * 15}{'.' * 15}] 1 of 2")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("contexts", "names", "expected"),
    [
        ((), {}, [("stub", None)]),
        ((), {"": "prod"}, [("prod", "stub")]),
        ((), {"": "stub"}, [("stub", None)]),
        (("stub", "other"), {"stub": "a", "other": "b"}, [("a", "stub"), ("b", "other")]),
        (("nope",), {"nope": "a"}, [("a", "nope")]),
    ],
)
def test_a_cluster_has_the_name_that_the_user_gives(
    stub: ApiStub,
    tmp_path: Path,
    contexts: tuple[str, ...],
    names: dict[str, str],
    expected: list[tuple[str, str | None]],
) -> None:
    stub.objects += deployment()
    stub.answer = lambda asked: 500 if asked.kind.kind == "Job" else None
    path = stub.kubeconfig(tmp_path / "config", "stub", "other")
    request = GatheringRequest(kubeconfig=str(path), contexts=contexts, names=names, now=NOW)
    result = audit(gather_clusters(request, GatheringProgress()), NOW, Definitions())
    places = [one.place for one in (*result.findings, *result.problems)]
    assert {(one.cluster, one.context) for one in places} == set(expected)


def test_a_pod_has_no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for names, expected in (({}, "in-cluster"), ({"": "prod"}, "prod")):
        request = GatheringRequest(names=names, now=NOW)
        (problem,) = gather_clusters(request, GatheringProgress())[0].problems
        assert (problem.place.cluster, problem.place.context) == (expected, "")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "excluded"),
    [
        ((), False),
        (("--excluded-namespace=kube-system",), False),
        (("--excluded-namespace=kube-system", f"--excluded-namespace={builders.NAMESPACE}"), True),
        (('--namespace-selector={"matchLabels":{"env":"prod"}}',), True),
        (('--namespace-selector={"matchLabels":{"env":"dev"}}',), False),
        # The controller does not start with it.
        (("--namespace-selector={",), False),
    ],
)
def test_namespaces_that_the_operator_excludes_are_judged_as_it_does(
    stub: ApiStub, tmp_path: Path, words: tuple[str, ...], *, excluded: bool
) -> None:
    stub.groups = {**stub.groups, **OWN}
    labelled = namespace(builders.NAMESPACE)
    labelled = {**labelled, "metadata": {**labelled["metadata"], "labels": {"env": "dev"}}}
    everywhere = policy_manifest(injection={"when": "Always"})
    stub.objects += [labelled, everywhere, *deployment()]
    stub.objects.append(operator("controller", "--lease=it", *words))
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    if excluded:
        assert (found.state, found.state_reason) == (
            State.NON_COMPLIANT,
            Reason.NAMESPACE_EXCLUDED,
        )
    else:
        assert (found.state, found.state_reason) == (State.PENDING, Reason.AWAITING_ROLLOUT)


def test_the_namespace_of_the_operator_is_excluded(stub: ApiStub, tmp_path: Path) -> None:
    stub.groups = {**stub.groups, **OWN}
    stub.objects += [policy_manifest(), *deployment(namespace="ops")]
    assert by_workload(read(stub, tmp_path))["Deployment", "it"].state is State.PENDING
    stub.objects.append(operator("all", "--lease=it"))
    found = by_workload(read(stub, tmp_path))["Deployment", "it"]
    assert found.state_reason == Reason.NAMESPACE_EXCLUDED
