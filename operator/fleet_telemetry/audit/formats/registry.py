"""The forms of output, the default first. To add one: a file with its class, and a line here."""

from __future__ import annotations

from fleet_telemetry.audit.formats.format import Format
from fleet_telemetry.audit.formats.json_format import JsonFormat

FORMATS: dict[str, Format] = {one.name: one for one in (JsonFormat(),)}
