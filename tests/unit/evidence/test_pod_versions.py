"""Pods whose tags admission replaced by digests: when their template's tag speaks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import decide
from fleet_telemetry.evidence.pod_versions import gather_pod_facts
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import Pod
from tests.support.builders import (
    DIGEST,
    EMQX,
    EMQX_SWITCH,
    container,
    manifest,
    pod_of,
    policy,
    under,
    workload,
)

OTHER_DIGEST = "@sha256:" + "cd" * 32
OFF = {EMQX_SWITCH: "false"}
TEMPLATE = manifest(container(EMQX, env=OFF))


def pod(image: str, origin: str | None = EMQX, name: str = "it-1", **more: Any) -> Pod:
    """A pod of a template with the image ``origin``."""
    found = pod_of(manifest(container(image, env=OFF, **more)), name)
    template = None if origin is None else workload(manifest(container(origin, env=OFF))).template
    return replace(found, origin=template)


def versions(*pods: Pod) -> list[str]:
    """The version of each pod's container; empty where it cannot be read."""
    facts = gather_pod_facts(pods, builtin())
    return [str(target.version or "") for one in facts for target in one.targets]


def state(*pods: Pod) -> tuple[State | None, Reason | None]:
    asked = under(policy()).input(TEMPLATE, Trigger.RECONCILE, pods=pods)
    (verdict,) = (one for one in decide(asked).verdicts if one.channel == "Usage")
    return verdict.state, verdict.reason


KNOWN = versions(pod(EMQX))
BARE = f"emqx/emqx{DIGEST}"


@pytest.mark.parametrize("image", [BARE, f"docker.io/emqx/emqx{DIGEST}", f"index.docker.io/{BARE}"])
@pytest.mark.parametrize("origin", [EMQX, f"{EMQX}{DIGEST}", f"docker.io/{EMQX}"])
def test_the_tag_of_the_template_speaks_for_a_pod(image: str, origin: str) -> None:
    assert versions(pod(image, origin)) == KNOWN != [""]
    assert state(pod(image, origin)) == (State.COMPLIANT, Reason.RUNNING_IN_EVERY_POD)


@pytest.mark.parametrize(
    ("image", "origin"),
    [
        # Another repository may have tags of its own.
        (f"mirror.example/emqx/emqx{DIGEST}", EMQX),
        (BARE, f"mirror.example/{EMQX}"),
        # The template says which digest is meant.
        (BARE, f"{EMQX}{OTHER_DIGEST}"),
        # It may have been created from another template.
        (BARE, None),
        # Nothing has a version.
        (BARE, "emqx/emqx:latest"),
        (BARE, BARE),
    ],
)
def test_otherwise_the_version_is_unreadable(image: str, origin: str | None) -> None:
    assert versions(pod(image, origin)) == [""]
    assert state(pod(image, origin)) == (State.UNKNOWN, Reason.VERSION_UNREADABLE)


def test_a_tag_that_has_moved_speaks_for_none_of_its_pods() -> None:
    shared = pod(BARE)
    moved = replace(pod(f"emqx/emqx{OTHER_DIGEST}", name="it-2"), origin=shared.origin)
    assert versions(shared, moved) == ["", ""]
    assert state(shared, moved) == (State.UNKNOWN, Reason.VERSION_UNREADABLE)
    # Pods of another template say nothing of this one's.
    assert versions(shared, pod(f"emqx/emqx{OTHER_DIGEST}", None, "it-2")) == [*KNOWN, ""]


def test_a_pod_of_an_older_template_has_the_version_of_that() -> None:
    assert versions(pod(BARE, "emqx/emqx:5.8.6")) == versions(pod("emqx/emqx:5.8.6"))


def test_a_container_of_another_name_is_not_spoken_for() -> None:
    assert versions(pod(BARE, name="it-1")) == KNOWN
    other = pod(BARE)
    (found,) = other.template.containers
    renamed = replace(other.template, containers=(replace(found, name="other"),))
    assert versions(replace(other, template=renamed)) == [""]


def test_a_tag_in_the_pod_itself_counts_whatever_the_template_says() -> None:
    assert versions(pod("emqx/emqx:5.8.6", EMQX)) == versions(pod("emqx/emqx:5.8.6", None))
