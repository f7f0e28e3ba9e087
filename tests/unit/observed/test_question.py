"""The question of a DNS message. dnspython says what is right."""

from __future__ import annotations

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleet_telemetry.observed.question import DnsQuestion, MalformedMessage, read_question
from tests.support.dnstap_reports import HOST, answer, question


def header(flags: int = 0, questions: int = 1) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, questions, 0, 0, 0)


def asked(name: bytes, of_class: int = 1) -> bytes:
    return header() + name + struct.pack("!HH", 1, of_class)


ASKED = b"\x03www\x07example\x00"


def test_a_question() -> None:
    assert read_question(question()) == DnsQuestion(HOST, is_answer=False, refused=False)


@pytest.mark.parametrize(
    ("code", "refused"),
    [("NOERROR", False), ("NXDOMAIN", True), ("REFUSED", True), ("SERVFAIL", False)],
)
def test_an_answer(code: str, refused: bool) -> None:
    read = read_question(answer(code=dns.rcode.from_text(code)))
    assert read == DnsQuestion(HOST, is_answer=True, refused=refused)


@pytest.mark.parametrize("name", ["TeLeMeTrY.eXaMpLe.CoM", "TELEMETRY.EXAMPLE.COM."])
def test_any_case(name: str) -> None:
    read = read_question(question(name))
    assert read is not None
    assert read.name == HOST


def test_records_are_not_read() -> None:
    cut = answer()[: 12 + len(HOST) + 2 + 4]
    assert read_question(cut) is not None
    response = dns.message.from_wire(answer())
    response.flags |= dns.flags.TC
    assert read_question(response.to_wire() + b"rubbish") is not None


NO_HOST = {
    "the root": asked(b"\x00"),
    "a dot in a label": asked(b"\x0bwww.example\x00"),
    "a space": asked(b"\x03w w\x07example\x00"),
    "a control character": asked(b"\x03w\x1bw\x07example\x00"),
    "a zero byte": asked(b"\x03w\x00w\x07example\x00"),
    "UTF-8": asked(b"\x04w\xc3\xa4w\x07example\x00"),
    "Latin-1": asked(b"\x03w\xe4w\x07example\x00"),
    "class CHAOS": asked(ASKED, 3),
    "class ANY": asked(ASKED, 255),
    "an update": header(dns.opcode.UPDATE << 11) + ASKED + b"\0\1\0\1",
    "no question": header(0, 0),
    "no question, an error": header(0x8001, 0),
}


@pytest.mark.parametrize("name", NO_HOST)
def test_what_asks_for_no_host(name: str) -> None:
    assert read_question(NO_HOST[name]) is None


def _labels(size: int) -> bytes:
    """A name of so many bytes, with the last zero."""
    whole, rest = divmod(size - 1, 64)
    return (
        (b"\x3f" + b"a" * 63) * whole + (bytes([rest - 1]) + b"b" * (rest - 1)) * (rest > 1) + b"\0"
    )


MALFORMED = {
    "nothing": b"",
    "half a header": header()[:11],
    "a header alone": header(),
    "two questions": header(0, 2) + ASKED + b"\0\1\0\1" + ASKED + b"\0\1\0\1",
    "many questions": header(0, 0xFFFF),
    "a label beyond the end": header() + b"\x3fabc",
    "a name without an end": header() + b"\x03www",
    "no type": header() + ASKED,
    "half a class": header() + ASKED + b"\0\1\0",
    "a pointer to itself": asked(b"\xc0\x0c"),
    "a pointer to the header": asked(b"\xc0\x00"),
    "a pointer after a label": asked(b"\x03www\xc0\x0c"),
    "a pointer to its end": asked(b"\xc0\xff"),
    "a pointer with enough behind it": asked(b"\xc0" + b"a" * 0xC0 + b"\0"),
    "a reserved kind of label": asked(b"\x40a\x00"),
    "another reserved kind": asked(b"\x80a\x00"),
    "a name of 256 bytes": asked(_labels(256)),
    "a name of all that fits": header() + b"\x01a" * 30_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    with pytest.raises(MalformedMessage):
        read_question(MALFORMED[name])


def test_the_longest_name() -> None:
    read = read_question(asked(_labels(255)))
    assert read is not None
    assert len(read.name) == 253


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    _compare(data)


@given(st.data())
def test_messages_that_are_almost_right(data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from([question(), answer(), asked(ASKED)])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(message) - 1))
        message[at] = data.draw(st.sampled_from([0, 1, 3, 0x3F, 0x40, 0xC0, 0x41, 0x2E, 0xFF]))
    _compare(bytes(message[: data.draw(st.integers(0, len(message)))]))


def _compare(data: bytes) -> None:
    """What is read is what dnspython reads, if both read it."""
    try:
        read = read_question(data)
    except MalformedMessage:
        return
    if read is None:
        return
    try:
        message = dns.message.from_wire(data, question_only=True)
    except dns.exception.DNSException:
        assume(False)
    (only,) = message.question
    assert only.name.to_text(omit_final_dot=True).lower() == read.name
    assert bool(message.flags & dns.flags.QR) is read.is_answer
    assert (message.rcode() & 15 in (3, 5)) is read.refused


_label = st.text("abcXYZ059-_", min_size=1, max_size=63)


@given(st.lists(_label, min_size=1, max_size=8), st.sampled_from(["A", "AAAA", "HTTPS", "TXT"]))
def test_every_name_of_a_host_round_trips(labels: list[str], kind: str) -> None:
    try:
        name = dns.name.from_text(".".join(labels))
    except dns.name.NameTooLong:
        assume(False)
    read = read_question(dns.message.make_query(name, kind).to_wire())
    assert read is not None
    assert read.name == ".".join(labels).lower()
