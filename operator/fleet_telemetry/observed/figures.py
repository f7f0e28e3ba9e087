"""What a receiver counts."""

from __future__ import annotations

from enum import StrEnum

from fleet_telemetry.observed.frame_result import FrameResult


class RefusedConnection(StrEnum):
    """Why the receiver closed a connection."""

    NOT_ADMITTED = "NotAdmitted"
    """Its address is not one that may report."""
    TOO_MANY = "TooMany"
    """There are too many, or they hold too much that is incomplete."""
    NO_HANDSHAKE = "NoHandshake"
    """No stream began in time."""
    BAD_STREAM = "BadStream"
    """What it sent is no stream of dnstap."""
    BAD_TLS = "BadTLS"
    """TLS was not established."""


class Figures:
    """Since the start of the process. Each key is always there, so any thread may read."""

    def __init__(self) -> None:
        self.frames = dict.fromkeys(FrameResult, 0)
        self.refused = dict.fromkeys(RefusedConnection, 0)
