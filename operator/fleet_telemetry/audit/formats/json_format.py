"""JSON, for programs."""

from __future__ import annotations

import msgspec

from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.plain import encodable
from fleet_telemetry.audit.formats.wording import escaped_lines
from fleet_telemetry.audit.result import Audit


class JsonFormat:
    """The result as it is, indented."""

    name = "json"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        text = msgspec.json.format(msgspec.json.encode(encodable(audit)), indent=2).decode()
        return "\n".join(escaped_lines(text)) + "\n"
