"""The forms of output, the default first. To add one: a file with its class, and a line here."""

from __future__ import annotations

from fleet_telemetry.audit.formats.csv_format import CsvFormat
from fleet_telemetry.audit.formats.fix_text import FixText
from fleet_telemetry.audit.formats.format import OutputFormat
from fleet_telemetry.audit.formats.html_format import HtmlFormat
from fleet_telemetry.audit.formats.json_format import JsonFormat
from fleet_telemetry.audit.formats.junit import JunitFormat
from fleet_telemetry.audit.formats.kustomize import KustomizeFormat
from fleet_telemetry.audit.formats.markdown import MarkdownFormat
from fleet_telemetry.audit.formats.sarif import SarifFormat
from fleet_telemetry.audit.formats.table import TableFormat
from fleet_telemetry.audit.formats.yaml_format import YamlFormat

_ALL: tuple[OutputFormat, ...] = (
    TableFormat(),
    JsonFormat(),
    YamlFormat(),
    CsvFormat(),
    MarkdownFormat(),
    SarifFormat(),
    JunitFormat(),
    HtmlFormat(),
)
FORMATS: dict[str, OutputFormat] = {one.name: one for one in _ALL}

FIX_FORMATS: dict[str, OutputFormat] = {one.name: one for one in (FixText(), KustomizeFormat())}
"""The forms of ``--fix``."""
