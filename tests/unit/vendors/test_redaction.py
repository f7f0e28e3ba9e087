"""A product that repeats the credential does not get it recorded."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.redaction import Redaction
from tests.support.depth import examples
from tests.support.every import every

SECRET = "odt_Hq7/may+configure=9"
KEY = "a3f0_administrator"
CREDENTIALS = {"apiKey": KEY, "apiSecret": SECRET, "ca.crt": "-----BEGIN CERTIFICATE-----"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "swapped": str.swapcase,
    "reversed": lambda text: text[::-1],
    "base64": b64,
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 inside": lambda text: b64(f"x{text}yz"),
    "base64 two inside": lambda text: b64(f"xy{text}"),
    "base64 three inside": lambda text: b64(f"xyz{text}"),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "hex with colons": lambda text: text.encode().hex(":"),
    "percent": lambda text: quote(text, safe=""),
    "percent all": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "json": json.dumps,
    "json all": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "html": html.escape,
    "html all": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "underscores": lambda text: "".join(c if c.isalnum() else "_" for c in text),
    "spaced": "-".join,
    "a prefix": lambda text: f"field_{text}",
    "the first half": lambda text: text[:11],
    "the second half": lambda text: text[-11:],
}


@every("secret", [SECRET, KEY, f"{KEY}:{SECRET}"])
@every("spelling", SPELLINGS)
def test_a_credential_is_recognised_however_it_is_written(secret: str, spelling: str) -> None:
    assert Redaction(CREDENTIALS).reveals(SPELLINGS[spelling](secret))


@pytest.mark.parametrize(
    "name",
    ["system_id", "dt_version", "db_type", "cluster_uuid", "num_clients", "nodes_uuid", "config"],
)
def test_the_names_of_real_fields_are_shown(name: str) -> None:
    assert not Redaction(CREDENTIALS).reveals(name)


def test_the_ca_is_no_secret() -> None:
    assert not Redaction(CREDENTIALS).reveals("BEGIN CERTIFICATE")


@pytest.mark.parametrize("secret", ["", " ", "a", "1234567"])
def test_of_a_short_credential_only_the_whole_counts(secret: str) -> None:
    redaction = Redaction({"token": secret})
    assert redaction.reveals(secret) == bool(secret.strip())
    assert not redaction.reveals("another_field_with_a_name")


def test_a_report_loses_what_reveals_a_credential_and_says_so() -> None:
    report = InstanceReport(
        setting=Setting.DISABLED,
        version="2.odt.hq7maycon",
        last_submission=datetime.fromtimestamp(1_767_225_600, UTC),
        inventory=("db_type", b64(SECRET)[:24], SECRET.lower()),
        note="It sends 3 more fields.",
    )
    found = Redaction(CREDENTIALS).clean(report)
    assert found.setting is Setting.DISABLED
    assert found.inventory == ("db_type",)
    assert found.version is None
    assert found.last_submission == report.last_submission
    assert found.note == (
        "It sends 3 more fields. 2 names of fields look like the credential and are not shown."
    )
    # A credential of digits may come as a time.
    assert Redaction({"token": "1767225600"}).clean(report).last_submission is None


def test_a_report_without_it_stays_as_it_is() -> None:
    report = InstanceReport(setting=Setting.ENABLED, version="4.13.6", inventory=("db_type",))
    assert Redaction(CREDENTIALS).clean(report) == report


@examples(300)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60),
    st.sampled_from(sorted(set(SPELLINGS) - {"the first half", "the second half"})),
    st.text(max_size=9),
)
def test_any_credential_is_recognised(secret: str, spelling: str, around: str) -> None:
    assume(sum(letter.isalnum() for letter in secret) >= 8)
    text = SPELLINGS[spelling](secret)
    assert Redaction({"token": secret}).reveals(text)
    if around.isascii() and around.isalnum():
        assert Redaction({"token": secret}).reveals(f"{around}_{text}")


@examples(300)
@given(st.text(), st.text())
def test_it_never_fails(secret: str, text: str) -> None:
    Redaction({"token": secret}).reveals(text)
