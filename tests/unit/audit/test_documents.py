"""A stream of bytes is taken apart into its documents, whatever its blocks are."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.audit import documents
from fleet_telemetry.audit.documents import Chunk, split
from tests.support.depth import examples

_LINES = st.sampled_from(
    [
        "---",
        "--- # x",
        "---\t{}",
        "----",
        "--",
        " ---",
        "a: 1",
        "",
        "...",
        "# ---",
        "---x",
        "\ufeffa",
    ]
)


def _split(text: bytes) -> list[Chunk]:
    return list(split(io.BytesIO(text).read))


def _expected(lines: list[str]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for at, line in enumerate(lines):
        if not found or (line.startswith("---") and (line == "---" or line[3] in " \t\r")):
            found.append((at + 1, ""))
        found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


@examples(300)
@given(st.lists(_LINES, min_size=1, max_size=12), st.integers(1, 40), st.booleans())
def test_a_mark_in_a_line_of_its_own_begins_a_document(
    lines: list[str], size: int, windows: bool
) -> None:
    lines = [f"{line}\r" for line in lines] if windows else lines
    text = "".join(f"{line}\n" for line in lines).encode()
    stream = io.BytesIO(text)
    head = stream.read(4)  # what a file begins with is told by its first block

    def read(_: int) -> bytes:
        nonlocal head
        block, head = head, b""
        return block or stream.read(size)

    found = [(one.line, one.text.decode()) for one in split(read)]
    expected = _expected(lines)
    expected[0] = (1, expected[0][1].removeprefix("\ufeff"))
    assert found == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kind: Pod\n".encode("utf-16"), "UTF-16"),
        ("kind: Pod\n".encode("utf-16-le"), "UTF-16"),
        ("kind: Pod\n".encode("utf-16-be"), "UTF-16"),
        ("kind: Pod\n".encode("utf-32"), "UTF-16 or UTF-32"),
        (b"\x1f\x8b\x08\x00", "packed"),
        (b"PK\x03\x04abc", "packed"),
        (b"\x7fELF\x02\x01\x01\x00", "binary"),
        (b"kind: Pod\n" * 50 + b"\x00", "binary"),
    ],
)
def test_what_is_no_text_is_told_once(text: bytes, fault: str) -> None:
    (chunk,) = _split(text)
    assert fault in chunk.fault
    assert chunk.advice
    assert chunk.text == b""


@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf"])
def test_nothing_is_no_document(text: bytes) -> None:
    assert _split(text) == []


def test_a_document_that_is_too_large_is_told_and_the_next_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 100)
    small, large, last = _split(b"a: 1\n---\n" + b"b: 2\n" * 30 + b"---\nc: 3\n")
    assert (small.text, last.text, last.line) == (b"a: 1\n", b"---\nc: 3\n", 33)
    assert (large.line, large.text) == (2, b"")
    assert large.fault


def test_a_line_without_end_takes_no_more_memory_than_a_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 3 << 20)
    blocks = iter([b"x" * (256 << 10)] * 40 + [b"\n---\nb: 1\n"])
    large, last = split(lambda _: next(blocks, b""))
    assert large.fault
    assert (last.line, last.text) == (2, b"---\nb: 1\n")
