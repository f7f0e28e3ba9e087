"""Dependency-Track, versions 4 and 5.

Read in DependencyTrack/dependency-track:

- 4.13.0 and 4.14.3, ``src/main/java/org/dependencytrack/tasks/TelemetrySubmissionTask.java``: the
  setting is read on every run, a missing row is off, and what was sent is kept as JSON text.
- 4.13.0 and 4.14.3, ``src/main/java/org/dependencytrack/model/ConfigPropertyConstants.java``: the
  names of the properties.
- 5.0.4, ``apiserver/src/main/java/org/dependencytrack/model/ConfigPropertyConstants.java``: the
  same names; a missing row is on.

Recorded: a real 4.13.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.http import SMALL_ANSWER, Answer, VendorApi, VendorError, read_json
from fleet_telemetry.vendors.protocol import Credentials, InstanceReport, header_secret

_PROPERTIES = "/api/v1/configProperty"
_GROUP = "telemetry"
_ENABLED = "submission.enabled"
_WHEN = "last.submission.epoch.seconds"
_DATA = "last.submission.data"
_MOST_NAMES = 64
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9A-Za-z-]{1,20}){1,5}")
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class DependencyTrack:
    """Reads and writes the config property ``telemetry/submission.enabled``.

    The API key needs the permission SYSTEM_CONFIGURATION; in version 5 SYSTEM_CONFIGURATION_READ is
    enough to read.
    """

    keys: tuple[str, ...] = ("apiKey",)
    settable = True
    per_pod = False

    async def read(self, api: VendorApi, credentials: Credentials) -> InstanceReport:
        """Read the database's value, which the server reads at every submission."""
        answer = await api.request("GET", _PROPERTIES, headers=_headers(credentials))
        rows = _telemetry_rows(answer.check())
        row = rows.get(_ENABLED)
        if row is None:
            version = await _version(api)
            return _without_row(version)
        try:
            version = await _version(api)
        except VendorError:
            version = ""  # the setting is reported without a version
        note = ""
        inventory: tuple[str, ...] = ()
        data = _value(rows.get(_DATA))
        if data is not None:
            inventory, note = _names(data)
        return InstanceReport(
            setting=_setting(_value(row)),
            version=version or None,
            last_submission=_time(_value(rows.get(_WHEN))),
            inventory=inventory,
            note=note,
        )

    async def write(self, api: VendorApi, credentials: Credentials, desired: Submission) -> None:
        """Set the row; it takes effect at once. Versions 4 and 5 return the stored row."""
        value = "true" if desired is Submission.ENABLED else "false"
        answer = await api.request(
            "POST",
            _PROPERTIES,
            headers=_headers(credentials),
            content={"groupName": _GROUP, "propertyName": _ENABLED, "propertyValue": value},
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise VendorError(
                Reason.API_NOT_FOUND,
                f"{answer.what} answered 404: there is no property {_GROUP}/{_ENABLED} (versions"
                f" before 4.13 have none), or another API answers",
            )
        stored = answer.check().json(dict)
        if stored.get("propertyName") != _ENABLED or stored.get("propertyValue") != value:
            raise answer.unexpected(f"which does not say that {_ENABLED} is {value} now")


def _headers(credentials: Credentials) -> dict[str, str]:
    return {"X-Api-Key": header_secret(credentials, "apiKey")}


def _telemetry_rows(answer: Answer) -> dict[str, Mapping[str, Any]]:
    rows = answer.json(list)
    if not all(isinstance(row, dict) for row in rows):
        raise answer.unexpected("where an array of properties was expected")
    return {
        row["propertyName"]: row
        for row in rows
        if row.get("groupName") == _GROUP and isinstance(row.get("propertyName"), str)
    }


def _value(row: Mapping[str, Any] | None) -> str | None:
    """The row's value; nulls are left out by version 4."""
    value = (row or {}).get("propertyValue")
    return value if isinstance(value, str) else None


def _setting(value: str | None) -> Setting:
    """The API stores "true" or "false"; another value was not written by the API."""
    match (value or "").strip().lower():
        case "true" | "1":
            return Setting.ENABLED
        case "false" | "0":
            return Setting.DISABLED
        case _:
            return Setting.UNKNOWN


def _without_row(version: str) -> InstanceReport:
    """No row: off up to version 4 (which before 4.13 knows no telemetry), on from version 5."""
    if int(version.partition(".")[0]) >= 5:  # noqa: PLR2004
        return InstanceReport(
            setting=Setting.ENABLED,
            version=version,
            note=f"It has no property {_GROUP}/{_ENABLED}, which counts as on from version 5.",
        )
    return InstanceReport(
        setting=Setting.DISABLED,
        version=version,
        note=f"It has no property {_GROUP}/{_ENABLED}, which counts as off in version 4.",
    )


async def _version(api: VendorApi) -> str:
    """Read without credentials. Raises VendorError if this is not Dependency-Track."""
    answer = (await api.request("GET", "/api/version", largest=SMALL_ANSWER)).check()
    about = answer.json(dict)
    version = about.get("version")
    if (
        about.get("application") != "Dependency-Track"
        or not isinstance(version, str)
        or not _VERSION.fullmatch(version)
    ):
        raise answer.unexpected("where Dependency-Track's version was expected")
    return version


def _time(value: str | None) -> datetime | None:
    if value is None or not _SECONDS.fullmatch(value):
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _names(data: str) -> tuple[tuple[str, ...], str]:
    """The names of the fields of the last submission, and a note about them."""
    try:
        sent = read_json(data)
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        return (), "What it sent last is not readable."
    names = sorted(name for name in sent if _FIELD.fullmatch(name))
    left = len(sent) - len(names[:_MOST_NAMES])
    return tuple(names[:_MOST_NAMES]), f"It sent {left} more fields." if left else ""
