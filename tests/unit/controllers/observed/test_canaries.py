"""What the leader asks name servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fleet_telemetry.controllers.observed.canaries import Canaries
from fleet_telemetry.observed.canary import CANARY_ZONE, LAST_DIGITS, token_of
from tests.support.hostile_name_server import WildServer, silent
from tests.support.loops import run_and_close
from tests.support.tapped_name_server import TappedNameServer

SEARCH = "fleet-telemetry.svc.cluster.local"
NOBODY = ("127.0.0.1", 9)


class Log:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bool]] = []
        self.autopath: list[tuple[str, bool]] = []

    def canary_sent(self, name_server: str, token: str, *, search: bool = False) -> None:
        self.sent.append((name_server, token, search))

    def path_canary_sent(self, token: str) -> None:
        self.sent.append(("", token, False))

    def set_autopath(self, name_server: str, *, in_use: bool) -> None:
        self.autopath.append((name_server, in_use))


def asked(
    *hosts: str, change: Callable[[TappedNameServer], object] = lambda _: None, **more: Any
) -> tuple[Log, list[str]]:
    async def main() -> tuple[Log, list[str]]:
        log = Log()
        async with TappedNameServer(NOBODY, **more) as server:
            change(server)
            await Canaries(log, SEARCH).send([server.name_server], hosts)
            return log, server.asked

    return run_and_close(main())


def test_canaries_for_each_connection_of_each_name_server() -> None:
    log, names = asked()
    (_, first, _), (_, second, _), (_, third, _) = log.sent
    here = "127.0.0.1"
    assert log.sent == [(here, first, False), (here, second, False), (here, third, True)]
    assert (first[-1], second[-1]) == tuple(LAST_DIGITS)
    zones = [CANARY_ZONE, CANARY_ZONE, f"{CANARY_ZONE}.{SEARCH}"]
    assert names == [f"{token}.{zone}" for (_, token, _), zone in zip(log.sent, zones, strict=True)]
    assert [token_of(name) for name in names] == [first, second, third]
    assert log.autopath == [("127.0.0.1", False)]


def test_nobody_can_guess_a_canary() -> None:
    tokens = {token for _ in range(20) for _, token, _ in asked()[0].sent}
    assert len({token[:16] for token in tokens}) == 60
    assert all(len(token) >= 16 for token in tokens)


def test_autopath_shows() -> None:
    assert asked(autopath=True)[0].autopath == [("127.0.0.1", True)]


def test_without_the_canarys_zone_autopath_would_not_show() -> None:
    assert asked(has_zone=False)[0].autopath == [("127.0.0.1", True)]


def test_hosts_are_asked_for_before_the_canary_is() -> None:
    names = asked("a.example.com", "b.example.com")[1]
    assert set(names[:2]) == {"a.example.com", "b.example.com"}
    assert len(names) == 5


def test_a_lost_packet_is_no_lost_canary() -> None:
    """Whoever does not answer is asked again, for the same name."""
    log = Log()
    with WildServer(silent, None) as server:

        async def main() -> None:
            await Canaries(log, SEARCH, try_seconds=0.05).send([server.name_server])

        asyncio.run(main())
        assert len(server.asked) == 9
    assert len(log.sent) == 3
    # It is not known what it does with names.
    assert log.autopath == []


def test_nobody_listens() -> None:
    log = Log()
    with WildServer(silent, None) as server:
        where = server.name_server
    asyncio.run(Canaries(log, SEARCH, try_seconds=0.05).send([where, where], ["a.example.com"]))
    assert len(log.sent) == 6


def test_one_canary_goes_the_way_of_pods() -> None:
    async def main() -> tuple[Log, list[str]]:
        log = Log()
        async with TappedNameServer(NOBODY) as server:
            await Canaries(log, SEARCH).send_as_pods(server.name_server)
            return log, server.asked

    log, names = run_and_close(main())
    ((_, token, _),) = log.sent
    assert names == [f"{token}.{CANARY_ZONE}"]
