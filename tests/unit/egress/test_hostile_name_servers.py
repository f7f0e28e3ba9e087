"""Whatever a name server sends, there is an answer that says it right, in time."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
import uvloop
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.egress.dns.client import NoAnswerError, send_query
from fleet_telemetry.egress.dns.resolver import LookupLimits, NameServer, Resolver
from fleet_telemetry.egress.model import Lookup
from tests.support.depth import scaled
from tests.support.every import every
from tests.support.hostile_name_server import (
    Respond,
    WildServer,
    framed,
    message,
    reply,
    silent,
    truncated,
)

HOST = "telemetry.example.com"
A = f"{HOST}. 60 IN A 192.0.2.1"
SOA = "example.com. 300 IN SOA ns.example.com. host.example.com. 1 1 1 1 120"
IPV4 = frozenset({AddressFamily.IPV4})
QUICK = LookupLimits(try_seconds=0.4, pause_seconds=0, total_seconds=5)
PATIENT = LookupLimits(try_seconds=5, pause_seconds=0, total_seconds=10)

Runner = Callable[[Any], Any]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    runner: Runner = request.param
    return runner


def ask(
    by_udp: Respond,
    by_tcp: Respond | None = silent,
    *,
    limits: LookupLimits = PATIENT,
    run: Runner = asyncio.run,
    host: str = HOST,
) -> Lookup:
    """What comes of asking a server for the IPv4 addresses."""

    with WildServer(by_udp, by_tcp) as server:
        (answer,) = run(Resolver([server.name_server], IPV4, limits).ask(host))
    assert isinstance(answer, Lookup)
    return answer


def ask_and_count(by_udp: Respond, limits: LookupLimits = PATIENT) -> tuple[Lookup, list[str]]:
    """The answer, and the names that were asked for."""
    with WildServer(by_udp) as server:
        (answer,) = asyncio.run(Resolver([server.name_server], IPV4, limits).ask(HOST))
    return answer, [name_asked(question) for question in server.asked]


def told(answer: Lookup) -> tuple[LookupResult, list[str], int]:
    return answer.outcome, [str(address) for address in answer.addresses], answer.ttl


def says(*answer: str, authority: Iterable[str] = (), **options: Any) -> Respond:
    return lambda question: [reply(question, answer, authority, **options)]


def name_asked(question: bytes) -> str:
    return dns.message.from_wire(question).question[0].name.to_text()


def in_turn(*responds: Respond) -> Respond:
    """One after the other, then the last one again and again."""
    left = list(responds)

    def respond(question: bytes) -> Iterable[bytes]:
        return (left.pop(0) if len(left) > 1 else left[0])(question)

    return respond


# What answers mean.


def test_addresses_are_told_once_and_in_order() -> None:
    records = [
        f"{HOST}. {ttl} IN A 192.0.2.{n}" for n, ttl in ((9, 70), (1, 50), (10, 60), (9, 70))
    ]
    assert told(ask(says(*records))) == (
        LookupResult.OK,
        ["192.0.2.1", "192.0.2.9", "192.0.2.10"],
        50,
    )


def test_both_families_are_asked_and_each_gets_its_own() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        ipv6 = f"{HOST}. 70 IN AAAA 2001:db8::1"
        kind = dns.message.from_wire(question).question[0].rdtype.name
        # What was not asked for is there, too, and does not count.
        return [reply(question, [A, ipv6] if kind == "A" else [ipv6, A])]

    with WildServer(by_udp) as server:
        answers = asyncio.run(Resolver([server.name_server], limits=PATIENT).ask(HOST))
    assert answers == (
        Lookup("wild", AddressFamily.IPV4, LookupResult.OK, (ip_address("192.0.2.1"),), 60),
        Lookup("wild", AddressFamily.IPV6, LookupResult.OK, (ip_address("2001:db8::1"),), 70),
    )


def test_names_are_the_same_in_capitals() -> None:
    records = [
        "TELEMETRY.Example.COM. 60 IN CNAME Edge.EXAMPLE.net.",
        "edge.example.NET. 9 IN A 1.2.3.4",
    ]
    assert told(ask(says(*records))) == (LookupResult.OK, ["1.2.3.4"], 9)


@pytest.mark.parametrize("ttl", [2**31, 2**32 - 1])
def test_a_ttl_that_is_out_of_range_is_none(ttl: int) -> None:
    assert told(ask(says(f"{HOST}. {ttl} IN A 192.0.2.1"))) == (LookupResult.OK, ["192.0.2.1"], 0)


def test_the_longest_ttl_is_told() -> None:
    assert ask(says(f"{HOST}. {2**31 - 1} IN A 192.0.2.1")).ttl == 2**31 - 1


@pytest.mark.parametrize("ttls", [(10, 20, 30), (30, 10, 20), (20, 30, 10)])
def test_the_shortest_ttl_of_the_chain_counts(ttls: tuple[int, int, int]) -> None:
    records = [
        f"b.example.net. {ttls[2]} IN A 192.0.2.1",
        f"{HOST}. {ttls[0]} IN CNAME a.example.net.",
        f"a.example.net. {ttls[1]} IN CNAME b.example.net.",
    ]
    assert told(ask(says(*records))) == (LookupResult.OK, ["192.0.2.1"], 10)


@every("authority", [(), (SOA,)])
@every("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
@every(
    "records",
    [
        ["other.example.com. 60 IN A 192.0.2.9"],
        ["other.example.com. 60 IN A 192.0.2.9", "another.example.com. 60 IN A 192.0.2.10"],
        ["other.example.com. 60 IN CNAME edge.example.net."],
        ["other.example.com. 60 IN CNAME edge.example.net.", "edge.example.net. 60 IN A 192.0.2.9"],
        [f"{HOST}. 60 IN CNAME edge.example.net.", "other.example.net. 60 IN A 192.0.2.9"],
        [f"sub.{HOST}. 60 IN A 192.0.2.9"],
        ["example.com. 60 IN A 192.0.2.9"],
    ],
)
def test_an_answer_for_another_name_is_a_fault_and_not_that_there_is_no_address(
    records: list[str], rcode: dns.rcode.Rcode, authority: tuple[str, ...]
) -> None:
    """As CoreDNS answers that rewrites the question and not the answer."""
    answer = ask(says(*records, authority=list(authority), rcode=rcode))
    assert told(answer) == (LookupResult.FAULT, [], 0)
    assert answer.detail.startswith("it answered for another name, ")


def test_records_of_other_names_beside_the_answer_do_no_harm() -> None:
    answer = ask(says("other.example.com. 60 IN A 192.0.2.9", A))
    assert told(answer) == (LookupResult.OK, ["192.0.2.1"], 60)


@pytest.mark.parametrize("behind", [b"\0", b"\0\0\0\0", b"\xff" * 100])
def test_bytes_after_the_message_do_no_harm(behind: bytes) -> None:
    answer = ask(lambda question: [reply(question, [A]) + behind])
    assert told(answer) == (LookupResult.OK, ["192.0.2.1"], 60)


def test_a_server_that_drops_edns_is_asked_without() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        has_edns = dns.message.from_wire(question).edns >= 0
        return [] if has_edns else [reply(question, [A])]

    assert told(ask(by_udp, limits=QUICK)) == (LookupResult.OK, ["192.0.2.1"], 60)


def test_a_server_that_spoils_edns_is_asked_without() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        has_edns = dns.message.from_wire(question).edns >= 0
        return [reply(question, [A])[:-1]] * 70 if has_edns else [reply(question, [A])]

    assert told(ask(by_udp)) == (LookupResult.OK, ["192.0.2.1"], 60)


@pytest.mark.parametrize(
    ("respond", "why"),
    [
        (says(rcode=dns.rcode.SERVFAIL), "it answered SERVFAIL"),
        (says(rcode=dns.rcode.REFUSED), "it answered REFUSED"),
        (lambda _: (), "no answer within 0.4 s"),
        (lambda question: [reply(question, [A])[:-1]] * 70, "the response is malformed"),
        (
            lambda question: [reply(question, rcode=dns.rcode.FORMERR)],
            "it answered FORMERR",
        ),
    ],
)
def test_why_a_lookup_failed_is_told(respond: Respond, why: str) -> None:
    assert ask(respond, limits=QUICK).detail == why


def test_two_reasons_are_both_told() -> None:
    refused, lost = says(rcode=dns.rcode.REFUSED), says(rcode=dns.rcode.SERVFAIL)
    detail = ask(in_turn(refused, lost)).detail
    assert detail == "it answered REFUSED; at the second try: it answered SERVFAIL"


def raw(
    question: bytes,
    data: bytes,
    rdclass: dns.rdataclass.RdataClass = dns.rdataclass.IN,
    kind: dns.rdatatype.RdataType = dns.rdatatype.A,
) -> bytes:
    """A reply with one record of these bytes."""
    made = message(question, authority=[SOA])
    record = dns.rdata.GenericRdata(rdclass, kind, data)
    made.answer = [dns.rrset.from_rdata(f"{HOST}.", 60, record)]
    return made.to_wire()


def test_records_of_other_classes_do_not_count() -> None:
    answer = ask(lambda question: [raw(question, b"\1\2\3\4", dns.rdataclass.HS)])
    assert told(answer) == (LookupResult.NO_DATA, [], 120)


def test_more_addresses_than_anybody_has_are_cut() -> None:
    records = [f"{HOST}. 60 IN A 10.0.{n // 256}.{n % 256}" for n in range(1000)]
    answer = ask(
        lambda question: [truncated(question)],
        lambda question: [framed(reply(question, records))],
    )
    assert answer.outcome is LookupResult.OK
    assert [int(address) & 0xFFFF for address in answer.addresses] == list(range(256))
    assert answer.detail == "the first 256 of 1000 addresses"


NEGATIVE = {
    "a SOA's minimum": (SOA, 120),
    "a SOA's own TTL": (SOA.replace("300", "100"), 100),
    "the zone of all names": (SOA.replace("example.com.", ".", 1), 120),
}


@pytest.mark.parametrize(("soa", "ttl"), NEGATIVE.values(), ids=NEGATIVE)
@pytest.mark.parametrize(
    ("rcode", "outcome", "detail"),
    [
        (dns.rcode.NOERROR, LookupResult.NO_DATA, "the host has no IPv4 address"),
        (dns.rcode.NXDOMAIN, LookupResult.NX_DOMAIN, "the host does not exist"),
    ],
)
def test_nothing_is_of_two_kinds_and_lasts_as_the_soa_says(
    soa: str, ttl: int, rcode: dns.rcode.Rcode, outcome: LookupResult, detail: str
) -> None:
    answer = ask(says(authority=[soa], rcode=rcode))
    assert answer == Lookup("wild", AddressFamily.IPV4, outcome, ttl=ttl, detail=detail)


@pytest.mark.parametrize(
    ("rcode", "outcome"),
    [(dns.rcode.NOERROR, LookupResult.NO_DATA), (dns.rcode.NXDOMAIN, LookupResult.NX_DOMAIN)],
)
def test_nothing_without_a_soa_holds_for_no_time(
    rcode: dns.rcode.Rcode, outcome: LookupResult
) -> None:
    assert told(ask(says(rcode=rcode))) == (outcome, [], 0)


def test_nothing_behind_an_alias_holds_no_longer_than_the_alias() -> None:
    answer = ask(says(f"{HOST}. 7 IN CNAME edge.example.com.", authority=[SOA]))
    assert told(answer) == (LookupResult.NO_DATA, [], 7)
    assert answer.detail == "edge.example.com, the target of its alias, has no IPv4 address"


def test_an_alias_of_nothing_does_not_exist() -> None:
    alias = f"{HOST}. 900 IN CNAME edge.example.com."
    answer = ask(says(alias, authority=[SOA], rcode=dns.rcode.NXDOMAIN))
    assert told(answer) == (LookupResult.NX_DOMAIN, [], 120)


def test_a_server_that_names_others_says_nothing() -> None:
    answer = ask(says(authority=["com. 60 IN NS a.gtld-servers.net."]))
    assert told(answer) == (LookupResult.TRANSIENT, [], 0)
    assert "does not resolve names itself" in answer.detail


def test_a_zones_own_servers_beside_its_soa_are_no_referral() -> None:
    answer = ask(says(authority=["example.com. 60 IN NS ns.example.com.", SOA]))
    assert told(answer) == (LookupResult.NO_DATA, [], 120)


@pytest.mark.parametrize(
    "rcode",
    [
        dns.rcode.SERVFAIL,
        dns.rcode.REFUSED,
        dns.rcode.FORMERR,
        dns.rcode.NOTIMP,
        dns.rcode.NOTAUTH,
        dns.rcode.YXDOMAIN,
        dns.rcode.BADVERS,
        dns.rcode.Rcode(23),
        dns.rcode.Rcode(3841),
    ],
)
def test_any_error_says_nothing_of_the_host(rcode: dns.rcode.Rcode) -> None:
    # With records, as CoreDNS has them beside an error behind an alias.
    answer = ask(says(A, authority=[SOA], rcode=rcode))
    assert told(answer) == (LookupResult.TRANSIENT, [], 0)
    assert answer.detail == f"it answered {dns.rcode.to_text(rcode)}"


def test_an_error_may_come_without_the_question() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        return [question[:2] + b"\x81\x85" + bytes(8)]

    assert ask(by_udp).detail == "it answered REFUSED"


def test_addresses_of_what_does_not_exist_cannot_be_right() -> None:
    answer = ask(says(A, authority=[SOA], rcode=dns.rcode.NXDOMAIN))
    assert told(answer) == (LookupResult.FAULT, [], 0)


# Aliases.


def chain(length: int) -> list[str]:
    names = [f"{HOST}.", *(f"a{n}.example.net." for n in range(1, length + 1))]
    aliases = [f"{a} 60 IN CNAME {b}" for a, b in pairwise(names)]
    return [*aliases, f"{names[-1]} 60 IN A 192.0.2.1"]


def zone_by_zone(records: Iterable[str], *, ends: bool = True) -> Respond:
    """Tells the records of the name that is asked for, and nothing of what is behind an alias."""
    table = {record.split()[0]: record for record in records}

    def by_udp(question: bytes) -> list[bytes]:
        found = table.get(name_asked(question))
        if found:
            return [reply(question, [found])]
        return [reply(question, (), [SOA.replace("example.com.", ".", 1)])] if ends else []

    return by_udp


def test_a_chain_that_is_cut_is_asked_on() -> None:
    answer, asked = ask_and_count(zone_by_zone(chain(3)))
    assert told(answer) == (LookupResult.OK, ["192.0.2.1"], 60)
    assert asked == [f"{HOST}.", *(f"a{n}.example.net." for n in (1, 2, 3))]


def test_the_end_of_a_chain_that_is_cut_may_have_nothing() -> None:
    answer = ask(zone_by_zone(chain(2)[:-1]))
    assert told(answer) == (LookupResult.NO_DATA, [], 60)


def test_a_soa_of_another_zone_does_not_end_a_chain() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        if name_asked(question) == f"{HOST}.":
            return [reply(question, [f"{HOST}. 60 IN CNAME myexample.com."], [SOA])]
        return [reply(question, ["myexample.com. 60 IN A 192.0.2.7"])]

    assert told(ask(by_udp)) == (LookupResult.OK, ["192.0.2.7"], 60)


@pytest.mark.parametrize("respond", [says, lambda *records: zone_by_zone(records)])
@pytest.mark.parametrize(("length", "outcome"), [(16, LookupResult.OK), (17, LookupResult.FAULT)])
def test_chains_have_a_longest_length(
    respond: Callable[..., Respond], length: int, outcome: LookupResult
) -> None:
    answer = ask(respond(*chain(length)))
    assert answer.outcome is outcome
    assert outcome is LookupResult.OK or answer.detail == "the chain has more than 16 aliases"


@pytest.mark.parametrize("respond", [says, lambda *records: zone_by_zone(records)])
@pytest.mark.parametrize("back_to", [f"{HOST}.", "a2.example.net.", "a3.example.net."])
def test_loops_are_seen(respond: Callable[..., Respond], back_to: str) -> None:
    answer = ask(respond(*chain(3)[:-1], f"a3.example.net. 60 IN CNAME {back_to}"))
    assert told(answer) == (LookupResult.FAULT, [], 0)
    assert answer.detail == f"the aliases form a loop at {back_to.rstrip('.')}"


def test_an_alias_of_two_names_cannot_be_right() -> None:
    aliases = [f"{HOST}. 60 IN CNAME {name}.example.com." for name in "ab"]
    answer = ask(says(*aliases, "b.example.com. 60 IN A 192.0.2.1"))
    assert told(answer) == (LookupResult.FAULT, [], 0)


def test_aliases_may_have_names_of_any_bytes() -> None:
    name = r"a\.b\000\255\"\\c.EXAMPLE.net."
    answer = ask(zone_by_zone([f"{HOST}. 60 IN CNAME {name}", f"{name.lower()} 60 IN A 192.0.2.1"]))
    assert told(answer) == (LookupResult.OK, ["192.0.2.1"], 60)


def test_a_long_name_is_shown_in_part() -> None:
    labels = ".".join(["\\000" * 60] * 3)
    answer = ask(says(f"{HOST}. 60 IN CNAME {labels}.", authority=[SOA], rcode=dns.rcode.NXDOMAIN))
    assert len(answer.detail) < 200
    assert r"\000..., the target of its alias, does not exist" in answer.detail


# How it is asked.


def test_a_question_asks_for_recursion_and_tells_how_much_fits_into_a_packet() -> None:
    with WildServer(says(A)) as server:
        for _ in range(20):
            asyncio.run(Resolver([server.name_server], IPV4, PATIENT).ask(HOST))
    questions = [dns.message.from_wire(wire) for wire in server.asked]
    assert len(questions) == 20
    assert len({question.id for question in questions}) > 15
    for question in questions:
        assert question.flags == dns.flags.RD
        assert (question.edns, question.payload, question.options) == (0, 1232, ())
        assert [str(each) for each in question.question] == [f"{HOST}. IN A"]


@pytest.mark.thorough
def test_what_fails_is_asked_a_second_time(run: Runner) -> None:
    for failure in (says(rcode=dns.rcode.SERVFAIL), lambda _: (), lambda _: [b"?"]):
        assert ask(in_turn(failure, says(A)), limits=QUICK, run=run).outcome is LookupResult.OK


@pytest.mark.parametrize("last", [says(rcode=dns.rcode.SERVFAIL), lambda _: ()])
def test_and_not_a_third_time(last: Respond) -> None:
    answer, asked = ask_and_count(last, QUICK)
    assert (answer.outcome, len(asked)) == (LookupResult.TRANSIENT, 2)


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
def test_a_server_that_does_not_know_edns_is_asked_without(rcode: dns.rcode.Rcode) -> None:
    def by_udp(question: bytes) -> list[bytes]:
        has_edns = dns.message.from_wire(question).edns >= 0
        return [reply(question, rcode=rcode) if has_edns else reply(question, [A])]

    assert ask(by_udp).outcome is LookupResult.OK


def test_other_errors_do_not_take_edns_away() -> None:
    def by_udp(question: bytes) -> list[bytes]:
        has_edns = dns.message.from_wire(question).edns >= 0
        return [reply(question, rcode=dns.rcode.SERVFAIL if has_edns else dns.rcode.FORMERR)]

    assert ask(by_udp).detail == "it answered SERVFAIL"


# What is no answer.


def other_number(question: bytes) -> bytes:
    return bytes([question[0] ^ 1]) + reply(question, ["x. 1 IN A 6.6.6.6"])[1:]


def other_and_truncated(question: bytes) -> bytes:
    wire = other_number(question)
    return wire[:2] + bytes([wire[2] | 0x02]) + wire[3:]


def other_name(question: bytes) -> bytes:
    query = dns.message.make_query("other.example.com", "A", id=int.from_bytes(question[:2], "big"))
    return reply(query.to_wire(), ["other.example.com. 1 IN A 6.6.6.6"])


def other_type(question: bytes) -> bytes:
    query = dns.message.make_query(HOST, "AAAA", id=int.from_bytes(question[:2], "big"))
    return reply(query.to_wire(), [f"{HOST}. 1 IN AAAA ::6"])


def no_question(question: bytes) -> bytes:
    made = message(question, [A])
    made.question = []
    return made.to_wire()


def two_questions(question: bytes) -> bytes:
    made = message(question, [A])
    made.question = made.question * 2
    return made.to_wire()


def no_reply(question: bytes) -> bytes:
    made = message(question, [A])
    made.flags &= ~dns.flags.QR
    return made.to_wire()


def other_opcode(question: bytes) -> bytes:
    wire = reply(question, [A])
    return wire[:2] + bytes([wire[2] | 0x20]) + wire[3:]


STRAYS = (
    *(other_number, other_and_truncated, other_name, other_type),
    *(no_question, two_questions, no_reply, other_opcode),
)
CNAME = dns.rdatatype.CNAME
BROKEN = {
    "empty": lambda _: b"",
    "a byte": lambda _: b"?",
    "a header alone": lambda question: question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0",
    "cut": lambda question: reply(question, [A])[:-1],
    "an address of three bytes": lambda question: raw(question, b"abc"),
    "an address of five bytes": lambda question: raw(question, b"abcde"),
    "an alias with more behind": lambda question: raw(question, b"\0more", kind=CNAME),
    "an alias that ends too early": lambda question: raw(question, b"\3ab", kind=CNAME),
    "an alias without a name": lambda question: raw(question, b"", kind=CNAME),
    "a record that ends too early": lambda question: reply(question, [A])[:-12],
}


@pytest.mark.parametrize("stray", [*STRAYS, *BROKEN.values()])
def test_what_does_not_belong_to_the_question_is_passed_over(
    stray: Callable[[bytes], bytes], run: Runner
) -> None:
    def by_udp(question: bytes) -> list[bytes]:
        return [stray(question)] * 20 + [reply(question, [A])]

    assert told(ask(by_udp, run=run)) == (LookupResult.OK, ["192.0.2.1"], 60)


@pytest.mark.parametrize("stray", STRAYS)
def test_nothing_but_strays_is_a_fault(stray: Callable[[bytes], bytes]) -> None:
    # More than are passed over, so that it takes no time-out.
    answer = ask(lambda question: [stray(question)] * 70)
    assert told(answer) == (LookupResult.FAULT, [], 0)
    assert answer.detail == "the packet does not answer the query"


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_nothing_but_broken_answers_is_a_fault(broken: Callable[[bytes], bytes]) -> None:
    answer = ask(lambda question: [broken(question)] * 70)
    assert told(answer) == (LookupResult.FAULT, [], 0)
    assert answer.detail == "the response is malformed"


def test_somebody_else_is_not_listened_to() -> None:
    """Not even where he knows the question's number and port."""
    with socket.socket(type=socket.SOCK_DGRAM) as forger:
        forger.bind(("127.0.0.1", 0))
        with socket.socket(type=socket.SOCK_DGRAM) as asked:
            asked.bind(("127.0.0.1", 0))

            def forge() -> None:
                question, address = asked.recvfrom(65535)
                forger.sendto(reply(question, [A]), address)

            forging = threading.Thread(target=forge)
            forging.start()
            view = NameServer("forged", ip_address("127.0.0.1"), asked.getsockname()[1])
            (answer,) = asyncio.run(Resolver([view], IPV4, QUICK).ask(HOST))
            forging.join()
    assert (answer.outcome, answer.detail) == (LookupResult.TRANSIENT, "no answer within 0.4 s")


