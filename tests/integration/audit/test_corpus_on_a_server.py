"""The corpus on a real API server: what the audit reads back is what it read in the files."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fleet_telemetry.objects.manifest import dig
from tests.support.audited import Audited
from tests.support.clusters import Clusters
from tests.support.corpus import Manifest, corpus, workloads_in
from tests.support.vendor_charts import needs_vendor_manifests, vendor_manifests

pytestmark = pytest.mark.cluster

_OF_PODS = ("running", "sends", "reason", "message", "advice", "remedy", "changes", "obstacles")
"""What pods decide, too. No controller starts any here, and a file has the pod that it would
start."""


def _placed(manifests: list[Manifest], namespace: str) -> list[Manifest]:
    """The workloads in one namespace, each with a name of its own, and scaled to zero where a kind
    can be: then a file has no pod either. With the ConfigMaps, which an audit reads in both."""
    found = list(_config_maps(manifests, namespace))
    for number, one in enumerate(workloads_in(manifests)):
        manifest = copy.deepcopy(one)
        metadata = manifest["metadata"]
        metadata["name"] = f"c{number}-{metadata['name']}"[:50].rstrip("-.")
        metadata["namespace"] = namespace
        if manifest["kind"] in ("Deployment", "StatefulSet"):
            manifest["spec"]["replicas"] = 0
        found.append(manifest)
    return found


def _config_maps(manifests: list[Manifest], namespace: str) -> Iterator[Manifest]:
    """A name may stand for several."""
    by_name = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "ConfigMap"}
    for name, one in by_name.items():
        yield {**one, "metadata": {"name": name, "namespace": namespace}}


@pytest.fixture(scope="module")
def audited(clusters: Clusters, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    directory = tmp_path_factory.mktemp("corpus")
    with clusters.lend(controller_manager=False) as cluster:
        yield Audited(cluster, directory)


_Findings = dict[tuple[str, str, str], Manifest]


def _findings(found: Manifest) -> _Findings:
    return {
        (f"{one['kind']}/{one['name']}", one["product"], one["channel"]): {
            key: value for key, value in one.items() if key != "place"
        }
        for one in found["findings"]
    }


def _said(one: Manifest) -> Manifest:
    if one["kind"] in ("Deployment", "StatefulSet"):
        return one
    return {key: value for key, value in one.items() if key not in _OF_PODS}


def _differences(expected: _Findings, found: _Findings) -> Iterator[tuple[object, ...]]:
    """Few words instead of two dictionaries of hundreds."""
    for key in expected.keys() | found.keys():
        one, other = expected.get(key), found.get(key)
        if one is None or other is None:
            yield key, "in the files only" if one else "in the cluster only"
        else:
            for name in one.keys() | other.keys():
                if one.get(name) != other.get(name):
                    yield key, name, one.get(name), other.get(name)


def test_the_audit_of_the_cluster_is_that_of_the_files(audited: Audited) -> None:
    assert _compare(audited, corpus(), "corpus") > 300


@needs_vendor_manifests
def test_the_audit_of_vendors_charts_in_the_cluster_is_that_of_the_files(audited: Audited) -> None:
    assert _compare(audited, vendor_manifests(), "vendors") > 0


def _compare(audited: Audited, given: list[Manifest], namespace: str) -> int:
    """How many findings are the same; fails if one is not."""
    audited.cluster.kubectl("create", "namespace", namespace)
    manifests = _placed(given, namespace)
    file = audited.directory / f"{namespace}.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    audited.cluster.kubectl("create", "--filename", str(file), check=False)
    listed = audited.cluster.kubectl(
        "get",
        "deployments,statefulsets,daemonsets,cronjobs,jobs",
        f"--namespace={namespace}",
        "--output=json",
    ).stdout
    stored: list[dict[str, Any]] = json.loads(listed)["items"]
    names = {f"{one['kind']}/{dig(one, 'metadata', 'name')}" for one in stored}
    # Refused are an Argo Rollout, whose kind is not served here, and nothing else.
    workloads = [one for one in manifests if one["kind"] != "ConfigMap"]
    refused = {one["kind"] for one in workloads} - {one["kind"] for one in stored}
    assert refused <= {"Rollout", "ReplicationController"}
    assert len(stored) > 0.95 * len(workloads)

    in_files = _findings(audited.audit(str(file)))
    of_cluster = audited.audit(f"--namespace={namespace}")
    assert of_cluster["problems"] == []
    in_cluster = _findings(of_cluster)
    expected = {key: _said(one) for key, one in in_files.items() if key[0] in names}
    found = {key: _said(one) for key, one in in_cluster.items()}
    assert list(_differences(expected, found)) == []
    assert found == expected
    return len(expected)
