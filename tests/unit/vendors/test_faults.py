"""Whatever can go wrong between the operator and a product has one precise reason, and nothing of
a credential shows in it or in the logs."""

from __future__ import annotations

import asyncio
import logging

import pytest

from dev.fakes import FakeProduct, Fault
from dev.fakes.server import RETRY_AFTER_SECONDS
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.http import VendorError
from tests.support.vendor_cases import CASES, HOST, Case, asking, read, write

EXPECTED: dict[Fault, Reason | None] = {
    Fault.HTML_200: Reason.UNEXPECTED_ANSWER,
    Fault.EMPTY_200: Reason.UNEXPECTED_ANSWER,
    Fault.WRONG_JSON_TYPE: Reason.UNEXPECTED_ANSWER,
    Fault.JSON_ERRORS_200: Reason.UNEXPECTED_ANSWER,
    Fault.JSON_CUT_SHORT: Reason.UNEXPECTED_ANSWER,
    Fault.JSON_TOO_DEEP: Reason.UNEXPECTED_ANSWER,
    Fault.NO_CONTENT_204: Reason.UNEXPECTED_ANSWER,
    Fault.REDIRECT_301: Reason.UNEXPECTED_ANSWER,
    Fault.BAD_REQUEST_400: Reason.UNEXPECTED_ANSWER,
    Fault.UNAUTHORIZED_401: Reason.CREDENTIALS_REJECTED,
    Fault.FORBIDDEN_403: Reason.PERMISSION_MISSING,
    Fault.NOT_FOUND_404: Reason.API_NOT_FOUND,
    Fault.TOO_MANY_429: Reason.RATE_LIMITED,
    Fault.ERROR_500: Reason.VENDOR_ERROR,
    Fault.UNAVAILABLE_503: Reason.UNREACHABLE,
    Fault.HUGE: Reason.UNEXPECTED_ANSWER,
    Fault.GZIP_BOMB: Reason.UNEXPECTED_ANSWER,
    Fault.SLOW_DRIP: Reason.UNREACHABLE,
    Fault.HANG: Reason.UNREACHABLE,
    Fault.CUT_IN_THE_MIDDLE: Reason.UNREACHABLE,
    Fault.CUT_BEFORE_ANSWER: Reason.UNREACHABLE,
    Fault.NOT_HTTP: Reason.UNEXPECTED_ANSWER,
    Fault.UNTRUSTED_CERTIFICATE: Reason.TLS_NOT_TRUSTED,
    Fault.WRONG_NAME_CERTIFICATE: Reason.TLS_NOT_TRUSTED,
    Fault.COOKIE: None,
}
"""None: no fault at all."""

PATIENT = {"total_seconds": 5.0}
"""For what fails by itself; what would hang gets SHORT."""
SHORT = {"total_seconds": 0.25}
SHORT_FAULTS = {Fault.HANG, Fault.SLOW_DRIP}
WORDS = {
    Fault.HANG: "did not answer within 0.25 s",
    Fault.SLOW_DRIP: "did not answer within 0.25 s",
    Fault.HUGE: "more than ",
    # Never unpacked, so it is not too large.
    Fault.GZIP_BOMB: "answered 200 with JSON of ",
    Fault.REDIRECT_301: "redirect, which is not followed",
    Fault.CUT_BEFORE_ANSWER: "the connection was cut",
    Fault.CUT_IN_THE_MIDDLE: "the connection was cut",
    Fault.NOT_HTTP: "does not speak HTTP",
    Fault.UNTRUSTED_CERTIFICATE: "put its CA into ca.crt",
    Fault.WRONG_NAME_CERTIFICATE: "for another name",
    Fault.HTML_200: "HTML of ",
    Fault.EMPTY_200: "answered 200 with nothing",
    Fault.TOO_MANY_429: "answered 429 and asks to wait",
}
"""What the message has to say, where the reason alone would not tell what to do."""


def test_every_fault_has_its_reason() -> None:
    assert set(EXPECTED) == set(Fault)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_has_its_reason_and_shows_no_credential(
    name: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    error = asyncio.run(_fails(case, fault))
    expected = case.differs.get(fault, EXPECTED[fault])
    assert (error.reason if error else None) == expected, str(error)
    text = caplog.text
    if error:
        text += f"{error} {error!r} {error.__cause__!r}"
        assert WORDS.get(fault, "") in str(error)
        assert HOST in str(error)
        assert error.retry_after == (RETRY_AFTER_SECONDS if fault is Fault.TOO_MANY_429 else None)
    for secret in case.secrets:
        assert secret not in text


@pytest.mark.parametrize("fault", [fault for fault in Fault if EXPECTED[fault]])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.adapter.settable])
def test_a_fault_while_setting_has_its_reason(
    name: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    error = asyncio.run(_fails(case, fault, wish=Submission.DISABLED))
    assert error is not None
    assert error.reason == case.differs.get(fault, EXPECTED[fault]), str(error)
    for secret in case.secrets:
        assert secret not in f"{error} {error!r} {caplog.text}"


async def _fails(case: Case, fault: Fault, wish: Submission | None = None) -> VendorError | None:
    elsewhere = FakeProduct(tls=False)
    fake = case.start(names=[HOST])
    async with elsewhere, asking(fake, **(SHORT if fault in SHORT_FAULTS else PATIENT)) as api:
        fake.elsewhere = f"{elsewhere.url}/api"
        fake.fail(fault, path=case.path)
        try:
            for _ in range(2 if fault is Fault.COOKIE else 1):
                if wish is None:
                    assert (await read(case, api)).setting is case.reading
                else:
                    await write(case, api, wish)
        except VendorError as error:
            # A request that was answered with a fault is not sent again.
            answered = [seen for seen in fake.seen if seen.path.startswith(case.path)]
            assert len(answered) <= 1
            return error
        finally:
            assert not elsewhere.seen
    return None
