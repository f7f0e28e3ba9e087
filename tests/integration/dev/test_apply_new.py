"""What tests apply without kubectl is what kubectl would have applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.cluster import Cluster
from tests.support.clusters import Clusters
from tests.support.reader import Reader

Manifest = dict[str, Any]
LABELS = {"app": "web"}
CONTAINER = {
    "name": "app",
    "image": "nginx:1",
    # The API server warns of the second one.
    "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
}
MANIFESTS: list[Manifest] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "wild", "annotations": {"a": "b"}},
        "data": {"text": 'ä <b> & "quoted" \\ \u2028 \n'},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": LABELS},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
        },
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "readers"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
]


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        yield cluster


@pytest.mark.cluster
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: str(m["kind"]))
def test_it_is_what_kubectl_applies(cluster: Cluster, manifest: Manifest) -> None:
    reader = Reader(cluster.kubeconfig)
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    said = reader.apply_new([manifest])
    mine = reader.get(kind, name, "default")
    cluster.kubectl("delete", kind, name)
    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    assert said is not None
    assert sorted(said.splitlines()) == sorted((done.stdout + done.stderr).splitlines())
    assert _lasting(mine) == _lasting(reader.get(kind, name, "default"))


def test_what_exists_is_left_to_kubectl(cluster: Cluster) -> None:
    reader = Reader(cluster.kubeconfig)
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "twice"}}
    assert reader.apply_new([given])
    other = {**given, "metadata": {"name": "other"}}
    assert reader.apply_new([other, given]) is None
    assert reader.find("configmap", "other", "default") is None


def _lasting(found: Manifest) -> Manifest:
    """Without what differs from one object to the next."""
    own = ("uid", "resourceVersion", "creationTimestamp")
    metadata = {key: value for key, value in found["metadata"].items() if key not in own}
    fields = [{**one, "time": None} for one in metadata["managedFields"]]
    return {**found, "metadata": {**metadata, "managedFields": fields}}
