"""SonarQube tells what it goes by, and cannot be set."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from dev.fakes.sonarqube import FakeSonarQube as FakeProduct
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.http import VendorError
from fleet_telemetry.vendors.sonarqube import SonarQube
from tests.support.vendor_cases import HOST, asking, endpoint_of

TOKEN = {"token": "squ_9f_of_an_administrator"}
ADAPTER = SonarQube()


def _fake(**options: Any) -> FakeProduct:
    return FakeProduct(names=[HOST], **options)


def _read(fake: FakeProduct, credentials: dict[str, str] = TOKEN) -> InstanceReport:
    async def run() -> InstanceReport:
        async with asking(fake) as api:
            return await ADAPTER.read(api, credentials)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("value", "setting"),
    [
        ("true", Setting.ENABLED),
        (" True ", Setting.ENABLED),
        ("false", Setting.DISABLED),
        # Only "true" is true.
        ("yes", Setting.DISABLED),
        ("1", Setting.DISABLED),
    ],
)
def test_reads_the_effective_setting(value: str, setting: Setting) -> None:
    assert _read(_fake(enabled=value)) == InstanceReport(setting, "25.6.0.109173")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_setting_that_is_not_shown_is_unknown(value: str | None) -> None:
    reading = _read(_fake(enabled=value))
    assert reading.setting is Setting.UNKNOWN
    assert "does not show sonar.telemetry.enable" in reading.note


@pytest.mark.parametrize(
    ("version", "scheme"),
    [
        ("8.9.0.43852", "Basic"),
        ("9.9.8.100196", "Basic"),
        ("10.0.0.68432", "Bearer"),
        ("25.6.0.109173", "Bearer"),
        ("2026.4.0", "Bearer"),
    ],
)
def test_the_token_goes_as_the_version_takes_it(version: str, scheme: str) -> None:
    fake = _fake(version=version)
    assert _read(fake) == InstanceReport(Setting.ENABLED, version)
    assert [seen.headers.get("authorization", "").partition(" ")[0] for seen in fake.seen] == [
        "",
        scheme,
    ]


@pytest.mark.parametrize(
    "status", ["STARTING", "DOWN", "RESTARTING", "DB_MIGRATION_NEEDED", "DB_MIGRATION_RUNNING"]
)
def test_a_server_that_is_not_up_says_so_and_gets_no_token(status: str) -> None:
    fake = _fake()
    fake.status = status
    with pytest.raises(VendorError, match=f"not up, it says {status}") as caught:
        _read(fake)
    assert caught.value.reason is Reason.UNREACHABLE
    assert [seen.path for seen in fake.seen] == ["/api/system/status"]


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"status": "UP"},
        {"status": "UP", "version": None},
        {"status": "UP", "version": 25},
        {"status": "UP", "version": "25"},
        {"status": "UP", "version": "<script>"},
        {"status": "FINE", "version": "25.6"},
        {"status": ["UP"], "version": "25.6"},
    ],
)
def test_what_is_no_sonarqube_gets_no_token(about: dict[str, Any]) -> None:
    class Odd(FakeProduct):
        async def _status(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(about)

    fake = Odd(names=[HOST])
    with pytest.raises(VendorError) as caught:
        _read(fake)
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER
    assert all("authorization" not in seen.headers for seen in fake.seen)
    assert "script" not in str(caught.value)


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"Settings": None},
        {"Settings": ["sonar.telemetry.enable"]},
        {"Settings": {"sonar.telemetry.enable": False}},
        {"Settings": {"sonar.telemetry.enable": {"value": "false"}}},
    ],
)
def test_system_information_of_another_shape_is_not_guessed_at(info: dict[str, Any]) -> None:
    class Odd(FakeProduct):
        async def _info(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(info)

    with pytest.raises(VendorError) as caught:
        _read(Odd(names=[HOST]))
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({"token": "squ_4c_of_a_plain_user"}, Reason.PERMISSION_MISSING),
        ({"token": "squ_nonsense"}, Reason.CREDENTIALS_REJECTED),
        ({"token": "two words"}, Reason.SECRET_INCOMPLETE),
        ({}, Reason.SECRET_INCOMPLETE),
    ],
)
def test_credentials_that_will_not_do(credentials: dict[str, str], reason: Reason) -> None:
    with pytest.raises(VendorError) as caught:
        _read(_fake(), credentials)
    assert caught.value.reason is reason
    assert credentials.get("token", "\0") not in str(caught.value)


def test_other_settings_and_secrets_stay_where_they_are() -> None:
    reading = _read(_fake())
    assert "jdbc" not in repr(reading)
    assert "127.0.0.1" not in repr(reading)


def test_it_cannot_be_set_and_is_not_asked_to() -> None:
    assert not ADAPTER.settable
    fake = _fake()

    async def run() -> None:
        async with asking(fake) as api:
            assert api.endpoint == endpoint_of(fake)
            await ADAPTER.write(api, TOKEN, Submission.DISABLED)

    with pytest.raises(VendorError, match="at the start only") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.RESTART_NEEDED
    assert fake.seen == []
