"""What a Secret gives, and what is said where it does not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.kube.secrets import SecretError, credentials_in

WHERE = "Secret apps/dtrack"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def read(keys: tuple[str, ...] = ("apiKey",), **data: str | bytes) -> dict[str, str]:
    encoded = {
        key.replace("__", "."): base64.b64encode(
            value.encode() if isinstance(value, str) else value
        ).decode()
        for key, value in data.items()
    }
    return credentials_in({"data": encoded}, WHERE, keys)


def refused(keys: tuple[str, ...] = ("apiKey",), **data: str | bytes) -> str:
    with pytest.raises(SecretError) as raised:
        read(keys, **data)
    assert raised.value.reason is Reason.SECRET_INCOMPLETE
    # Nothing of the content, also not by the exception that led here.
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_the_keys_that_are_asked_for_are_decoded_and_no_others() -> None:
    found = read(("user", "password"), user="admin", password="p w", other="x")
    assert found == {"user": "admin", "password": "p w"}


@pytest.mark.parametrize("text", ["odt_1\n", "odt_1\r\n", " odt_1 ", "\nodt_1"])
def test_what_editors_leave_around_a_credential_is_no_part_of_it(text: str) -> None:
    assert read(apiKey=text) == {"apiKey": "odt_1"}


def test_a_ca_is_taken_along_as_it_is() -> None:
    assert read(apiKey="odt_1", ca__crt=PEM) == {"apiKey": "odt_1", "ca.crt": PEM}


def test_a_ca_that_is_there_and_empty_is_an_error() -> None:
    # Otherwise the system's CAs would be trusted where its author wanted others.
    assert refused(apiKey="odt_1", ca__crt="") == f"{WHERE} has nothing under 'ca.crt'"


@pytest.mark.parametrize("value", ["", " \n", b"\xff\xfe"])
def test_a_key_that_says_nothing_is_named(value: str | bytes) -> None:
    assert refused(apiKey=value) == f"{WHERE} has nothing under 'apiKey'"


def test_the_first_key_that_is_missing_is_named() -> None:
    keys = ("user", "password")
    assert refused(keys, user="admin") == f"{WHERE} has nothing under 'password'"
    assert refused(keys) == f"{WHERE} has nothing under 'user'"


@pytest.mark.parametrize("value", ["odt_1\nX-Other: y", "odt\x00", "odt\x7f_1", "a\tb"])
def test_what_no_header_can_hold_is_refused_and_not_shown(value: str) -> None:
    message = refused(apiKey=value)
    assert message == f"{WHERE} has something under 'apiKey' that no header can hold"


@pytest.mark.parametrize("data", [{"apiKey": "not base64!"}, {"apiKey": None}, None, []])
def test_what_is_no_secret_at_all_is_incomplete(data: Any) -> None:
    with pytest.raises(SecretError, match="has nothing under 'apiKey'"):
        credentials_in({"data": data}, WHERE, ("apiKey",))
