"""Whatever can go wrong between the operator and a product has one precise reason, and nothing of
a credential shows in it or in the logs."""

from __future__ import annotations

import asyncio
import logging

import pytest

from dev.fakes import ApiFault, FakeProduct
from dev.fakes.server import RETRY_AFTER_SECONDS
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.http import VendorError
from tests.support.vendor_cases import CASES, HOST, Case, asking, read, write

EXPECTED: dict[ApiFault, Reason | None] = {
    ApiFault.HTML_200: Reason.UNEXPECTED_ANSWER,
    ApiFault.EMPTY_200: Reason.UNEXPECTED_ANSWER,
    ApiFault.WRONG_JSON_TYPE: Reason.UNEXPECTED_ANSWER,
    ApiFault.JSON_ERRORS_200: Reason.UNEXPECTED_ANSWER,
    ApiFault.JSON_CUT_SHORT: Reason.UNEXPECTED_ANSWER,
    ApiFault.JSON_TOO_DEEP: Reason.UNEXPECTED_ANSWER,
    ApiFault.NO_CONTENT_204: Reason.UNEXPECTED_ANSWER,
    ApiFault.REDIRECT_301: Reason.UNEXPECTED_ANSWER,
    ApiFault.BAD_REQUEST_400: Reason.UNEXPECTED_ANSWER,
    ApiFault.UNAUTHORIZED_401: Reason.CREDENTIALS_REJECTED,
    ApiFault.FORBIDDEN_403: Reason.PERMISSION_MISSING,
    ApiFault.NOT_FOUND_404: Reason.API_NOT_FOUND,
    ApiFault.TOO_MANY_429: Reason.RATE_LIMITED,
    ApiFault.ERROR_500: Reason.VENDOR_ERROR,
    ApiFault.UNAVAILABLE_503: Reason.UNREACHABLE,
    ApiFault.HUGE: Reason.UNEXPECTED_ANSWER,
    ApiFault.GZIP_BOMB: Reason.UNEXPECTED_ANSWER,
    ApiFault.SLOW_DRIP: Reason.UNREACHABLE,
    ApiFault.HANG: Reason.UNREACHABLE,
    ApiFault.CUT_IN_THE_MIDDLE: Reason.UNREACHABLE,
    ApiFault.CUT_BEFORE_ANSWER: Reason.UNREACHABLE,
    ApiFault.NOT_HTTP: Reason.UNEXPECTED_ANSWER,
    ApiFault.UNTRUSTED_CERTIFICATE: Reason.TLS_NOT_TRUSTED,
    ApiFault.WRONG_NAME_CERTIFICATE: Reason.TLS_NOT_TRUSTED,
    ApiFault.COOKIE: None,
}
"""None: no fault at all."""

PATIENT = {"total_seconds": 5.0}
"""For what fails by itself; what would hang gets SHORT."""
SHORT = {"total_seconds": 0.25}
SHORT_FAULTS = {ApiFault.HANG, ApiFault.SLOW_DRIP}
WORDS = {
    ApiFault.HANG: "did not answer within 0.25 s",
    ApiFault.SLOW_DRIP: "did not answer within 0.25 s",
    ApiFault.HUGE: "more than ",
    # Never unpacked, so it is not too large.
    ApiFault.GZIP_BOMB: "answered 200 with JSON of ",
    ApiFault.REDIRECT_301: "redirect, which is not followed",
    ApiFault.CUT_BEFORE_ANSWER: "the connection was cut",
    ApiFault.CUT_IN_THE_MIDDLE: "the connection was cut",
    ApiFault.NOT_HTTP: "does not speak HTTP",
    ApiFault.UNTRUSTED_CERTIFICATE: "put its CA into ca.crt",
    ApiFault.WRONG_NAME_CERTIFICATE: "for another name",
    ApiFault.HTML_200: "HTML of ",
    ApiFault.EMPTY_200: "answered 200 with nothing",
    ApiFault.TOO_MANY_429: "answered 429 and asks to wait",
}
"""What the message has to say, where the reason alone would not tell what to do."""


def test_every_fault_has_its_reason() -> None:
    assert set(EXPECTED) == set(ApiFault)


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ApiFault)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_has_its_reason_and_shows_no_credential(
    name: str, fault: ApiFault, caplog: pytest.LogCaptureFixture
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
        assert error.retry_after == (
            RETRY_AFTER_SECONDS if fault is ApiFault.TOO_MANY_429 else None
        )
    for secret in case.secrets:
        assert secret not in text


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [fault for fault in ApiFault if EXPECTED[fault]])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.adapter.settable])
def test_a_fault_while_setting_has_its_reason(
    name: str, fault: ApiFault, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    error = asyncio.run(_fails(case, fault, wish=Submission.DISABLED))
    assert error is not None
    assert error.reason == case.differs.get(fault, EXPECTED[fault]), str(error)
    for secret in case.secrets:
        assert secret not in f"{error} {error!r} {caplog.text}"


async def _fails(case: Case, fault: ApiFault, wish: Submission | None = None) -> VendorError | None:
    elsewhere = FakeProduct(tls=False)
    fake = case.start(names=[HOST])
    async with elsewhere, asking(fake, **(SHORT if fault in SHORT_FAULTS else PATIENT)) as api:
        fake.elsewhere = f"{elsewhere.url}/api"
        fake.fail(fault, path=case.path)
        try:
            for _ in range(2 if fault is ApiFault.COOKIE else 1):
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
