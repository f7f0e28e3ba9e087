"""Answers whose question a name server did not report."""

from __future__ import annotations

from datetime import timedelta

from fleet_telemetry.observed.dnstap import decode
from fleet_telemetry.observed.half import Half
from fleet_telemetry.observed.lookup import LookupStage
from fleet_telemetry.observed.pairing import Pairing
from tests.support.dnstap_reports import NOW, report


def half(stage: LookupStage, seconds: float, port: int = 40000) -> Half:
    """Of a question that was asked at that time."""
    decoded = decode(report(stage, time=NOW + timedelta(seconds=seconds), query_port=port))
    assert isinstance(decoded, Half)
    return decoded


def missing(pairing: Pairing, *halves: Half) -> list[bool]:
    return [pairing.is_missing_its_question(one) for one in halves]


def question(seconds: float, port: int = 40000) -> Half:
    return half(LookupStage.QUESTION, seconds, port)


def answer(seconds: float, port: int = 40000) -> Half:
    return half(LookupStage.ANSWER, seconds, port)


def test_pairs_in_any_order_of_answers() -> None:
    sent = [question(0), question(1), question(2), answer(2), answer(0), answer(1)]
    assert not any(missing(Pairing(), *sent))


def test_an_answer_alone_is_a_loss() -> None:
    assert missing(Pairing(), question(0), answer(0), answer(1)) == [False, False, True]


def test_the_question_of_another_client_is_another() -> None:
    assert missing(Pairing(), question(0), question(1, 7), answer(1, 8)) == [False, False, True]


def test_questions_before_the_connection_are_not_missed() -> None:
    assert not any(missing(Pairing(), answer(-1), question(0), answer(-2), answer(0)))


def test_a_second_answer_is_no_loss() -> None:
    assert not any(missing(Pairing(), question(0), answer(0), answer(0)))


def test_a_question_without_an_answer_is_no_loss() -> None:
    assert not any(missing(Pairing(), question(0), question(1), answer(1)))


def test_what_was_asked_before_the_questions_that_are_kept_is_not_judged() -> None:
    pairing = Pairing(most=3)
    assert not any(missing(pairing, *(question(n) for n in range(6))))
    assert missing(pairing, answer(0), answer(2), answer(3), answer(5)) == [False] * 4
    assert missing(pairing, answer(7)) == [True]
    assert len(pairing._questions) == 3


def test_after_a_loss_of_our_own_it_begins_anew() -> None:
    pairing = Pairing()
    missing(pairing, question(0))
    pairing.restart()
    assert not any(missing(pairing, answer(0), answer(1), question(2), answer(1), answer(2)))
    assert missing(pairing, answer(3)) == [True]
