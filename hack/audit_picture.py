"""The picture of an audit that the README begins with: what the examples print on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.registry import FORMATS
from fleet_telemetry.audit.sources import Definitions
from hack.terminal_picture import picture

FOLDER = "examples/audit"
_WIDTH = 100
_TITLE = "The audit of the examples: what sends telemetry, what does not, and what cannot be known"


def audit_picture(root: Path) -> str:
    """The audit of the examples in ``root`` as SVG."""
    now = datetime(2026, 1, 1, tzinfo=UTC)  # nothing in a file depends on it
    result = audit(
        [gather_files([str(root / FOLDER)], io.BytesIO(), "default", now)], now, Definitions()
    )
    output = FORMATS["table"].render(result, Screen(width=_WIDTH, colour=True))
    return picture(f"fleet-telemetry audit {FOLDER}", output, _TITLE)
