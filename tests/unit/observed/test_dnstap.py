"""Reports of name servers, as CoreDNS sends them and as nobody should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import dns.rcode
import pytest
from dnstap_pb import Dnstap
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.observed.dnstap import decode as decode_half
from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.half import Half
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from tests.support.dnstap_reports import CLIENT, HOST, NOW, answer, question, report
from tests.support.every import every


def decode(frame: bytes) -> ReportedLookup | FrameResult:
    half = decode_half(frame)
    return half.lookup if isinstance(half, Half) else half


def test_a_question() -> None:
    assert decode(report()) == ReportedLookup(LookupStage.QUESTION, HOST, CLIENT, NOW)


@pytest.mark.parametrize(
    ("code", "refused"), [("NOERROR", False), ("NXDOMAIN", True), ("REFUSED", True)]
)
def test_an_answer(code: str, refused: bool) -> None:
    sent = report(LookupStage.ANSWER, answer(code=dns.rcode.from_text(code)))
    assert decode(sent) == ReportedLookup(LookupStage.ANSWER, HOST, CLIENT, NOW, refused)


def test_an_answer_has_its_own_time_or_that_of_its_question() -> None:
    asked = {"query_time_sec": int(NOW.timestamp()) - 5, "query_time_nsec": 7000}
    later = decode(report(LookupStage.ANSWER, **asked))
    assert isinstance(later, ReportedLookup)
    assert later.time == NOW
    no_time = {"response_time_sec": None, "response_time_nsec": None}
    same = decode(report(LookupStage.ANSWER, **asked, **no_time))
    assert isinstance(same, ReportedLookup)
    assert same.time == NOW.replace(microsecond=7) - timedelta(seconds=5)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("fe80::1", "fe80::1"),
    ],
)
def test_addresses(address: str, text: str) -> None:
    # Of the family that is told, nothing depends: CoreDNS told INET beside 16 bytes.
    read = decode(report(client=ip_address(address).packed))
    assert isinstance(read, ReportedLookup)
    assert read.client == text


def test_a_question_over_tcp() -> None:
    read = decode(report(socket_protocol=2))
    assert isinstance(read, ReportedLookup)


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14])
def test_other_messages_are_ignored(kind: int) -> None:
    assert decode(report(type=kind)) is FrameResult.IGNORED


def raw(*fields: tuple[int, int | bytes]) -> bytes:
    """Protobuf, field by field: numbers as varints, bytes with their length."""

    def varint(number: int) -> bytes:
        out = b""
        while number > 0x7F:
            out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
        return out + bytes([number])

    return b"".join(
        varint(number << 3) + varint(value)
        if isinstance(value, int)
        else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    )


TYPE = (15, 1)
OFTEN = 20_000


def test_the_builder_of_this_test_builds_reports() -> None:
    inner = raw((1, 5), (4, b"\x0a\1\2\3"), (8, int(NOW.timestamp())), (10, question()))
    assert isinstance(decode(raw((14, inner), TYPE)), ReportedLookup)


def nested(depth: int) -> bytes:
    """A message in a message: ``policy`` has none in it, but the parser looks before it knows."""
    inner = b""
    for _ in range(depth):
        inner = raw((14, inner[:100_000]))
    return inner


RESULTS = {
    "nothing": (b"", FrameResult.UNREADABLE),
    "text": (b"GET / HTTP/1.1\r\n", FrameResult.UNREADABLE),
    "zeros": (bytes(1000), FrameResult.UNREADABLE),
    "a truncated report": (report()[:-7], FrameResult.UNREADABLE),
    "a report without a message": (raw(TYPE), FrameResult.UNREADABLE),
    "a message without a type": (report(type=None), FrameResult.UNREADABLE),
    "no type of report": (raw((14, raw((1, 5)))), FrameResult.UNREADABLE),
    "an unknown type of message": (raw(TYPE, (14, raw((1, 99)))), FrameResult.UNREADABLE),
    "groups without end": (b"\x1b" * 100_000, FrameResult.UNREADABLE),
    "groups in groups": (b"\x9b\x06" * 9000 + b"\x9c\x06" * 9000, FrameResult.UNREADABLE),
    "messages in messages": (nested(30_000), FrameResult.UNREADABLE),
    "a number without end": (b"\x78" + b"\xff" * 1000, FrameResult.UNREADABLE),
    "a huge number": (raw((15, 2**64 - 1)), FrameResult.UNREADABLE),
    "a length beyond the end": (b"\x72\xff\xff\xff\xff\x0f", FrameResult.UNREADABLE),
    "field 0": (b"\x00\x00", FrameResult.UNREADABLE),
    "wrong wire types": (raw((15, b"1"), (14, 5)), FrameResult.UNREADABLE),
    "a type as bytes": (raw(TYPE, (14, raw((1, b"5")))), FrameResult.UNREADABLE),
    "no `full`": (report(query_message=None), FrameResult.NO_MESSAGE),
    "no `full` in an answer": (report(LookupStage.ANSWER, b""), FrameResult.NO_MESSAGE),
    "half a DNS message": (report(dns_message=question()[:20]), FrameResult.BAD_MESSAGE),
    "an answer as a question": (report(dns_message=answer()), FrameResult.BAD_MESSAGE),
    "a question as an answer": (report(LookupStage.ANSWER, question()), FrameResult.BAD_MESSAGE),
    "a name of no host": (report(dns_message=question(r"a\032b.example")), FrameResult.IGNORED),
    "no address": (report(query_address=None), FrameResult.BAD_ADDRESS),
    "an address of 3 bytes": (report(client=b"abc"), FrameResult.BAD_ADDRESS),
    "an address of 15 bytes": (report(client=b"a" * 15), FrameResult.BAD_ADDRESS),
    "an address of 64 KiB": (report(client=b"a" * 65536), FrameResult.BAD_ADDRESS),
    "an address as text": (report(client=b"10.1.2.3"), FrameResult.BAD_ADDRESS),
    "no time": (report(query_time_sec=None), FrameResult.BAD_TIME),
    "the time 0": (report(query_time_sec=0), FrameResult.BAD_TIME),
    "a clock that was not set": (report(query_time_sec=86_400), FrameResult.BAD_TIME),
    "the year 9999": (report(query_time_sec=253_402_300_799), FrameResult.BAD_TIME),
    "the end of time": (report(query_time_sec=2**64 - 1), FrameResult.BAD_TIME),
    "too many nanoseconds": (report(query_time_nsec=10**9), FrameResult.BAD_TIME),
    "most nanoseconds": (report(query_time_nsec=2**32 - 1), FrameResult.BAD_TIME),
    "the time of an answer": (
        report(LookupStage.ANSWER, response_time_nsec=10**9),
        FrameResult.BAD_TIME,
    ),
}


@every("name", RESULTS)
def test_what_is_no_lookup_has_a_name(name: str) -> None:
    frame, result = RESULTS[name]
    assert decode(frame) is result
    assert result.is_lost is (result is not FrameResult.IGNORED)


HARMLESS = {
    "unknown fields": raw(*((number, b"x") for number in range(100, 200))),
    "a field a thousand times": raw((1, b"identity")) * OFTEN,
    "a message in parts": raw((14, raw((3, 2)))) * OFTEN,
    "a type again": raw(TYPE) * OFTEN,
    "a long number": b"\x78\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_odd_and_harmless(name: str) -> None:
    assert decode(report() + HARMLESS[name]) == ReportedLookup(
        LookupStage.QUESTION, HOST, CLIENT, NOW
    )


def test_of_two_the_last_one_counts() -> None:
    other = raw((14, raw((4, b"\x0a\x09\x09\x09"))))
    read = decode(report() + other)
    assert isinstance(read, ReportedLookup)
    assert read.client == "10.9.9.9"


_addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
_times = st.datetimes(datetime(2020, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone
_hosts = st.from_regex(
    r"[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,20}){1,5}", fullmatch=True
)


@given(st.sampled_from(LookupStage), _hosts, _addresses, _times)
def test_every_report_round_trips(
    stage: LookupStage, host: str, client: object, time: datetime
) -> None:
    message = question(host) if stage is LookupStage.QUESTION else answer(host)
    read = decode(report(stage, message, str(client), time))
    mapped = getattr(client, "ipv4_mapped", None)
    assert read == ReportedLookup(stage, host, str(mapped or client), time)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    assert isinstance(decode(data), FrameResult)


@given(st.data())
def test_reports_that_are_almost_right(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from([report(), report(LookupStage.ANSWER)])))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    read = decode(bytes(frame[: data.draw(st.integers(1, len(frame)))]))
    if isinstance(read, ReportedLookup):
        assert read.name.isascii()
        assert read.name.isprintable()
        assert str(ip_address(read.client)) == read.client
        assert 2020 <= read.time.year < 2200


@given(st.data())
def test_any_values_of_the_fields(data: st.DataObject) -> None:
    whole = Dnstap()
    whole.type = 1
    message = whole.message
    message.type = data.draw(st.sampled_from([5, 6]))
    for name in ("query_address", "query_message", "response_message", "query_zone"):
        setattr(message, name, data.draw(st.one_of(st.just(question()), st.binary(max_size=20))))
    for name in ("query_time_sec", "response_time_sec"):
        setattr(message, name, data.draw(st.integers(0, 2**64 - 1)))
    for name in ("query_time_nsec", "response_time_nsec"):
        setattr(message, name, data.draw(st.integers(0, 2**32 - 1)))
    assert isinstance(decode(whole.SerializeToString()), ReportedLookup | FrameResult)
