"""Switches that are arguments, with every way of applying a manifest: nothing rolls twice, and what
is the user's stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.e2e.test_gitops import SERVER_SIDE, WAYS, _drift
from tests.support.world import Manifest, Space, container, containers_of, eventually, workload

pytestmark = pytest.mark.cluster

LOKI = "grafana/loki:3.5.0"
OFF, ON = "-reporting.enabled=false", "-reporting.enabled=true"
OWN = ["-config.file=/etc/loki/config.yaml", "-target=all"]
IMAGE = "-config.file=/etc/loki/local-config.yaml"
ALLOWED = {"arguments": True}


def loki(args: Sequence[str] | None = OWN, **more: object) -> Manifest:
    words = {} if args is None else {"args": list(args)}
    return workload("Deployment", "loki", {**container(LOKI), **words, **more})


def args_of(space: Space) -> list[str] | None:
    found: list[str] | None = containers_of(space.get("deployment", "loki"))[0].get("args")
    return found


def generation(space: Space) -> int:
    found: int = space.get("deployment", "loki")["metadata"]["generation"]
    return found


def channel(space: Space, **wanted: str) -> Manifest:
    return space.telemetry("Deployment", "loki", **wanted)


def recorded_in(space: Space) -> list[Manifest]:
    injected = channel(space).get("injected", ())
    return [one for one in injected if one.get("kind") == "Argument"]


@pytest.mark.parametrize("flags", WAYS)
def test_a_manifest_that_is_applied_again_rolls_nothing(space: Space, flags: list[str]) -> None:
    space.policy(injection=ALLOWED)
    assert f"added the argument {OFF}" in space.apply(loki(), flags=flags)
    channel(space, state="Compliant", declared="Disabled")
    before = generation(space)
    for _ in range(3):
        said = space.apply(loki(), flags=flags)
        assert "conflict" not in said
        assert f"added the argument {OFF} in container app again" in said
    assert args_of(space) == [OFF, *OWN]
    assert generation(space) == before

    # A change of the user's own goes through, and the word comes along.
    space.apply(loki([*OWN, "-log.level=debug"]), flags=flags)
    assert args_of(space) == [OFF, *OWN, "-log.level=debug"]

    # Without a policy, the same manifest takes the word away.
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    space.apply(loki([*OWN, "-log.level=debug"]), flags=flags)
    eventually(lambda: args_of(space) == [*OWN, "-log.level=debug"], say="the user's list")


@pytest.mark.parametrize("flags", WAYS)
def test_a_dry_run_of_an_apply_shows_no_drift(space: Space, flags: list[str]) -> None:
    """The webhook adds the word in the dry run, too. Flux compares in this way."""
    space.policy(injection=ALLOWED)
    space.apply(loki(), flags=flags)
    channel(space, state="Compliant")
    assert _drift(space, loki(), flags) == ""


def test_a_comparison_with_the_manifest_shows_drift(space: Space) -> None:
    """Argo CD compares the live list with that of the manifest, unless it is told to ignore it."""
    space.policy(injection=ALLOWED)
    manifest = loki()
    space.apply(manifest, flags=SERVER_SIDE)
    live = containers_of(space.get("deployment", "loki"))[0]
    assert live["args"] != containers_of(manifest)[0]["args"]
    owners = [
        entry["manager"]
        for entry in space.get("deployment", "loki")["metadata"]["managedFields"]
        if '"f:args"' in json.dumps(entry)
    ]
    assert owners == ["gitops"]


def test_a_list_that_the_operator_creates_goes_with_the_policy(space: Space) -> None:
    space.policy(injection=ALLOWED)
    space.apply(loki(None))
    assert args_of(space) == [OFF, IMAGE]
    channel(space, state="Compliant")

    (one,) = eventually(lambda: recorded_in(space), say="the record")
    assert (one["value"], one["imageArguments"]) == (OFF, [IMAGE])

    space.kubectl("delete", "telemetrypolicy", "opt-out")
    space.kubectl("rollout", "restart", "deployment/loki")
    assert args_of(space) is None


def test_opting_in_later_replaces_the_word(space: Space) -> None:
    space.policy(injection=ALLOWED)
    space.apply(loki([*OWN, ON]))
    assert args_of(space) == [*OWN, OFF]
    channel(space, state="Compliant", declared="Disabled")
    space.policy(submission="Enabled", injection=ALLOWED)
    space.wait_for_policy()
    space.kubectl("rollout", "restart", "deployment/loki")
    assert args_of(space) == [*OWN, ON]


def test_the_controller_writes_where_the_policy_wants_it_at_once(space: Space) -> None:
    """With the chart's admission policies in force. It records the word, because the list has an
    owner, and so reverts it."""
    space.apply(loki(), flags=SERVER_SIDE)
    space.policy(injection={**ALLOWED, "rollout": "Immediate"})
    channel(space, declared="Disabled")
    assert args_of(space) == [OFF, *OWN]
    (one,) = eventually(lambda: recorded_in(space), say="the record")
    assert one["value"] == OFF

    space.kubectl("delete", "telemetrypolicy", "opt-out")
    space.kubectl("rollout", "restart", "deployment/loki")
    assert args_of(space) == OWN


def test_nothing_is_written_unless_the_policy_allows_it(space: Space) -> None:
    space.policy()
    space.apply(loki())
    assert args_of(space) == OWN
    channel(space, state="NonCompliant", reason="ArgumentsOff")


def test_a_line_of_shell_stays_as_it_is(space: Space) -> None:
    space.policy(injection=ALLOWED)
    line = ["exec /usr/bin/loki -target=all"]
    space.apply(loki(line, command=["/bin/sh", "-ec"]))
    assert args_of(space) == line
    channel(space, state="Unknown", reason="CommandIsShell")


@pytest.mark.parametrize("program", ["helm", "helm3"])
def test_helm(space: Space, tmp_path: Path, program: str) -> None:
    """Helm writes the list as its chart has it, at each upgrade."""
    (tmp_path / "templates").mkdir()
    meta = {"apiVersion": "v2", "name": "loki", "version": "1.0.0"}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(meta))
    (tmp_path / "values.yaml").write_text("level: info\n")
    text = yaml.safe_dump(loki([*OWN, "-log.level=LEVEL"]))
    text = text.replace("LEVEL", "{{ .Values.level }}")
    (tmp_path / "templates" / "deployment.yaml").write_text(text)

    def helm(*arguments: str) -> None:
        space.world.cluster.helm(*arguments, f"--namespace={space.name}", program=program)

    space.policy(injection=ALLOWED)
    helm("install", "loki", str(tmp_path))
    assert args_of(space) == [OFF, *OWN, "-log.level=info"]
    before = generation(space)
    helm("upgrade", "loki", str(tmp_path))
    assert generation(space) == before
    helm("upgrade", "loki", str(tmp_path), "--set=level=debug")
    assert args_of(space) == [OFF, *OWN, "-log.level=debug"]
    helm("rollback", "loki", "1")
    assert args_of(space) == [OFF, *OWN, "-log.level=info"]
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    helm("upgrade", "loki", str(tmp_path), "--set=level=warn")
    assert args_of(space) == [*OWN, "-log.level=warn"]
