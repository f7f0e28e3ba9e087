"""Whether a Seed switch can be shown to have counted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.evidence.seed import (
    Data,
    DataAge,
    VolumeClaimFacts,
    locate_data,
    prove_volume_claims,
)
from tests.support.builders import (
    DTRACK_4,
    EMQX_SEED,
    LONG_AGO,
    NGINX,
    container,
    manifest,
    workload,
)
from tests.support.every import every

DATA = {"name": "data", "mountPath": "/data"}
EMPTY = {"name": "data", "emptyDir": {}}
CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "it-data"}}
FRESH = {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
CLONE = {
    "name": "data",
    "ephemeral": {"volumeClaimTemplate": {"spec": {"dataSource": {"name": "old"}}}},
}


def locate(
    *mounts: Any, volumes: Any = (), image: str = DTRACK_4, pod: Any = None, **more: Any
) -> Data:
    """Where the data of the first container lives."""
    given = manifest(
        container(image, volumeMounts=list(mounts), **more),
        container(NGINX, name="side"),
        pod={"volumes": list(volumes), **(pod or {})},
    )
    template = workload(given).template
    (target,) = match_containers(template, builtin())
    rule = target.product.rule_for(ChannelName.USAGE, target.image, target.version).rule
    assert rule is not None
    return locate_data(target.container, template, rule.switches[0].seed_proof)


PER_POD, ON_CLAIM, NOT_KNOWN = (
    Data(DataAge.PER_POD),
    Data(DataAge.CLAIM, "it-data"),
    Data(DataAge.UNKNOWN),
)


@every(
    ("mounts", "volumes", "data"),
    [
        ([], [], PER_POD),
        ([DATA], [EMPTY], PER_POD),
        ([DATA], [FRESH], PER_POD),
        ([DATA], [CLONE], NOT_KNOWN),
        ([DATA], [CLAIM], ON_CLAIM),
        ([DATA], [{"name": "data", "hostPath": {"path": "/x"}}], NOT_KNOWN),
        ([DATA], [], NOT_KNOWN),
        ([{**DATA, "mountPath": "/data/"}], [CLAIM], ON_CLAIM),
        ([{**DATA, "mountPath": "/data/.dependency-track"}], [CLAIM], ON_CLAIM),
        ([{**DATA, "mountPath": "/"}], [CLAIM], NOT_KNOWN),  # /etc/passwd is below it too
        # A mount beside it is none of its business, one below it may hold a part of the data.
        ([{**DATA, "mountPath": "/data2"}], [CLAIM], PER_POD),
        ([{**DATA, "mountPath": "/da"}], [CLAIM], PER_POD),
        ([{**DATA, "mountPath": "/etc/passwd2"}], [CLAIM], PER_POD),
        ([{**DATA, "mountPath": "/data/.dependency-track/db"}], [CLAIM], NOT_KNOWN),
        ([DATA, {**DATA, "mountPath": "/data/.dependency-track/x"}], [CLAIM], NOT_KNOWN),
        # The deepest mount above it holds it.
        (
            [DATA, {"name": "own", "mountPath": "/data/.dependency-track"}],
            [CLAIM, {"name": "own", "emptyDir": {}}],
            PER_POD,
        ),
        (
            [{"name": "own", "mountPath": "/data/.dependency-track"}, DATA],
            [CLAIM, {"name": "own", "emptyDir": {}}],
            PER_POD,
        ),
        # What would redirect it.
        ([{"name": "data", "mountPath": "/etc/passwd"}], [EMPTY], NOT_KNOWN),
        ([{"name": "data", "mountPath": "/etc"}], [EMPTY], NOT_KNOWN),
        ([{"name": "data", "mountPath": "/opt/owasp/dependency-track/lib"}], [EMPTY], NOT_KNOWN),
        ([{"name": "data", "mountPath": "/etc/ssl"}], [EMPTY], PER_POD),
    ],
)
def test_where_the_data_lives(mounts: Any, volumes: Any, data: Data) -> None:
    assert locate(*mounts, volumes=volumes) == data


@pytest.mark.parametrize(
    "more",
    [
        {"env": {"ALPINE_DATABASE_MODE": "external"}},
        {"env": {"ALPINE_DATABASE_": "x"}},
        {"env": {"JAVA_OPTIONS": "-Dx"}},
        {"env": {"HOME": "/tmp"}},
        {"envFrom": [{"configMapRef": {"name": "x"}}]},
        {"args": ["x"]},
        {"command": ["x"]},
        {"workingDir": "/tmp"},
        {"securityContext": {"runAsUser": 0}},
        {"pod": {"securityContext": {"runAsUser": 1001}}},
        # Somebody else may have put something there.
        {"pod": {"initContainers": [{"name": "init", "volumeMounts": [DATA]}]}},
    ],
)
def test_whatever_may_redirect_or_fill_it_makes_it_unknown(more: dict[str, Any]) -> None:
    assert locate(DATA, volumes=[EMPTY], **more) == NOT_KNOWN


@pytest.mark.parametrize(
    "more",
    [
        {"env": {"ALPINE_BCRYPT_ROUNDS": "10"}},
        {"env": {"ANOTHER_JAVA_OPTIONS": "x"}},
        {"securityContext": {"runAsUser": 1000}},
        {"pod": {"securityContext": {"runAsUser": 1000}}},
        # The container's own user counts.
        {
            "pod": {"securityContext": {"runAsUser": 0}},
            "securityContext": {"runAsUser": 1000},
        },
        {"pod": {"initContainers": [{"name": "init", "volumeMounts": [{"name": "other"}]}]}},
    ],
)
def test_whatever_cannot_leaves_it_known(more: dict[str, Any]) -> None:
    assert locate(DATA, volumes=[EMPTY], **more) == PER_POD


def test_a_volume_that_another_container_has_too_is_unknown() -> None:
    given = manifest(
        container(DTRACK_4, volumeMounts=[DATA]),
        container(NGINX, name="side", volumeMounts=[{**DATA, "mountPath": "/elsewhere"}]),
        pod={"volumes": [EMPTY]},
    )
    template = workload(given).template
    (target,) = match_containers(template, builtin())
    rule = target.product.rule_for(ChannelName.USAGE, target.image, target.version).rule
    assert rule is not None
    assert locate_data(target.container, template, rule.switches[0].seed_proof) == NOT_KNOWN


def test_a_product_whose_user_makes_no_difference() -> None:
    mount = {"name": "data", "mountPath": "/opt/emqx/data"}
    found = locate(mount, volumes=[EMPTY], image=EMQX_SEED, securityContext={"runAsUser": 12345})
    assert found == PER_POD


def test_without_a_known_place_nothing_is_known() -> None:
    template = workload(manifest(container(DTRACK_4))).template
    assert locate_data(template.containers[0], template, None) == NOT_KNOWN


def facts(
    created: datetime = LONG_AGO, *, empty: bool = True, uid: str = "uid-1"
) -> VolumeClaimFacts:
    return VolumeClaimFacts(uid=uid, created=created, began_empty=empty)


FIRST = workload(manifest(container(DTRACK_4), generation=1, created=LONG_AGO))
CHANGED = workload(manifest(container(DTRACK_4), generation=2, created=LONG_AGO))
SECOND = timedelta(seconds=1)


def test_data_that_began_with_the_first_template_is_proven() -> None:
    known = {"a": facts(LONG_AGO + SECOND, uid="2"), "b": facts(uid="1")}
    assert prove_volume_claims(FIRST, ["a", "b"], known, []) == ("1", "2")
    assert prove_volume_claims(FIRST, [], known, []) == ()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"a": facts(LONG_AGO - SECOND)},
        {"a": facts(empty=False)},
        {"b": facts()},
    ],
)
def test_older_filled_or_absent_claims_prove_nothing(given: dict[str, VolumeClaimFacts]) -> None:
    assert prove_volume_claims(FIRST, ["a"], given, []) is None


def test_one_claim_without_proof_spoils_all() -> None:
    known = {"a": facts(), "b": facts(LONG_AGO - SECOND, uid="2")}
    assert prove_volume_claims(FIRST, ["a", "b"], known, []) is None
    assert prove_volume_claims(FIRST, ["a", "b"], known, ["2"]) == ("2", "uid-1")


def test_a_changed_template_proves_nothing_but_what_was_recorded() -> None:
    assert prove_volume_claims(CHANGED, ["a"], {"a": facts()}, []) is None
    assert prove_volume_claims(CHANGED, ["a"], {"a": facts()}, ["uid-1"]) == ("uid-1",)
    # A claim of the same name that was made anew is another one.
    assert prove_volume_claims(CHANGED, ["a"], {"a": facts(uid="uid-2")}, ["uid-1"]) is None
    assert prove_volume_claims(CHANGED, ["a"], {}, ["uid-1"]) is None


def test_a_workload_of_unknown_age_proves_nothing() -> None:
    given = manifest(container(DTRACK_4), generation=1)
    del given["metadata"]["creationTimestamp"]
    assert prove_volume_claims(workload(given), ["a"], {"a": facts()}, []) is None
