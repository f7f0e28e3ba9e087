"""One round of questions, to fakes on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from dev.fakes import emqx as fake
from dev.fakes.server import ApiFault
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from fleet_telemetry.controllers.runtime.requests import InstanceClient
from fleet_telemetry.evidence.credentials import CredentialWithheldError
from fleet_telemetry.evidence.report import InstanceReport, Reported
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.emqx import Emqx
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.vendors.service import Endpoint

KEYS = {"apiKey": "a3f0_administrator", "apiSecret": "9bQxT_of_the_administrator"}


def node(**options: Any) -> fake.FakeEmqx:
    return fake.FakeEmqx(**{"tls": False, **options})


def endpoint(node: fake.FakeEmqx, name: str, **changes: Any) -> Endpoint:
    parts = {"address": node.address, "port": node.port, "host": "localhost", "instance": name}
    return Endpoint(**{"scheme": node.scheme, **parts, **changes})


@asynccontextmanager
async def round_of(credentials: Mapping[str, str] = KEYS) -> AsyncIterator[InstanceClient]:
    vendors = VendorClient(total_seconds=5)
    try:
        yield InstanceClient(vendors, Breaker(), HostGate(), Emqx(), credentials)
    finally:
        await vendors.close()


def test_each_instance_says_what_it_does() -> None:
    async def main() -> None:
        async with node() as one, node(enabled=False) as two, round_of() as asking:
            told = await asking.read((endpoint(one, "a"), endpoint(two, "b")))
        readings = [(each.instance, each.report and each.report.setting) for each in told]
        assert readings == [("a", Setting.ENABLED), ("b", Setting.DISABLED)]
        assert [each.fault for each in told] == [None, None]

    asyncio.run(main())


def test_one_that_fails_does_not_silence_the_others() -> None:
    async def main() -> None:
        async with node() as one, node() as two, round_of() as asking:
            one.fail(ApiFault.TOO_MANY_429)
            told = await asking.read((endpoint(one, "a"), endpoint(two, "b")))
        assert [each.fault for each in told] == [Reason.RATE_LIMITED, None]
        assert told[0].report is None
        assert told[0].retry_after == 7
        assert "429" in told[0].message

    asyncio.run(main())


def test_a_host_that_fails_three_times_is_not_even_asked() -> None:
    async def main() -> None:
        async with node() as one, node() as two, round_of() as asking:
            one.fail(ApiFault.UNAVAILABLE_503)
            for _ in range(3):
                await asking.read((endpoint(one, "a"),))
            asked = len(one.seen)
            (told, other) = await asking.read((endpoint(one, "a"), endpoint(two, "b")))
            assert len(one.seen) == asked
        assert told.fault is Reason.UNREACHABLE
        assert told.message.endswith("requests are paused")
        assert 0 < told.retry_after <= 30
        # Each port of an address is a host of its own.
        assert other.fault is None

    asyncio.run(main())


def test_a_rejected_credential_does_not_close_the_host_for_others() -> None:
    async def main() -> None:
        async with node() as one, round_of({**KEYS, "apiSecret": "wrong"}) as asking:
            for _ in range(5):
                (told,) = await asking.read((endpoint(one, "a"),))
                assert told.fault is Reason.CREDENTIALS_REJECTED
                assert "wrong" not in told.message

    asyncio.run(main())


def test_a_host_gets_two_questions_at_once() -> None:
    under_way: list[int] = []
    now = 0

    class Slow(Emqx):
        """The adapter, and how many of it are at work."""

        async def read(self, *given: Any) -> Any:
            nonlocal now
            now += 1
            under_way.append(now)
            try:
                await asyncio.sleep(0.01)
                return await super().read(*given)
            finally:
                now -= 1

    async def main() -> None:
        vendors = VendorClient()
        async with node() as one, node() as two:
            asking = InstanceClient(vendors, Breaker(), HostGate(), Slow(), KEYS)
            await asking.read(tuple(endpoint(one, str(number)) for number in range(8)))
            assert max(under_way) == 2
            under_way.clear()
            both = (endpoint(one, "a"), endpoint(two, "b"))
            await asking.read((*both, *both, *both))
            assert max(under_way) == 4
        await vendors.close()

    asyncio.run(main())


@pytest.mark.parametrize("refusing", [0, 1])
def test_what_refuses_does_not_keep_the_others_from_being_set(refusing: int) -> None:
    async def main() -> None:
        async with node() as one, node() as two, round_of() as asking:
            nodes = (one, two)
            nodes[refusing].fail(ApiFault.FORBIDDEN_403)
            endpoints = (endpoint(one, "a"), endpoint(two, "b"))
            refusal = await asking.write(endpoints, Submission.DISABLED)
        assert refusal is not None
        assert refusal.reason is Reason.PERMISSION_MISSING
        assert nodes[refusing].enabled
        assert not nodes[1 - refusing].enabled

    asyncio.run(main())


def test_the_secrets_ca_is_the_one_that_is_trusted() -> None:
    async def main() -> None:
        async with node(tls=True) as one:
            async with round_of({**KEYS, "ca.crt": one.ca_pem}) as asking:
                (told,) = await asking.read((endpoint(one, "a"),))
                assert told.fault is None
            async with round_of() as asking:
                (told,) = await asking.read((endpoint(one, "a"),))
                assert told.fault is Reason.TLS_NOT_TRUSTED
            async with round_of({**KEYS, "ca.crt": "no certificate"}) as asking:
                (told,) = await asking.read((endpoint(one, "a"),))
                assert told.fault is Reason.SECRET_INCOMPLETE
                refusal = await asking.write((endpoint(one, "a"),), Submission.DISABLED)
                assert refusal is not None

    asyncio.run(main())


def test_a_name_in_place_of_an_address_is_not_asked() -> None:
    async def main() -> None:
        async with node() as one, round_of() as asking:
            (told,) = await asking.read((endpoint(one, "a", address="localhost"),))
            assert told.fault is Reason.ENDPOINT_NOT_FOUND
            assert one.seen == []

    asyncio.run(main())


def test_a_request_that_had_to_wait_is_not_sent_once_the_credential_may_not_be() -> None:
    def refuse(_: Endpoint) -> None:
        raise CredentialWithheldError(Reported(fault=Reason.CREDENTIAL_NOT_FOR_NAMESPACE))

    async def main() -> None:
        async with node() as one, round_of() as asking:
            refused = replace(asking, confirm=refuse)
            for attempt in (
                refused.read((endpoint(one, "a"),)),
                refused.write((endpoint(one, "a"),), Submission.DISABLED),
            ):
                with pytest.raises(CredentialWithheldError):
                    await attempt
            assert one.seen == []

    asyncio.run(main())


class Shared(Emqx):
    """Instances that share one setting, as those of a product with a database do."""

    per_pod = False


def shared(asking: InstanceClient) -> InstanceClient:
    return replace(asking, adapter=Shared())


def test_one_of_several_instances_with_one_setting_is_asked() -> None:
    async def main() -> None:
        async with node() as one, node(enabled=False) as two, round_of() as asking:
            both = endpoint(one, "a"), endpoint(two, "b")
            (told,) = await shared(asking).read(both)
            assert (told.instance, told.fault) == ("a", None)
            assert await shared(asking).write(both, Submission.DISABLED) is None
            assert two.seen == []
            assert one.enabled is False

    asyncio.run(main())


def test_the_next_instance_is_asked_if_one_cannot_be_reached() -> None:
    async def main() -> None:
        async with node() as gone, node() as two, round_of() as asking:
            both = endpoint(gone, "a"), endpoint(two, "b")
            await gone.stop()
            (told,) = await shared(asking).read(both)
            assert (told.instance, told.fault) == ("b", None)
            assert await shared(asking).write(both, Submission.DISABLED) is None
            assert two.enabled is False

    asyncio.run(main())


def test_an_answer_that_refuses_is_an_answer() -> None:
    async def main() -> None:
        async with node() as one, node() as two, round_of() as asking:
            one.fail(ApiFault.UNAUTHORIZED_401)
            both = endpoint(one, "a"), endpoint(two, "b")
            (told,) = await shared(asking).read(both)
            assert told.fault is Reason.CREDENTIALS_REJECTED
            assert await shared(asking).write(both, Submission.DISABLED) is not None
            assert two.seen == []

    asyncio.run(main())


@pytest.mark.parametrize("kind", [KeyError, ValueError, RecursionError, UnicodeError])
def test_an_answer_that_no_one_thought_of_is_a_reason_and_is_not_quoted(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Emqx):
        async def read(self, *_: Any) -> Any:
            raise kind(KEYS["apiSecret"])

    async def main() -> None:
        vendors = VendorClient()
        async with node() as one:
            asking = InstanceClient(vendors, Breaker(), HostGate(), Broken(), KEYS)
            (told,) = await asking.read((endpoint(one, "a"),))
        await vendors.close()
        assert told.fault is Reason.UNEXPECTED_ANSWER
        assert KEYS["apiSecret"] not in f"{told}{caplog.text}"
        assert kind.__name__ in caplog.text

    asyncio.run(main())


def test_a_credential_in_the_name_of_a_field_is_not_recorded() -> None:
    class Echo(Emqx):
        async def read(self, *_: Any) -> InstanceReport:
            names = ("num_clients", KEYS["apiSecret"], KEYS["apiKey"].upper())
            return InstanceReport(setting=Setting.ENABLED, inventory=names)

    async def main() -> None:
        vendors = VendorClient()
        async with node() as one:
            asking = InstanceClient(vendors, Breaker(), HostGate(), Echo(), KEYS)
            (told,) = await asking.read((endpoint(one, "a"),))
        await vendors.close()
        assert told.report is not None
        assert told.report.inventory == ("num_clients",)

    asyncio.run(main())