# Truncation and TCP.


def test_what_is_truncated_comes_by_tcp(run: Runner) -> None:
    records = [f"{HOST}. 60 IN A 10.0.0.{n}" for n in range(200)]
    answer = ask(
        lambda question: [truncated(question)],
        # In pieces, as it may arrive.
        lambda question: [bytes([byte]) for byte in framed(reply(question, records))],
        run=run,
    )
    assert answer.outcome is LookupResult.OK
    assert len(answer.addresses) == 200


@pytest.mark.parametrize("at", [12, 20, 30, 45])
def test_what_is_truncated_may_end_anywhere(at: int) -> None:
    def by_udp(question: bytes) -> list[bytes]:
        wire = bytearray(reply(question, [A] * 3)[:at])
        wire[2] |= 0x02
        return [bytes(wire)]

    assert ask(by_udp, lambda question: [framed(reply(question, [A]))]).outcome is LookupResult.OK


TCP: dict[str, tuple[Respond, LookupResult, str]] = {
    "nothing": (
        lambda _: [],
        LookupResult.TRANSIENT,
        "truncated, and the response by TCP ends too early",
    ),
    "half a length": (
        lambda _: [b"\0"],
        LookupResult.TRANSIENT,
        "truncated, and the response by TCP ends too early",
    ),
    "half an answer": (
        lambda question: [framed(reply(question, [A]))[:-5]],
        LookupResult.TRANSIENT,
        "truncated, and the response by TCP ends too early",
    ),
    "no bytes": (lambda _: [b"\0\0"], LookupResult.FAULT, "the response is malformed"),
    "too many": (
        lambda _: [b"\xff\xff", bytes(65535)],
        LookupResult.FAULT,
        "the response is too large: 65535 bytes",
    ),
    "another's": (
        lambda question: [framed(other_number(question))],
        LookupResult.FAULT,
        "the packet does not answer the query",
    ),
    "truncated": (
        lambda question: [framed(truncated(question))],
        LookupResult.FAULT,
        "the response is truncated by TCP, too",
    ),
    "SERVFAIL": (
        lambda question: [framed(reply(question, rcode=dns.rcode.SERVFAIL))],
        LookupResult.TRANSIENT,
        "it answered SERVFAIL",
    ),
}


