"""The controller's fields of custom resources, against a server that has one object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from dev.fakes import FakeProduct
from fleet_telemetry.api.policy import Policy
from fleet_telemetry.controllers.daily_limit import TIMES_PER_DAY
from fleet_telemetry.controllers.resources.fields import ResourceFields
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.events import EventRecorder
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.switches.resource_plan import NO_FIELDS, FieldPlan
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.resource_fields import (
    FieldFault,
    FieldRefusal,
    FieldState,
    read_field,
)
from fleet_telemetry.workloads.workload import Workload, WorkloadRef
from tests.support.builders import NAMESPACE, NOW, container, manifest, policy, workload
from tests.support.resource_world import CustomResource, ResourceWorld
from tests.unit.switches.test_resource import IMAGE, IN, MANAGER, OFF, ON, USAGE

CHECK = replace(USAGE, name="upgrade-checker")
OTHER = WorkloadRef("other", WorkloadKind.DEPLOYMENT, "it")


class OneObject(FakeProduct):
    """Serves one object, and makes the writes that the controller sends."""

    def __init__(self, one: CustomResource) -> None:
        super().__init__(tls=False)
        self.one = one
        self.status = 0
        """Instead of each answer about the object."""
        self.write_status = 0
        self.served = ["settings"]
        self.events: list[str] = []
        self.before_write: Callable[[], None] = lambda: None
        self.writes = 0
        self.is_undone = False
        """Whether admission changes each write back."""

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.route("*", "/{path:.*}", self._handle),)

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.path
        if path.endswith("/events"):
            self.events.append(json.loads(await request.read())["reason"])
            return web.json_response({}, status=201)
        if path == "/apis/longhorn.io/v1beta2":
            return web.json_response({"resources": [{"name": name} for name in self.served]})
        status = self.status or (404 if not self.one.exists else 0)
        if request.method == "PATCH":
            status = status or self.write_status
        if status:
            return _said(status)
        if request.method == "PATCH":
            self.before_write()
            body = json.loads(await request.read())
            version = (
                body["metadata"]["resourceVersion"]
                if isinstance(body, dict)
                else next(step["value"] for step in body if step["op"] == "test")
            )
            if version != str(self.one.writes):
                return _said(409)
            self._write(request, body)
        return web.json_response(self.one.manifest())

    def _write(self, request: web.Request, body: Any) -> None:
        self.writes += 1
        if self.is_undone:
            return
        manager = request.query["fieldManager"]
        if isinstance(body, dict):
            assert self.one.uid == body["metadata"]["uid"]
            others = [one for one in self.one.owners if one != manager]
            if "value" in body:
                assert request.query["force"] == "true" or not others
                self.one.write(body["value"], manager, applies=True)
            else:
                self.one.owners.pop(manager, None)
                self.one.write(None if not others else self.one.value, manager)
            return
        for step in body:
            if step["path"] == "/value":
                self.one.write(step.get("value"), manager)
            elif step["op"] == "remove":
                self.one.owners.pop(manager, None)
                self.one.writes += 1


def _said(status: int) -> web.Response:
    return web.json_response({"reason": "Made", "message": f"said {status}"}, status=status)


class Room:
    """The controller's fields, with what a reconciler does with them."""

    def __init__(self, server: OneObject, client: KubernetesClient) -> None:
        self.server = server
        self.enqueued: list[WorkloadRef] = []
        events = EventRecorder(client, lambda: NOW)
        self.fields = ResourceFields(client, events, enqueue=self.enqueued.append, interval=0.01)
        self.world = ResourceWorld(IMAGE, server.one)
        given = manifest(container(IMAGE), kind="DaemonSet", namespace=NAMESPACE)
        self.workload: Workload = workload(given)

    async def reconcile(self, *policies: Policy) -> FieldPlan:
        """Once, as WorkloadReconciler does."""
        ref = self.workload.ref
        self.world.policies = policies
        plan = self.world.decide(fields=self.fields.states(ref)).fields
        self.fields.plan(ref, plan)
        self.world.records = plan.records
        await self.fields.act(self.workload, plan)
        return plan

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the fields read meanwhile."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110  # no event says that it was read
                await asyncio.sleep(0.005)

    def state(self) -> FieldState:
        return self.fields.states(self.workload.ref)[USAGE]


def run(test: Callable[[Room], Awaitable[None]], value: Any = "true") -> OneObject:
    async def main() -> OneObject:
        one = CustomResource(USAGE, value, {MANAGER: "Update"} if value is not None else {})
        async with OneObject(one) as server:
            client = KubernetesClient(Transport.to(f"http://{server.address}:{server.port}"))
            room = Room(server, client)
            running = asyncio.create_task(room.fields.run())
            try:
                await room.reconcile()
                await room.until(lambda: room.state().fault is not FieldFault.NOT_READ)
                await test(room)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await client.close()
            return server

    return asyncio.run(main())


def test_what_is_new_is_read_before_it_is_decided_on() -> None:
    async def test(room: Room) -> None:
        room.fields.plan(room.workload.ref, NO_FIELDS)
        plan = room.world.decide(fields={}).fields
        assert await room.fields.introduce(room.workload.ref, plan)
        assert room.state().value == "true"
        assert not await room.fields.introduce(room.workload.ref, plan)

    run(test)


