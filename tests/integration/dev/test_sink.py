from __future__ import annotations

import gzip
import socket

import httpx
import pytest

from dev.real_vendors.sink import Sent, Sink, read_fields


def post(sink: Sink, path: str, **given: object) -> int:
    with httpx.Client(trust_env=False) as client:
        return client.post(f"{sink.url}{path}", **given).status_code  # type: ignore[arg-type]


def test_names_of_fields_are_kept_and_values_are_not() -> None:
    with Sink() as sink:
        post(sink, "/x?y=1", json={"id": "secret", "users": [{"uuid": "secret"}, {"mail": 1}]})
        sent = sink.take_all()
        assert sink.take_all() == ()
    assert sent == (Sent("POST", "/x?y=1", ("id", "users[].mail", "users[].uuid")),)
    assert "secret" not in repr(sent)


def test_chunks_and_gzip_are_read_and_the_connection_goes_on() -> None:
    body = gzip.compress(b'{"a": {"b": []}}')
    with Sink() as sink, httpx.Client(base_url=sink.url, trust_env=False) as client:
        for _ in range(2):
            answer = client.post(
                "/z", content=iter([body[:5], body[5:]]), headers={"Content-Encoding": "gzip"}
            )
            assert answer.status_code == 200
        assert client.delete("/z").status_code == 200
        assert [str(sent) for sent in sink.take_all()] == [
            "POST /z {a.b}",
            "POST /z {a.b}",
            "DELETE /z {}",
        ]


def test_as_a_proxy_it_refuses_but_keeps_what_was_asked_for() -> None:
    with Sink() as sink:
        with httpx.Client(proxy=sink.url, trust_env=False) as client:
            assert client.get("http://downloads.invalid/list").status_code == 502
            with pytest.raises(httpx.ProxyError):
                client.get("https://telemetry.invalid/")
        assert [(sent.method, sent.path) for sent in sink.take_all()] == [
            ("GET", "http://downloads.invalid/list"),
            ("CONNECT", "telemetry.invalid:443"),
        ]


def test_waiting_ends_with_what_came_or_with_the_time() -> None:
    with Sink() as sink:
        assert not sink.wait(lambda sent: len(sent) > 0, within=0.05)
        post(sink, "/")
        assert sink.wait(lambda sent: len(sent) > 0, within=5)


def test_a_client_that_hangs_up_disturbs_nobody() -> None:
    with Sink() as sink:
        with socket.create_connection(("127.0.0.1", sink.port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert post(sink, "/after") == 200


@pytest.mark.parametrize(
    ("body", "fields", "readable"),
    [
        (b"", (), True),
        (b"{}", (), True),
        (b'"text"', (), True),
        (b'[{"a": 1}]', ("[].a",), True),
        (b"\xff\xfe", (), False),
        (b"a=b", (), False),
        (b"[" * 100_000, (), False),
    ],
)
def test_bodies(body: bytes, fields: tuple[str, ...], readable: bool) -> None:
    assert read_fields(body) == (fields, readable)
