"""Takes a stream of bytes apart into YAML documents, one in memory at a time.

A line that begins with ``---`` begins a document, whatever stands before it: YAML permits it in no
value. So the rest of a file can be read after a document that cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

LARGEST_DOCUMENT = 32 << 20
"""Bytes. One object has at most 1.5 MiB; a List of kubectl is one document of many."""
_BLOCK = 256 << 10
_LONGEST_LINE = 1 << 20
"""Bytes after which a line is passed on in parts."""
_MARK = b"---"
_AFTER_MARK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A document as it is written, or why there is none."""

    line: int
    """Of its first byte."""
    text: bytes
    fault: str = ""
    advice: str = ""


def split(read: Callable[[int], bytes]) -> Iterator[Chunk]:
    """The documents of a stream. ``read`` returns at most so many bytes, and none at the end."""
    first = read(_BLOCK)
    fault, advice = _not_text(first)
    if fault:
        yield Chunk(1, b"", fault, advice)
        return
    splitter = _Splitter()
    for block, begins_line in _blocks(read, first.removeprefix(_BOM)):
        yield from splitter.feed(block, begins_line=begins_line)
    yield from splitter.end()


def _not_text(start: bytes) -> tuple[str, str]:
    """Why a stream that begins like this is not read, and what to do; empty if it is."""
    head = start[:4]
    if head.startswith(_UTF_16_OR_32) or (
        len(head) == 4 and head.count(0) == 2 and (head[0::2] == b"\0\0" or head[1::2] == b"\0\0")  # noqa: PLR2004
    ):
        advice = "write it in UTF-8; PowerShell does with: ... | Out-File -Encoding utf8 FILE"
        return "it is in UTF-16 or UTF-32", advice
    if head.startswith(_PACKED):
        advice = "unpack it; of a packed chart audit what helm template writes"
        return "it is a packed file", advice
    if b"\0" in start[:8192]:
        return "it is a binary file", "name files of manifests"
    return "", ""


def _blocks(read: Callable[[int], bytes], first: bytes) -> Iterator[tuple[bytes, bool]]:
    """The bytes in parts that end where a line does, and whether a part begins where one does. A
    very long line comes in parts."""
    rest: list[bytes] = []
    size, begins_line = 0, True
    block = first
    while block:
        cut = block.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, block[:cut]]), begins_line
            rest, size, begins_line = [block[cut:]], len(block) - cut, True
        else:
            rest.append(block)
            size += len(block)
            if size > _LONGEST_LINE:
                yield b"".join(rest), begins_line
                rest, size, begins_line = [], 0, False
        block = read(_BLOCK)
    if size:
        yield b"".join(rest), begins_line


class _Splitter:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._line = self._next_line = 1

    def feed(self, block: bytes, *, begins_line: bool) -> Iterator[Chunk]:
        start = 0
        if begins_line and _is_mark(block, 0):
            yield from self._flush()
        at = block.find(b"\n---")
        while at >= 0:
            if _is_mark(block, at + 1):
                self._add(block[start : at + 1])
                yield from self._flush()
                start = at + 1
            at = block.find(b"\n---", at + 1)
        self._add(block[start:])

    def end(self) -> Iterator[Chunk]:
        yield from self._flush()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        self._next_line += part.count(b"\n")
        if self._size <= LARGEST_DOCUMENT:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _flush(self) -> Iterator[Chunk]:
        if self._size > LARGEST_DOCUMENT:
            yield Chunk(
                self._line,
                b"",
                f"the document has more than {LARGEST_DOCUMENT >> 20} MiB",
                "split it, such as by namespaces, or audit the cluster itself",
            )
        elif self._size:
            yield Chunk(self._line, b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        self._line = self._next_line


def _is_mark(text: bytes, at: int) -> bool:
    end = at + len(_MARK)
    return text.startswith(_MARK, at) and (end == len(text) or text[end] in _AFTER_MARK)
