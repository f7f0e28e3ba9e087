"""Every switch of the built-in catalogue, on a real API server with the webhook: set when a
workload is created, turned around, and taken away with the policy. The rows are those of the
products' tables."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from dev.bench.errors import BenchError
from dev.bench.server import AT_ONCE, Server, connect, until
from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.linting.table import TableKind
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.table_rows import Switched, every_switch
from tests.support.world import Manifest, World, container, policy, workload

pytestmark = pytest.mark.cluster

_POLICIES = "/apis/fleettelemetry.io/v1alpha1/namespaces/{}/telemetrypolicies"
_PATHS = {
    TableKind.DEPLOYMENT: "/apis/apps/v1/namespaces/{}/deployments",
    TableKind.CRON_JOB: "/apis/batch/v1/namespaces/{}/cronjobs",
}
_RECORDS = "/apis/fleettelemetry.io/v1alpha1/namespaces/{}/workloadtelemetries"
_SECONDS = 40.0


@dataclass(frozen=True)
class _Case:
    """A Deployment without replicas, or a CronJob that is never due, so that no pod is started."""

    name: str
    switched: Switched

    @property
    def manifest(self) -> Manifest:
        row = self.switched.row
        is_job = row.kind is TableKind.CRON_JOB
        only = container(self.switched.image, name=row.container)
        shape = {"schedule": "0 0 30 2 *"} if is_job else {"replicas": 0}
        return workload(row.kind.value, self.name, only, **shape)

    def path_in(self, namespace: str) -> str:
        """Where workloads of its kind are."""
        return _PATHS[self.switched.row.kind].format(namespace)


def test_every_switch_is_set_turned_around_and_taken_away(world: World) -> None:
    by_channel: dict[ChannelName, list[_Case]] = {}
    for number, switched in enumerate(every_switch()):
        cases = by_channel.setdefault(switched.row.channel, [])
        cases.append(_Case(f"{switched.product[:40]}-{number}", switched))
    assert sum(map(len, by_channel.values())) >= len({one.product for one in every_switch()})
    problems = asyncio.run(_run(world, by_channel))
    assert problems == []


async def _run(world: World, by_channel: dict[ChannelName, list[_Case]]) -> list[str]:
    async with connect(world.cluster) as server:
        problems = []
        for channel, cases in by_channel.items():
            namespace = f"every-{channel.lower()}"
            await server.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            problems += await _Channel(server, namespace, channel, cases).run()
            await server.delete(f"/api/v1/namespaces/{namespace}")
        return problems


@dataclass
class _Channel:
    """The switches of one channel, in a namespace with a policy for it."""

    server: Server
    namespace: str
    channel: ChannelName
    cases: Sequence[_Case]

    async def run(self) -> list[str]:
        """What is not as the tables say."""
        manifest = policy(channels=[self.channel], injection={"when": "Always", "arguments": True})
        path = _POLICIES.format(self.namespace)
        await self.server.create(path, manifest)
        await self._until_set(lambda row: row.row.disabled)
        created = dict(await self._all(self._create))
        problems = [*self._compare("created", created, lambda one: one.row.disabled)]
        await self._until_recorded()

        await self.server.merge(f"{path}/opt-out", {"spec": {"submission": "Enabled"}})
        await self._until_set(lambda row: row.row.enabled)
        enabled = dict(await self._all(self._touch))
        problems += self._compare("opted in", enabled, lambda one: one.row.enabled)

        await self.server.merge(f"{path}/opt-out", {"spec": {"submission": "Disabled"}})
        await self._until_set(lambda row: row.row.disabled)
        disabled = dict(await self._all(self._touch))
        problems += self._compare("opted out", disabled, lambda one: one.row.disabled)
        if problems:
            return problems
        await self._until_recorded()

        await self.server.delete(f"{path}/opt-out")
        await self._until_set(lambda _: ())
        reverted = dict(await self._all(self._touch))
        problems += self._compare("taken away", reverted, lambda _: ())
        return problems

    async def _create(self, case: _Case) -> tuple[str, Manifest]:
        body = json.dumps(case.manifest).encode()
        answer = await self.server.post(case.path_in(self.namespace), body)
        return case.name, json.loads(answer)

    async def _touch(self, case: _Case) -> tuple[str, Manifest]:
        """As kubectl edit does it: read, change something else, and write the whole object, again
        if somebody wrote in between. Without replicas, that is the controller, too."""
        path = f"{case.path_in(self.namespace)}/{case.name}"
        for attempt in range(20):
            stored = await self.server.get(path)
            template = dig(stored, *TEMPLATE_PATHS[case.switched.row.kind])
            annotations = template["metadata"].setdefault("annotations", {})
            annotations["touched"] = f"{annotations.get('touched', '')}x"
            try:
                return case.name, await self.server.replace(path, stored)
            except BenchError as error:
                if "said 409" not in str(error) or attempt == 19:
                    raise
        raise AssertionError("unreachable")

    async def _all(
        self, act: Callable[[_Case], Awaitable[tuple[str, Manifest]]]
    ) -> list[tuple[str, Manifest]]:
        done: list[tuple[str, Manifest]] = []
        for start in range(0, len(self.cases), AT_ONCE):
            batch = self.cases[start : start + AT_ONCE]
            done += await asyncio.gather(*(act(case) for case in batch))
        return done

    def _compare(
        self,
        when: str,
        found: dict[str, Manifest],
        wanted: Callable[[Switched], Iterable[str]],
    ) -> Iterator[str]:
        for case in self.cases:
            is_set, should_be = sorted(_settings(found[case.name])), sorted(wanted(case.switched))
            if is_set != should_be:
                image = case.switched.image
                yield f"{when}, {self.channel}, {image}: {is_set}, not {should_be}"

    async def _until_set(self, wanted: Callable[[Switched], Iterable[str]]) -> None:
        """The webhook has a watch of its own: ask it until it knows the policy."""
        case = next(
            one
            for one in self.cases
            if sorted(one.switched.row.disabled) != sorted(one.switched.row.enabled)
        )
        probe = copy.deepcopy(case.manifest)
        probe["metadata"]["name"] = "probe"
        path = f"{case.path_in(self.namespace)}?dryRun=All"

        async def is_set() -> bool:
            answer: dict[str, Any] = json.loads(
                await self.server.post(path, json.dumps(probe).encode())
            )
            return sorted(_settings(answer)) == sorted(wanted(case.switched))

        await until(f"the policy of {self.channel} in the webhook", _SECONDS, is_set)

    async def _until_recorded(self) -> None:
        """What is injected is recorded: an argument that nobody recorded is the user's."""
        wanted = {
            f"{one.switched.row.kind.lower()}-{one.name}"
            for one in self.cases
            if one.switched.row.disabled
        }

        async def is_recorded() -> bool:
            found = await self.server.get(_RECORDS.format(self.namespace))
            recorded = {
                one["metadata"]["name"]
                for one in found["items"]
                if one.get("status", {}).get("injected")
            }
            missing[:] = sorted(wanted - recorded)
            return not missing

        missing: list[str] = []
        try:
            await until(f"the records of {self.channel}", _SECONDS, is_recorded)
        except BenchError as error:
            raise AssertionError(f"{error}: {missing[:10]}") from None


def _settings(found_workload: Manifest) -> Iterator[str]:
    """The variables and arguments, and the suspension, as tables write them."""
    if dig(found_workload, "spec", "suspend"):
        yield "spec.suspend=true"
    (found,) = dig(found_workload, *TEMPLATE_PATHS[found_workload["kind"]], "spec", "containers")
    for entry in found.get("env", ()):
        yield f"{entry['name']}={entry.get('value', '')}"
    yield from found.get("args", ())
