"""Values in ConfigMaps, in files and in clusters."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.cluster.gathering import GatheringRequest, gather_clusters
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.explaining.in_files import explain_in_files
from fleet_telemetry.audit.explaining.reference import parse_reference
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.result import Audit, Finding
from fleet_telemetry.audit.sources import Definitions
from tests.support.api_stub import ApiStub, Asked, Manifest
from tests.support.builders import (
    LONG_AGO,
    NAMESPACE,
    NOW,
    SONAR_SWITCH,
    SONARQUBE,
    container,
    controller_of,
    manifest,
    pod_manifest,
)
from tests.support.config_maps import config_map, stamp

KEY = {SONAR_SWITCH: {"configMapKeyRef": {"name": "settings", "key": "sonar"}}}
ALL = [{"configMapRef": {"name": "settings"}}]
OFF = {"sonar": "false", SONAR_SWITCH: "false"}
ON = {"sonar": "true", SONAR_SWITCH: "true"}


def _workload(**more: Any) -> Manifest:
    return manifest(container(SONARQUBE, **(more or {"env": KEY})))


def _files(*manifests: Manifest) -> bytes:
    return yaml.safe_dump_all(manifests).encode()


def _json(one: Manifest) -> bytes:
    return json.dumps(one).encode()


def _read(text: bytes) -> Audit:
    gathered = gather_files(["-"], io.BytesIO(text), "default", NOW)
    return audit([gathered], NOW, Definitions())


def _usage(result: Audit) -> Finding:
    (found,) = (one for one in result.findings if one.channel == "Usage")
    return found


def _answer(result: Audit) -> tuple[Sends, Reason]:
    assert result.problems == ()
    return _usage(result).sends, Reason(_usage(result).reason)


@pytest.mark.parametrize("more", [{"env": KEY}, {"envFrom": ALL}])
@pytest.mark.parametrize("order", [1, -1])
def test_files_are_judged_by_the_config_maps_among_them(more: dict[str, Any], order: int) -> None:
    for data, sends in ((OFF, Sends.NO), (ON, Sends.YES)):
        given = [config_map(data), _workload(**more)]
        result = _read(_files(*given[::order]))
        assert _answer(result)[0] is sends
        if sends is Sends.NO:
            assert _usage(result).declared == "Disabled"


def test_a_config_map_in_a_list_counts() -> None:
    items = [config_map(OFF), _workload()]
    assert _answer(_read(_files({"apiVersion": "v1", "kind": "List", "items": items})))[0] is (
        Sends.NO
    )


NOT_READ = Sends.UNKNOWN, Reason.CONFIG_MAP_NOT_READ


def test_a_config_map_that_is_not_there_is_not_known() -> None:
    assert _answer(_read(_files(_workload()))) == NOT_READ
    elsewhere = config_map(OFF, namespace="other")
    assert _answer(_read(_files(_workload(), elsewhere))) == NOT_READ
    named_alike = {**config_map(OFF), "apiVersion": "example.com/v1"}
    assert _answer(_read(_files(_workload(), named_alike))) == NOT_READ


def test_two_of_one_name_are_not_known_unless_they_are_the_same() -> None:
    """As in the overlays of a folder."""
    text = _files(_workload(), config_map(OFF), config_map(ON), config_map(OFF))
    assert _answer(_read(text)) == NOT_READ
    assert _answer(_read(_files(_workload(), config_map(OFF), config_map(OFF))))[0] is Sends.NO


def test_a_config_map_without_a_namespace_is_in_the_default_one() -> None:
    workload, settings = _workload(), config_map(OFF)
    for one in (workload, settings):
        del one["metadata"]["namespace"]
    assert _answer(_read(_files(workload, settings)))[0] is Sends.NO


BOTH = [{"configMapRef": {"name": "first"}}, {"configMapRef": {"name": "settings"}}]
NO_TEXT: dict[str, Any] = {
    "true": {"data": {**OFF, SONAR_SWITCH: True}},
    "a number": {"data": {**OFF, "other": 1}},
    "a list": {"data": {**OFF, SONAR_SWITCH: ["false"]}},
    "a mapping": {"data": {**OFF, SONAR_SWITCH: {}}},
    "no mapping": {"data": [OFF]},
    "binary": {"data": OFF, "binaryData": {"b": 0}},
}


@pytest.mark.parametrize("changed", NO_TEXT.values(), ids=NO_TEXT)
@pytest.mark.parametrize("more", [{"env": KEY}, {"envFrom": ALL}, {"envFrom": BOTH}])
@pytest.mark.parametrize("write", [_files, lambda *all_: b"\n".join(map(_json, all_))])
def test_a_config_map_that_the_cluster_refuses_is_a_problem_and_not_read(
    changed: dict[str, Any], more: dict[str, Any], write: Callable[..., bytes]
) -> None:
    first = config_map(OFF, name="first")
    refused = {**config_map(), **changed}
    for others in ((), (config_map(OFF),)):
        for given in ((refused, *others), (*others, refused)):
            result = _read(write(first, _workload(**more), *given))
            assert (_usage(result).sends, _usage(result).reason) == NOT_READ
            (problem,) = result.problems
            assert "the ConfigMap settings is not read" in problem.what
            assert problem.advice


def test_the_line_of_a_value_that_is_no_text_is_told() -> None:
    text = _files(_workload(), config_map(ON)).decode()
    text = text.replace(f"{SONAR_SWITCH}: 'true'", f"{SONAR_SWITCH}: n")
    (problem,) = _read(text.encode()).problems
    assert text.splitlines()[problem.place.line - 1].strip() == f"{SONAR_SWITCH}: n"
    assert f"{SONAR_SWITCH} is False, which is no text" in problem.what
    assert "put it in quotes" in problem.advice


def test_a_value_that_yaml_encodes_is_text_and_not_known() -> None:
    text = _files(_workload(), config_map(ON)).decode().replace("'true'", "!!binary dHJ1ZQ==")
    assert _answer(_read(text.encode())) == NOT_READ


@pytest.mark.parametrize(("value", "said"), [("{x: 1}", "a mapping"), ("[1]", "a list")])
def test_what_a_value_is_instead_of_text_is_told(value: str, said: str) -> None:
    text = _files(_workload(), config_map(ON)).decode()
    (problem,) = _read(text.replace("'true'", value).encode()).problems
    assert f"{SONAR_SWITCH} is {said}, which is no text" in problem.what


@pytest.mark.parametrize("more", [{"env": KEY}, {"envFrom": BOTH}])
def test_an_empty_value_is_not_known_and_the_others_are(more: dict[str, Any]) -> None:
    """By how it is applied, it becomes an empty text or no key."""
    first = config_map(OFF, name="first")
    empty = config_map(dict.fromkeys(OFF))
    assert _answer(_read(_files(first, empty, _workload(**more)))) == NOT_READ
    beside = config_map({**OFF, "other": None})
    assert _answer(_read(_files(first, beside, _workload(**more))))[0] is Sends.NO


def test_the_explanation_says_where_the_value_came_from() -> None:
    gathered = gather_files(["-"], io.BytesIO(_files(_workload(), config_map(OFF))), "x", NOW)
    found = explain_in_files(gathered, parse_reference("deployment/it"), "", NOW)
    (declared,) = found.channels[0].evidence
    assert declared.shows == "Disabled"
    assert declared.message == f"by {SONAR_SWITCH}, key sonar of the ConfigMap settings"


# Clusters


@pytest.fixture
def stub() -> Any:
    with ApiStub() as stub:
        yield stub


def _cluster(stub: ApiStub, tmp_path: Path) -> Audit:
    path = stub.kubeconfig(tmp_path / "config")
    request = GatheringRequest(kubeconfig=str(path), now=NOW)
    return audit(gather_clusters(request, GatheringProgress()), NOW, Definitions())


def _running(**more: Any) -> list[Manifest]:
    whole = _workload(**more)
    part = manifest(
        whole["spec"]["template"]["spec"]["containers"][0],
        kind="ReplicaSet",
        name="it-1",
        owner=controller_of(whole),
        replicas=1,
    )
    pod = pod_manifest(part, "it-1-a")
    pod["metadata"]["creationTimestamp"] = stamp(NOW - timedelta(days=1))
    return [whole, part, pod]


def test_a_cluster_is_judged_by_its_config_maps(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [*_running(), config_map(OFF)]
    assert _answer(_cluster(stub, tmp_path)) == (Sends.NO, Reason.RUNNING_IN_EVERY_POD)
    asked = [one for one in stub.asked if one.kind.kind == "ConfigMap"]
    assert [(one.namespace, one.name) for one in asked] == [(NAMESPACE, "settings")]


def test_a_config_map_that_changed_since_is_not_known(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [*_running(), config_map(OFF, created=LONG_AGO, changed=NOW)]
    assert _answer(_cluster(stub, tmp_path)) == (Sends.UNKNOWN, Reason.CONFIG_MAP_CHANGED)


def test_a_missing_one_is_missing(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += _running()
    assert _answer(_cluster(stub, tmp_path)) == (Sends.UNKNOWN, Reason.CONFIG_MAP_MISSING)


def test_who_may_read_none_is_told_so_by_the_reason(stub: ApiStub, tmp_path: Path) -> None:
    def answer(asked: Asked) -> int | None:
        return 403 if asked.kind.kind == "ConfigMap" else None

    stub.answer = answer
    stub.objects += [*_running(), config_map(OFF)]
    assert _answer(_cluster(stub, tmp_path)) == NOT_READ


@pytest.mark.thorough
def test_another_failure_is_a_problem(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda asked: 500 if asked.kind.kind == "ConfigMap" else None
    stub.objects += [*_running(), config_map(OFF)]
    result = _cluster(stub, tmp_path)
    (problem,) = result.problems
    assert problem.what.startswith("not all configmaps read, so their values are no evidence: ")
    assert _usage(result).reason == Reason.CONFIG_MAP_NOT_READ


def test_who_refers_to_none_has_none_read(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += [*_running(env={SONAR_SWITCH: "false"}), config_map(ON)]
    assert _answer(_cluster(stub, tmp_path))[0] is Sends.NO
    assert not any(one.kind.kind == "ConfigMap" for one in stub.asked)
