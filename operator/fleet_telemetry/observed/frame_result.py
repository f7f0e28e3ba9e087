"""What becomes of what a name server sends."""

from __future__ import annotations

from enum import StrEnum


class FrameResult(StrEnum):
    """What became of a data frame."""

    LOOKUP = "Lookup"
    """It is half of a lookup."""
    IGNORED = "Ignored"
    """It is of no lookup by a client, or of a name that no host has. No lookup is missed by it."""
    UNREADABLE = "Unreadable"
    """It is no report of dnstap."""
    NO_MESSAGE = "NoMessage"
    """The report is without the DNS message: the name server's `dnstap` lacks `full`."""
    BAD_MESSAGE = "BadMessage"
    """The DNS message is malformed."""
    BAD_ADDRESS = "BadAddress"
    """The client's address is missing, or has a wrong length."""
    BAD_TIME = "BadTime"
    """The time is missing, or cannot be."""
    SKIPPED = "Skipped"
    """There were too many, so it was not read."""

    @property
    def is_lost(self) -> bool:
        """Whether a lookup may be missing."""
        return self not in (FrameResult.LOOKUP, FrameResult.IGNORED)
