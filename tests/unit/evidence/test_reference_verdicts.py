"""What becomes of a switch whose value is in a ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.config_maps import ABSENT, read_config_map
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import (
    EMQX,
    EMQX_SWITCH,
    LONG_AGO,
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    claimed,
    container,
    manifest,
    pod_of,
    policy,
    under,
)
from tests.support.config_maps import config_map

COMPLIANT, NON_COMPLIANT, PENDING, UNKNOWN, *_ = State
KEY = {SONAR_SWITCH: {"configMapKeyRef": {"name": "settings", "key": "sonar"}}}
OPTIONAL = {SONAR_SWITCH: {"configMapKeyRef": {"name": "settings", "key": "no", "optional": True}}}
ALL = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
OFF = {"sonar": "false", SONAR_SWITCH: "false", EMQX_SWITCH: "false"}
ON = {"sonar": "true", SONAR_SWITCH: "true", EMQX_SWITCH: "true"}
STARTED = NOW - timedelta(days=2)
AFTER = NOW - timedelta(days=1)
"""The ConfigMap changed after the pods had started."""
NOT_READ: dict[str, Any] = {}


@dataclass(frozen=True)
class Case:
    """A workload, its pod, and the ConfigMap as it is now."""

    state: State
    reason: Reason
    maps: Mapping[str, Any]
    env: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    image: str = SONARQUBE
    policy: Mapping[str, Any] = field(default_factory=dict)
    runs: bool = True
    says: str = ""

    def plan(self) -> Plan:
        given = claimed(manifest(container(self.image, env=self.env, **self.more)))
        pods = (pod_of(given, created=STARTED),) if self.runs else ()
        cluster = under(policy(**self.policy))
        return decide(
            cluster.input(given, Trigger.RECONCILE, pods=pods, config_maps=dict(self.maps))
        )


def _maps(data: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"settings": ABSENT if data is None else read_config_map(config_map(data, **more))}


LOCKED = {"created": LONG_AGO, "immutable": True}
CASES = {
    "the desired value": Case(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, _maps(OFF), KEY),
    "all of it": Case(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, _maps(OFF), more=ALL),
    "all of an immutable one": Case(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, _maps(OFF, **LOCKED), more=ALL
    ),
    "no pod": Case(PENDING, Reason.NO_PODS, _maps(OFF), KEY, runs=False),
    "the contrary": Case(
        NON_COMPLIANT,
        Reason.CONFIG_MAP_CONTRARY,
        _maps(ON),
        KEY,
        says=f"({SONAR_SWITCH}, key sonar of the ConfigMap settings)",
    ),
    "the contrary, and no pod": Case(
        NON_COMPLIANT, Reason.CONFIG_MAP_CONTRARY, _maps(ON), KEY, runs=False
    ),
    "the contrary, kept": Case(
        NON_COMPLIANT,
        Reason.CONFIG_MAP_CONTRARY,
        _maps(ON),
        KEY,
        policy={"injection": {"onConflict": "Keep"}},
    ),
    "the contrary in all of it is overridden at the next change": Case(
        PENDING,
        Reason.AWAITING_ROLLOUT,
        _maps(ON),
        more=ALL,
        policy={"injection": {"when": "Always"}},
    ),
    "the contrary in all of it, by audit": Case(
        NON_COMPLIANT, Reason.AUDIT_ONLY, _maps(ON), more=ALL, policy={"mode": "Audit"}
    ),
    "a word that nobody understands": Case(
        UNKNOWN, Reason.VALUE_NOT_UNDERSTOOD, _maps({"sonar": "$(X)"}), KEY
    ),
    "not read": Case(UNKNOWN, Reason.CONFIG_MAP_NOT_READ, NOT_READ, KEY),
    "all of it, not read": Case(
        UNKNOWN, Reason.CONFIG_MAP_NOT_READ, NOT_READ, more=ALL, policy={"mode": "Audit"}
    ),
    "no such map": Case(UNKNOWN, Reason.CONFIG_MAP_MISSING, _maps(), KEY),
    "no such key": Case(UNKNOWN, Reason.CONFIG_MAP_MISSING, _maps({"a": "b"}), KEY),
    "an optional key that is missing": Case(
        NON_COMPLIANT, Reason.CONFIG_MAP_CONTRARY, _maps({"a": "b"}), OPTIONAL
    ),
    "changed since": Case(
        UNKNOWN,
        Reason.CONFIG_MAP_CHANGED,
        _maps(OFF, changed=AFTER),
        KEY,
        says="1 of 1 pods.",
    ),
    "all of it changed since": Case(
        UNKNOWN, Reason.CONFIG_MAP_CHANGED, _maps(OFF, changed=AFTER), more=ALL
    ),
    "created again since": Case(UNKNOWN, Reason.CONFIG_MAP_CHANGED, _maps(OFF, created=AFTER), KEY),
    "changed since, to the contrary": Case(
        NON_COMPLIANT, Reason.CONFIG_MAP_CONTRARY, _maps(ON, changed=AFTER), KEY
    ),
    "a Secret beside it": Case(
        UNKNOWN,
        Reason.MAY_BE_SET_BY_ENV_FROM,
        _maps(OFF),
        more={"envFrom": [*ALL["envFrom"], {"secretRef": {"name": "x"}}]},
        policy={"mode": "Audit"},
    ),
    "a Secret": Case(
        UNKNOWN,
        Reason.SET_BY_REFERENCE,
        _maps(OFF),
        {SONAR_SWITCH: {"secretKeyRef": {"name": "settings", "key": "sonar"}}},
        says=f"({SONAR_SWITCH}, key sonar of the Secret settings)",
    ),
    "another product": Case(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, _maps(OFF), more=ALL, image=EMQX
    ),
}


def _verdict(plan: Plan) -> Verdict:
    return plan.verdicts[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_value_in_a_config_map_is_judged(case: Case) -> None:
    verdict = _verdict(case.plan())
    assert (verdict.state, verdict.reason) == (case.state, case.reason)
    assert case.says in verdict.message


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_injected_does_not_depend_on_what_was_read(case: Case) -> None:
    """Admission reads no ConfigMap, and the controller decides as admission does."""
    unread = Case(case.state, case.reason, NOT_READ, case.env, case.more, case.image, case.policy)
    assert case.plan().edits == unread.plan().edits
    assert case.plan().skipped_edits == unread.plan().skipped_edits
    assert case.plan().injected == unread.plan().injected == ()


def test_what_is_sent_follows_from_the_value() -> None:
    def sends(maps: Mapping[str, Any], **more: Any) -> tuple[Sends, Reason]:
        found = _verdict(Case(COMPLIANT, Reason.NO_PODS, maps, **more).plan()).sends
        assert found is not None
        return found.sends, found.reason

    assert sends(_maps(OFF), env=KEY) == (Sends.NO, Reason.RUNNING_IN_EVERY_POD)
    assert sends(_maps(ON), env=KEY) == (Sends.YES, Reason.RUNNING_IN_EVERY_POD)
    assert sends(_maps(ON), more=ALL) == (Sends.YES, Reason.RUNNING_IN_EVERY_POD)
    assert sends(NOT_READ, env=KEY) == (Sends.UNKNOWN, Reason.CONFIG_MAP_NOT_READ)
    # Of the pod nothing is known. The next one sends.
    changed = _maps(ON, changed=AFTER)
    assert sends(changed, env=KEY) == (Sends.YES, Reason.NEXT_PODS_SEND)
    assert sends(_maps(OFF, changed=AFTER), env=KEY) == (
        Sends.UNKNOWN,
        Reason.CONFIG_MAP_CHANGED,
    )


def test_the_evidence_is_shown_as_it_is_known() -> None:
    verdict = _verdict(Case(UNKNOWN, Reason.NO_PODS, _maps(OFF, changed=AFTER), KEY).plan())
    assert verdict.observed("declared").setting is Setting.DISABLED
    assert verdict.observed("running").setting is Setting.UNKNOWN


def test_a_pod_of_an_older_template_is_outdated_whatever_its_map_held() -> None:
    given = claimed(manifest(container(SONARQUBE, env={SONAR_SWITCH: "false"})))
    older = claimed(manifest(container(SONARQUBE, env=KEY)))
    pod = pod_of(older, created=STARTED)
    maps = _maps(OFF, changed=AFTER)
    cluster = under(policy())
    plan = decide(cluster.input(given, Trigger.RECONCILE, pods=(pod,), config_maps=maps))
    assert (plan.verdicts[0].state, plan.verdicts[0].reason) == (PENDING, Reason.PODS_OUTDATED)
