"""Frame Streams: how a name server sends reports over a connection. Bytes in; frames and bytes out.

A data frame is its length (4 bytes, big-endian) and as many bytes. The length 0 announces a control
frame: its length, its type, and for some types a content type. A sender that also reads begins with
READY, waits for ACCEPT, and sends START; one that only writes begins with START. STOP ends the
stream, and FINISH answers it to a sender that reads.
https://farsightsec.github.io/fstrm/

The package `fstrm` is not used: it copies all that is buffered for each frame, takes frames of
4 GiB, accepts any order of control frames, and fails on short ones with whatever error comes.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from struct import Struct

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
LARGEST_FRAME = 128 * 1024
"""Bytes. A DNS message has at most 64 KiB, and what dnstap adds is short."""
LARGEST_CONTROL_FRAME = 512
"""Bytes, as in the reference implementation."""
LONGEST_CONTENT_TYPE = 256

_NUMBER = Struct("!I")
_TWO_NUMBERS = Struct("!II")
_PREFIX = _NUMBER.size
_CONTENT_TYPE_FIELD = 1
_COMPACT = 1 << 16
"""Processed bytes that are kept at most, since each removal may move the rest."""
_SHOWN = 64
"""Bytes of a foreign content type that an error shows."""


class FrameStreamError(Exception):
    """What was received is no stream of dnstap. The message is a sentence; nothing can follow."""


class Control(IntEnum):
    """The types of control frames."""

    ACCEPT = 1
    START = 2
    STOP = 3
    READY = 4
    FINISH = 5


class Phase(Enum):
    """How far the stream is."""

    NEW = "nothing was received"
    ACCEPTED = "READY was received"
    STREAMING = "START was received"
    ENDED = "STOP was received, or an error"


def control_frame(kind: Control, *content_types: bytes) -> bytes:
    """A control frame, as it is sent."""
    fields = b"".join(
        _TWO_NUMBERS.pack(_CONTENT_TYPE_FIELD, len(content_type)) + content_type
        for content_type in content_types
    )
    return _TWO_NUMBERS.pack(0, _PREFIX + len(fields)) + _NUMBER.pack(kind) + fields


def data_frame(payload: bytes) -> bytes:
    """A data frame, as it is sent. The payload is not empty."""
    return _NUMBER.pack(len(payload)) + payload


class FrameStream:
    """The receiving side of one stream.

    Both ``next_frame`` and ``skip`` process the control frames that they reach, and raise
    FrameStreamError. After that, and after STOP, the phase is ``ENDED`` and nothing is kept.
    """

    def __init__(self) -> None:
        self.phase = Phase.NEW
        self._buffer = bytearray()
        self._at = 0
        """Where the next frame begins in the buffer."""
        self._replies = b""
        self._is_bidirectional = False

    @property
    def buffered(self) -> int:
        """Bytes that were received and not processed."""
        return len(self._buffer) - self._at

    def append(self, data: bytes) -> None:
        """More bytes were received."""
        if self.phase is Phase.ENDED:
            return
        if self._at > _COMPACT:
            self._compact()
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The content of the next data frame; None if it is not there as a whole."""
        end = self._end_of_data()
        if end is None:
            return None
        start = self._at + _PREFIX
        self._at = end
        return bytes(self._buffer[start:end])

    def skip(self, most: int) -> int:
        """Pass over data frames without a look at them; return how many.

        It ends once ``most`` bytes were passed, or at a frame that is not there as a whole.
        """
        count, passed = 0, 0
        while passed < most:
            end = self._end_of_data()
            if end is None:
                return count
            passed += end - self._at
            count += 1
            self._at = end
        self._compact()
        return count

    def end(self) -> None:
        """Nothing more is wanted: drop what is buffered, and ignore what comes."""
        self.phase = Phase.ENDED
        self._buffer = bytearray()
        self._at = 0

    def take_replies(self) -> bytes:
        """What is to be sent to the peer; each byte once."""
        replies, self._replies = self._replies, b""
        return replies

    def _end_of_data(self) -> int | None:
        """Where the data frame ends that is next, after control frames; None if it is not there."""
        while len(self._buffer) - self._at >= _PREFIX:
            (length,) = _NUMBER.unpack_from(self._buffer, self._at)
            if length == 0:
                if not self._read_control():
                    break
                continue
            if self.phase is not Phase.STREAMING:
                raise self._error("a data frame came before START")
            if length > LARGEST_FRAME:
                raise self._error(f"a data frame of {length} bytes is longer than {LARGEST_FRAME}")
            end: int = self._at + _PREFIX + length
            if end <= len(self._buffer):
                return end
            break
        self._compact()
        return None

    def _read_control(self) -> bool:
        """Process the control frame that is next; False if it is not there as a whole."""
        begin = self._at + 2 * _PREFIX
        if len(self._buffer) < begin:
            return False
        (length,) = _NUMBER.unpack_from(self._buffer, self._at + _PREFIX)
        if not _PREFIX <= length <= LARGEST_CONTROL_FRAME:
            raise self._error(
                f"a control frame of {length} bytes; it has {_PREFIX} to {LARGEST_CONTROL_FRAME}"
            )
        if len(self._buffer) < begin + length:
            return False
        frame = bytes(self._buffer[begin : begin + length])
        self._at = begin + length
        (kind,) = _NUMBER.unpack_from(frame)
        self._control(kind, self._content_types(frame[_PREFIX:]))
        return True

    def _content_types(self, fields: bytes) -> list[bytes]:
        found, at = [], 0
        while at < len(fields):
            if len(fields) - at < _TWO_NUMBERS.size:
                raise self._error("a field of a control frame is truncated")
            kind, length = _TWO_NUMBERS.unpack_from(fields, at)
            at += _TWO_NUMBERS.size
            if kind != _CONTENT_TYPE_FIELD:
                raise self._error(f"a control frame has a field of the unknown type {kind}")
            if length > LONGEST_CONTENT_TYPE or length > len(fields) - at:
                raise self._error("a content type is longer than its frame or the limit")
            found.append(fields[at : at + length])
            at += length
        return found

    def _control(self, kind: int, content_types: list[bytes]) -> None:
        match self.phase, kind:
            case Phase.NEW, Control.READY:
                self._check(content_types)
                self._is_bidirectional = True
                self._replies += control_frame(Control.ACCEPT, CONTENT_TYPE)
                self.phase = Phase.ACCEPTED
            case ((Phase.NEW | Phase.ACCEPTED), Control.START):
                if len(content_types) > 1:
                    raise self._error("START has more than one content type")
                self._check(content_types)
                self.phase = Phase.STREAMING
            case Phase.STREAMING, Control.STOP:
                if content_types:
                    raise self._error("STOP has a content type")
                if self._is_bidirectional:
                    self._replies += control_frame(Control.FINISH)
                self.end()
            case _:
                name = Control(kind).name if kind in set(Control) else f"of type {kind}"
                raise self._error(f"the control frame {name} came when {self.phase.value}")

    def _check(self, content_types: list[bytes]) -> None:
        if CONTENT_TYPE not in content_types:
            offered = ", ".join(repr(one[:_SHOWN])[1:] for one in content_types[:3]) or "none"
            raise self._error(f"the content type is {offered}, and not {CONTENT_TYPE.decode()}")

    def _error(self, sentence: str) -> FrameStreamError:
        self.end()
        return FrameStreamError(sentence)

    def _compact(self) -> None:
        del self._buffer[: self._at]
        self._at = 0