def test_it_is_read_and_set_and_reverted() -> None:
    async def test(room: Room) -> None:
        assert room.workload.ref in room.enqueued
        await room.reconcile(OFF)
        assert room.server.one.value == "false"
        assert room.state().value == "false"
        await room.reconcile()
        assert (room.server.one.value, room.server.one.owners) == ("true", {})

    server = run(test)
    assert server.events == ["TelemetrySettingOverridden", "TelemetrySettingRemoved"]


@pytest.mark.parametrize(
    ("status", "fault"), [(403, FieldFault.FORBIDDEN), (500, FieldFault.UNREACHABLE)]
)
def test_what_the_server_refuses_is_said(status: int, fault: FieldFault) -> None:
    async def test(room: Room) -> None:
        room.server.status = status
        await room.until(lambda: room.state().fault is fault)
        assert f"said {status}" in room.state().detail
        room.server.status = 0
        await room.until(lambda: room.state().value == "true")

    run(test)


def test_a_kind_that_is_not_served_is_not_an_object_that_is_absent() -> None:
    async def test(room: Room) -> None:
        room.server.one.exists = False
        await room.until(lambda: not room.state().exists)
        assert room.state().fault is None
        room.server.served = ["volumes"]
        await room.until(lambda: room.state().fault is FieldFault.KIND_MISSING)

    run(test)


def test_a_refused_write_waits_and_is_said_once() -> None:
    async def test(room: Room) -> None:
        room.server.write_status = 403
        for _ in range(3):
            await room.reconcile(OFF)
        assert room.state().refusal is FieldRefusal.FORBIDDEN
        assert room.server.one.value == "true"
        # Another policy is another attempt.
        room.server.write_status = 422
        await room.reconcile(policy())
        await room.reconcile(OFF)
        await room.reconcile(OFF)
        assert room.state().refusal is FieldRefusal.REFUSED

    assert run(test).events == ["TelemetryWriteRefused"] * 2


def test_a_write_that_admission_undoes_is_not_said_to_be_made() -> None:
    async def test(room: Room) -> None:
        room.server.is_undone = True
        for _ in range(3):
            await room.reconcile(OFF)
        assert room.state().value == "true"
        assert room.state().refusal is FieldRefusal.REFUSED
        assert "admission" in room.state().detail

    server = run(test)
    assert server.events == ["TelemetryWriteRefused"]
    assert server.writes == 1


def test_what_comes_in_between_is_not_overwritten() -> None:
    async def test(room: Room) -> None:
        room.server.before_write = lambda: room.server.one.write("T", "helm")
        await room.reconcile(OFF)
        assert room.server.one.value == "T"
        assert room.state().refusal is FieldRefusal.FAILED

    assert run(test).writes == 0


def test_what_was_decided_on_is_read_again_before_it_is_written() -> None:
    async def test(room: Room) -> None:
        room.world.policies = (OFF,)
        plan = room.world.decide(fields=room.fields.states(room.workload.ref)).fields
        room.server.one.write("f", "helm")
        room.fields.plan(room.workload.ref, plan)
        await room.fields.act(room.workload, plan)
        assert room.server.one.value == "f"

    assert run(test).writes == 0


def test_a_field_that_is_set_back_is_left_after_three_writes() -> None:
    async def test(room: Room) -> None:
        for _ in range(TIMES_PER_DAY + 2):
            await room.reconcile(OFF)
            room.server.one.write("true", "argocd")
            await room.until(lambda: room.state().value == "true")
        assert room.state().refusal is FieldRefusal.CONFLICT
        assert room.server.writes == TIMES_PER_DAY
        # The other value was not written so often.
        room.server.one.write("false", "argocd")
        await room.until(lambda: room.state().value == "false")
        room.enqueued.clear()
        await room.reconcile(IN)
        assert room.workload.ref in room.enqueued
        await room.reconcile(IN)
        assert room.server.one.value == "true"

    assert "TelemetryRemediationConflict" in run(test).events


def test_a_field_that_two_workloads_want_differently_is_contested() -> None:
    async def test(room: Room) -> None:
        room.world.policies = (IN,)
        desired = room.world.decide(fields={USAGE: read_field({}, USAGE), CHECK: ON}).fields
        room.enqueued.clear()
        room.fields.plan(OTHER, desired)
        assert room.workload.ref in room.enqueued
        await room.reconcile(OFF)
        await room.reconcile(OFF)
        assert room.server.one.value == "true"
        assert room.state().contested == str(OTHER)
        room.fields.plan(OTHER, NO_FIELDS)
        await room.reconcile(OFF)
        assert room.server.one.value == "false"

    run(test)


def test_nothing_is_left_of_a_workload_that_is_gone() -> None:
    async def test(room: Room) -> None:
        room.fields.plan(room.workload.ref, NO_FIELDS)
        assert room.fields.sizes() == {"fields": 0, "workloads": 0}
        assert room.fields.states(room.workload.ref) == {}

    run(test)
