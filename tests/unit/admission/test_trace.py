"""Events for what admission changed are written once the changed object has come."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import Any

import pytest

from fleet_telemetry.admission import trace as trace_module
from fleet_telemetry.admission.review import review_pod, review_workload
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.events import LONGEST_NOTE
from fleet_telemetry.reporting.events import Notice
from fleet_telemetry.workloads.workload import NO_OP_PATCH_MANAGER, WorkloadRef
from tests.support.admission_requests import (
    admitted,
    cache_with,
    creation,
    policy_manifest,
    rolled,
    update,
)
from tests.support.builders import (
    EMQX,
    NAMESPACE,
    NOW,
    OWNER,
    SONAR_SWITCH,
    SONARQUBE,
    Manifest,
    claimed,
    container,
    manifest,
    touched,
    without_variable,
    workload,
)
from tests.support.every import every

OPT_OUT = policy_manifest()
SONAR = claimed(manifest(container(SONARQUBE)))


class Told:
    """A trace, its cache, and what it wrote."""

    def __init__(self, *manifests: Manifest) -> None:
        self.cache: ClusterCache = cache_with(*(manifests or (OPT_OUT,)))
        self.now = 0.0
        self.events: list[tuple[WorkloadRef, str, Notice]] = []
        self.trace = AdmissionTrace(self.cache.fleet, self._tell, lambda: self.now)

    async def _tell(self, ref: WorkloadRef, uid: str, notice: Notice) -> None:
        self.events.append((ref, uid, notice))

    def request(self, request: Manifest) -> None:
        self.trace.expect(review_workload(request, self.cache, NOW))

    def comes(self, given: Manifest, **metadata: Any) -> None:
        shown = copy.deepcopy(given)
        shown["metadata"] |= {"uid": "uid-1", "generation": 1, "namespace": NAMESPACE, **metadata}
        kind = next(kind for kind in kinds.WORKLOADS if kind.kind == given["kind"])
        self.cache.upsert(kind, shown)

    def write(self) -> list[str]:
        """The reasons of the Events of a round."""
        before = len(self.events)
        asyncio.run(self.trace.write())
        return [notice.reason for _, _, notice in self.events[before:]]


def test_an_injection_is_told_once_the_object_has_come() -> None:
    told = Told()
    told.request(creation(SONAR))
    assert told.write() == []
    told.comes(admitted(creation(SONAR), OPT_OUT))
    assert told.write() == ["TelemetrySettingInjected"]
    ((ref, uid, notice),) = told.events
    assert (str(ref), uid) == (f"{NAMESPACE}/Deployment/it", "uid-1")
    assert notice.note.startswith(f'At admission: set {SONAR_SWITCH}="false"')
    assert told.write() == []


def test_a_request_that_came_to_nothing_is_not_told() -> None:
    """Another webhook or a quota refused it, or the name is that of an older object."""
    told = Told()
    told.request(creation(SONAR))
    told.comes(SONAR)
    assert told.write() == []
    told.now = 61.0
    assert told.write() == []
    told.comes(admitted(creation(SONAR), OPT_OUT), generation=2)
    assert told.write() == []


def test_an_update_is_told_only_of_a_later_generation() -> None:
    told = Told()
    live = claimed(manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"})))
    told.comes(live)
    told.request(update(live, touched(without_variable(live, SONAR_SWITCH))))
    assert told.write() == []
    told.comes(touched(live), generation=2)
    assert told.write() == ["TelemetrySettingInjected"]
    assert "again" in told.events[0][2].note


def test_the_controllers_own_writes_are_not_told_twice() -> None:
    told = Told(policy_manifest(injection={"rollout": "Immediate"}))
    nudge = {"options": {"kind": "PatchOptions", "fieldManager": NO_OP_PATCH_MANAGER}}
    told.request(update(SONAR, SONAR, **nudge))
    told.comes(claimed(manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"}))))
    assert told.write() == []


def test_what_changes_nothing_leaves_nothing_behind() -> None:
    told = Told()
    told.request(rolled(SONAR))
    told.comes(SONAR)
    assert told.write() == []


def test_the_same_request_again_is_told_once() -> None:
    """The API server may call a webhook twice for one request."""
    told = Told()
    told.request(creation(SONAR))
    told.request(creation(SONAR))
    told.comes(admitted(creation(SONAR), OPT_OUT))
    assert told.write() == ["TelemetrySettingInjected"]


def pod(name: str, env: dict[str, str]) -> Manifest:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "it", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "ownerReferences": [owner | {"uid": "uid-1"}],
        },
        "spec": {"containers": [container(EMQX, env=env)]},
        "status": {"phase": "Running"},
    }


def test_pods_that_are_injected_are_told_on_their_workload_and_once_for_all() -> None:
    told = Told()
    owning = manifest(container(EMQX), kind="StatefulSet", owner=OWNER)
    told.comes(owning)
    for number in range(3):
        name = f"it-{number}"
        request = creation(claimed(pod(name, {})))
        told.trace.expect(review_pod(request, workload(owning), told.cache, NOW))
        told.cache.upsert(kinds.POD, pod(name, {"EMQX_TELEMETRY__ENABLE": "false"}))
        assert told.write() == (["TelemetrySettingInjected"] if number == 0 else [])
    assert told.events[0][0].kind == "StatefulSet"
    told.now = 601.0
    request = creation(claimed(pod("it-9", {})))
    told.trace.expect(review_pod(request, workload(owning), told.cache, NOW))
    told.cache.upsert(kinds.POD, pod("it-9", {"EMQX_TELEMETRY__ENABLE": "false"}))
    assert told.write() == ["TelemetrySettingInjected"]


@pytest.mark.thorough
def test_a_burst_is_written_a_few_at_a_time_and_bounded() -> None:
    told = Told()
    names = [f"w-{number}" for number in range(600)]
    for name in names:
        told.request(creation(claimed(manifest(container(SONARQUBE), name=name))))
    for name in names:
        given = claimed(manifest(container(SONARQUBE), name=name))
        told.comes(admitted(creation(given), OPT_OUT), uid=f"uid-of-{name}")
    assert len(told.write()) == 10
    for _ in range(100):
        told.write()
    # The oldest were given up.
    assert [event[0].name for event in told.events] == names[100:]


def test_requests_with_endless_names_are_not_remembered() -> None:
    """Anybody may send them, and no such object ever comes."""
    told = Told()
    for number in range(3):
        request = creation(SONAR)
        request["object"]["metadata"]["name"] = f"{number}" + "x" * 100_000
        request["name"] = request["object"]["metadata"]["name"]
        told.request(request)
    assert not told.trace._waiting
    told.request(creation(SONAR))
    assert len(told.trace._waiting) == 1


def test_requests_with_endless_names_of_containers_are_not_remembered() -> None:
    told = Told()
    long, many = container(SONARQUBE, name="x" * 100_000), container(SONARQUBE, name="y" * 1000)
    for one in (long, *[many] * 9):
        told.request(creation(claimed(manifest(one, *[many] * 40))))
    assert not told.trace._waiting


@pytest.mark.thorough
@every("number", [1, 10, 60, 400])
def test_a_workload_of_many_containers_with_long_names_has_its_events(number: int) -> None:
    """Their sentences together are longer than an Event, and than what is kept of a request."""
    name = "a-policy-" + "x" * 200
    told = Told(policy_manifest(name, channels=["Usage", "UpdateCheck"]))
    containers = [container(SONARQUBE, name=f"{'c' * 59}{place}") for place in range(number)]
    given = claimed(manifest(*containers))
    told.request(creation(given))
    told.comes(admitted(creation(given), policy_manifest(name, channels=["Usage", "UpdateCheck"])))
    assert told.write() == ["TelemetrySettingInjected"]
    (_, _, notice) = told.events[0]
    assert name in notice.note
    assert SONAR_SWITCH in notice.note
    assert len(notice.note) <= LONGEST_NOTE + 1


def test_a_failure_to_write_an_event_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_module, "_ROUND_SECONDS", 0.0)
    cache = cache_with(OPT_OUT)
    attempts = []

    async def fail(ref: WorkloadRef, *_: object) -> None:
        attempts.append(ref.name)
        raise OSError("no connection")

    trace = AdmissionTrace(cache.fleet, fail, lambda: 0.0)
    for name in ("a", "b"):
        given = claimed(manifest(container(SONARQUBE), name=name))
        trace.expect(review_workload(creation(given), cache, NOW))
        shown = admitted(creation(given), OPT_OUT)
        shown["metadata"] |= {"uid": f"uid-of-{name}", "namespace": NAMESPACE}
        cache.upsert(next(kind for kind in kinds.WORKLOADS if kind.kind == "Deployment"), shown)

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(trace.run(), 0.05)

    asyncio.run(run())
    assert attempts == ["a", "b"]
    assert "cannot write the events of admissions" in caplog.text
