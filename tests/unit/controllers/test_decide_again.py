"""When a workload is decided on again although nothing happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fleet_telemetry.controllers.workload import decide_again_after
from fleet_telemetry.decision import decide
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import EMQX, NOW, container, manifest, policy, under

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("until", "asked", "seconds"),
    [
        (None, False, None),
        (None, True, None),
        (NOW + DAY, False, 86401),
        (NOW + DAY, True, 60),
        (NOW + timedelta(seconds=5), True, 6),
        (NOW, False, 1),
        (NOW - DAY, False, 1),
    ],
)
def test_it_is_decided_again_when_a_lookup_no_longer_counts(
    until: datetime | None, seconds: float | None, *, asked: bool
) -> None:
    cluster = under(policy(asked=asked))
    plan = decide(cluster.input(manifest(container(EMQX)), Trigger.RECONCILE))
    assert decide_again_after(replace(plan, holds_until=until), NOW) == seconds
