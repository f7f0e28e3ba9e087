"""``fleet-telemetry corefile`` with a real API server: what it reads, and what it prints is applied
and undone as it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest
import yaml

from tests.support.audited import Audited

pytestmark = pytest.mark.cluster

COREFILE = """\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    forward . 192.0.2.53 {
        max_concurrent 1000
    }
    cache 30
    import custom/*.override
}
import custom/*.server
"""
THEIRS = "example.net:53 {\n    forward . 192.0.2.54\n}\n"
HOSTS = ("telemetry.sonarsource.com", "telemetry.emqx.io")


@pytest.fixture
def with_dns(audited: Audited) -> Iterator[str]:
    """CoreDNS' ConfigMaps and Deployment, and a Service of the operator: where it listens."""
    kubectl = audited.cluster.kubectl
    space = ("-n", "kube-system")
    labels = "app.kubernetes.io/part-of=fleet-telemetry-operator"
    kubectl(*space, "create", "configmap", "coredns", f"--from-literal=Corefile={COREFILE}")
    kubectl(*space, "create", "configmap", "coredns-custom", f"--from-literal=a.server={THEIRS}")
    image = "--image=registry.k8s.io/coredns/coredns:v1.12.1"
    kubectl(*space, "create", "deployment", "coredns", image, "--replicas=0")
    kubectl("-n", "team-b", "create", "service", "clusterip", "x-dnstap", "--tcp=6000")
    kubectl("-n", "team-b", "label", "service", "x-dnstap", labels)
    where = ("-n", "team-b", "get", "service", "x-dnstap", "-o=jsonpath={.spec.clusterIP}")
    yield f"tcp://{kubectl(*where).stdout}:6000"
    kubectl(*space, "delete", "configmap", "coredns", "coredns-custom")
    kubectl(*space, "delete", "deployment", "coredns")
    kubectl("-n", "team-b", "delete", "service", "x-dnstap")


def test_it_reads_where_to_report_and_how_to_forward(audited: Audited, with_dns: str) -> None:
    done = audited.run("corefile")
    assert (done.returncode, done.stderr) == (0, "")
    for host in HOSTS:
        assert f"{host}:53," in done.stdout
    assert f"dnstap {with_dns} full\n" in done.stdout
    assert "forward . 192.0.2.53 {\n        max_concurrent 1000\n    }\n" in done.stdout


def test_the_config_map_is_applied_beside_that_of_others_and_undone(
    audited: Audited, with_dns: str
) -> None:
    done = audited.run("corefile", "-o", "coredns-custom")
    assert (done.returncode, done.stderr) == (0, "")
    assert with_dns in done.stdout
    comments = [line.strip("# ") for line in done.stdout.splitlines() if line.startswith("#  ")]
    apply, undo = (
        shlex.split(next(one for one in comments if word in one))
        for word in ("kubectl apply", "kubectl -n kube-system patch")
    )
    before = _custom(audited)
    for _ in range(2):
        audited.cluster.kubectl(*apply[1:-1], "-", input=done.stdout)
        after = _custom(audited)
        assert after == {**before, **yaml.safe_load(done.stdout)["data"]}
        # What is there already is no reason to leave hosts out.
        assert audited.run("corefile", "-o", "coredns-custom").stdout == done.stdout
    audited.cluster.kubectl(*undo[1:])
    assert _custom(audited) == before


def _custom(audited: Audited) -> dict[str, str]:
    get = ("-n", "kube-system", "get", "configmap", "coredns-custom", "-o=json")
    found: dict[str, str] = json.loads(audited.cluster.kubectl(*get).stdout)["data"]
    return found


@pytest.mark.usefixtures("with_dns")
def test_what_may_not_be_read_is_said_and_the_rest_is_printed(audited: Audited) -> None:
    view = ["clusterrolebinding", "pods-viewer", "--clusterrole=pods-only"]
    kinds = "deployments.apps,statefulsets.apps,replicasets.apps,pods,namespaces"
    role = ["clusterrole", "pods-only", "--verb=get,list", f"--resource={kinds}"]
    audited.cluster.kubectl("create", *role)
    limited = audited.account("pods-viewer", [view])
    done = audited.run("corefile", "--to=192.0.2.8", kubeconfig=limited)
    assert done.returncode == 1
    assert "dnstap tcp://192.0.2.8:6000 full\n" in done.stdout
    assert "telemetry.emqx.io:53," in done.stdout
    assert "forward . /etc/resolv.conf\n" in done.stdout
    for what in ("ConfigMap kube-system/coredns ", "kube-system/coredns-custom", "the Services"):
        assert re.search(f"{what}.*cannot be read: RBAC does not allow it", done.stderr)
    assert "not known whether NodeLocal DNSCache runs" in done.stderr

    nowhere = audited.run("corefile", kubeconfig=limited)
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert "--to" in nowhere.stderr


def test_a_cluster_without_core_dns_is_said(audited: Audited) -> None:
    done = audited.run("corefile", "--to=192.0.2.8")
    assert done.returncode == 1
    assert "there is no ConfigMap kube-system/coredns" in done.stderr
    assert "--coredns NAMESPACE/NAME" in done.stderr
    assert "Traceback" not in done.stderr
