"""Sourcegraph: pings by the site configuration, events as far as they show, and no guess where no
setting works."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from dev.fakes.sourcegraph import CONTENTS
from dev.fakes.sourcegraph import FakeSourcegraph as FakeProduct
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.http import VendorError
from fleet_telemetry.vendors.sourcegraph import Sourcegraph
from tests.support.every import every
from tests.support.vendor_cases import HOST, asking

TOKEN = {"token": "sgp_5e_of_a_site_administrator"}
WEAK = {"token": "sgp_0b_of_a_plain_user"}
ADAPTER = Sourcegraph()
OFF = '{"update.channel": "none"}'
INVENTORY = (
    "action",
    "feature",
    "id",
    "parameters.metadata",
    "parameters.version",
    "source.server",
    "timestamp",
)


def _fake(**options: Any) -> FakeProduct:
    return FakeProduct(names=[HOST], **options)


def _read(fake: FakeProduct, credentials: dict[str, str] = TOKEN) -> InstanceReport:
    async def run() -> InstanceReport:
        async with asking(fake) as api:
            return await ADAPTER.read(api, credentials)

    return asyncio.run(run())


def _write(fake: FakeProduct, wish: Submission, credentials: dict[str, str] = TOKEN) -> None:
    async def run() -> None:
        async with asking(fake) as api:
            await ADAPTER.write(api, credentials, wish)

    asyncio.run(run())


def _queries(fake: FakeProduct) -> list[str]:
    return [json.loads(seen.body)["query"] for seen in fake.seen]


def _changes(fake: FakeProduct) -> list[dict[str, Any]]:
    asked = [json.loads(seen.body) for seen in fake.seen]
    return [one["variables"] for one in asked if one["query"].startswith("mutation")]


def test_it_is_asked_once_for_all_and_can_be_set() -> None:
    assert ADAPTER.keys == ("token",)
    assert ADAPTER.settable
    assert not ADAPTER.per_pod


# Pings


@pytest.mark.thorough
@every("version", ["4.5.1", "5.2.0+dev", "5.6.185", "6.0.0", "7.0.2178"])
@every(
    ("contents", "setting"),
    [
        ("{}", Setting.ENABLED),
        (CONTENTS, Setting.ENABLED),
        ('{"update.channel": "release"}', Setting.ENABLED),
        ('{"update.channel": ""}', Setting.ENABLED),
        ('{"update.channel": null}', Setting.ENABLED),
        (OFF, Setting.DISABLED),
        ('{"update.channel": "release", /* now */ "update.channel": "none",}', Setting.DISABLED),
        ('{"update.channel": "nightly"}', Setting.UNKNOWN),
        ('{"update.channel": false}', Setting.UNKNOWN),
        ('{"disableNonCriticalTelemetry": true}', Setting.ENABLED),
    ],
)
def test_reads_the_setting(version: str, contents: str, setting: Setting) -> None:
    reading = _read(_fake(version=version, contents=contents))
    assert (reading.setting, reading.enforceable) == (setting, True)
    assert (reading.version, reading.note) == (version.removesuffix("+dev"), "")


@pytest.mark.thorough
@pytest.mark.parametrize("contents", ["{}", OFF])
@pytest.mark.parametrize("version", ["7.1.0", "7.6.0", "8.0.1", "300123_2026-03-01_7.1-0badc0ffee"])
def test_from_7_1_on_no_setting_counts(version: str, contents: str) -> None:
    reading = _read(_fake(version=version, contents=contents))
    assert (reading.setting, reading.enforceable) == (Setting.UNKNOWN, False)
    assert "allow-air-gapped" in reading.note
    assert "egress" in reading.note
    fake = _fake(version=version, contents=contents)
    with pytest.raises(VendorError, match="has no effect") as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.NO_EFFECTIVE_SWITCH
    assert not _changes(fake)


@pytest.mark.parametrize(("contents", "setting"), [("{}", Setting.ENABLED), (OFF, Setting.UNKNOWN)])
@pytest.mark.parametrize("version", ["insiders", "", "0.0.0 sgp_5e_of_a_site_administrator"])
def test_a_version_that_cannot_be_read_proves_no_silence(
    version: str, contents: str, setting: Setting
) -> None:
    class Strange(FakeProduct):
        def _unknown_field(self, query: str) -> str:
            del query
            return ""

    reading = _read(Strange(names=[HOST], version=version, contents=contents))
    assert (reading.setting, reading.version) == (setting, None)


def test_a_build_between_two_releases() -> None:
    assert _read(_fake(version="293671_2024-09-18_5.6-f00ba4f00ba4")).version == "5.6"


# The licence


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_licence_may_silence_what_no_setting_does(elsewhere: bool) -> None:
    fake = _fake(version="7.6.0")
    fake.licence_is_elsewhere = elsewhere
    fake.tags = ["plan:enterprise-1", "allow-air-gapped"]
    assert _read(fake) == InstanceReport(
        Setting.DISABLED, "7.6.0", note="The licence has the tag allow-air-gapped."
    )
    # What was exported before the licence came stays listed for a day.
    fake.export("2026-11-20T08:00:00Z")
    reading = _read(fake)
    assert reading.setting is Setting.UNKNOWN
    assert "exported within a day" in reading.note


def test_where_the_setting_works_the_licence_does_not_stand_for_it() -> None:
    fake = _fake(version="5.6.185")
    fake.tags = ["allow-air-gapped"]
    assert _read(fake).setting is Setting.ENABLED


def test_a_licence_that_leaves_cody() -> None:
    fake = _fake(version="7.6.0")
    fake.tags = ["disable-telemetry-events-export"]
    reading = _read(fake)
    assert (reading.setting, reading.enforceable) == (Setting.UNKNOWN, False)
    assert "leaves Cody's events" in reading.note


@pytest.mark.parametrize("tags", [None, [], ["a tag of the customer's own"]])
def test_other_tags_are_nobodys_business(tags: list[str] | None) -> None:
    fake = _fake(contents=OFF)
    fake.tags = tags
    assert _read(fake) == InstanceReport(Setting.DISABLED, "5.6.185")


# Events


def test_what_was_exported_shows_by_time_and_names() -> None:
    fake = _fake()
    fake.export("2026-11-20T07:00:00Z", user={"userId": "17"})
    fake.export("2026-11-20T08:00:00.123456789+00:00")
    fake.export("2026-11-19T23:00:00-08:00")
    fake.export("not a time")
    fake.export("2026-11-20T09:00:00")
    reading = _read(fake)
    assert reading.last_submission == datetime(2026, 11, 20, 8, 0, 0, 123456, UTC)
    assert reading.inventory == (*INVENTORY, "user.userId")
    for value in ("search", "00000000", "17"):
        assert value not in str(reading.inventory)
    assert reading.note == ""


def test_the_queue_shows_where_the_version_has_it() -> None:
    for version, queued in (("7.0.2178", True), ("7.0.2177", False), ("5.6.185", False)):
        fake = _fake(version=version, contents=OFF)
        fake.queue()
        reading = _read(fake)
        assert reading.inventory == (INVENTORY if queued else ())
        assert ("wait to be exported" in reading.note) is queued
        asked = " ".join(_queries(fake))
        assert ("eventsQueuedForExport" in asked) is queued


def test_before_events_none_are_asked_for() -> None:
    fake = _fake(version="5.2.0")
    assert _read(fake).note == ""
    assert "exportedEvents" not in " ".join(_queries(fake))


def test_a_version_without_the_queue_all_the_same() -> None:
    class Without(FakeProduct):
        def _unknown_field(self, query: str) -> str:
            is_asked = "eventsQueuedForExport" in query
            return "eventsQueuedForExport" if is_asked else super()._unknown_field(query)

    fake = Without(names=[HOST], version="7.0.3000")
    fake.export("2026-11-20T08:00:00Z")
    reading = _read(fake)
    assert reading.last_submission == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert reading.inventory == INVENTORY


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["exportedEvents", "license"])
@pytest.mark.parametrize(
    "answer",
    [
        web.Response,
        lambda: web.Response(status=500),
        lambda: web.json_response({"errors": [{"message": "boom"}]}),
        lambda: web.json_response({"data": {"telemetry": None, "site": None}}),
        lambda: web.json_response({"data": {"telemetry": {"exportedEvents": {"nodes": [1]}}}}),
        lambda: web.json_response({"data": {"site": {"productSubscription": {"license": "x"}}}}),
    ],
)
def test_what_is_told_beside_it_may_fail(what: str, answer: Any) -> None:
    class Partly(FakeProduct):
        async def _graphql(self, request: web.Request) -> web.Response:
            if what in (await request.json())["query"]:
                made: web.Response = answer()
                return made
            return await super()._graphql(request)

    reading = _read(Partly(names=[HOST], contents=OFF))
    assert (reading.setting, reading.version) == (Setting.DISABLED, "5.6.185")


# Errors


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("must be site admin", Reason.PERMISSION_MISSING),
        ("not authenticated", Reason.CREDENTIALS_REJECTED),
        ('Cannot query field "site" on type "Query".', Reason.API_NOT_FOUND),
        ("pq: password sgp_5e_of_a_site_administrator", Reason.VENDOR_ERROR),
        (None, Reason.VENDOR_ERROR),
        (17, Reason.VENDOR_ERROR),
    ],
)
def test_errors_in_a_good_answer(
    message: Any, reason: Reason, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for attempt in (_read, lambda fake: _write(fake, Submission.DISABLED)):
        fake = _fake()
        fake.errors = [{"message": message}]
        with pytest.raises(VendorError) as caught:
            attempt(fake)
        assert caught.value.reason is reason
        assert "sgp_" not in f"{caught.value} {caplog.text}"
        assert "pq:" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {"site": None}},
        {"data": {"site": {"configuration": None}}},
        {
            "data": {
                "site": {
                    "allowSiteSettingsEdits": True,
                    "configuration": {"id": "7", "effectiveContents": "{}"},
                }
            }
        },
        {
            "data": {
                "site": {
                    "allowSiteSettingsEdits": True,
                    "configuration": {"id": 7, "effectiveContents": "[] REDACTED"},
                }
            }
        },
        # Go takes the name in any case, and the last one counts.
        {
            "data": {
                "site": {
                    "allowSiteSettingsEdits": True,
                    "configuration": {
                        "id": 7,
                        "effectiveContents": '{"update.channel":"none","Update.Channel":"release"}',
                    },
                }
            }
        },
        {"errors": "no", "data": None},
        {"errors": ["no"], "data": {}},
    ],
)
def test_another_shape_is_no_answer(answer: dict[str, Any]) -> None:
    class Strange(FakeProduct):
        async def _graphql(self, request: web.Request) -> web.Response:
            del request
            return web.json_response(answer)

    with pytest.raises(VendorError) as caught:
        _read(Strange(names=[HOST]))
    expected = Reason.VENDOR_ERROR if "errors" in answer else Reason.UNEXPECTED_ANSWER
    assert caught.value.reason is expected
    assert "REDACTED" not in str(caught.value)


def test_credentials() -> None:
    for credentials, reason in (
        ({"token": "sgp_wrong"}, Reason.CREDENTIALS_REJECTED),
        (WEAK, Reason.PERMISSION_MISSING),
        ({"token": ""}, Reason.SECRET_INCOMPLETE),
        ({"token": "sgp with spaces"}, Reason.SECRET_INCOMPLETE),
    ):
        for attempt in (_read, lambda s, c: _write(s, Submission.DISABLED, c)):
            fake = _fake()
            with pytest.raises(VendorError) as caught:
                attempt(fake, credentials)
            assert caught.value.reason is reason
            assert not credentials["token"] or credentials["token"] not in str(caught.value)
            assert fake.contents == CONTENTS
    fake = _fake()
    _read(fake)
    assert {s.headers["authorization"] for s in fake.seen} == {f"token {TOKEN['token']}"}


# Setting


def test_only_one_property_of_the_configuration_changes() -> None:
    fake = _fake()
    _write(fake, Submission.DISABLED)
    expected = CONTENTS.replace("{\n", '{\n  "update.channel": "none",\n', 1)
    assert fake.contents == expected
    assert _changes(fake) == [{"lastID": 7, "input": expected}]
    assert _read(fake).setting is Setting.DISABLED
    _write(fake, Submission.ENABLED)
    assert fake.contents == expected.replace('"none",\n', '"release",\n', 1)
    assert fake.contents.count("REDACTED") == 2


@pytest.mark.parametrize(
    ("contents", "wish"),
    [
        (OFF, Submission.DISABLED),
        ("{}", Submission.ENABLED),
        ('{"update.channel": "release"}', Submission.ENABLED),
    ],
)
def test_what_is_set_already_is_not_written(contents: str, wish: Submission) -> None:
    fake = _fake(contents=contents)
    fake.has_site_config_file = True
    _write(fake, wish)
    assert not _changes(fake)
    assert fake.contents == contents


@pytest.mark.parametrize("races", [False, True])
def test_what_others_write_meanwhile_stays(races: bool) -> None:
    fake = _fake()
    fake.races = races
    fake.meddlers = 3
    _write(fake, Submission.DISABLED)
    assert fake.contents.count("changed by somebody else") == 3
    assert [change["lastID"] for change in _changes(fake)] == [7, 8, 9, 10]
    assert _read(fake).setting is Setting.DISABLED


def test_it_gives_up_where_others_never_stop() -> None:
    fake = _fake()
    fake.meddlers = 99
    with pytest.raises(VendorError, match="others changed") as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.VENDOR_ERROR
    assert len(_changes(fake)) == 4
    assert "update.channel" not in fake.contents.replace('// "update.channel"', "")


def test_another_refusal_is_not_tried_again() -> None:
    class Refusing(FakeProduct):
        def _update(self, **_variables: Any) -> web.Response:
            return web.json_response({"errors": [{"message": "error unredacting secrets: x"}]})

    fake = Refusing(names=[HOST])
    with pytest.raises(VendorError) as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.VENDOR_ERROR
    assert "unredacting" not in str(caught.value)
    assert len(_changes(fake)) == 1


@pytest.mark.parametrize("outcome", [None, "true", 1])
def test_an_outcome_that_is_none_is_no_success(outcome: Any) -> None:
    class Strange(FakeProduct):
        def _update(self, **_variables: Any) -> web.Response:
            return web.json_response({"data": {"updateSiteConfiguration": outcome}})

    with pytest.raises(VendorError) as caught:
        _write(Strange(names=[HOST]), Submission.DISABLED)
    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


def test_a_configuration_that_comes_from_a_file_is_left_alone() -> None:
    fake = _fake()
    fake.has_site_config_file = True
    assert "comes from a file" in _read(fake).note
    with pytest.raises(VendorError, match="SITE_CONFIG_FILE") as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.NOT_SETTABLE
    assert not _changes(fake)


def test_a_file_that_shows_only_when_it_is_written() -> None:
    class Pretending(FakeProduct):
        def _answer(self, query: str) -> dict[str, Any]:
            data = super()._answer(query)
            if "allowSiteSettingsEdits" in data.get("site", {}):
                data["site"]["allowSiteSettingsEdits"] = True
            return data

    fake = Pretending(names=[HOST])
    fake.has_site_config_file = True
    with pytest.raises(VendorError) as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.NOT_SETTABLE
    assert len(_changes(fake)) == 1


def test_nothing_of_the_configuration_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake = _fake(contents='{"licenseKey": "very-secret", "externalURL": "https://x.y"}')
    reading = _read(fake)
    _write(fake, Submission.DISABLED)
    for text in (caplog.text, repr(reading)):
        assert "very-secret" not in text
        assert "x.y" not in text
        assert TOKEN["token"] not in text
