"""The forms of output, the default first. To add one: a file with its class, and a line here."""

from __future__ import annotations

from fleet_telemetry.audit.formats.fix_text import FixText
from fleet_telemetry.audit.formats.format import Format
from fleet_telemetry.audit.formats.json_format import JsonFormat
from fleet_telemetry.audit.formats.kustomize import KustomizeFormat

FORMATS: dict[str, Format] = {one.name: one for one in (JsonFormat(),)}
FIX_FORMATS: dict[str, Format] = {one.name: one for one in (FixText(), KustomizeFormat())}
"""The forms of ``--fix``."""
