"""Namespaces take turns."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleet_telemetry.controllers.runtime.fair_queue import FairQueue
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from tests.support.impatient import ImpatientLoop

MOST = 2


def test_a_namespace_with_many_items_lets_the_others_go_first() -> None:
    queue: FairQueue[str] = FairQueue(100)
    for number in range(50):
        queue.add("many", f"m{number}")
    queue.add("one", "o")
    queue.add("two", "t")
    assert [queue.get_now() for _ in range(4)] == [
        ("many", "m0"),
        ("one", "o"),
        ("two", "t"),
        ("many", "m1"),
    ]


def test_a_namespace_has_a_limit_of_items_that_run() -> None:
    queue: FairQueue[str] = FairQueue(MOST)
    for number in range(5):
        queue.add("slow", f"s{number}")
    assert [queue.get_now() for _ in range(3)] == [("slow", "s0"), ("slow", "s1"), None]
    queue.add("quick", "q")
    assert queue.get_now() == ("quick", "q")
    queue.done("slow", "s1")
    assert queue.get_now() == ("slow", "s2")
    assert queue.get_now() is None


def test_an_item_is_in_the_queue_once_and_runs_once_at_a_time() -> None:
    queue: FairQueue[str] = FairQueue(MOST)
    queue.add("apps", "a")
    queue.add("apps", "a")
    assert len(queue) == 1
    assert queue.get_now() == ("apps", "a")
    queue.add("apps", "a")
    queue.add("apps", "a")
    assert queue.get_now() is None
    queue.done("apps", "a")
    assert queue.get_now() == ("apps", "a")
    queue.done("apps", "a")
    assert queue.get_now() is None


def test_what_is_discarded_is_not_run() -> None:
    queue: FairQueue[str] = FairQueue(MOST)
    queue.add("apps", "a")
    queue.discard("apps", "a")
    queue.discard("other", "a")
    assert queue.get_now() is None
    queue.add("apps", "a")
    queue.get_now()
    queue.add("apps", "a")
    queue.discard("apps", "a")
    queue.done("apps", "a")
    assert queue.get_now() is None
    assert queue.namespaces == 0


class Machine(RuleBasedStateMachine):
    """Any order of calls."""

    NAMESPACES = st.sampled_from(["a", "b", "c"])
    ITEMS = st.sampled_from(["1", "2", "3", "4"])

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[str] = FairQueue(MOST)
        self.wanted: set[tuple[str, str]] = set()
        self.running: list[tuple[str, str]] = []
        self.waits: Counter[str] = Counter()
        """For each namespace with an item that may run: how often others went first."""

    @rule(namespace=NAMESPACES, item=ITEMS)
    def add(self, namespace: str, item: str) -> None:
        self.queue.add(namespace, item)
        self.wanted.add((namespace, item))

    @rule(namespace=NAMESPACES, item=ITEMS)
    def discard(self, namespace: str, item: str) -> None:
        self.queue.discard(namespace, item)
        self.wanted.discard((namespace, item))

    @rule()
    def get(self) -> None:
        ready = self.ready()
        found = self.queue.get_now()
        if found is None:
            assert not ready
            return
        assert found in self.wanted
        assert found[0] in ready
        self.wanted.remove(found)
        self.running.append(found)
        for namespace in ready - {found[0]}:
            self.waits[namespace] += 1
            assert self.waits[namespace] < len("abc")
        del self.waits[found[0]]

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        found = data.draw(st.sampled_from(self.running))
        self.running.remove(found)
        self.queue.done(*found)

    def ready(self) -> set[str]:
        at_work = Counter(namespace for namespace, _ in self.running)
        return {
            namespace
            for namespace, item in self.wanted
            if (namespace, item) not in self.running and at_work[namespace] < MOST
        }

    @invariant()
    def limits(self) -> None:
        at_work = Counter(namespace for namespace, _ in self.running)
        assert all(count <= MOST for count in at_work.values())
        assert len(set(self.running)) == len(self.running)
        assert len(self.queue) == len(self.wanted)
        assert self.queue.namespaces == len({name for name, _ in [*self.wanted, *self.running]})
        for namespace in set("abc") - self.ready():
            del self.waits[namespace]


TestAnyOrder = Machine.TestCase


def test_whoever_waits_is_woken() -> None:
    async def main() -> None:
        queue: FairQueue[str] = FairQueue(MOST)
        waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(1)
        for item in "xyz":
            queue.add(item, item)
        async with asyncio.timeout(1):
            assert sorted(await asyncio.gather(*waiting)) == [(item, item) for item in "xyz"]

    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_gate_remembers_only_the_hosts_in_use(cancelled: bool) -> None:
    now, most = 0, 0

    async def use(gate: HostGate, host: str) -> None:
        nonlocal now, most
        async with gate.use(host):
            now += 1
            most = max(most, now)
            try:
                await asyncio.sleep(10)
            finally:
                now -= 1

    async def main() -> None:
        gate = HostGate(2)
        users = [asyncio.create_task(use(gate, "one")) for _ in range(7)]
        await asyncio.sleep(1)
        assert len(gate) == 1
        if cancelled:
            for user in users:
                user.cancel()
        await asyncio.gather(*users, return_exceptions=True)
        assert most == 2
        assert len(gate) == 0

    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(main())
