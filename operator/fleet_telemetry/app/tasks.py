"""Waiting for tasks and ending them."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Collection, Coroutine
from typing import Any

_log = logging.getLogger(__name__)

_ATTEMPTS = 100
_ATTEMPT_SECONDS = 0.05
_END_SECONDS = 5.0
"""How long cancelled tasks may take to end: releasing the Lease takes a request."""


async def unless_stopped(work: Coroutine[None, None, None]) -> bool:
    """Run a coroutine until it ends or a signal arrives; whether it ended."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return False
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return True


async def end_all_tasks() -> None:
    """Cancel all other tasks until they have ended, for a few seconds at most.

    One cancellation is not enough. If a watcher of kopf is cancelled together with its pause
    waiter while it waits for the first byte of a watch, it takes that for a pause and continues
    (kopf 1.45.2, kopf/_cogs/clients/api.py: stream). The process would never end, and so would
    not be restarted.
    """
    for _ in range(_ATTEMPTS):
        others = _other_tasks()
        if not others:
            return
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=_ATTEMPT_SECONDS)
    _log.error("%d tasks do not end", len(_other_tasks()))


def _other_tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def cancel(tasks: Collection[asyncio.Future[None]]) -> None:
    """Cancel tasks and wait until they have ended, for a few seconds at most."""
    for task in tasks:
        task.cancel()
    if tasks:
        done, _ = await asyncio.wait(tasks, timeout=_END_SECONDS)
        for task in done:
            if not task.cancelled():
                # The first failure is raised elsewhere. Reading the others keeps asyncio from
                # logging them.
                task.exception()
