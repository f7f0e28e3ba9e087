"""Which of several notes on a channel counts."""

from __future__ import annotations

from itertools import permutations

import pytest

from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.egress.desired import plan_egress
from fleet_telemetry.egress.notes import Note, gravest
from tests.support.builders import policy
from tests.support.egress_inputs import HOSTS, NOTHING, UPDATES, USAGE, facts, situation
from tests.support.every import every

CAPPED = Note(EgressReason.TOO_MANY_ADDRESSES, "a.")
UNRESOLVED = Note(EgressReason.HOSTS_NOT_RESOLVED, "b.")
SHARED = Note(EgressReason.SHARED_ADDRESSES, "c.")
WIDENS = Note(EgressReason.WOULD_WIDEN, "d.")


@every("notes", list(permutations((CAPPED, UNRESOLVED, SHARED, WIDENS))))
def test_the_gravest_reason_counts_wherever_it_stands(notes: tuple[Note, ...]) -> None:
    assert gravest((USAGE, note) for note in notes) == {USAGE: SHARED}
    assert gravest(*([(USAGE, note)] for note in notes)) == {USAGE: SHARED}


def test_each_channel_has_its_own_note_and_of_equals_the_last_counts() -> None:
    second = Note(EgressReason.TOO_MANY_ADDRESSES, "second.")

    assert gravest([(USAGE, CAPPED), (UPDATES, SHARED), (USAGE, second)]) == {
        USAGE: second,
        UPDATES: SHARED,
    }


@pytest.mark.parametrize("shared", ["downloads.sonarsource.com", "update.sonarsource.org"])
def test_no_later_host_hides_a_graver_reason(shared: str) -> None:
    hosts = {
        host: facts("54.230.9.9", shared_by="CloudFront")
        if host == shared
        else facts(f"54.230.8.{number}", complete=False)
        for number, host in enumerate(HOSTS)
    }
    given = situation(policy(channels=["UpdateCheck"], egress={}), hosts=hosts)

    assert plan_egress(given).notes[UPDATES].reason is EgressReason.SHARED_ADDRESSES
    # Nor does the conflict that is found afterwards.
    given = situation(policy(channels=["UpdateCheck"], egress={}), hosts=hosts, network=[NOTHING])
    assert plan_egress(given).notes[UPDATES].reason is EgressReason.SHARED_ADDRESSES
