"""kubectl shows likely mistakes of a policy when it is written."""

from __future__ import annotations

from dev.cluster import Cluster
from tests.support.builders import EMQX, SONARQUBE
from tests.support.world import Space, container, eventually, policy, workload

DRY_RUN = ("--dry-run=server",)


def warnings_of(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("Warning: ")]


def test_mistakes_are_shown_at_a_dry_run_and_at_apply(space: Space) -> None:
    space.apply(workload("Deployment", "sonar", container(SONARQUBE)))
    lost = policy(
        "lost",
        selector={"matchLabels": {"team": "none"}},
        exceptions=[
            {"workload": {"kind": "StatefulSet", "name": "sonar"}, "reason": "a trial"},
            {
                "workload": {"kind": "Deployment", "name": "sonar"},
                "reason": "a contract",
                "expiresAt": "2020-01-01T00:00:00Z",
            },
        ],
    )

    def seen() -> str | None:
        said = space.apply(lost, flags=DRY_RUN)
        return said if "there is a Deployment sonar" in said else None

    # The webhook learns of the workload from a watch.
    tried = warnings_of(eventually(seen, say="the webhook knows the workload"))
    name = f"Warning: TelemetryPolicy {space.name}/lost: "
    assert [line.removeprefix(name)[:28] for line in tried] == [
        "spec.selector selects no wor",
        "spec.exceptions: expiresAt i",
        "spec.exceptions: there is no",
    ]
    assert space.find("telemetrypolicy", "lost") is None
    assert warnings_of(space.apply(lost)) == tried
    labelled = space.kubectl("label", "telemetrypolicy/lost", "team=a")
    assert "Warning" not in labelled.stderr


def test_equal_mistakes_of_two_policies_are_both_shown(space: Space) -> None:
    both = [policy(name, products=["emqx"], egress={"action": "Isolate"}) for name in ("a", "b")]
    said = warnings_of(space.apply(*both, flags=DRY_RUN))
    assert [line.count("not even their database") for line in said].count(1) == 2
    assert len(set(said)) == len(said)


def test_equal_workloads_of_two_namespaces_are_both_named(space: Space) -> None:
    """kubectl shows equal warnings once."""
    cluster: Cluster = space.world.cluster
    other = f"{space.name}-b"[-60:].strip("-")
    cluster.kubectl("create", "namespace", other)
    for namespace in (space.name, other):
        place = Space(space.world, namespace)
        place.policy()
    manifests = [
        {
            **workload("Deployment", "it", container(EMQX)),
            "metadata": {"name": "it", "namespace": n},
        }
        for n in (space.name, other)
    ]
    said = warnings_of(space.world.apply(*manifests, flags=DRY_RUN))
    assert [
        f"Deployment {n}/it: set " in line
        for n, line in zip((space.name, other), said, strict=True)
    ] == [
        True,
        True,
    ]
    cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_a_text_of_the_wrong_form_is_answered_with_a_sentence(space: Space) -> None:
    done = space.try_apply(policy(products=["Sonar Qube"]))
    assert done.returncode != 0
    assert "the name has lower case letters, digits and dashes" in done.stderr
    assert "should match" not in done.stderr
