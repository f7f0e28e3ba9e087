"""Runs one process in its role."""

from __future__ import annotations

from fleet_telemetry.app.build import build
from fleet_telemetry.app.options import Options
from fleet_telemetry.app.tasks import end_all_tasks


async def run(options: Options) -> None:
    """Run until a signal arrives. Raises OSError if an address is in use or a file is missing."""
    try:
        app = await build(options)
        try:
            await app.start()
            await app.run()
        finally:
            await app.stop()
    finally:
        await end_all_tasks()
