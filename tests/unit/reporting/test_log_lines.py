"""Nobody forges a line of the log."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.conditions import ConditionStatus, ObservedCondition, merge_conditions
from fleet_telemetry.objects.text import printable
from fleet_telemetry.reporting.log_lines import log_formatter
from fleet_telemetry.reporting.messages import cut
from tests.support.every import every

HOSTILE = {
    "a line break": "a\n2026-11-29 00:00:00 INFO forged",
    "a carriage return": "a\rINFO forged",
    "an escape sequence": "a\x1b[2J\x1b]0;title\x07",
    "a zero byte": "a\0b",
    "a line separator": "a\u2028b\u2029c\u0085d\x0b\x0c\x1c\x1d\x1e",
    "the other direction": "a\u202eb\u2066c",
    "invisible": "a\u200bb\ufeffc\u00ad",
    "half a surrogate pair": "a\ud800b",
    "C1": "a\x9b31mb",
    "tags": "a\U000e0041b",
    "very long": "x" * 10_000_000,
    "many breaks": "\n" * 1_000_000,
}


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("a.logger", logging.INFO, "f.py", 1, message, args, None)
    vars(made).update(extra)
    return made


def failed(text: str) -> logging.LogRecord:
    made = record("it failed")
    error = ValueError(text)
    made.exc_info = (ValueError, error, None)
    return made


def is_one_line(text: str) -> bool:
    return len(text.splitlines()) == 1 and text.isprintable() and len(text) < 200_000


@every("text", HOSTILE.values(), ids=HOSTILE)
@every("log_format", ["text", "json"])
def test_a_message_is_one_line(log_format: str, text: str) -> None:
    formatter = log_formatter(log_format)
    for made in (
        record(text),
        record("%s", text),
        record("%(a)s", {"a": text}),
        record("x", object_name=text, changes=[text] * 1000, other={text: text}),
    ):
        assert is_one_line(formatter.format(made))
    if log_format == "json":
        fields = json.loads(formatter.format(record("%s", text, changes=[text], name_of=text)))
        assert is_one_line(fields["message"])
        assert is_one_line(fields["name_of"])
        assert all(map(is_one_line, fields["changes"]))


@pytest.mark.thorough
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_lines_of_an_exception_look_like_no_line_of_the_log(text: str) -> None:
    first, *rest = log_formatter("text").format(failed(text)).splitlines()
    assert first.endswith("INFO a.logger it failed")
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert is_one_line(log_formatter("json").format(failed(text)))
    fields = json.loads(log_formatter("json").format(failed(text)))
    assert all(line.startswith("    ") for line in fields["exc_info"].splitlines())


@given(st.text(), st.sampled_from(["text", "json"]))
def test_whatever_is_logged_is_one_line(text: str, log_format: str) -> None:
    assert is_one_line(log_formatter(log_format).format(record("%s: %r", text, text, more=text)))


@given(st.text(), st.integers(3, 50))
def test_a_printable_text_is_short_and_ordinary_text_stays(text: str, longest: int) -> None:
    found = printable(text, longest)
    assert found.isprintable()
    assert len(found) <= longest
    if text.isprintable() and len(text) <= longest:
        assert found == text


def test_a_message_with_wrong_arguments_is_logged() -> None:
    assert "cannot be formatted" in log_formatter("text").format(record("%d", "x"))


def test_other_handlers_get_the_record_as_it_was() -> None:
    made = record("%s", "a\nb", more="c\nd")
    log_formatter("json").format(made)
    assert (made.getMessage(), made.more) == ("a\nb", "c\nd")  # type: ignore[attr-defined]


def test_ordinary_lines_are_as_before() -> None:
    made = record("verdict: %s", "appsec/Deployment/it", product="sonarqube", milliseconds=1.5)
    assert (
        log_formatter("text").format(made).endswith(" INFO a.logger verdict: appsec/Deployment/it")
    )
    fields = json.loads(log_formatter("json").format(made))
    assert fields["message"] == "verdict: appsec/Deployment/it"
    assert fields["product"] == "sonarqube"
    assert fields["milliseconds"] == 1.5
    assert fields["levelname"] == "INFO"


@given(st.text(), st.text())
def test_a_condition_is_one_line(message: str, more: str) -> None:
    seen = ObservedCondition(
        type="Compliant", status=ConditionStatus.FALSE, reason="Because", message=message * 50
    )
    (found,) = merge_conditions((), [seen], now=datetime(2026, 11, 29, tzinfo=UTC))
    assert is_one_line(found.message) or found.message == ""
    assert len(found.message) <= 4096
    assert cut(message + "\n" + more).isprintable()
