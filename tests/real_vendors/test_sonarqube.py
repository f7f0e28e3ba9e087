"""A real SonarQube, started with what the operator decides, and asked by the operator's adapter.

One installation, three starts: opted out, opted in by the author's own variable, and with an
argument that beats the injected variable. Each start is a fixture that observes everything at once,
as a start takes half a minute; the tests look at what was observed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dev.cluster.progress import say
from dev.real_vendors.decision import Admitted, admit, verdict_on_usage
from dev.real_vendors.sink import Sent, Sink
from dev.real_vendors.sonarqube import (
    RELEASE,
    TELEMETRY_SECONDS,
    RealSonarQube,
    installed,
    new_password,
)
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.http import VendorClient, VendorError
from fleet_telemetry.vendors.sonarqube import SonarQube as Adapter

pytestmark = pytest.mark.vendors

SETTLED_SECONDS = 4 * TELEMETRY_SECONDS
"""Enough for whatever would be sent, were it to be sent."""
SENT_SECONDS = 60.0
OPT_OUT = {"submission": "Disabled", "channels": ["Usage", "UpdateCheck"]}
OPT_OUT_BUT_KEEP = {**OPT_OUT, "injection": {"onConflict": "Keep"}}


@dataclass(frozen=True)
class Tokens:
    admin: str
    nobody_special: str


@dataclass(frozen=True)
class Observed:
    admitted: Admitted
    reading: InstanceReport
    sent: tuple[Sent, ...]
    tokens: Tokens
    refusals: dict[str, Reason] = field(default_factory=dict)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def sonarqube(sink: Sink) -> Iterator[RealSonarQube]:
    with installed(sink.url) as found:
        yield found


def read(sonarqube: RealSonarQube, token: str) -> InstanceReport:
    async def ask() -> InstanceReport:
        client = VendorClient()
        try:
            return await Adapter().read(client.api(sonarqube.endpoint), {"token": token})
        finally:
            await client.close()

    return asyncio.run(ask())


def refusal(sonarqube: RealSonarQube, token: str) -> Reason:
    with pytest.raises(VendorError) as caught:
        read(sonarqube, token)
    assert token not in str(caught.value)
    return caught.value.reason


def make_accounts(sonarqube: RealSonarQube) -> Tokens:
    """As after every installation: the first password is changed, then tokens are generated."""
    admin, other = new_password(), new_password()
    sonarqube.call(
        "/api/users/change_password",
        *("admin", "admin"),
        login="admin",
        previousPassword="admin",
        password=admin,
    )
    sonarqube.call("/api/users/create", *("admin", admin), login="ann", name="Ann", password=other)
    return Tokens(
        admin=sonarqube.call("/api/user_tokens/generate", *("admin", admin), name="ft")["token"],
        nobody_special=sonarqube.call("/api/user_tokens/generate", *("ann", other), name="ft")[
            "token"
        ],
    )


@pytest.fixture(scope="module")
def opted_out(sonarqube: RealSonarQube, sink: Sink) -> Observed:
    """The first start on an empty database, with nothing but the variables that were injected."""
    admitted = admit(OPT_OUT, env={})
    with sonarqube.started(admitted.environment, admitted.arguments):
        tokens = make_accounts(sonarqube)
        reading = read(sonarqube, tokens.admin)
        refusals = {
            "unknown token": refusal(sonarqube, f"squ_{'0' * 40}"),
            "no administrator": refusal(sonarqube, tokens.nobody_special),
        }
        time.sleep(SETTLED_SECONDS)
    return Observed(admitted, reading, sink.take_all(), tokens, refusals)


@pytest.fixture(scope="module")
def opted_in(opted_out: Observed, sonarqube: RealSonarQube, sink: Sink) -> Observed:
    """The same installation the other way round: its author wants it on, the policy keeps that."""
    admitted = admit(OPT_OUT_BUT_KEEP, env={"SONAR_TELEMETRY_ENABLE": "true"})
    with sonarqube.started(admitted.environment, admitted.arguments):
        reading = read(sonarqube, opted_out.tokens.admin)
        sink.wait(lambda sent: {s.path for s in sent} >= {USAGE, METRICS}, SENT_SECONDS)
        time.sleep(SETTLED_SECONDS)
    return Observed(admitted, reading, sink.take_all(), opted_out.tokens)


@pytest.fixture(scope="module")
def overridden(opted_in: Observed, sonarqube: RealSonarQube, sink: Sink) -> Observed:
    """The variable is injected, and an argument of the author's beats it."""
    admitted = admit(OPT_OUT, env={}, args=("-Dsonar.telemetry.enable=true",))
    with sonarqube.started(admitted.environment, admitted.arguments):
        reading = read(sonarqube, opted_in.tokens.admin)
    return Observed(admitted, reading, sink.take_all(), opted_in.tokens)


USAGE = "/sonarqube"
METRICS = "/sonarqube/metrics"


def test_the_injected_variable_opts_out(opted_out: Observed) -> None:
    assert opted_out.admitted.environment == {
        "SONAR_TELEMETRY_ENABLE": "false",
        "SONAR_UPDATECENTER_ACTIVATE": "false",
    }
    assert opted_out.reading.setting is Setting.DISABLED
    assert opted_out.reading.version == RELEASE.version
    verdict = verdict_on_usage(opted_out.admitted, opted_out.reading)
    assert verdict.state is State.COMPLIANT


def test_opting_out_sends_one_delete_with_the_servers_id_and_nothing_else(
    opted_out: Observed,
) -> None:
    assert opted_out.sent == (Sent("DELETE", USAGE, ("id",)),)


def test_who_may_not_ask_is_told_why(opted_out: Observed) -> None:
    assert opted_out.refusals == {
        "unknown token": Reason.CREDENTIALS_REJECTED,
        "no administrator": Reason.PERMISSION_MISSING,
    }


def test_the_other_way_round_is_reported_and_sent(opted_in: Observed) -> None:
    assert opted_in.admitted.environment["SONAR_TELEMETRY_ENABLE"] == "true"
    assert opted_in.reading.setting is Setting.ENABLED
    for sent in opted_in.sent:
        say(f"sent: {sent}")
    assert {(sent.method, sent.path) for sent in opted_in.sent} == {
        ("POST", USAGE),
        ("POST", METRICS),
    }
    assert all(sent.readable for sent in opted_in.sent)
    named = {name for sent in opted_in.sent for name in sent.fields}
    assert named > {
        "id",
        "version",
        "users[].userUuid",
        "users[].lastActivity",
        "metric_values[].key",
    }


def test_the_other_way_round_is_not_compliant(opted_in: Observed, opted_out: Observed) -> None:
    assert_not_compliant(opted_in.admitted, opted_in.reading)
    # Also where the pod template says that it is off: what the server reports beats it.
    assert_not_compliant(opted_out.admitted, opted_in.reading)


def test_an_argument_beats_the_injected_variable(overridden: Observed) -> None:
    assert overridden.admitted.environment["SONAR_TELEMETRY_ENABLE"] == "false"
    assert overridden.reading.setting is Setting.ENABLED
    assert_not_compliant(overridden.admitted, overridden.reading)
    # The template alone tells it too, without a report.
    unreported = verdict_on_usage(overridden.admitted, None)
    assert unreported.reason is Reason.SWITCH_OVERRIDDEN


def assert_not_compliant(admitted: Admitted, reading: InstanceReport) -> None:
    """The operator's verdict on a server that reports the contrary."""
    verdict = verdict_on_usage(admitted, reading)
    assert (verdict.state, verdict.reason) == (State.NON_COMPLIANT, Reason.REPORTED_CONTRARY)
