"""A cluster in which nothing is installed, by the command, as different users."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dev.harness.fault_proxy import FaultProxy, Faults
from tests.support.audited import Audited, problems, rows

DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs" / "audit-clusters.md"
pytestmark = pytest.mark.cluster

SONAR = ("team-a", "Deployment/sonar", "Yes")
EMQX = ("team-b", "StatefulSet/emqx", "No")


def test_everything_is_read_without_an_installation(audited: Audited) -> None:
    found = audited.audit()
    assert rows(found) == {("devcluster", *SONAR), ("devcluster", *EMQX)}
    assert problems(found) == []
    assert [one["name"] for one in found["unmanaged"]] == ["alone"]
    assert found["coverage"] == {
        "workloads": 3,
        "workloadsWithProduct": 2,
        "containers": 4,
        "containersWithProduct": 3,
        "unknownImages": 1,
    }
    assert found["exit"] == 2
    assert found["judged"] is False


def test_one_namespace(audited: Audited) -> None:
    found = audited.audit("-n", "team-b", "-n", "team-b")
    assert rows(found) == {("devcluster", *EMQX)}


def test_a_namespace_that_is_not_there(audited: Audited) -> None:
    found = audited.audit("-n", "tema-a")
    assert problems(found) == ["there is no namespace tema-a"]
    assert found["exit"] == 1


def test_a_user_who_may_read_one_namespace(audited: Audited) -> None:
    view = ["rolebinding", "one-viewer", "-n", "team-a", "--clusterrole=view"]
    viewer = audited.account("one-viewer", [view])
    own = audited.audit("-n", "team-a", kubeconfig=viewer)
    assert rows(own) == {("devcluster", *SONAR)}
    assert problems(own) == []

    every = audited.audit(kubeconfig=viewer)
    assert rows(every) == set()
    (narrowed, forbidden) = problems(every)
    assert "only the namespace default of the context was read" in narrowed
    assert "in namespace default: RBAC does not allow it" in forbidden
    assert every["exit"] == 1


def test_a_user_who_may_read_one_of_several_namespaces(audited: Audited) -> None:
    list_namespaces = ["clusterrole", "namespaces", "--verb=list", "--resource=namespaces"]
    audited.cluster.kubectl("create", *list_namespaces)
    viewer = audited.account(
        "lister",
        [
            ["clusterrolebinding", "lister", "--clusterrole=namespaces"],
            ["rolebinding", "lister", "-n", "team-b", "--clusterrole=view"],
        ],
    )
    found = audited.audit(kubeconfig=viewer)
    assert rows(found) == {("devcluster", *EMQX)}
    (forbidden,) = problems(found)
    assert "no cronjobs, daemonsets, deployments, jobs, pods, replicasets" in forbidden
    assert "in namespaces default, kube-node-lease, kube-public, kube-system, team-a" in forbidden


def test_pods_that_may_not_be_read_prove_nothing(audited: Audited) -> None:
    kinds = "deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs,replicationcontrollers"
    audited.cluster.kubectl(
        "create", "clusterrole", "no-pods", "--verb=get,list", f"--resource={kinds},namespaces"
    )
    binding = ["clusterrolebinding", "no-pods", "--clusterrole=no-pods"]
    viewer = audited.account("no-pods", [binding])
    found = audited.audit(kubeconfig=viewer)
    assert ("devcluster", "team-b", "StatefulSet/emqx", "Unknown") in rows(found)
    (emqx,) = (
        one for one in found["findings"] if one["name"] == "emqx" and one["channel"] == "Usage"
    )
    assert emqx["reason"] == "PodsNotReadable"
    assert found["exit"] == 1


def test_a_workload_is_explained_by_its_pods(audited: Audited) -> None:
    done = audited.run("explain", "-n", "team-b", "sts/emqx")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage of EMQX: sends nothing" in done.stdout
    assert "running: Disabled (pod emqx-0, container app, EMQX_TELEMETRY__ENABLE)" in done.stdout
    assert "Policies: none" in done.stdout
    done = audited.run("explain", "-n", "team-b", "sts/emqy")
    assert (done.returncode, done.stderr) == (1, "")
    assert "there is no StatefulSet emqy in namespace team-b" in done.stdout


def test_a_user_who_may_read_one_namespace_gets_an_explanation_there(audited: Audited) -> None:
    view = ["rolebinding", "explain-viewer", "-n", "team-a", "--clusterrole=view"]
    viewer = audited.account("explain-viewer", [view])
    done = audited.run("explain", "-n", "team-a", "deploy/sonar", kubeconfig=viewer)
    assert done.returncode == 0, done.stdout
    assert "sends" in done.stdout
    done = audited.run("explain", "-n", "team-b", "sts/emqx", kubeconfig=viewer)
    assert done.returncode == 1
    assert "RBAC does not allow it" in done.stdout


def test_the_documented_role_is_enough_and_only_reads(audited: Audited) -> None:
    """docs/audit-clusters.md has it."""
    text = DOCUMENTATION.read_text()
    (role,) = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", text, re.DOTALL)
    audited.cluster.kubectl("apply", "-f", "-", input=role)
    rules = yaml.safe_load(role)["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}
    assert "secrets" not in {one for rule in rules for one in rule["resources"]}
    binding = ["clusterrolebinding", "auditor", "--clusterrole=fleet-telemetry-audit"]
    auditor = audited.account("auditor", [binding])
    found = audited.audit(kubeconfig=auditor)
    assert problems(found) == []
    assert rows(found) == {("devcluster", *SONAR), ("devcluster", *EMQX)}
    done = audited.run("explain", "-n", "team-b", "sts/emqx", kubeconfig=auditor)
    assert done.returncode == 0, done.stdout


def test_a_token_that_nobody_accepts(audited: Audited) -> None:
    text = audited.cluster.kubeconfig.read_text()
    token = next(line.split(":")[1].strip() for line in text.splitlines() if "token:" in line)
    path = audited.directory / "rejected.yaml"
    path.write_text(text.replace(token, "not-this-one"))
    found = audited.audit(kubeconfig=path)
    (what,) = problems(found)
    assert "rejects the credentials" in what
    assert "not-this-one" not in str(found)


def test_two_clusters_of_which_one_is_gone(audited: Audited) -> None:
    kubeconfig = audited.kubeconfig(
        "two", here=(audited.cluster.url, None), gone=("https://127.0.0.1:1", None)
    )
    found = audited.audit("--context=here", "--context=gone", kubeconfig=kubeconfig)
    assert rows(found) == {("here", *SONAR), ("here", *EMQX)}
    ((place, what),) = ((one["place"]["cluster"], one["what"]) for one in found["problems"])
    assert place == "gone"
    assert "accepts no connection" in what
    assert found["exit"] == 1


def test_an_api_server_with_errors_of_its_own(audited: Audited) -> None:
    with FaultProxy(audited.cluster.url, audited.cluster.ca_path) as proxy:
        kubeconfig = audited.kubeconfig("bad", bad=(proxy.url, proxy.ca))
        proxy.faults = Faults(refused=1.0, status=503)
        found = audited.audit("--context=bad", kubeconfig=kubeconfig)
    assert "an error of its own (HTTP status 503)" in problems(found)[0]
    assert found["exit"] == 1


def test_an_api_server_with_passing_errors_is_read_whole(audited: Audited) -> None:
    with FaultProxy(audited.cluster.url, audited.cluster.ca_path) as proxy:
        kubeconfig = audited.kubeconfig("flaky", flaky=(proxy.url, proxy.ca))
        proxy.faults = Faults(refused=0.1, status=429)
        found = audited.audit("--context=flaky", kubeconfig=kubeconfig)
    assert rows(found) == {("flaky", *SONAR), ("flaky", *EMQX)}


def test_a_certificate_of_somebody_else(audited: Audited) -> None:
    with FaultProxy(audited.cluster.url, audited.cluster.ca_path) as proxy:
        kubeconfig = audited.kubeconfig("untrusted", bad=(proxy.url, None))
        found = audited.audit("--context=bad", kubeconfig=kubeconfig)
    assert "is signed by nobody whom the kubeconfig trusts" in problems(found)[0]


# A shell that starts something in the background makes it ignore the signal, and all below it.
_NOT_IN_THE_BACKGROUND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from fleet_telemetry.cli.main import main; main()"
)


def test_an_interrupt_ends_it_without_a_word(audited: Audited) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kubeconfig = audited.kubeconfig("silent", silent=(url, None))
        program = [sys.executable, "-c", _NOT_IN_THE_BACKGROUND, "audit", "--context=silent"]
        process = subprocess.Popen(
            [*program, f"--kubeconfig={kubeconfig}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        accepted, _ = silent.accept()
        with accepted:
            # Not while it connects: asyncio reports a cancellation in the middle of that.
            assert accepted.recv(1)
            os.kill(process.pid, signal.SIGINT)
            said = process.communicate(timeout=30)
    assert (process.returncode, *said) == (130, "", "")
