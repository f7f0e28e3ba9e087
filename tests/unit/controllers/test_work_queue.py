"""Keys wait once, one worker at a time works on a key, and a failed key comes back later and later.

Time is the event loop's, and here it passes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.work_queue import WorkQueue
from tests.support.depth import examples
from tests.support.impatient import ImpatientLoop

Queue = WorkQueue[str]


def run(body: Callable[[Queue], Awaitable[None]]) -> None:
    async def main() -> None:
        errors: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
        queue = Queue()
        queue.open()
        await body(queue)
        queue.close()
        assert errors == []

    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_keys_come_in_the_order_of_their_arrival_and_once() -> None:
    async def body(queue: Queue) -> None:
        for key in "abcab":
            queue.add(key)
        assert len(queue) == 3
        assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
        assert len(queue) == 0

    run(body)


def test_the_age_of_the_queue_is_that_of_whoever_waits_longest() -> None:
    async def body(queue: Queue) -> None:
        assert queue.oldest_age() == 0
        queue.add("a")
        await asyncio.sleep(3)
        queue.add("b")
        queue.add("a")
        await asyncio.sleep(2)
        assert queue.oldest_age() == pytest.approx(5)
        # A scrape asks from a thread of its own.
        with ThreadPoolExecutor() as pool:
            assert pool.submit(queue.oldest_age).result() == pytest.approx(5)
        await queue.get()
        assert queue.oldest_age() == pytest.approx(2)
        await queue.get()
        assert queue.oldest_age() == 0

    run(body)


def test_how_long_a_key_waited_and_how_long_the_oldest_work_has_lasted() -> None:
    async def body(queue: Queue) -> None:
        assert queue.longest_running() == 0
        queue.add("a")
        queue.add("b")
        await asyncio.sleep(3)
        assert queue.longest_running() == 0  # nobody works on them
        await queue.get()
        await asyncio.sleep(4)
        await queue.get()
        await asyncio.sleep(1)
        assert queue.waited("a") == pytest.approx(3)
        assert queue.waited("b") == pytest.approx(7)
        # A scrape asks from a thread of its own.
        with ThreadPoolExecutor() as pool:
            assert pool.submit(queue.longest_running).result() == pytest.approx(5)
        queue.add("a")  # waits from now on, although work on it is under way
        queue.done("a")
        assert queue.longest_running() == pytest.approx(1)
        queue.add_rate_limited("b")
        assert queue.longest_running() == 0
        await asyncio.sleep(2)
        assert await queue.get() == "a"
        assert queue.waited("a") == pytest.approx(2)
        # The delay of a key that failed is no time in the queue.
        assert await queue.get() == "b"
        assert queue.waited("b") < 2

    run(body)


def test_work_that_a_closed_queue_cut_off_is_not_running() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        await asyncio.sleep(5)
        queue.close()
        assert queue.longest_running() == 0

    run(body)


def test_a_key_is_worked_on_by_one_worker_at_a_time() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        # What came meanwhile is not lost, and counts once.
        assert len(queue) == 1
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    run(body)


def test_whoever_waits_is_woken_and_only_one_gets_it() -> None:
    async def body(queue: Queue) -> None:
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.add("a")
        queue.add("b")
        done, pending = await asyncio.wait(workers, timeout=1)
        assert {task.result() for task in done} == {"a", "b"}
        (idle,) = pending
        idle.cancel()

    run(body)


def test_a_key_that_fails_comes_back_later_and_later_but_at_least_once_a_minute() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        delays = []
        for _ in range(12):
            await queue.get()
            began = now()
            delays.append(queue.add_rate_limited("a"))
            assert len(queue) == 0
            assert await queue.get() == "a"
            assert now() - began == pytest.approx(delays[-1])
            queue.add("a")  # so that the next failure is of a key that is wanted again
            delays.append(queue.add_rate_limited("a"))
            assert len(queue) == 1
        assert delays[:10] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0]
        assert set(delays[9:]) == {60.0}

    run(body)


def test_success_forgets_the_failures() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        for expected in (0.2, 0.4):
            await queue.get()
            assert queue.add_rate_limited("a") == expected
        await queue.get()
        queue.done("a")
        queue.add("a")
        await queue.get()
        assert queue.add_rate_limited("a") == 0.2

    run(body)


def test_failures_are_counted_by_key() -> None:
    async def body(queue: Queue) -> None:
        for key, expected in (("a", 0.2), ("a", 0.4), ("b", 0.2)):
            queue.add(key)
            assert await queue.get() == key
            assert queue.add_rate_limited(key) == expected

    run(body)


def test_news_of_a_failed_key_do_not_wait_for_its_delay() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add_rate_limited("a")
        queue.add("a")
        assert len(queue) == 1
        await queue.get()
        queue.done("a")
        # ... and the delay that is no longer waited for adds nothing.
        await asyncio.sleep(120)
        assert len(queue) == 0

    run(body)


def test_news_that_came_while_it_failed_come_at_once() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add("a")
        queue.add_rate_limited("a")
        assert len(queue) == 1
        await queue.get()
        queue.done("a")
        await asyncio.sleep(120)
        assert len(queue) == 0

    run(body)


def test_later_means_later_and_the_earliest_of_several_counts() -> None:
    async def body(queue: Queue) -> None:
        began = now()
        queue.add_after("a", 10)
        queue.add_after("a", 3)
        queue.add_after("a", 5)
        assert len(queue) == 0
        assert await queue.get() == "a"
        assert now() - began == pytest.approx(3)
        queue.done("a")
        await asyncio.sleep(60)
        assert len(queue) == 0

    run(body)


def test_later_while_it_is_worked_on_means_after_the_work() -> None:
    async def body(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add_after("a", 1)
        await asyncio.sleep(2)
        assert len(queue) == 0
        queue.done("a")
        assert len(queue) == 1

    run(body)


def test_a_closed_queue_has_no_keys_and_takes_none() -> None:
    async def body(queue: Queue) -> None:
        queue.add_after("a", 1)
        queue.add_after("b", 2)
        queue.add("c")
        queue.close()
        queue.add("d")
        queue.add_after("e", 1)
        await asyncio.sleep(10)
        assert len(queue) == 0
        queue.open()
        queue.add("f")
        assert await queue.get() == "f"

    run(body)


def test_a_key_may_fail_for_days() -> None:
    async def body(queue: Queue) -> None:
        for _ in range(1100):
            queue.add("a")
            await queue.get()
            delay = queue.add_rate_limited("a")
        assert delay == 60.0

    run(body)


STEP = st.sampled_from(["add", "later", "take", "done", "failed", "wait"])


@examples(150)
@given(st.lists(st.tuples(STEP, st.sampled_from("ab")), max_size=25))
def test_nothing_is_lost_and_nothing_is_worked_on_twice_at_a_time(
    steps: list[tuple[str, str]],
) -> None:
    async def body(queue: Queue) -> None:
        active: set[str] = set()
        wanted: set[str] = set()  # since it was last taken
        timed: set[str] = set()
        for step, key in steps:
            match step:
                case "add":
                    queue.add(key)
                    wanted.add(key)
                case "later":
                    queue.add_after(key, 1)
                    wanted.add(key)
                    timed.add(key)
                case "take" if len(queue):
                    found = await queue.get()
                    assert found not in active
                    active.add(found)
                    wanted.discard(found)
                case "done" if key in active:
                    queue.done(key)
                    active.discard(key)
                case "failed" if key in active:
                    queue.add_rate_limited(key)
                    active.discard(key)
                    wanted.add(key)
                case "wait":
                    await asyncio.sleep(1000)
        for key in sorted(active):
            queue.done(key)
        await asyncio.sleep(1000)
        left = [await queue.get() for _ in range(len(queue))]
        assert len(left) == len(set(left))
        # What was to come later may have come in between, and comes again.
        assert wanted <= set(left) <= wanted | timed

    run(body)
