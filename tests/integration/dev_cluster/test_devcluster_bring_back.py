"""A used cluster becomes an empty one, whatever was done to it, or says that it did not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import Cluster, DevclusterError
from dev.cluster.components import CONTROLLER_MANAGER, KWOK, SCHEDULER
from dev.cluster.contents import NotBroughtBackError
from tests.support.clusters import Clusters
from tests.support.world import container, eventually, workload

pytestmark = pytest.mark.cluster

GROUP = "example.com"
THINGS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"things.{GROUP}"},
    "spec": {
        "group": GROUP,
        "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}
FINALIZER = f"{GROUP}/nobody"
EVERYTHING = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]
ADMISSION = "admissionregistration.k8s.io/v1"
REFUSES = [
    {
        "apiVersion": ADMISSION,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "refuses"},
        "webhooks": [
            {
                "name": f"refuses.{GROUP}",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "rules": EVERYTHING,
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }
    for kind in ("Mutating", "Validating")
] + [
    {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "refuses"},
        "spec": {
            "matchConstraints": {"resourceRules": EVERYTHING},
            "validations": [{"expression": "false"}],
        },
    },
    {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "refuses"},
        "spec": {"policyName": "refuses", "validationActions": ["Deny"]},
    },
]
WHAT = "namespaces,crds,nodes,clusterroles,persistentvolumes,mutatingwebhookconfigurations,"
WHAT += "validatingwebhookconfigurations,validatingadmissionpolicies,priorityclasses"
IN_NAMESPACES = "pods,services,deployments,replicasets,configmaps,secrets,events,roles,"
IN_NAMESPACES += "rolebindings,serviceaccounts"


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[Clusters]:
    """Those of other tests have nothing to do with these."""
    found = Clusters(tmp_path)
    yield found
    found.close()


def names(cluster: Cluster) -> list[str]:
    """What kubectl shows."""
    columns = "-o=custom-columns=:.kind,:.metadata.namespace,:.metadata.name,:.metadata.labels"
    lines = cluster.kubectl("get", WHAT, columns).stdout.splitlines()
    lines += cluster.kubectl("get", IN_NAMESPACES, "--all-namespaces", columns).stdout.splitlines()
    return sorted(line for line in lines if line.strip())


def apply(cluster: Cluster, *manifests: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    cluster.kubectl("apply", "--server-side", "-f", "-", input=text)


def it(kind: str, name: str, *, version: str = "v1", held: bool = False, **more: Any) -> Any:
    metadata: dict[str, Any] = {"name": name}
    if kind not in ("PersistentVolume", "Namespace"):
        metadata["namespace"] = "mess"
    if held:
        metadata["finalizers"] = [FINALIZER]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def make_a_mess(cluster: Cluster) -> None:
    app = container("nginx:1")
    # No pod without an account, and nobody makes one here.
    apply(cluster, THINGS, it("Namespace", "mess"), it("ServiceAccount", "of-it"))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/things.{GROUP}")
    placed = workload("Deployment", "web", app, replicas=2)
    placed["metadata"]["namespace"] = "mess"
    apply(
        cluster,
        it("Thing", "held", version=f"{GROUP}/v1", held=True),
        it("ConfigMap", "held", held=True),
        it("Pod", "held", held=True, spec={"containers": [app], "serviceAccountName": "of-it"}),
        it("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}),
        it("PersistentVolume", "data", spec={
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"},
        }),
        placed,
    )  # fmt: skip
    cluster.kubectl("create", "configmap", "ours", "--namespace=kube-system")
    cluster.kubectl("label", "namespace", "default", "fleet=production")
    cluster.kubectl("annotate", "clusterrole", "view", "a=b")
    cluster.kubectl("patch", "clusterrole", "system:discovery", "--type=json",
                    '--patch=[{"op": "replace", "path": "/rules", "value": []}]')  # fmt: skip
    apply(cluster, *REFUSES)


def rules(cluster: Cluster, name: str) -> object:
    return json.loads(cluster.kubectl("get", "clusterrole", name, "-o=json").stdout)["rules"]


def test_nothing_is_left_of_a_mess(clusters: Clusters) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        before, discovery = names(cluster), rules(cluster, "system:discovery")
        make_a_mess(cluster)
        assert names(cluster) != before
        directory = cluster.directory
    with clusters.lend(controller_manager=False) as again:
        assert again.directory == directory, "a new one was started"
        assert names(again) == before
        assert rules(again, "system:discovery") == discovery != []
        # kubectl has forgotten the kind, too.
        done = again.kubectl("get", "things", check=False)
        assert "the server doesn't have a resource type" in done.stderr
        # And nothing of it waits in etcd for the kind to come back.
        apply(again, THINGS)
        again.kubectl("wait", "--for=condition=Established", f"crd/things.{GROUP}")
        assert again.kubectl("get", "things", "--all-namespaces", "-o=name").stdout == ""


def test_it_has_the_components_that_are_asked_for(clusters: Clusters) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        small, directory = names(cluster), cluster.directory
    for number in range(2):
        with clusters.lend(scheduler=True, kwok=True) as cluster:
            assert cluster.directory == directory, "a new one was started"
            assert set(cluster.components) > {CONTROLLER_MANAGER, SCHEDULER, KWOK}
            apply(cluster, workload("Deployment", f"web-{number}", container("nginx:1")))

            def running(cluster: Cluster = cluster) -> list[str]:
                path = "jsonpath={.items[?(@.status.phase=='Running')].metadata.name}"
                return cluster.kubectl("get", "pods", f"-o={path}").stdout.split()

            (name,) = eventually(running, say="a pod that runs")
            assert name.startswith(f"web-{number}-")
    with clusters.lend(controller_manager=False) as cluster:
        assert cluster.directory == directory, "a new one was started"
        assert names(cluster) == small


def test_what_cannot_be_undone_takes_a_new_cluster(clusters: Clusters) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        directory = cluster.directory
        cluster.kubectl("delete", "clusterrole", "system:discovery")
        with pytest.raises(NotBroughtBackError, match="system:discovery"):
            cluster.bring_back(controller_manager=False)
        cluster.kubectl(
            "create", "clusterrole", "system:discovery", "--verb=get", "--resource=pods"
        )
        with pytest.raises(NotBroughtBackError, match="system:discovery"):
            cluster.bring_back(controller_manager=False)
    with clusters.lend(controller_manager=False) as other:
        assert other.directory != directory


def test_two_at_once_are_two(clusters: Clusters) -> None:
    with (
        clusters.lend(controller_manager=False) as one,
        clusters.lend(controller_manager=False) as other,
    ):
        assert one.url != other.url


def test_only_what_was_started_for_it_is_brought_back(tmp_path: Path) -> None:
    with (
        Cluster(tmp_path, controller_manager=False) as cluster,
        pytest.raises(DevclusterError, match="reusable=True"),
    ):
        cluster.bring_back()
