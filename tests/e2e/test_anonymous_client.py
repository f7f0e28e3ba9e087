"""Somebody on the pod network, without any right, who calls the webhook and reads the metrics."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from itertools import cycle

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.admission_requests import creation
from tests.support.builders import manifest
from tests.support.world import SONAR_SWITCH, SONARQUBE, Space, container, eventually, workload

pytestmark = pytest.mark.cluster

MEBIBYTE = 1 << 20
FORGED = "forged\n2026-11-29T00:00:00Z ERROR a line of its own\r\x1b[31m"
_HEAD = b'{"kind":"AdmissionReview","request":{"uid":"1","object":'


def review(kind: str) -> bytes:
    """A review that names a kind that does not exist."""
    request = creation(manifest(container(SONARQUBE)))
    request["kind"] = {"group": kind, "version": kind, "kind": kind}
    request["name"] = request["namespace"] = kind
    return json.dumps({"kind": "AdmissionReview", "request": request}).encode()


BODIES = (
    _HEAD + b"[" * 100_000,
    _HEAD + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}}",
    b"[" + b"1," * (6 * MEBIBYTE) + b"1]",
    review("K" * (3 * MEBIBYTE)),
    review(FORGED),
    b"\x00\xff\xfe",
    b"",
)


@pytest.fixture
def anybody(space: Space) -> Iterator[httpx.Client]:
    """A client without a certificate and without a token."""
    base = f"https://{space.world.operator.webhook_address}:{space.world.operator.webhook_port}"
    with httpx.Client(base_url=base, verify=False, timeout=10.0) as client:  # a stranger
        yield client


def send(client: httpx.Client, body: bytes, **headers: str) -> None:
    """Send whatever the answer is, also if the connection is closed."""
    with contextlib.suppress(httpx.HTTPError):
        client.post(
            "/mutate", content=body, headers={"Content-Type": "application/json", **headers}
        )


def series(space: Space) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """The names and labels of all series of the webhook."""
    families = text_string_to_metric_families(space.world.operator.metrics("webhook"))
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
    }


def is_injected(space: Space, name: str) -> bool:
    space.apply(workload("Deployment", name, container(SONARQUBE), replicas=0))
    return space.env("deployment", name) == {SONAR_SWITCH: "false"}


def test_hostile_requests_keep_no_workload_from_its_setting(
    space: Space, anybody: httpx.Client
) -> None:
    space.policy()
    assert is_injected(space, "before")
    stop = threading.Event()

    def attack() -> None:
        for body in cycle(BODIES):
            if stop.is_set():
                return
            send(anybody, body)
            send(anybody, gzip.compress(body), **{"Content-Encoding": "gzip"})

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        assert [is_injected(space, f"sonar-{number}") for number in range(5)] == [True] * 5
    finally:
        stop.set()
        attacker.join()


def test_no_request_adds_a_series_or_forges_a_line(space: Space, anybody: httpx.Client) -> None:
    for body in BODIES:
        send(anybody, body)
    before = series(space)
    for number in range(20):
        send(anybody, review(f"Kind{number}"))
        send(anybody, review(f"{FORGED}{number}"))
    for path in ("/metrics", "/", "/mutate/../secrets", "/" + "a" * 5000):
        with contextlib.suppress(httpx.HTTPError):
            anybody.get(path)

    assert series(space) == before
    log = space.world.operator.log("webhook").read_text()
    assert not [line for line in log.splitlines() if line.startswith("2026-11-29T00:00:00Z ERROR")]
    assert "\x1b[31m" not in log


def test_connections_that_say_nothing_keep_nobody_out(space: Space) -> None:
    space.policy()
    operator = space.world.operator
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.ExitStack() as stack:
        for number in range(300):
            raw = socket.create_connection((operator.webhook_address, operator.webhook_port), 5)
            stack.callback(raw.close)
            if number % 2:
                with contextlib.suppress(OSError):
                    tls = context.wrap_socket(raw)
                    stack.callback(tls.close)
                    tls.send(b"POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Length: 100\r\n")
        assert is_injected(space, "sonar")
    eventually(lambda: is_injected(space, "after"), say="an injection afterwards")


def test_metrics_show_no_credential_and_no_value(space: Space) -> None:
    space.policy()
    secret = {"LICENSE_KEY": "s3cr3t-of-the-workload"}
    space.apply(workload("Deployment", "sonar", container(SONARQUBE, env=secret)))
    space.telemetry("Deployment", "sonar", declared="Disabled")

    for role in ("webhook", "controller"):
        assert "s3cr3t-of-the-workload" not in space.world.operator.metrics(role)
