"""As whom requests are made."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.authorization import TokenFile, basic, bearer, expiry_of


@pytest.mark.parametrize("token", ["", "  \n", "two\nlines", "a\x00b", "tokén", "a" * 70_000])
def test_what_cannot_be_in_a_header_is_no_token(token: str) -> None:
    with pytest.raises(ValueError, match="it is no token"):
        bearer(token)


def test_the_headers_of_a_token_and_of_a_name() -> None:
    assert bearer(" abc.def\n") == "Bearer abc.def"
    assert basic("me", "a:ß") == f"Basic {base64.b64encode('me:a:ß'.encode()).decode()}"


def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    now = 100.0
    header = TokenFile(path, lambda: now)
    path.write_text("second")
    now += 59
    assert header() == "Bearer first"
    now += 2
    assert header() == "Bearer second"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"two\nlines", b"a" * 10**6])
def test_the_last_token_is_used_while_the_file_cannot_be_read(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    now = 0.0
    header = TokenFile(path, lambda: now)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    now = 61.0
    assert header() == "Bearer first"
    path.write_text("second")
    now = 90.0
    assert header() == "Bearer first"
    now = 200.0
    assert header() == "Bearer second"


def test_a_file_without_a_token_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TokenFile(tmp_path / "gone")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="it is no token"):
        TokenFile(tmp_path / "empty")


def web_token(claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"head.{middle}.sign"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": 1_700_000_000}, 1_700_000_000.0),
        ({"exp": 12.5}, 12.5),
        ({"exp": "soon"}, None),
        ({"sub": "me"}, None),
        ([], None),
        ("exp", None),
    ],
)
def test_when_a_web_token_ends(claims: object, expected: float | None) -> None:
    assert expiry_of(web_token(claims)) == expected


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "a.%%%.c", "a.e30x.c", "a.é.c"])
def test_what_is_no_web_token(token: str) -> None:
    with pytest.raises(ValueError, match="it is no JSON web token"):
        expiry_of(token)


@given(st.text() | st.lists(st.text("abcdefghijABC0123-_=.é"), min_size=3).map(".".join))
def test_any_text_has_an_end_or_is_no_web_token(token: str) -> None:
    with contextlib.suppress(ValueError):
        expiry_of(token)
