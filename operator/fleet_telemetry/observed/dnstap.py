"""Reports of name servers: from the content of a data frame to a lookup.

The schema is that of the package `dnstap-pb`, and protobuf's own parser, which is linear and
limits how deep messages are, reads it: https://github.com/dnstap/dnstap.pb
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from dnstap_pb import Dnstap
from google.protobuf.message import DecodeError

from fleet_telemetry.observed.frame_result import FrameResult
from fleet_telemetry.observed.half import Half, QuestionKey
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.observed.question import MalformedMessage, read_question

_CLIENT_QUERY = 5
_CLIENT_RESPONSE = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST_SECONDS = int(_EARLIEST.timestamp())
_LATEST_SECONDS = int(_LATEST.timestamp())
_BILLION = 1_000_000_000
_CLIENTS = 4096
"""Addresses whose text is kept."""


def decode(frame: bytes) -> Half | FrameResult:
    """The half of a lookup that a frame reports, or why there is none.

    Of a field that is there twice, the last one counts, as everywhere in protobuf.
    """
    try:
        report = Dnstap.FromString(frame)
    except DecodeError:
        return FrameResult.UNREADABLE
    message = report.message
    # Bytes of something else are often fields that the schema does not know, and no error.
    if not (report.HasField("type") and message.HasField("type")):
        return FrameResult.UNREADABLE
    if message.type == _CLIENT_QUERY:
        return _lookup(message, LookupStage.QUESTION, message.query_message)
    if message.type == _CLIENT_RESPONSE:
        return _lookup(message, LookupStage.ANSWER, message.response_message)
    return FrameResult.IGNORED


def _lookup(message: Any, stage: LookupStage, dns: bytes) -> Half | FrameResult:
    if not dns:
        return FrameResult.NO_MESSAGE
    try:
        question = read_question(dns)
    except MalformedMessage:
        return FrameResult.BAD_MESSAGE
    if question is None:
        return FrameResult.IGNORED
    if question.is_answer is not (stage is LookupStage.ANSWER):
        return FrameResult.BAD_MESSAGE
    client = _client(message.query_address)
    if client is None:
        return FrameResult.BAD_ADDRESS
    time = _time(message, stage)
    if time is None:
        return FrameResult.BAD_TIME
    refused = question.is_answer and question.refused
    asked = (message.query_time_sec, message.query_time_nsec)
    return Half(
        ReportedLookup(stage, question.name, client, time, refused),
        QuestionKey(asked, message.query_address, message.query_port),
    )


@lru_cache(_CLIENTS)
def _client(raw: bytes) -> str | None:
    """The text of an address. The address family beside it is not needed."""
    try:
        if len(raw) == 4:  # noqa: PLR2004  # bytes of an address
            return str(IPv4Address(raw))
        address = IPv6Address(raw)
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


def _time(message: Any, stage: LookupStage) -> datetime | None:
    """When; an answer without a time of its own has that of its question."""
    if stage is LookupStage.ANSWER and message.HasField("response_time_sec"):
        seconds, nanoseconds = message.response_time_sec, message.response_time_nsec
    else:
        seconds, nanoseconds = message.query_time_sec, message.query_time_nsec
    if not _EARLIEST_SECONDS <= seconds < _LATEST_SECONDS or nanoseconds >= _BILLION:
        return None
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
