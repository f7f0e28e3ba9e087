"""Notes on why a channel's policy is not carried out, or not in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.egress.facts import HostFacts
from fleet_telemetry.egress.host_use import Key


@dataclass(frozen=True, slots=True)
class Note:
    """Why a channel's policy is not carried out, or not in full."""

    reason: EgressReason
    detail: str = ""


Notes = Mapping[Key, Note]
KeyedNote = tuple[Key, Note]

_BY_RANK = (
    # Nothing is written beside what others wrote. What is already known of the hosts matters more.
    EgressReason.WOULD_WIDEN,
    EgressReason.POLICY_NOT_READABLE,
    # A host is denied or allowed only in part, or not at all.
    EgressReason.TOO_MANY_ADDRESSES,
    EgressReason.FAMILY_NOT_ANSWERED,
    EgressReason.HOSTS_NOT_RESOLVED,
    EgressReason.TOO_MANY_HOSTS,
    EgressReason.VERSION_UNREADABLE,
    EgressReason.SHARED_ADDRESSES,
    EgressReason.ALSO_SERVES,
    EgressReason.NEEDED_BY_OTHER_CHANNEL,
    # Nothing is written, whatever the hosts are.
    EgressReason.NOT_ISOLATED,
    EgressReason.DIALECT_CANNOT,
    EgressReason.DIALECT_NOT_SERVED,
    EgressReason.PODS_NOT_SELECTABLE,
    EgressReason.HOST_NETWORK,
    EgressReason.AUDIT_ONLY,
)
"""The reasons of notes, the gravest last."""


def unanswered_families(host: str, facts: HostFacts) -> Note:
    """That no name server answers for some families of a host, or has not for a day."""
    families = " and ".join(facts.unanswered)
    return Note(EgressReason.FAMILY_NOT_ANSWERED, f"{host}: no name server answers for {families}.")


def gravest(*parts: Iterable[KeyedNote]) -> dict[Key, Note]:
    """One note for each channel: the one with the gravest reason, the last of several."""
    found: dict[Key, Note] = {}
    for part in parts:
        for key, note in part:
            if key not in found or _rank(note) >= _rank(found[key]):
                found[key] = note
    return found


def _rank(note: Note) -> int:
    return _BY_RANK.index(note.reason)
