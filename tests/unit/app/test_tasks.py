"""Tasks end when the process ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from fleet_telemetry.app.tasks import cancel, end_all_tasks


async def _stubborn(swallowed: int) -> None:
    """Swallows the given number of cancellations."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            swallowed -= 1
            if swallowed < 0:
                raise


def test_tasks_that_swallow_their_cancellation_end_all_the_same() -> None:
    async def main() -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(_stubborn(swallowed)) for swallowed in (0, 1, 5)]
        await asyncio.sleep(0)
        await end_all_tasks()
        return tasks

    assert all(task.cancelled() for task in asyncio.run(main()))


def test_a_task_that_never_ends_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_telemetry.app.tasks._ATTEMPTS", 3)

    async def main() -> None:
        task = asyncio.create_task(_stubborn(3))
        await asyncio.sleep(0)
        await end_all_tasks()
        assert not task.done()

    asyncio.run(main())
    assert caplog.messages == ["1 tasks do not end"]


@pytest.mark.thorough
def test_a_task_that_fails_while_cancelled_blocks_nothing_and_is_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_telemetry.app.tasks._END_SECONDS", 0.1)

    async def fails() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise RuntimeError

    async def main() -> asyncio.Task[None]:
        stubborn = asyncio.create_task(_stubborn(1))
        failed = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await cancel([stubborn, failed, asyncio.create_task(_stubborn(0))])
        assert failed.done()
        return stubborn

    assert asyncio.run(main()).cancelled()  # by the end of the loop
    gc.collect()
    assert caplog.messages == []


def test_no_tasks_to_cancel_is_no_error() -> None:
    asyncio.run(cancel([]))
