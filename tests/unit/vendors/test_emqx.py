"""EMQX: every node is asked, none is set needlessly, and what would be sent is listed by name."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from dev.fakes import ApiFault, Seen
from dev.fakes.emqx import Cluster, Edition
from dev.fakes.emqx import FakeEmqx as FakeProduct
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.combining import InstanceAnswer, combine
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.emqx import Emqx
from fleet_telemetry.vendors.http import VendorError
from tests.support.every import every
from tests.support.vendor_cases import HOST, asking

KEY = {"apiKey": "a3f0_administrator", "apiSecret": "9bQxT_of_the_administrator"}
VIEWER = {"apiKey": "c7d1_viewer", "apiSecret": "4kWzR_of_the_viewer"}
ADAPTER = Emqx()
INVENTORY = (
    "active_plugins",
    "cluster_uuid",
    "emqx_version",
    "gateway",
    "license.edition",
    "messages_received",
    "messages_sent",
    "mqtt_runtime_insights.messages_received_rate",
    "mqtt_runtime_insights.messages_sent_rate",
    "mqtt_runtime_insights.num_topics",
    "nodes_uuid",
    "num_clients",
    "os_name",
    "os_version",
    "otp_version",
    "up_time",
    "uuid",
    "vm_specs.num_cpus",
    "vm_specs.total_memory",
)


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


def _asked(fake: FakeProduct) -> list[str]:
    return [f"{seen.method} {seen.path.removeprefix('/api/v5')}" for seen in fake.seen]


def test_it_is_asked_pod_by_pod_and_can_be_set() -> None:
    assert ADAPTER.per_pod
    assert ADAPTER.settable
    assert ADAPTER.keys == ("apiKey", "apiSecret")


@pytest.mark.parametrize(
    ("version", "edition"),
    [
        ("5.0.0", Edition.OPEN_SOURCE),
        ("5.0.4", Edition.ENTERPRISE),
        ("5.8.9", Edition.OPEN_SOURCE),
        ("5.9.0", Edition.ENTERPRISE),
        ("6.2.2", Edition.ENTERPRISE),
    ],
)
def test_reads_what_counts_and_what_would_be_sent(version: str, edition: Edition) -> None:
    fake = _fake(version=version, edition=edition)
    assert _read(fake) == InstanceReport(Setting.ENABLED, version, inventory=INVENTORY)
    assert _asked(fake) == ["GET /telemetry/status", "GET /telemetry/data", "GET /nodes"]
    basic = base64.b64encode(b"a3f0_administrator:9bQxT_of_the_administrator").decode()
    assert {seen.headers["authorization"] for seen in fake.seen} == {f"Basic {basic}"}


def test_no_value_of_what_would_be_sent_is_kept() -> None:
    text = repr(_read(_fake()))
    for value in ("Debian", "7CA6F4A6", "opensource", "4711", "86400"):
        assert value not in text


def test_where_it_is_off_nothing_is_asked_for_that_is_not_there() -> None:
    fake = _fake(enabled=False)
    assert _read(fake) == InstanceReport(Setting.DISABLED, "5.8.9")
    assert _asked(fake) == ["GET /telemetry/status", "GET /nodes"]


def test_turned_off_between_two_questions() -> None:
    class TurnedOff(FakeProduct):
        async def _get_data(self, request: web.Request) -> web.Response:
            self.enabled = False
            return await super()._get_data(request)

    assert _read(TurnedOff(names=[HOST])) == InstanceReport(Setting.ENABLED, "5.8.9")


@pytest.mark.parametrize("version", ["5.1.0", "5.8.11"])
def test_enterprise_builds_without_the_application_send_nothing(version: str) -> None:
    reading = _read(_fake(version=version, edition=Edition.ENTERPRISE))
    assert (reading.setting, reading.version) == (Setting.DISABLED, version)
    assert reading.note == "This edition leaves the telemetry application out."


@pytest.mark.parametrize(
    ("version", "edition"),
    [
        ("5.8.9", Edition.OPEN_SOURCE),
        ("5.0.4", Edition.ENTERPRISE),
        ("5.9.0", Edition.ENTERPRISE),
        ("6.2.2", Edition.ENTERPRISE),
        ("nonsense", Edition.ENTERPRISE),
    ],
)
def test_a_path_that_should_be_there_and_is_not(version: str, edition: Edition) -> None:
    class Without(FakeProduct):
        has_telemetry = False  # type: ignore[assignment]

    with pytest.raises(VendorError, match="no telemetry application, or another API") as caught:
        _read(Without(names=[HOST], version=version, edition=edition))
    assert caught.value.reason is Reason.API_NOT_FOUND


def test_a_missing_path_proves_nothing_to_whom_the_nodes_are_not_shown() -> None:
    fake = _fake(version="5.8.11", edition=Edition.ENTERPRISE)
    with pytest.raises(VendorError) as caught:
        _read(fake, {"apiKey": "a3f0_administrator", "apiSecret": "wrong"})
    assert caught.value.reason is Reason.CREDENTIALS_REJECTED
    fake = _fake(version="5.8.11", edition=Edition.ENTERPRISE)
    fake.scopes = {"monitoring"}
    with pytest.raises(VendorError) as caught:
        _read(fake)
    assert caught.value.reason is Reason.PERMISSION_MISSING


def test_a_cluster_of_two_builds_does_not_prove_that_this_one_lacks_the_application() -> None:
    cluster = Cluster()
    first = _fake(version="5.8.11", edition=Edition.ENTERPRISE, cluster=cluster, node="emqx@a")
    _fake(version="5.9.0", edition=Edition.ENTERPRISE, cluster=cluster, node="emqx@b")
    with pytest.raises(VendorError) as caught:
        _read(first)
    assert caught.value.reason is Reason.API_NOT_FOUND


@pytest.mark.thorough
@every("fault", [f for f in ApiFault if f not in (ApiFault.HANG, ApiFault.SLOW_DRIP)])
@every("path", ["/api/v5/telemetry/data", "/api/v5/nodes"])
def test_what_is_told_beside_it_may_fail(path: str, fault: ApiFault) -> None:
    if "certificate" in fault:
        return
    fake = _fake()
    fake.fail(fault, path=path)
    reading = _read(fake)
    assert reading.setting is Setting.ENABLED
    assert (reading.version is None) == ("nodes" in path and fault is not ApiFault.COOKIE)


def test_a_key_that_may_not_see_the_nodes_sees_telemetry() -> None:
    fake = _fake(version="6.2.2", edition=Edition.ENTERPRISE)
    fake.scopes = {"monitoring"}
    assert _read(fake) == InstanceReport(Setting.ENABLED, inventory=INVENTORY)


def test_the_version_is_that_of_the_pod_which_was_asked() -> None:
    cluster = Cluster()
    own = _fake(version="5.8.9", cluster=cluster, node="emqx@127.0.0.1")
    other = _fake(version="5.8.8", cluster=cluster, node="emqx@10.0.0.2")
    assert _read(own).version == "5.8.9"
    own.node = "emqx@elsewhere"
    assert _read(own).version is None
    other.status = "stopped"
    assert _read(own).version == "5.8.9"


@pytest.mark.parametrize("version", ["9bQxT_of_the_administrator", "5.8.9\n", "", "5" * 300])
def test_a_version_is_a_version(version: str) -> None:
    class Strange(FakeProduct):
        def info(self) -> dict[str, Any]:
            return {**super().info(), "version": version}

    assert _read(Strange(names=[HOST])).version is None


def test_names_are_names() -> None:
    class Strange(FakeProduct):
        def data(self) -> dict[str, Any]:
            names = {f"field_{number:02}": 1 for number in range(70)}
            return {**names, "a b": 1, "x": {"<script>": 1, "y": {"z": 1}}, "": 2}

    reading = _read(Strange(names=[HOST]))
    assert len(reading.inventory) == 64
    assert reading.inventory[0] == "field_00"
    assert reading.note == "It sends 10 more fields."


@pytest.mark.parametrize("enable", [None, 0, "false", [], {}])
def test_only_true_and_false_are_answers(enable: Any) -> None:
    class Strange(FakeProduct):
        async def _get_status(self, request: web.Request) -> web.Response:
            del request
            return web.json_response({"enable": enable})

    for attempt in (_read, lambda fake: _write(fake, Submission.DISABLED)):
        fake = Strange(names=[HOST])
        with pytest.raises(VendorError, match="where the status of telemetry") as caught:
            attempt(fake)
        assert caught.value.reason is Reason.UNEXPECTED_ANSWER
        assert all(seen.method == "GET" for seen in fake.seen)


# Setting


@pytest.mark.parametrize(("wish", "enable"), [("Disabled", False), ("Enabled", True)])
def test_it_is_asked_before_it_is_set(wish: str, enable: bool) -> None:
    fake = _fake(enabled=not enable)
    _write(fake, Submission(wish))
    assert _asked(fake) == ["GET /telemetry/status", "PUT /telemetry/status"]
    # Left out, it would mean true.
    assert fake.seen[1].body == (b'{"enable":true}' if enable else b'{"enable":false}')
    assert fake.enabled is enable
    _write(fake, Submission(wish))
    assert _asked(fake)[2:] == ["GET /telemetry/status"]


@pytest.mark.parametrize("wish", [Submission.DISABLED, Submission.ENABLED])
def test_somebody_else_is_faster(wish: Submission) -> None:
    class Raced(FakeProduct):
        async def _put_status(self, request: web.Request) -> web.Response:
            self.enabled = wish is Submission.ENABLED
            return await super()._put_status(request)

    fake = Raced(names=[HOST], enabled=wish is Submission.DISABLED)
    _write(fake, wish)
    assert len(fake.seen) == 2


def test_another_refusal_is_no_success() -> None:
    fake = _fake()
    fake.refuses_changes = True
    with pytest.raises(VendorError, match="configuration was not changed") as caught:
        _write(fake, Submission.DISABLED)
    assert caught.value.reason is Reason.VENDOR_ERROR
    assert "timeout" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"code": "BAD_REQUEST", "message": "Telemetry status is already enabled"}'),
        (400, "{}"),
        (400, "<html></html>"),
        (200, '{"enable": true}'),
        (200, "{}"),
        (204, ""),
    ],
)
def test_what_does_not_say_that_it_is_set_is_no_success(status: int, body: str) -> None:
    class Strange(FakeProduct):
        async def _put_status(self, request: web.Request) -> web.Response:
            del request
            return web.Response(status=status, text=body, content_type="application/json")

    with pytest.raises(VendorError) as caught:
        _write(Strange(names=[HOST]), Submission.DISABLED)
    assert caught.value.reason in (Reason.UNEXPECTED_ANSWER, Reason.VENDOR_ERROR)


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({"apiKey": "a3f0_administrator", "apiSecret": "nope"}, Reason.CREDENTIALS_REJECTED),
        ({"apiKey": "a3f0_administrator", "apiSecret": ""}, Reason.SECRET_INCOMPLETE),
        ({"apiSecret": "x"}, Reason.SECRET_INCOMPLETE),
        ({"apiKey": "a:b", "apiSecret": "x"}, Reason.SECRET_INCOMPLETE),
        ({"apiKey": "a3f0_é", "apiSecret": "x"}, Reason.SECRET_INCOMPLETE),
    ],
)
def test_credentials(credentials: dict[str, str], reason: Reason) -> None:
    for attempt in (_read, lambda s, c: _write(s, Submission.DISABLED, c)):
        fake = _fake()
        with pytest.raises(VendorError) as caught:
            attempt(fake, credentials)
        assert caught.value.reason is reason
        assert bool(fake.seen) == (reason is Reason.CREDENTIALS_REJECTED)
        for value in credentials.values():
            assert not value or value == "x" or value not in str(caught.value)


def test_a_viewer_may_read_and_not_write() -> None:
    fake = _fake()
    assert _read(fake, VIEWER).setting is Setting.ENABLED
    with pytest.raises(VendorError) as caught:
        _write(fake, Submission.DISABLED, VIEWER)
    assert caught.value.reason is Reason.PERMISSION_MISSING
    assert fake.enabled


def test_one_node_that_differs_is_named_and_put_right_for_all() -> None:
    async def run() -> None:
        cluster = Cluster()
        nodes = [
            _fake(cluster=cluster, enabled=number == 1, node=f"emqx@emqx-{number}.emqx")
            for number in range(3)
        ]
        async with AsyncExitStack() as stack:
            apis = [await stack.enter_async_context(asking(node)) for node in nodes]

            async def all_told() -> list[InstanceAnswer]:
                readings = [await ADAPTER.read(api, KEY) for api in apis]
                return [InstanceAnswer(f"emqx-{n}", reading) for n, reading in enumerate(readings)]

            reported = combine(await all_told(), Submission.DISABLED)
            assert reported.setting is Setting.ENABLED
            assert reported.message == "It reports Enabled (emqx-1 of 3)."
            for api in apis:
                await ADAPTER.write(api, KEY, Submission.DISABLED)
            assert combine(await all_told(), Submission.DISABLED).setting is Setting.DISABLED
            written: list[Seen] = [s for n in nodes for s in n.seen if s.method == "PUT"]
            assert len(written) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "nodes",
    [
        [{"node": "emqx@10.0.0.1", "node_status": "stopped", "version": "5.8.9"}],
        [{"node": "emqx@10.0.0.1", "version": ["5.8.9"]}],
        [{}],
        [{"node": 7, "node_status": "running", "version": None}],
    ],
)
def test_a_list_without_a_running_node_has_no_version(nodes: list[dict[str, Any]]) -> None:
    class Odd(FakeProduct):
        def routes(self) -> list[web.RouteDef]:
            return [
                web.get(route.path, self._odd)
                if isinstance(route, web.RouteDef) and route.path == "/api/v5/nodes"
                else route
                for route in super().routes()
            ]

        async def _odd(self, _: web.Request) -> web.Response:
            return web.json_response(nodes)

    report = _read(Odd(names=[HOST], enabled=False))
    assert (report.setting, report.version) == (Setting.DISABLED, None)
