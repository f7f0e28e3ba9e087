"""The APIs in which reports for auditors can be written."""

from __future__ import annotations

from enum import StrEnum


class ReportsApi(StrEnum):
    """In which form reports are written."""

    AUTO = "Auto"
    """OpenReports where it is served, else PolicyReport where that is, else none."""
    OPEN_REPORTS = "OpenReports"
    POLICY_REPORT = "PolicyReport"
    OFF = "Off"
