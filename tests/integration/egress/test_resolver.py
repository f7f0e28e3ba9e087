"""The resolver asks a real CoreDNS, which does what name servers do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop

from dev.harness.dns_server import DnsFault, LocalDnsServer, NameServerError, Question, Records
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.dns.resolver import (
    LookupLimits,
    NameServer,
    Resolver,
    parse_name_server,
)
from fleet_telemetry.egress.model import Address, Lookup

pytestmark = pytest.mark.cluster
HOST = "telemetry.example.com"
V4, V6 = AddressFamily.IPV4, AddressFamily.IPV6
NEGATIVE_TTL = 30
MANY = 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDnsServer]:
    with LocalDnsServer(tmp_path_factory.mktemp("names"), negative_ttl=NEGATIVE_TTL) as server:
        yield server


@pytest.fixture
def names(running: LocalDnsServer) -> Iterator[LocalDnsServer]:
    yield running
    running.clear()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LocalDnsServer]:
    with LocalDnsServer(tmp_path / "other") as server:
        yield server


def view(server: LocalDnsServer, name: str = "names") -> NameServer:
    return parse_name_server(f"{name}={server.endpoint}")


def ask(
    *servers: LocalDnsServer,
    families: frozenset[AddressFamily] = frozenset(AddressFamily),
    host: str = HOST,
) -> tuple[Lookup, ...]:
    """One answer of each server and family, the time-outs being short."""
    views = [view(server, f"view-{number}") for number, server in enumerate(servers)]
    limits = LookupLimits(try_seconds=1, pause_seconds=0, total_seconds=3)
    return uvloop.run(Resolver(views, families, limits).ask(host))


def found(answer: Lookup) -> tuple[str, ...]:
    assert answer.outcome is LookupResult.OK, answer
    return tuple(str(address) for address in answer.addresses)


def both(*servers: LocalDnsServer, host: str = HOST) -> dict[AddressFamily, tuple[str, ...]]:
    return {answer.family: found(answer) for answer in ask(*servers, host=host)}


def outcomes(*servers: LocalDnsServer) -> set[tuple[LookupResult, int]]:
    """Of all families, each with its TTL."""
    answers = ask(*servers)
    assert all(answer.addresses == () and answer.detail for answer in answers)
    return {(answer.outcome, answer.ttl) for answer in answers}


def test_addresses_of_both_families(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["192.0.2.2", "192.0.2.1"], aaaa=["2001:db8::1"], ttl=90))
    v4: tuple[Address, ...] = (ip_address("192.0.2.1"), ip_address("192.0.2.2"))
    assert ask(names) == (
        Lookup("view-0", V4, LookupResult.OK, v4, 90),
        Lookup("view-0", V6, LookupResult.OK, (ip_address("2001:db8::1"),), 90),
    )


def test_the_loop_of_the_standard_library_will_do(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["192.0.2.2"], aaaa=["2001:db8::1"]))
    answers = asyncio.run(Resolver([view(names)]).ask(HOST))
    assert [found(answer) for answer in answers] == [("192.0.2.2",), ("2001:db8::1",)]


def test_only_wanted_families_are_asked(names: LocalDnsServer) -> None:
    host = "once.example.com"
    names.set(host, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    (answer,) = ask(names, families=frozenset({V6}), host=host)
    assert found(answer) == ("2001:db8::1",)
    assert names.wait_for_questions(host, 1) == (Question(host, "AAAA", "udp"),)


def test_a_set_that_rotates(names: LocalDnsServer) -> None:
    pool = [f"192.0.2.{number}" for number in range(64)]
    names.set(HOST, Records(a=pool, shown=8))
    answers = [ask(names, families=frozenset({V4}))[0] for _ in range(60)]
    assert {len(found(answer)) for answer in answers} == {8}
    assert len({found(answer) for answer in answers}) > 20
    seen = {address for answer in answers for address in found(answer)}
    # 60 runs of 8 in 64 leave one out once in 3000 times; never more than a few.
    assert seen <= set(pool)
    assert len(seen) > 55
    assert outcomes_of(names, V6) == LookupResult.NO_DATA


def outcomes_of(server: LocalDnsServer, family: AddressFamily) -> LookupResult:
    (answer,) = ask(server, families=frozenset({family}))
    return answer.outcome


def test_a_set_that_shrinks_and_grows(names: LocalDnsServer) -> None:
    pool = [f"192.0.2.{number}" for number in range(1, 9)]
    for size in (8, 2, 1, 8):
        names.set(HOST, Records(a=pool[:size], aaaa=["2001:db8::1"]))
        assert both(names) == {V4: tuple(pool[:size]), V6: ("2001:db8::1",)}


def test_a_host_that_has_no_address(names: LocalDnsServer) -> None:
    names.set(HOST, Records())
    assert outcomes(names) == {(LookupResult.NO_DATA, NEGATIVE_TTL)}


def test_a_host_that_has_addresses_of_one_family_only(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["192.0.2.1"]))
    v4, v6 = ask(names)
    assert found(v4) == ("192.0.2.1",)
    assert (v6.outcome, v6.ttl) == (LookupResult.NO_DATA, NEGATIVE_TTL)
    assert v6.detail == "the host has no IPv6 address"


def test_a_host_that_does_not_exist(names: LocalDnsServer) -> None:
    assert outcomes(names) == {(LookupResult.NX_DOMAIN, NEGATIVE_TTL)}
    names.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    assert both(names)
    names.set(HOST, DnsFault.NXDOMAIN)
    assert outcomes(names) == {(LookupResult.NX_DOMAIN, NEGATIVE_TTL)}
    names.remove(HOST)
    assert outcomes(names) == {(LookupResult.NX_DOMAIN, NEGATIVE_TTL)}


@pytest.mark.parametrize("fault", [DnsFault.SERVFAIL, DnsFault.REFUSED])
def test_a_server_that_fails(names: LocalDnsServer, fault: DnsFault) -> None:
    names.set(HOST, fault)
    answers = ask(names)
    assert {(answer.outcome, answer.detail) for answer in answers} == {
        (LookupResult.TRANSIENT, f"it answered {fault}")
    }
    names.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    assert both(names)


def test_a_server_that_does_not_answer(names: LocalDnsServer) -> None:
    host = "mute.example.com"
    names.set(host, DnsFault.SILENCE)
    answers = ask(names, host=host)
    assert {(answer.outcome, answer.detail) for answer in answers} == {
        (LookupResult.TRANSIENT, "no answer within 1 s")
    }
    # Twice each.
    assert len(names.wait_for_questions(host, 4)) == 4
    # And others of its names are as before.
    names.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    assert both(names)


def test_an_answer_that_does_not_fit_into_a_packet(names: LocalDnsServer) -> None:
    host = "many.example.com"
    v4 = [f"10.1.{number}.1" for number in range(MANY)]
    v6 = [f"2001:db8:{number:x}:{number:x}::1" for number in range(1, MANY + 1)]
    names.set(host, Records(a=v4, aaaa=v6))
    assert both(names, host=host) == {V4: tuple(v4), V6: tuple(v6)}
    assert set(names.wait_for_questions(host, 4)) == {
        Question(host, kind, protocol) for kind in ("A", "AAAA") for protocol in ("udp", "tcp")
    }


def test_more_addresses_than_are_taken(names: LocalDnsServer) -> None:
    names.set(HOST, Records(a=[f"10.1.{number // 256}.{number % 256}" for number in range(600)]))
    answer = ask(names)[0]
    assert len(found(answer)) == 256
    assert answer.detail == "the first 256 of 600 addresses"


@pytest.mark.parametrize("ttls", [(300, 20, 60), (20, 300, 60), (300, 60, 20)])
def test_a_chain_of_aliases_lasts_as_long_as_its_shortest_link(
    names: LocalDnsServer, ttls: tuple[int, int, int]
) -> None:
    names.update(
        {
            HOST: Records(cname="edge.example.net", ttl=ttls[0]),
            "edge.example.net": Records(cname="pool.example.org", ttl=ttls[1]),
            "pool.example.org": Records(a=["192.0.2.1"], aaaa=["2001:db8::1"], ttl=ttls[2]),
        }
    )
    assert {(found(answer), answer.ttl) for answer in ask(names)} == {
        (("192.0.2.1",), 20),
        (("2001:db8::1",), 20),
    }


def test_a_chain_that_is_cut_at_the_border_of_a_zone(names: LocalDnsServer) -> None:
    host = "cut.example.com"
    names.update(
        {
            host: Records(cname="edge.example.net", cut=True, ttl=50),
            "edge.example.net": Records(cname="pool.example.org", cut=True, ttl=40),
            "pool.example.org": Records(a=["192.0.2.1"], aaaa=["2001:db8::1"], ttl=45),
        }
    )
    answers = ask(names, host=host)
    assert [answer.ttl for answer in answers] == [40, 40]
    assert [found(answer) for answer in answers] == [("192.0.2.1",), ("2001:db8::1",)]
    for link in ("edge.example.net", "pool.example.org"):
        assert len(names.wait_for_questions(link, 2)) == 2


def test_a_chain_that_is_longer_than_coredns_follows(names: LocalDnsServer) -> None:
    chain = [HOST, *(f"a{number}.example.net" for number in range(12))]
    names.update({name: Records(cname=target) for name, target in pairwise(chain)})
    names.set(chain[-1], Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    assert both(names) == {V4: ("192.0.2.1",), V6: ("2001:db8::1",)}


def test_a_chain_that_ends_in_nothing(names: LocalDnsServer) -> None:
    names.set(HOST, Records(cname="edge.example.net", ttl=300))
    assert outcomes(names) == {(LookupResult.NX_DOMAIN, NEGATIVE_TTL)}
    names.set("edge.example.net", Records())
    assert outcomes(names) == {(LookupResult.NO_DATA, NEGATIVE_TTL)}
    names.set("edge.example.net", DnsFault.SERVFAIL)
    assert outcomes(names) == {(LookupResult.TRANSIENT, 0)}


@pytest.mark.parametrize(
    ("length", "cut"),
    [(1, False), (2, False), (2, True), (3, False), (3, True), (12, False), (12, True)],
)
def test_aliases_in_a_loop(names: LocalDnsServer, length: int, cut: bool) -> None:
    chain = [HOST, *(f"a{number}.example.net" for number in range(1, length))]
    targets = [*chain[1:], HOST]
    names.update(
        {name: Records(cname=target, cut=cut) for name, target in zip(chain, targets, strict=True)}
    )
    # CoreDNS itself refuses to follow what points to itself.
    expected = LookupResult.TRANSIENT if length == 1 else LookupResult.FAULT
    assert outcomes(names) == {(expected, 0)}


ODD = {
    "private": (["10.0.0.1", "192.168.1.1"], ["fd00::1"]),
    "embedded": (["169.254.169.254"], ["64:ff9b::a00:1", "2002:a00:1::"]),
    "mapped": (["127.0.0.1"], ["::ffff:10.0.0.1"]),
    "sinkhole": (["0.0.0.0"], ["::"]),
    "many for none": (["224.0.0.1", "255.255.255.255"], ["ff02::1"]),
}


@pytest.mark.parametrize(("a", "aaaa"), ODD.values(), ids=ODD)
def test_odd_addresses_are_told_as_they_are(
    names: LocalDnsServer, a: list[str], aaaa: list[str]
) -> None:
    names.set(HOST, Records(a=a, aaaa=aaaa))
    v4, v6 = ask(names)
    assert set(v4.addresses) == {ip_address(text) for text in a}
    assert set(v6.addresses) == {ip_address(text) for text in aaaa}


def test_names_are_not_completed(names: LocalDnsServer) -> None:
    # As a search list would.
    names.set(f"{HOST}.svc.cluster.local", Records(a=["10.96.0.7"], aaaa=["fd00::7"]))
    names.set("svc", Records(a=["10.96.0.8"]))
    assert outcomes(names) == {(LookupResult.NX_DOMAIN, NEGATIVE_TTL)}
    assert [answer.outcome for answer in ask(names, host="svc")] == [
        LookupResult.OK,
        LookupResult.NO_DATA,
    ]


def test_nothing_is_remembered(names: LocalDnsServer) -> None:
    async def main() -> list[tuple[str, ...]]:
        resolver = Resolver([view(names)], frozenset({V4}))
        answers = []
        for address in ("192.0.2.1", "192.0.2.2"):
            names.set(HOST, Records(a=[address], ttl=3600))
            answers.append(found((await resolver.ask(HOST))[0]))
        return answers

    assert asyncio.run(main()) == [("192.0.2.1",), ("192.0.2.2",)]


def test_views_that_disagree_are_each_told(names: LocalDnsServer, other: LocalDnsServer) -> None:
    names.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"], ttl=60))
    other.set(HOST, Records(a=["10.0.0.1"], ttl=5))
    assert [
        (answer.name_server, answer.family, answer.outcome, answer.ttl)
        for answer in ask(names, other)
    ] == [
        ("view-0", V4, LookupResult.OK, 60),
        ("view-0", V6, LookupResult.OK, 60),
        ("view-1", V4, LookupResult.OK, 5),
        ("view-1", V6, LookupResult.NO_DATA, 30),
    ]


def test_a_view_that_is_dead_takes_nothing_from_one_that_lives(
    names: LocalDnsServer, other: LocalDnsServer
) -> None:
    names.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
    other.set(HOST, Records(a=["10.0.0.1"], aaaa=["fd00::1"]))
    other.stop()
    refused = "connection refused"
    assert [answer.detail for answer in ask(other, names)] == [refused, refused, "", ""]
    other.start()
    assert [answer.outcome for answer in ask(other, names)] == [LookupResult.OK] * 4
    other.suspend()
    silence = "no answer within 1 s"
    assert [answer.detail for answer in ask(other, names)] == [silence, silence, "", ""]
    other.resume()
    assert [answer.outcome for answer in ask(other, names)] == [LookupResult.OK] * 4


def test_a_server_may_be_asked_by_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with LocalDnsServer(tmp_path, address="::1") as server:
        server.set(HOST, Records(a=[f"10.1.{n}.1" for n in range(MANY)], aaaa=["2001:db8::1"]))
        assert [len(found(answer)) for answer in ask(server)] == [MANY, 1]


def test_many_at_once(names: LocalDnsServer) -> None:
    hosts = {f"h{number}.example.com": f"10.2.0.{number}" for number in range(200)}
    names.update({host: Records(a=[address]) for host, address in hosts.items()})

    async def main() -> dict[str, tuple[str, ...]]:
        resolver = Resolver([view(names)], frozenset({V4}))
        answers = await asyncio.gather(*map(resolver.ask, hosts))
        return {host: found(one) for host, (one,) in zip(hosts, answers, strict=True)}

    assert uvloop.run(main()) == {host: (address,) for host, address in hosts.items()}


# The name server of the harness itself.


def test_no_question_is_lost_while_data_change(names: LocalDnsServer) -> None:
    """With one try each: an answer is of before or after, and there always is one."""
    names.set(HOST, Records(a=["192.0.2.0"]))
    limits = LookupLimits(try_seconds=5, pause_seconds=60, total_seconds=5)

    async def main() -> set[tuple[str, ...]]:
        resolver = Resolver([view(names)], frozenset({V4}), limits)
        seen = set()
        done = False

        async def hammer() -> None:
            while not done:
                (answer,) = await resolver.ask(HOST)
                seen.add(found(answer))

        asking = [asyncio.create_task(hammer()) for _ in range(3)]
        for number in range(1, 20):
            await asyncio.to_thread(names.set, HOST, Records(a=[f"192.0.2.{number}"]))
            (answer,) = await resolver.ask(HOST)
            assert found(answer) == (f"192.0.2.{number}",)
        done = True
        await asyncio.gather(*asking)
        return seen

    assert len(asyncio.run(main())) > 5


def test_what_is_below_a_host_is_another_host(names: LocalDnsServer) -> None:
    below = f"eu.{HOST}"
    names.set(below, Records(a=["192.0.2.7"], aaaa=["2001:db8::7"]))
    for what in (Records(a=["192.0.2.1"], shown=1), DnsFault.SERVFAIL, Records(cname="a.b")):
        names.set(HOST, what)
        assert both(names, host=below) == {V4: ("192.0.2.7",), V6: ("2001:db8::7",)}


def test_a_port_is_nobody_elses_while_its_server_is_stopped(tmp_path: Path) -> None:
    """CoreDNS would share it, and two of them would answer in turns."""
    with LocalDnsServer(tmp_path) as server:
        server.set(HOST, Records(a=["192.0.2.1"], aaaa=["2001:db8::1"]))
        before = server.endpoint
        server.stop()
        with socket.socket() as somebody, pytest.raises(OSError, match="in use"):
            somebody.bind(("127.0.0.1", server.port))
        server.start()
        assert server.endpoint == before
        assert both(server) == {V4: ("192.0.2.1",), V6: ("2001:db8::1",)}


def test_what_coredns_refuses_is_told(names: LocalDnsServer) -> None:
    with pytest.raises(NameServerError, match="CoreDNS cannot load its data") as error:
        names.set(HOST, Records(a=["192.0.2.1"], ttl=-1))
    assert "zone: dns:" in str(error.value)
