"""The framing of dnstap: handshakes, limits, and the same result however bytes are cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.observed.frame_streams import (
    CONTENT_TYPE,
    LARGEST_FRAME,
    Control,
    FrameStream,
    FrameStreamError,
    Phase,
    control_frame,
    data_frame,
)
from tests.support.dnstap_reports import ACCEPT, FINISH, READY, START, STOP, stream
from tests.support.every import every
from tests.support.steps import steps_of

Outcome = tuple[list[bytes], bytes, Phase, str]


def run(*chunks: bytes) -> Outcome:
    """All frames, all replies, the last phase, and the error's sentence."""
    streaming = FrameStream()
    frames: list[bytes] = []
    replies = b""
    problem = ""
    for chunk in chunks:
        streaming.append(chunk)
        try:
            while (frame := streaming.next_frame()) is not None:
                frames.append(frame)
        except FrameStreamError as error:
            problem = str(error)
        replies += streaming.take_replies()
    return frames, replies, streaming.phase, problem


@pytest.mark.parametrize(
    ("sent", "replies"), [(READY + START, ACCEPT + FINISH), (START, b"")], ids=["both ways", "one"]
)
def test_a_whole_stream(sent: bytes, replies: bytes) -> None:
    done = run(sent + data_frame(b"a") + data_frame(b"bc") + STOP)
    assert done == ([b"a", b"bc"], replies, Phase.ENDED, "")


def test_ready_may_offer_other_content_types_too() -> None:
    ready = control_frame(Control.READY, b"text/plain", CONTENT_TYPE)
    assert run(ready)[1:] == (ACCEPT, Phase.ACCEPTED, "")


def _raw_control(length: int, *rest: bytes) -> bytes:
    return struct.pack("!II", 0, length) + b"".join(rest)


REFUSED = {
    "another content type": (
        control_frame(Control.READY, b"protobuf:other\n\x1b[31m"),
        r"the content type is 'protobuf:other\n\x1b[31m', and not protobuf:dnstap.Dnstap",
    ),
    "one way, another content type": (control_frame(Control.START, b"x"), "the content type is"),
    "no content type": (control_frame(Control.START), "the content type is none"),
    "START has two content types": (
        control_frame(Control.START, CONTENT_TYPE, CONTENT_TYPE),
        "START has more than one content type",
    ),
    "data at once": (data_frame(b"a"), "a data frame came before START"),
    "data after READY": (READY + data_frame(b"a"), "a data frame came before START"),
    "READY twice": (READY + READY, "the control frame READY came when READY was received"),
    "START twice": (START + START, "the control frame START came when START was received"),
    "READY after START": (START + READY, "the control frame READY came when START was"),
    "STOP at once": (STOP, "the control frame STOP came when nothing was received"),
    "ACCEPT": (ACCEPT, "the control frame ACCEPT came when nothing was received"),
    "FINISH": (START + FINISH, "the control frame FINISH came when START was received"),
    "STOP with a content type": (
        START + control_frame(Control.STOP, CONTENT_TYPE),
        "STOP has a content type",
    ),
    "an unknown type": (
        START + _raw_control(4, struct.pack("!I", 77)),
        "the control frame of type 77 came when START was received",
    ),
    "too long a data frame": (
        START + struct.pack("!I", LARGEST_FRAME + 1),
        "a data frame of 131073 bytes is longer than 131072",
    ),
    "4 GiB": (START + b"\xff\xff\xff\xff", "a data frame of 4294967295 bytes"),
    "an empty control frame": (_raw_control(0), "a control frame of 0 bytes"),
    "a short control frame": (_raw_control(3), "a control frame of 3 bytes"),
    "a long control frame": (_raw_control(513), "a control frame of 513 bytes"),
    "an endless control frame": (_raw_control(0xFFFFFFFF), "a control frame of 4294967295"),
    "half a field": (
        _raw_control(8, struct.pack("!II", Control.READY, 1)),
        "a field of a control frame is truncated",
    ),
    "an unknown field": (
        _raw_control(12, struct.pack("!III", Control.READY, 2, 0)),
        "a field of the unknown type 2",
    ),
    "a content type beyond its frame": (
        _raw_control(14, struct.pack("!III", Control.READY, 1, 3), b"ab"),
        "a content type is longer than its frame",
    ),
    "too long a content type": (
        control_frame(Control.READY, b"a" * 257),
        "a content type is longer than its frame or the limit",
    ),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "a data frame came before START"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01", "a data frame came before START"),
}


