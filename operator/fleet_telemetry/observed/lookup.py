"""One lookup, as a name server reports it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class LookupStage(StrEnum):
    """Which half of a lookup."""

    QUESTION = "Question"
    ANSWER = "Answer"


@dataclass(frozen=True, slots=True)
class ReportedLookup:
    """A question of a client, or the answer to one."""

    stage: LookupStage
    name: str
    """The name that was asked for, in lower case, without a trailing dot."""
    client: str
    """The client's IP address. An IPv4 address that is mapped into IPv6 is an IPv4 address."""
    time: datetime
    """When, by the name server's clock; aware."""
    refused: bool = False
    """An answer: that the name does not exist (NXDOMAIN), or that it is refused (REFUSED)."""


class LookupSink(Protocol):
    """Who is given what name servers report. Called on the event loop; never blocks.

    A ``source`` is one connection, such as ``127.10.0.3#7``: the address that it comes from and a
    running number. Several name servers may share an address behind NAT, so only a canary shows
    which of them reports through a source.
    """

    def connected(self, source: str) -> None:
        """A name server connected, and from now on reports."""

    def disconnected(self, source: str) -> None:
        """It no longer does."""

    def looked_up(self, source: str, lookup: ReportedLookup) -> None:
        """A name server saw half of a lookup."""

    def lost(self, source: str, frames: int) -> None:
        """Frames of a name server were dropped or could not be read, so lookups may be missing."""
