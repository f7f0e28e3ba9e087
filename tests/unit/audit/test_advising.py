"""What an audit says of policies that are not applied yet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.cluster.gathering import GatheringRequest, gather_clusters
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.files import gather_files, read_definitions
from fleet_telemetry.audit.result import Audit, ExitCode
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.switches.policy_problems import find_problems, warnings_on
from tests.support.api_stub import ApiStub, Manifest, namespace
from tests.support.builders import NOW, SONARQUBE, container, manifest

OTHER = "spec.products: what the policy selects runs none of them now"
PART = "; only what was read is known"


@pytest.fixture
def stub() -> Iterator[ApiStub]:
    with ApiStub() as stub:
        yield stub


def a_policy(**spec: object) -> Manifest:
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "ClusterTelemetryPolicy",
        "metadata": {"name": "opt-out"},
        "spec": {"submission": "Disabled", **spec},
    }


def defined(tmp_path: Path, *policies: Manifest) -> tuple[Definitions, str]:
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump_all([{"kind": "X", "apiVersion": "v1"}, *policies]))
    definitions, problems = read_definitions([str(file)], io.BytesIO(), "default", NOW)
    assert problems == []
    return definitions, str(file)


def files(*manifests: Manifest) -> Gathered:
    text = yaml.safe_dump_all(manifests).encode()
    return gather_files(["-"], io.BytesIO(text), "default", NOW)


def said(result: Audit) -> list[tuple[str, str, int, str, str]]:
    return [
        (one.place.cluster, one.place.file, one.place.line, one.policy.name, one.message)
        for one in result.policy_advice
    ]


SONAR = manifest(container(SONARQUBE), name="sonar", namespace="shop")


def test_a_policy_of_a_file_gets_advice_with_its_place(tmp_path: Path) -> None:
    definitions, file = defined(tmp_path, a_policy(products=["emqx"]))
    result = audit([Gathered(()), files(SONAR)], NOW, definitions)
    assert said(result) == [
        ("", file, 4, "opt-out", f"{OTHER}: emqx; what runs there: sonarqube{PART}")
    ]
    # Advice is no judgement: the policy covers nothing of what was read.
    assert result.exit_code is ExitCode.NOTHING_FOUND


def test_a_policy_among_the_manifests_is_not_applied_yet_either() -> None:
    result = audit([files(SONAR, a_policy(products=["emqx"]))], NOW, Definitions())
    assert [(one.place.file, one.place.line > 1) for one in result.policy_advice] == [("-", True)]


def test_the_labels_of_a_namespace_in_the_files_are_known() -> None:
    chosen = a_policy(namespaceSelector={"matchLabels": {"env": "prod"}})
    assert len(audit([files(SONAR, chosen)], NOW, Definitions()).policy_advice) == 1
    labelled = {**namespace("shop"), "metadata": {"name": "shop", "labels": {"env": "prod"}}}
    assert audit([files(SONAR, chosen, labelled)], NOW, Definitions()).policy_advice == ()


def test_what_is_said_is_what_the_webhook_says(tmp_path: Path) -> None:
    spec = {
        "products": ["nope"],
        "runtime": {
            "credentials": [
                {
                    "product": "sonarqube",
                    "requireTLS": False,
                    "secretRef": {"name": "a", "namespace": "b"},
                    "namespaces": ["b"],
                }
            ]
        },
    }
    definitions, _ = defined(tmp_path, a_policy(**spec))
    result = audit([files(SONAR)], NOW, definitions)
    (given,) = definitions.policies
    expected = list(warnings_on(given.spec, find_problems(given.spec, builtin())))
    assert len(expected) == 2
    assert [one.message for one in result.policy_advice][:2] == expected


def clusters(stub: ApiStub, tmp_path: Path, *contexts: str, **more: object) -> list[Gathered]:
    path = stub.kubeconfig(tmp_path / "config", "stub", "other")
    request = GatheringRequest(kubeconfig=str(path), contexts=contexts, now=NOW, **more)  # type: ignore[arg-type]
    return gather_clusters(request, GatheringProgress())


def test_in_a_whole_cluster_the_advice_is_that_of_the_webhook(
    stub: ApiStub, tmp_path: Path
) -> None:
    stub.objects += [namespace("shop"), SONAR]
    definitions, file = defined(tmp_path, a_policy(products=["emqx"]))
    result = audit(clusters(stub, tmp_path), NOW, definitions)
    assert said(result) == [
        ("stub", file, 4, "opt-out", f"{OTHER}: emqx; what runs there: sonarqube")
    ]


@pytest.mark.parametrize("forbidden", [False, True])
def test_a_part_of_a_cluster_is_called_a_part(
    stub: ApiStub, tmp_path: Path, *, forbidden: bool
) -> None:
    stub.objects += [namespace("shop"), SONAR]
    definitions, _ = defined(tmp_path, a_policy(products=["emqx"]))
    if forbidden:
        stub.answer = lambda asked: 403 if asked.kind.kind == "Pod" else None
    more = {} if forbidden else {"namespaces": ("shop",)}
    (one,) = audit(clusters(stub, tmp_path, **more), NOW, definitions).policy_advice
    assert one.message.endswith(PART)


@pytest.mark.thorough
def test_what_holds_in_every_cluster_is_said_once(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [namespace("shop"), SONAR]
    definitions, file = defined(tmp_path, a_policy(products=["emqx"]))
    sources = clusters(stub, tmp_path, "stub", "other")
    (both,) = audit(sources, NOW, definitions).policy_advice
    assert (both.place.cluster, both.place.file) == ("", file)
    sources = [*clusters(stub, tmp_path, "stub"), files(manifest(container("emqx/emqx:5.8.9")))]
    (one,) = audit(sources, NOW, definitions).policy_advice
    assert one.place.cluster == "stub"


def test_a_policy_of_the_cluster_had_its_advice_when_it_was_applied(
    stub: ApiStub, tmp_path: Path
) -> None:
    stub.groups = {"fleettelemetry.io": ["v1alpha1"]}
    stub.objects += [namespace("shop"), SONAR, a_policy(products=["emqx"])]
    assert audit(clusters(stub, tmp_path), NOW, Definitions()).policy_advice == ()


def test_a_cluster_that_cannot_be_read_gets_no_advice(tmp_path: Path) -> None:
    definitions, _ = defined(tmp_path, a_policy(products=["emqx"]))
    request = GatheringRequest(kubeconfig=str(tmp_path / "nothing"), now=NOW)
    result = audit(gather_clusters(request, GatheringProgress()), NOW, definitions)
    assert (len(result.problems), result.policy_advice) == (1, ())
