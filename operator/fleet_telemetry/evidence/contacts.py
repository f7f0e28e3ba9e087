"""What the cluster's DNS showed of one workload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fleet_telemetry.api.reasons import ObservedReason


@dataclass(frozen=True, slots=True)
class Contact:
    """Lookups of one telemetry host by one pod of the workload."""

    host: str
    """In lower case, without a trailing dot."""
    pod: str
    pod_uid: str
    first: datetime
    last: datetime
    lookups: int = 1
    """How often. A retry and each address family count."""
    refused: bool = False
    """DNS answered the last one that the name does not exist, or is refused."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """All lookups of a workload that are known, and for which time none can be missing."""

    seen: tuple[Contact, ...] = ()
    """By host and pod, each once."""
    complete_since: datetime | None = None
    """Since when every lookup of every pod of the workload would have been seen; None if that is
    not known."""
    reason: ObservedReason | None = None
    """Why it is not known."""
    detail: str = ""
    """More on that, for people."""


NO_CONTACTS = Contacts()
"""Nothing is known."""
