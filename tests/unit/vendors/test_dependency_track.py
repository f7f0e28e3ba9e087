"""Dependency-Track is read and set as it really works, in versions before telemetry, 4 and 5."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from dev.fakes import ApiFault
from dev.fakes.dependency_track import FakeDependencyTrack as FakeProduct
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.dependency_track import DependencyTrack
from fleet_telemetry.vendors.http import VendorError
from tests.support.every import every
from tests.support.vendor_cases import HOST, asking

KEY = {"apiKey": "odt_Hq7_may_configure"}
WEAK = {"apiKey": "odt_Zk2_may_not_configure"}
ADAPTER = DependencyTrack()


def _fake(**options: Any) -> FakeProduct:
    return FakeProduct(names=[HOST], **options)


def _read(fake: FakeProduct, credentials: dict[str, str] = KEY) -> InstanceReport:
    async def run() -> InstanceReport:
        async with asking(fake) as api:
            return await ADAPTER.read(api, credentials)

    return asyncio.run(run())


def _write(fake: FakeProduct, wish: Submission, credentials: dict[str, str] = KEY) -> None:
    async def run() -> None:
        async with asking(fake) as api:
            await ADAPTER.write(api, credentials, wish)

    asyncio.run(run())


@pytest.mark.thorough
@every("version", ["4.13.0", "4.13.6", "4.14.3", "5.0.0-rc.2", "5.0.4"])
@every(
    ("stored", "setting"),
    [
        ("true", Setting.ENABLED),
        ("TRUE", Setting.ENABLED),
        ("1", Setting.ENABLED),
        ("false", Setting.DISABLED),
        ("maybe", Setting.UNKNOWN),
        (None, Setting.UNKNOWN),
    ],
)
def test_reads_the_row(version: str, stored: str | None, setting: Setting) -> None:
    assert _read(_fake(version=version, enabled=stored)) == InstanceReport(setting, version)


@pytest.mark.parametrize(
    ("version", "setting"),
    [
        ("4.12.7", Setting.DISABLED),
        ("4.13.6", Setting.DISABLED),
        ("4.14.3", Setting.DISABLED),
        ("5.0.0-rc.2", Setting.ENABLED),
        ("5.0.4", Setting.ENABLED),
    ],
)
def test_no_row_is_off_up_to_version_4_and_on_in_version_5(version: str, setting: Setting) -> None:
    fake = _fake(version=version)
    fake.values = {}
    reading = _read(fake)
    assert (reading.setting, reading.version) == (setting, version)
    assert "no property telemetry/submission.enabled" in reading.note


@pytest.mark.parametrize(
    "fault", [ApiFault.HTML_200, ApiFault.NOT_FOUND_404, ApiFault.JSON_ERRORS_200]
)
def test_no_row_means_nothing_where_the_version_is_not_told(fault: ApiFault) -> None:
    fake = _fake(version="4.12.7")
    fake.fail(fault, path="/api/version")
    with pytest.raises(VendorError) as caught:
        _read(fake)
    assert caught.value.reason in (Reason.UNEXPECTED_ANSWER, Reason.API_NOT_FOUND)


@pytest.mark.parametrize(
    "about",
    [
        {"application": "Another", "version": "4.12.7"},
        {"version": "4.12.7"},
        {"application": "Dependency-Track"},
        {"application": "Dependency-Track", "version": "latest"},
        {"application": "Dependency-Track", "version": 5},
    ],
)
def test_no_row_means_nothing_where_this_is_not_dependency_track(about: dict[str, Any]) -> None:
    class Odd(FakeProduct):
        async def _about(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(about)

    with pytest.raises(VendorError, match="Dependency-Track's version was expected") as caught:
        _read(Odd(names=[HOST], version="4.12.7"))
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


def test_the_row_counts_where_the_version_is_not_told() -> None:
    fake = _fake(enabled="false")
    fake.fail(ApiFault.ERROR_500, path="/api/version")
    assert _read(fake) == InstanceReport(Setting.DISABLED, None)


def test_nothing_has_been_sent_yet() -> None:
    reading = _read(_fake())
    assert reading.last_submission is None
    assert reading.inventory == ()
    assert reading.note == ""


def test_tells_when_and_what_was_sent_last_by_names_only() -> None:
    fake = _fake()
    fake.submit(1_795_000_000)
    reading = _read(fake)
    assert reading.last_submission == datetime.fromtimestamp(1_795_000_000, UTC)
    assert reading.inventory == ("db_type", "db_version", "dt_version", "system_id")
    assert "00000000-0000-4000-8000-000000000001" not in repr(reading)


@pytest.mark.parametrize(
    "when", ["", "soon", "-", "1e9", "9" * 30, "9" * 5000, "NaN", "99999999999999"]
)
def test_a_time_that_is_none_is_left_out(when: str) -> None:
    fake = _fake()
    fake.values["last.submission.epoch.seconds"] = when
    assert _read(fake) == InstanceReport(Setting.ENABLED, "4.13.6")


@pytest.mark.parametrize("data", ["", "{", "[]", '"text"', "{'a': 1}", "[" * 50_000])
def test_what_was_sent_and_cannot_be_read_is_said(data: str) -> None:
    fake = _fake()
    fake.values["last.submission.data"] = data
    reading = _read(fake)
    assert (reading.setting, reading.inventory) == (Setting.ENABLED, ())
    assert reading.note == "What it sent last is not readable."


def test_strange_names_are_counted_and_not_shown() -> None:
    fake = _fake()
    fake.values["last.submission.data"] = '{"good": 1, "bad name <script>": 2, "%s": 3}' % (
        "x" * 65
    )
    reading = _read(fake)
    assert reading.inventory == ("good",)
    assert reading.note == "It sent 2 more fields."


@pytest.mark.thorough
@pytest.mark.parametrize("version", ["4.13.6", "5.0.4"])
@pytest.mark.parametrize("before", ["true", "false", None])
@pytest.mark.parametrize(
    ("wish", "stored", "setting"),
    [
        (Submission.DISABLED, "false", Setting.DISABLED),
        (Submission.ENABLED, "true", Setting.ENABLED),
    ],
)
def test_sets_the_row(
    version: str, before: str | None, wish: Submission, stored: str, setting: Setting
) -> None:
    fake = _fake(version=version, enabled=before)
    for _ in range(2):
        _write(fake, wish)
        assert fake.values["submission.enabled"] == stored
        assert _read(fake).setting is setting


def test_setting_where_there_is_no_such_property_says_so() -> None:
    with pytest.raises(VendorError, match=r"versions before 4\.13 have none") as caught:
        _write(_fake(version="4.12.7"), Submission.ENABLED)
    assert caught.value.reason is Reason.API_NOT_FOUND


def test_an_answer_that_does_not_show_what_was_set_is_no_success() -> None:
    class Stubborn(FakeProduct):
        async def _set(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(self._row("submission.enabled"))

    with pytest.raises(VendorError, match=r"does not say that submission\.enabled") as caught:
        _write(Stubborn(names=[HOST]), Submission.DISABLED)
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (WEAK, Reason.PERMISSION_MISSING),
        ({"apiKey": "nonsense"}, Reason.CREDENTIALS_REJECTED),
        ({"apiKey": "two words"}, Reason.SECRET_INCOMPLETE),
        ({"apiKey": "ключ"}, Reason.SECRET_INCOMPLETE),
        ({"apiKey": "a\r\nX-Other: b"}, Reason.SECRET_INCOMPLETE),
        ({"apiKey": " \n"}, Reason.SECRET_INCOMPLETE),
        ({}, Reason.SECRET_INCOMPLETE),
    ],
)
def test_credentials_that_will_not_do(credentials: dict[str, str], reason: Reason) -> None:
    fake = _fake()
    for attempt in (
        lambda: _read(fake, credentials),
        lambda: _write(fake, Submission.DISABLED, credentials),
    ):
        with pytest.raises(VendorError) as caught:
            attempt()
        assert caught.value.reason is reason
        assert (
            credentials.get("apiKey", "?").strip() not in str(caught.value)
            or not credentials["apiKey"].strip()
        )
    assert fake.values["submission.enabled"] == "true"
    if reason is Reason.SECRET_INCOMPLETE:
        assert fake.seen == []


def test_the_line_break_that_echo_leaves_does_no_harm() -> None:
    assert _read(_fake(), {"apiKey": f"{KEY['apiKey']}\n"}).setting is Setting.ENABLED


def test_the_version_is_asked_without_the_key() -> None:
    fake = _fake()
    _read(fake)
    assert [(seen.path, seen.headers.get("x-api-key")) for seen in fake.seen] == [
        ("/api/v1/configProperty", KEY["apiKey"]),
        ("/api/version", None),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ["text"],
        [None],
        [{"groupName": "telemetry", "propertyName": "submission.enabled"}, 3],
    ],
)
def test_an_array_of_something_else_is_no_answer(rows: list[Any]) -> None:
    class Odd(FakeProduct):
        async def _list(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(rows)

    with pytest.raises(VendorError) as caught:
        _read(Odd(names=[HOST]))
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize("name", [["a"], {"a": 1}, None, 7])
def test_rows_with_odd_names_and_values_are_passed_over(name: Any) -> None:
    class Odd(FakeProduct):
        async def _list(self, request: web.Request) -> web.Response:
            del request
            odd = {"groupName": "telemetry", "propertyName": name, "propertyValue": "true"}
            mine = {"groupName": "other", "propertyName": "submission.enabled"}
            right = self._row("submission.enabled")
            return web.json_response([right, odd, {**mine, "propertyValue": "true"}])

    assert _read(Odd(names=[HOST], enabled="false")).setting is Setting.DISABLED


@pytest.mark.parametrize("value", [True, 1, ["true"], {}])
def test_a_value_of_another_json_type_is_not_guessed_at(value: Any) -> None:
    class Odd(FakeProduct):
        async def _list(self, request: web.Request) -> web.Response:
            del request
            return web.json_response([{**self._row("submission.enabled"), "propertyValue": value}])

    assert _read(Odd(names=[HOST])).setting is Setting.UNKNOWN