@pytest.mark.parametrize(("by_tcp", "outcome", "detail"), TCP.values(), ids=TCP)
def test_what_tcp_brings_instead_of_an_answer(
    by_tcp: Respond, outcome: LookupResult, detail: str, run: Runner
) -> None:
    answer = ask(lambda question: [truncated(question)], by_tcp, run=run)
    assert (answer.outcome, answer.detail) == (outcome, detail)


def test_no_tcp_at_all_says_nothing(run: Runner) -> None:
    answer = ask(lambda question: [truncated(question)], None, run=run)
    assert answer.outcome is LookupResult.TRANSIENT
    assert answer.detail == "truncated, and by TCP: connection refused"


# In time, and without leaving anything behind.

REFUSED = NameServer("refused", ip_address("127.0.0.1"), 9)
UNREACHABLE = {
    # Nobody listens on the discard port of this machine.
    "nobody listens": (NameServer("x", ip_address("127.0.0.1"), 9), "connection refused"),
    # Where a machine has IPv6, it does not know on which side this one is.
    "no network": (
        NameServer("x", ip_address("fe80::1")),
        "invalid argument|no route to host|network is unreachable|address family not supported.*",
    ),
    "no interface": (
        NameServer("x", ip_address("fe80::1%nosuch")),
        "no interface with this name|no such device.*",
    ),
}