@every("name", REFUSED)
def test_refused(name: str) -> None:
    sent, sentence = REFUSED[name]
    # Whatever follows is of no interest.
    frames, replies, phase, problem = run(sent, STOP, data_frame(b"later"))
    assert sentence in problem
    assert problem.isprintable()
    assert (frames, phase) == ([], Phase.ENDED)
    assert replies in (b"", ACCEPT)


def test_the_largest_frame_is_taken() -> None:
    payload = bytes(LARGEST_FRAME)
    assert run(START + data_frame(payload))[0] == [payload]


def test_nothing_is_kept_after_the_end() -> None:
    streaming = FrameStream()
    streaming.append(START + STOP + b"a" * 1000)
    assert streaming.next_frame() is None
    streaming.append(b"b" * 1000)
    assert streaming.buffered == 0


def test_frames_are_passed_over_up_to_a_number_of_bytes() -> None:
    streaming = FrameStream()
    streaming.append(START + data_frame(b"abcd") * 10 + data_frame(b"partial")[:6])
    assert streaming.skip(17) == 3  # the third one ends at 24
    assert streaming.next_frame() == b"abcd"
    assert streaming.skip(1 << 20) == 6
    assert streaming.skip(1 << 20) == 0
    streaming.append(b"rtial" + STOP)
    assert streaming.skip(1 << 20) == 1
    assert streaming.skip(1 << 20) == 0
    assert streaming.phase is Phase.ENDED


def test_passing_over_processes_control_frames() -> None:
    streaming = FrameStream()
    streaming.append(READY + START + data_frame(b"a"))
    assert streaming.skip(1 << 20) == 1
    assert streaming.take_replies() == ACCEPT
    streaming.append(READY)
    with pytest.raises(FrameStreamError, match="READY"):
        streaming.skip(1 << 20)


def test_what_was_processed_is_not_kept_while_more_comes() -> None:
    streaming = FrameStream()
    frame = data_frame(bytes(1000))
    streaming.append(START + frame * 2)
    for _ in range(1000):
        streaming.append(frame)
        assert streaming.next_frame() is not None
    assert streaming.buffered == 2 * len(frame)
    assert len(streaming._buffer) < 100 * len(frame)


def test_many_small_chunks_are_not_copied_again_and_again() -> None:
    # A frame that comes byte by byte, behind frames that wait.
    def arrive(size: int) -> int:
        streaming = FrameStream()
        streaming.append(START)

        def chunks() -> None:
            for _ in range(size):
                streaming.append(b"\0\0\1\0")
                streaming.next_frame()

        return steps_of(chunks)

    assert arrive(4000) < 5 * arrive(1000)


def _cut(data: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({min(one, len(data)) for one in at} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


_pieces = st.sampled_from(
    [READY, START, STOP, ACCEPT, FINISH, b"\0", b"\0\0\0\0", b"\0\0\0\x01", b"a", b"\xff\xff"]
)
_wild = st.lists(st.one_of(_pieces, st.binary(max_size=30).map(data_frame), st.binary(max_size=9)))
_anything = st.one_of(st.binary(), _wild.map(b"".join), _wild.map(lambda p: START + b"".join(p)))


@given(_anything, st.lists(st.integers(0, 300), max_size=20))
def test_how_bytes_are_cut_makes_no_difference(data: bytes, at: list[int]) -> None:
    assert run(*_cut(data, at)) == run(data)


@given(st.lists(st.binary(min_size=1, max_size=200)), st.booleans())
def test_every_valid_stream_round_trips(payloads: list[bytes], bidirectional: bool) -> None:
    frames, replies, phase, problem = run(stream(*payloads, bidirectional=bidirectional))
    assert (frames, phase, problem) == (payloads, Phase.ENDED, "")
    assert replies == (ACCEPT + FINISH if bidirectional else b"")


@given(_anything, st.lists(st.integers(1, 40), max_size=9))
def test_passing_over_and_reading_agree(data: bytes, lengths: list[int]) -> None:
    frames, _, phase, problem = run(data)
    streaming = FrameStream()
    streaming.append(data)
    count = 0
    stopped_by = ""
    try:
        for most in [*lengths, len(data) + 1]:
            count += streaming.skip(most)
    except FrameStreamError as error:
        stopped_by = str(error)
    assert stopped_by == problem
    assert stopped_by or count == len(frames)
    assert streaming.phase is phase
