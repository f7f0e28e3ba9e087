"""Reports as name servers send them, and streams of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import dns.message
import dns.rcode
from dnstap_pb import Dnstap

from fleet_telemetry.observed.frame_streams import (
    CONTENT_TYPE,
    Control,
    control_frame,
    data_frame,
)
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup

NOW = datetime(2026, 11, 29, 20, 0, 0, 123456, tzinfo=UTC)
CLIENT = "10.1.2.3"
HOST = "telemetry.example.com"

READY = control_frame(Control.READY, CONTENT_TYPE)
ACCEPT = control_frame(Control.ACCEPT, CONTENT_TYPE)
START = control_frame(Control.START, CONTENT_TYPE)
STOP = control_frame(Control.STOP)
FINISH = control_frame(Control.FINISH)


def question(name: str = HOST, kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind).to_wire()


def answer(name: str = HOST, code: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    response = dns.message.make_response(dns.message.make_query(name, "A"))
    response.set_rcode(code)
    return response.to_wire()


def report(
    stage: LookupStage = LookupStage.QUESTION,
    dns_message: bytes | None = None,
    client: bytes | str = CLIENT,
    time: datetime = NOW,
    **fields: Any,
) -> bytes:
    """As CoreDNS builds it. ``fields`` are of the message, and replace; None removes one."""
    whole = Dnstap()
    whole.type = Dnstap.MESSAGE
    whole.identity = b"coredns-5d78c9869d-x2x4z"
    whole.version = b"CoreDNS-1.15.0"
    message = whole.message
    message.type = 5 if stage is LookupStage.QUESTION else 6
    message.socket_family = 1
    message.socket_protocol = 1
    message.query_address = client if isinstance(client, bytes) else ip_address(client).packed
    message.query_port = 40000
    seconds, nanoseconds = int(time.timestamp()), time.microsecond * 1000
    message.query_time_sec, message.query_time_nsec = seconds, nanoseconds
    if stage is LookupStage.QUESTION:
        message.query_message = question() if dns_message is None else dns_message
    else:
        message.response_time_sec, message.response_time_nsec = seconds, nanoseconds
        message.response_message = answer() if dns_message is None else dns_message
    for name, value in fields.items():
        if value is None:
            message.ClearField(name)
        else:
            setattr(message, name, value)
    return bytes(whole.SerializePartialToString())


def stream(*reports: bytes, bidirectional: bool = True) -> bytes:
    """All that a name server sends, if it does not wait for ACCEPT."""
    start = READY + START if bidirectional else START
    return start + b"".join(map(data_frame, reports)) + STOP


class Heard:
    """A sink that keeps what it is given, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.lookups: list[tuple[str, ReportedLookup]] = []
        self.frames_lost = 0

    def connected(self, source: str) -> None:
        self.events.append(("connected", source))

    def disconnected(self, source: str) -> None:
        self.events.append(("disconnected", source))

    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        self.lookups.append((source, lookup))

    def lost(self, source: str, frames: int) -> None:
        self.frames_lost += frames
        self.events.append(("lost", source))

    def names(self) -> Iterable[str]:
        return [lookup.name for _, lookup in self.lookups]