@pytest.mark.parametrize(("view", "detail"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_server_out_of_reach_is_known_at_once(view: NameServer, detail: str, run: Runner) -> None:
    (answer,) = run(Resolver([view], IPV4, PATIENT).ask(HOST))
    assert answer.outcome is LookupResult.TRANSIENT
    assert re.fullmatch(detail, answer.detail)


@pytest.mark.thorough
def test_silence_takes_two_tries(run: Runner) -> None:
    limits = LookupLimits(try_seconds=0.3, pause_seconds=0, total_seconds=5)
    asked: list[bytes] = []

    def note(question: bytes) -> list[bytes]:
        asked.append(question)
        return []

    answer = ask(note, silent, limits=limits, run=run)
    assert (answer.outcome, answer.detail) == (LookupResult.TRANSIENT, "no answer within 0.3 s")
    assert len(asked) == 2


def test_there_is_an_end_to_everything_together(run: Runner) -> None:
    limits = LookupLimits(try_seconds=5, pause_seconds=0, total_seconds=0.4)
    answer = ask(silent, silent, limits=limits, run=run)
    assert (answer.outcome, answer.detail) == (LookupResult.TRANSIENT, "no answer within 0.4 s")


@pytest.mark.thorough
def test_a_drip_by_tcp_has_an_end(run: Runner) -> None:
    def drip(_: bytes) -> Iterator[bytes]:
        for _ in range(200):
            yield b"\1"
            time.sleep(0.02)

    answer = ask(lambda question: [truncated(question)], drip, limits=QUICK, run=run)
    assert answer.outcome is LookupResult.TRANSIENT
    assert answer.detail == "truncated, and no answer by TCP within 0.4 s"


def test_a_flood_has_an_end_and_others_get_their_turn_meanwhile(run: Runner) -> None:
    go_on = threading.Event()

    def flood(question: bytes) -> list[bytes]:
        go_on.wait(10)
        return [other_number(question)] * 300

    async def main(server: WildServer) -> int:
        asking = asyncio.create_task(
            send_query(server.name_server, HOST, AddressFamily.IPV4, seconds=30)
        )
        while not server.asked:  # noqa: ASYNC110  # another thread tells
            await asyncio.sleep(0.001)
        go_on.set()
        time.sleep(0.3)  # noqa: ASYNC251  # so that all packets are there when the loop goes on
        turns = 0
        while not asking.done():
            turns += 1
            await asyncio.sleep(0)
        with pytest.raises(NoAnswerError, match="does not answer the query"):
            await asking
        return turns

    with WildServer(flood) as server:
        # One for each packet that was passed over.
        assert run(main(server)) > 60


def labels_without_end(question: bytes) -> bytes:
    """32 KiB of aliases whose names have 120 labels each: dnspython reads at that for seconds."""
    wire = bytearray(reply(question)[: len(question) - 11])
    place = len(wire)
    owner = b"".join(b"\1" + bytes([97 + n % 26]) for n in range(120)) + b"\0"
    pointer = (0xC000 | place).to_bytes(2, "big")
    count = 0
    while len(wire) < 32_000:
        wire += owner + b"\0\5\0\1\0\0\0\x3c\0\2" + pointer
        owner = pointer
        count += 1
    wire[6:12] = count.to_bytes(2, "big") + bytes(4)
    return bytes(wire)


def test_reading_what_is_made_to_last_does_not_last() -> None:
    limits = LookupLimits(try_seconds=30, pause_seconds=0, total_seconds=60)
    began = time.process_time()
    answer = ask(
        lambda question: [truncated(question)],
        lambda question: [framed(labels_without_end(question))],
        limits=limits,
    )
    assert (answer.outcome, answer.detail) == (LookupResult.FAULT, "the response is malformed")
    assert time.process_time() - began < 2


def test_only_so_many_questions_at_once_and_each_is_answered(run: Runner) -> None:
    now = most = 0

    async def main() -> list[tuple[Lookup, ...]]:
        loop = asyncio.get_running_loop()

        class Counting(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                nonlocal now, most
                now += 1
                most = max(most, now)
                loop.call_later(0.01, self.answer, data, addr)

            def answer(self, data: bytes, addr: Any) -> None:
                nonlocal now
                now -= 1
                self.transport.sendto(reply(data, (), [SOA]), addr)

        transport, _ = await loop.create_datagram_endpoint(Counting, ("127.0.0.1", 0))
        view = NameServer("x", ip_address("127.0.0.1"), transport.get_extra_info("sockname")[1])
        resolver = Resolver([view], limits=LookupLimits(at_once=5))
        answers = await asyncio.gather(*(resolver.ask(f"h{n}.example.com") for n in range(50)))
        transport.close()
        return answers

    answers = run(main())
    assert most == 5
    assert {answer.outcome for pair in answers for answer in pair} == {LookupResult.NO_DATA}


def open_files() -> list[str]:
    return sorted(place.name for place in Path("/dev/fd").iterdir())


@pytest.mark.thorough
def test_nothing_is_left_open(run: Runner) -> None:
    """After answers, failures, time-outs, and questions that were called off."""

    async def main(views: list[NameServer]) -> None:
        resolver = Resolver(views, limits=QUICK)
        await resolver.ask(HOST)
        before = open_files()
        await asyncio.gather(*(resolver.ask(HOST) for _ in range(10)))
        for pause in (0, 0.01, 0.05):
            tasks = [asyncio.create_task(resolver.ask(HOST)) for _ in range(10)]
            await asyncio.sleep(pause)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        # The servers' own ends of connections are closed a moment later.
        deadline = time.monotonic() + 10
        while open_files() != before and time.monotonic() < deadline:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.05)
        assert open_files() == before
        # A number that is free again is not mistaken for what it stood for before.
        assert (await resolver.ask(HOST))[0].outcome is LookupResult.OK

    with ExitStack() as stack:
        servers = (
            WildServer(says(A)),
            WildServer(silent),
            WildServer(lambda question: [truncated(question)], None),
            WildServer(lambda question: [truncated(question)]),
            WildServer(lambda _: [b"?" * 100]),
        )
        views = [
            replace(stack.enter_context(server).name_server, name=f"{number}")
            for number, server in enumerate(servers)
        ]
        run(main([*views, REFUSED]))


@contextmanager
def contacts() -> Iterator[list[Any]]:
    """Whom this process asks for anything, meanwhile."""
    seen: list[Any] = []
    _listeners.append(seen)
    try:
        yield seen
    finally:
        _listeners.remove(seen)


_listeners: list[list[Any]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners:
        if threading.current_thread() is threading.main_thread():
            listener.append((event, arguments))


sys.addaudithook(_hear)


def test_nobody_else_is_asked_and_no_file_read(run: Runner) -> None:
    async def main(*views: NameServer) -> list[Any]:
        with contacts() as seen:
            await Resolver(views, limits=QUICK).ask("localhost")
        return seen

    with WildServer(lambda question: [truncated(question)]) as server:
        seen = run(main(server.name_server, REFUSED))
    connected = {arguments[1] for event, arguments in seen if event == "socket.connect"}
    assert connected == {("127.0.0.1", server.name_server.port), ("127.0.0.1", 9)}
    others = ("open", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
    assert [each for each in seen if each[0] in others] == []


# What the caller gets wrong.


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "example.com.", "Example.com", "a..b", "*.example.com", "bücher.example"),
        *("a b.c", f"{'x' * 64}.com", ".".join(["x" * 60] * 5), "a\\.b", "a\n", "1.2.3.4/5"),
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is no host name: lower case, without a dot at the end"):
        asyncio.run(Resolver([REFUSED]).ask(host))


def test_longest_names_are_asked() -> None:
    host = ".".join(["x" * 63] * 3 + ["y" * 61])
    assert len(host) == 253
    assert ask(says(f"{host}. 60 IN A 192.0.2.1"), host=host).outcome is LookupResult.OK


def test_there_is_something_to_ask_and_each_has_a_name() -> None:
    with pytest.raises(ValueError, match="at least one DNS server"):
        Resolver([])
    with pytest.raises(ValueError, match="one family"):
        Resolver([REFUSED], frozenset())
    with pytest.raises(ValueError, match="two DNS servers are called 'refused'"):
        Resolver([REFUSED, NameServer("b", ip_address("::1")), replace(REFUSED, port=10)])


# Whatever comes.

FAST = LookupLimits(try_seconds=0.02, pause_seconds=0, total_seconds=0.2, addresses=3, aliases=3)
NAMES = (
    f"{HOST}.",
    f"{HOST}.",
    f"{HOST}.",
    "a.example.com.",
    "b.example.net.",
    "example.com.",
    ".",
)


def record() -> st.SearchStrategy[str]:
    name = st.sampled_from(NAMES)
    ttl = st.sampled_from((0, 1, 60, 2**31, 2**32 - 1))
    data = st.one_of(
        st.ip_addresses(v=4).map(lambda address: f"A {address}"),
        st.ip_addresses(v=6).map(lambda address: f"AAAA {address}"),
        name.map(lambda target: f"CNAME {target}"),
        name.map(lambda target: f"DNAME {target}"),
        name.map(lambda target: f"NS {target}"),
        name.map(lambda target: f"SOA {target} {target} 1 1 1 1 9"),
        st.just('TXT "x"'),
    )
    return st.builds(lambda owner, seconds, rest: f"{owner} {seconds} IN {rest}", name, ttl, data)


def packets() -> st.SearchStrategy[Respond]:
    """Answers that are well-formed, and answers that were after somebody changed some bytes."""
    rcodes = st.sampled_from([0, 0, 0, 2, 3, 3, 5, 16, 3841]).map(dns.rcode.Rcode)
    sections = st.lists(record(), max_size=6)
    formed = st.builds(
        lambda answer, authority, rcode: lambda question: reply(question, answer, authority, rcode),
        sections,
        sections,
        rcodes,
    )
    changes = st.lists(
        st.tuples(st.integers(2, 300), st.binary(min_size=1, max_size=3)), max_size=4
    )
    ends = st.none() | st.integers(0, 300)

    def changed(
        make: Callable[[bytes], bytes], edits: list[tuple[int, bytes]], end: int | None, more: bytes
    ) -> Callable[[bytes], bytes]:
        def respond(question: bytes) -> bytes:
            wire = bytearray(make(question))
            for place, data in edits:
                if place < len(wire):
                    wire[place : place + len(data)] = data
            return bytes(wire[:end]) + more

        return respond

    broken = st.builds(changed, formed, changes, ends, st.just(b"") | st.binary(max_size=20))
    wild = st.binary(max_size=600).map(lambda data: lambda question: question[:2] + data)
    one = st.one_of(formed, broken, broken, wild)
    return st.lists(one, min_size=1, max_size=3).map(
        lambda makers: lambda question: [make(question) for make in makers]
    )


@settings(max_examples=scaled(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packets(), packets())
def test_whatever_comes_there_is_one_answer_of_each_family(
    by_udp: Respond, by_tcp: Respond
) -> None:
    with WildServer(by_udp, lambda question: map(framed, by_tcp(question))) as server:
        answers = asyncio.run(Resolver([server.name_server], limits=FAST).ask(HOST))
    assert [(answer.name_server, answer.family) for answer in answers] == [
        ("wild", AddressFamily.IPV4),
        ("wild", AddressFamily.IPV6),
    ]
    for answer in answers:
        event(f"{answer.outcome}: {answer.detail[:25]}")
        versions = {AddressFamily.IPV4: 4, AddressFamily.IPV6: 6}
        assert {address.version for address in answer.addresses} <= {versions[answer.family]}
        assert bool(answer.addresses) == (answer.outcome is LookupResult.OK)
        assert len(answer.addresses) <= 3
        assert list(answer.addresses) == sorted(set(answer.addresses), key=int)
        assert 0 <= answer.ttl < 2**31
        assert answer.outcome not in (LookupResult.FAULT, LookupResult.TRANSIENT) or answer.ttl == 0
        assert answer.detail.isprintable()
        assert bool(answer.detail) or answer.outcome is LookupResult.OK
