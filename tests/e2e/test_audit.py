"""The command on a cluster in which the operator is installed."""

from __future__ import annotations

import json

import pytest

from tests.support.audited import Audited, Manifest, problems
from tests.support.world import EMQX, Space, container, workload

pytestmark = pytest.mark.cluster


def test_what_the_operator_did_is_explained(space: Space) -> None:
    audited = Audited(space.world.cluster, space.world.directory)
    space.policy(name="below", submission="Enabled")
    space.policy()
    space.apply(workload("Deployment", "emqx", container(EMQX)))
    space.wait_for_pods("app=emqx", 1)
    space.telemetry("Deployment", "emqx", state="Compliant")

    found = audited.audit("-n", space.name)
    assert problems(found) == []
    (usage,) = (one for one in found["findings"] if one["channel"] == "Usage")
    assert (usage["sends"], usage["state"], usage["policy"]["name"]) == (
        "No",
        "Compliant",
        "opt-out",
    )
    assert found["judged"]

    done = audited.run("explain", "-n", space.name, "-o", "json", "deploy/emqx")
    assert done.returncode == 0, done.stdout + done.stderr
    explained: Manifest = json.loads(done.stdout)
    (channel,) = (one for one in explained["channels"] if one["finding"]["channel"] == "Usage")
    by_name = {one["policy"]["name"]: one["outcome"] for one in channel["policies"]}
    assert (by_name["opt-out"], by_name["below"]) == ("Effective", "LowerPrecedence")
    assert {one["source"] for one in channel["evidence"]} >= {"declared", "running"}
    assert [one["reason"] for one in explained["history"]] == ["TelemetrySettingInjected"]

    text = audited.run("explain", "-n", space.name, "deployment.apps/emqx").stdout
    assert "TelemetryPolicy" in text
    assert "What was done" in text
