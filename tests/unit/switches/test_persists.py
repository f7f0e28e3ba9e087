"""Variables whose value each start stores: what is written, and what a removal does not undo."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.evidence.declared import observe_containers
from fleet_telemetry.evidence.readings import Readings
from fleet_telemetry.reporting.changes import change_notices
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, with_default
from tests.support.builders import (
    Manifest,
    catalogue,
    claimed,
    container,
    manifest,
    policy,
    product,
    touched,
    under,
)

ENV = {"name": "ACME", "disabled": "no", "enabled": "yes", "persists": True}
NO_WAY_BACK = {"name": "ACME", "disabled": "no", "persists": True}
IN_ITS_DATA = "the product keeps the setting in its own data, so this does not revert it"
ALWAYS = {"injection": {"when": "Always"}}


def known(env: dict[str, object], default: str = "On") -> dict[str, Any]:
    switch = {"semantics": "Start", "env": env}
    rules = [{"default": default, "switches": [switch], "remedy": "Remove the file."}]
    return {"catalogue": catalogue(product("acme", channels=[{"name": "Usage", "rules": rules}]))}


def acme(env: dict[str, str] | None = None) -> Manifest:
    """A workload in which the variables stand because of us."""
    return claimed(manifest(container("acme/acme:1.0.0", env=env)), but=["ACME"])


def test_to_enable_the_explicit_word_is_written() -> None:
    cluster = under(policy(submission="Enabled", **ALWAYS), **known(ENV))
    assert cluster.create(acme()).env == {"ACME": "yes"}
    turned = cluster.update(acme({"ACME": "no"}), touched(acme({"ACME": "no"})))
    assert turned.env == {"ACME": "yes"}
    assert IN_ITS_DATA not in next(iter(change_notices(turned.plan.edits, "Admission"))).note


@pytest.mark.parametrize("opted_in", [True, False])
@pytest.mark.parametrize("env", [ENV, NO_WAY_BACK])
def test_a_removal_says_that_the_setting_stays(env: dict[str, object], opted_in: bool) -> None:
    wanted = [policy(submission="Enabled", **ALWAYS)] if opted_in else []
    present = acme({"ACME": "no"})
    written = under(*wanted, **known(env)).update(present, touched(present))
    if opted_in and env is ENV:
        assert written.edits == {"ACME": "yes"}
        return
    assert written.edits == {"ACME": None}
    (notice,) = change_notices(written.plan.edits, "Admission")
    assert IN_ITS_DATA in notice.note


def test_a_removal_that_takes_it_back_does_not_say_so() -> None:
    plain = {name: value for name, value in ENV.items() if name != "persists"}
    present = acme({"ACME": "no"})
    written = under(**known(plain)).update(present, touched(present))
    assert IN_ITS_DATA not in next(iter(change_notices(written.plan.edits, "Admission"))).note


@pytest.mark.parametrize("default", ["On", "Off"])
def test_the_default_is_no_evidence(default: str) -> None:
    given = under(policy(), **known(ENV, default)).input(acme(), Trigger.RECONCILE)
    targets = under(policy(), **known(ENV, default)).reconcile(acme()).plan.targets
    seen = observe_containers(
        Readings(), targets, given.catalogue.products["acme"].spec.channels[0].name
    )
    assert (seen.setting, seen.effect) == (Setting.UNSET, Setting.UNKNOWN)


@pytest.mark.parametrize("source", [ReadingSource.NOTHING, ReadingSource.OVERRIDE])
@pytest.mark.parametrize("default", list(DefaultState))
def test_an_unset_switch_has_what_an_earlier_start_stored(
    source: ReadingSource, default: DefaultState
) -> None:
    unset = SwitchReading(Setting.UNSET, source, "ACME")
    found = with_default(unset, default, persists=True)
    assert found == SwitchReading(Setting.UNKNOWN, ReadingSource.PERSISTED, "ACME")
    set_ = SwitchReading(Setting.DISABLED, source)
    assert with_default(set_, default, persists=True) is set_
