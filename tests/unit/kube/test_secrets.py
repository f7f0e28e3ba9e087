"""Credentials from a Secret, and the errors of one that cannot be used."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.kube.secrets import SecretError, check_consent, credentials_in

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
    # The cause would contain the data.
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_only_the_requested_keys_are_decoded() -> None:
    found = read(("user", "password"), user="admin", password="p w", other="x")
    assert found == {"user": "admin", "password": "p w"}


@pytest.mark.parametrize("text", ["odt_1\n", "odt_1\r\n", " odt_1 ", "\nodt_1"])
def test_white_space_around_a_credential_is_removed(text: str) -> None:
    assert read(apiKey=text) == {"apiKey": "odt_1"}


def test_a_ca_is_returned_unchanged() -> None:
    assert read(apiKey="odt_1", ca__crt=PEM) == {"apiKey": "odt_1", "ca.crt": PEM}


def test_an_empty_ca_is_an_error() -> None:
    # Otherwise the system's CAs would be trusted although the author wanted another CA.
    assert refused(apiKey="odt_1", ca__crt="") == f"{WHERE} has no value for the key 'ca.crt'"


@pytest.mark.parametrize("value", ["", " \n", b"\xff\xfe"])
def test_a_key_without_a_value_is_named(value: str | bytes) -> None:
    assert refused(apiKey=value) == f"{WHERE} has no value for the key 'apiKey'"


def test_the_first_missing_key_is_named() -> None:
    keys = ("user", "password")
    assert refused(keys, user="admin") == f"{WHERE} has no value for the key 'password'"
    assert refused(keys) == f"{WHERE} has no value for the key 'user'"


@pytest.mark.parametrize("value", ["odt_1\nX-Other: y", "odt\x00", "odt\x7f_1", "a\tb"])
def test_a_value_that_no_header_can_hold_is_refused_and_not_quoted(value: str) -> None:
    message = refused(apiKey=value)
    assert message == f"{WHERE} has a value for the key 'apiKey' that no HTTP header can hold"


@pytest.mark.parametrize("data", [{"apiKey": "not base64!"}, {"apiKey": None}, None, []])
def test_malformed_data_is_incomplete(data: Any) -> None:
    with pytest.raises(SecretError, match="has no value for the key 'apiKey'"):
        credentials_in({"data": data}, WHERE, ("apiKey",))


LABELED = {"fleettelemetry.io/credential": "true"}


def consent(labels: Any = None, **more: Any) -> Reason | None:
    try:
        check_consent({"metadata": {"labels": labels}, **more}, WHERE, "sonarqube")
    except SecretError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {},
        [],
        "fleettelemetry.io/credential",
        {"fleettelemetry.io/credential": "false"},
        {"fleettelemetry.io/credential": ""},
        {"fleettelemetry.io/credential": "True"},
        {"fleettelemetry.io/credential": True},
        {"fleettelemetry.io/credentials": "true"},
        {"fleettelemetry.io/credential": "sourcegraph"},
        {"credential": "true"},
    ],
)
def test_a_secret_without_the_label_is_not_used(labels: Any) -> None:
    assert consent(labels) is Reason.SECRET_NOT_LABELED
    with pytest.raises(SecretError, match=rf'{WHERE} lacks the label \S+/credential: "true"'):
        check_consent({"metadata": {"labels": labels}}, WHERE, "sonarqube")


@pytest.mark.parametrize(
    "of_type",
    [
        "kubernetes.io/service-account-token",
        "kubernetes.io/dockercfg",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/tls",
        "kubernetes.io/anything-new",
        "Kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ],
)
def test_a_type_of_kubernetes_is_refused_with_the_label_too(of_type: str) -> None:
    assert consent(LABELED, type=of_type) is Reason.SECRET_TYPE_REFUSED


@pytest.mark.parametrize(
    "of_type",
    ["Opaque", "", "kubernetes.io/basic-auth", "vault.example/token", "kubernetes.io.example/x"],
)
def test_a_type_for_credentials_is_used_with_the_label(of_type: str) -> None:
    assert consent(LABELED, type=of_type) is None
    assert consent({}, type=of_type) is Reason.SECRET_NOT_LABELED


def test_a_secret_of_no_type_is_opaque() -> None:
    assert consent(LABELED) is None


def test_a_secret_may_be_for_one_product() -> None:
    assert consent({"fleettelemetry.io/credential": "sonarqube"}) is None
