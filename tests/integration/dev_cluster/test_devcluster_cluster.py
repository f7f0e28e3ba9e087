"""Real control planes: what a test may rely on."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import Cluster, DevclusterError, processes, slots
from dev.cluster.slots import Slot

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with all components."""
    directory = tmp_path_factory.mktemp("full")
    with Cluster(directory, scheduler=True, kwok=True, audit=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second one beside it, only an API; its components are disturbed and brought back."""
    with Cluster(tmp_path_factory.mktemp("small"), controller_manager=False) as cluster:
        yield cluster


def items(cluster: Cluster, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        cluster.kubectl("get", *arguments, "-o", "json").stdout
    )["items"]
    return found


def test_two_clusters_side_by_side_are_two(full: Cluster, small: Cluster) -> None:
    assert full.slot != small.slot
    assert full.url != small.url
    small.kubectl("create", "configmap", "only-here")
    assert small.kubectl("get", "configmap", "only-here").returncode == 0
    assert full.kubectl("get", "configmap", "only-here", check=False).returncode == 1


def test_only_what_was_asked_for_runs(small: Cluster) -> None:
    assert small.components == ("etcd", "kube-apiserver")
    assert not small.log("kwok").exists()


def test_rbac_is_on(full: Cluster, tmp_path: Path) -> None:
    full.kubectl("create", "serviceaccount", "nobody")
    own = full.service_account_kubeconfig("default", "nobody", tmp_path / "kubeconfig")
    asked = ("get", "pods", f"--kubeconfig={own}")
    refused = full.kubectl(*asked, check=False)
    assert refused.returncode == 1
    assert '"system:serviceaccount:default:nobody" cannot list resource "pods"' in refused.stderr
    full.kubectl(
        "create", "rolebinding", "nobody", "--clusterrole=view", "--serviceaccount=default:nobody"
    )
    assert full.kubectl(*asked).returncode == 0


def test_a_token_of_an_unknown_account_is_refused(full: Cluster, tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match='"ghost" not found'):
        full.service_account_kubeconfig("default", "ghost", tmp_path / "kubeconfig")


def test_pods_of_a_deployment_become_ready_with_loopback_addresses(full: Cluster) -> None:
    full.kubectl("create", "deployment", "web", "--image=example.com/web:1", "--replicas=3")
    full.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    pods = items(full, "pods", "--selector=app=web")
    statuses = [pod["status"] for pod in pods]
    assert [status["phase"] for status in statuses] == ["Running"] * 3  # type: ignore[index]
    addresses = {ipaddress.ip_address(status["podIP"]) for status in statuses}  # type: ignore[index]
    assert len(addresses) == 3
    pod_range = ipaddress.ip_network(full.pod_cidr)
    assert pod_range.is_loopback
    assert all(address in pod_range for address in addresses)


def test_a_deleted_pod_goes_and_is_replaced(full: Cluster) -> None:
    full.kubectl("create", "deployment", "again", "--image=example.com/again:1")
    full.kubectl("rollout", "status", "deployment/again", "--timeout=30s")
    full.kubectl("delete", "pod", "--selector=app=again", "--timeout=30s")
    full.kubectl("rollout", "status", "deployment/again", "--timeout=30s")


def test_a_job_completes(full: Cluster) -> None:
    full.kubectl("create", "job", "once", "--image=example.com/once:1")
    full.kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=30s")


def test_a_service_gets_a_loopback_address_that_can_be_bound(full: Cluster) -> None:
    full.kubectl("create", "service", "clusterip", "web", "--tcp=18080")
    template = "--output=jsonpath={.spec.clusterIP}"
    address = full.kubectl("get", "service", "web", template).stdout
    assert ipaddress.ip_address(address) in ipaddress.ip_network(full.service_cidr)
    if sys.platform == "linux":
        with socket.create_server((address, 18080)):
            pass


def test_nobody_writes_endpoints_because_the_api_would_refuse_them(full: Cluster) -> None:
    full.kubectl("create", "service", "clusterip", "idle", "--tcp=80")
    full.kubectl("create", "deployment", "later", "--image=example.com/later:1")
    full.kubectl("rollout", "status", "deployment/later", "--timeout=30s")
    assert items(full, "endpointslices,endpoints") == []


def test_helm_talks_to_this_cluster(full: Cluster, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: little, version: 0.1.0}")
    (chart / "templates" / "map.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: from-helm}}"
    )
    full.helm("install", "little", str(chart))
    assert full.kubectl("get", "configmap", "from-helm").returncode == 0


def test_a_failed_command_raises_with_what_it_said(full: Cluster) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        full.kubectl("get", "nonsense")
    assert any("nonsense" in note for note in caught.value.__notes__)


def test_input_reaches_kubectl(full: Cluster) -> None:
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: from-input}}"
    assert "created" in full.kubectl("apply", "--filename=-", input=manifest).stdout


def test_the_audit_log_names_user_verb_and_resource(full: Cluster) -> None:
    full.kubectl("create", "configmap", "watched")
    assert any(
        event["verb"] == "create"
        and event["user"]["username"] == "admin"
        and event["objectRef"]["name"] == "watched"
        for event in full.audit_events()
        if event.get("objectRef", {}).get("resource") == "configmaps"
        and "name" in event["objectRef"]
    )


def test_audit_events_need_the_option(small: Cluster) -> None:
    with pytest.raises(DevclusterError, match="audit=True"):
        small.audit_events()


def test_metrics_of_the_api_server(full: Cluster) -> None:
    assert "\napiserver_request_total{" in full.metrics_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_listens_or_connects_outside_loopback(full: Cluster) -> None:
    pids = {pid for pid in _all_pids() if str(full.directory) in _command_line(pid)}
    assert len(pids) == len(full.components)
    sockets = [found for pid in pids for found in _sockets(pid)]
    assert any(local.startswith("127.") for local, _ in sockets)
    for local, remote in sockets:
        assert ipaddress.ip_address(local).is_loopback
        address = ipaddress.ip_address(remote)
        assert address.is_loopback or address.is_unspecified  # unspecified: it listens


def test_a_stopped_api_server_comes_back_with_its_address_and_data(small: Cluster) -> None:
    small.kubectl("create", "configmap", "before")
    url = small.url
    small.stop_component("kube-apiserver")
    assert small.kubectl("get", "configmap", "before", check=False).returncode == 1
    small.start_component("kube-apiserver")
    assert small.url == url
    assert small.kubectl("get", "configmap", "before").returncode == 0


def test_a_killed_etcd_comes_back_with_its_data(small: Cluster) -> None:
    small.kubectl("create", "configmap", "survivor")
    small.kill_component("etcd")
    small.start_component("etcd")
    assert small.kubectl("get", "configmap", "survivor").returncode == 0


def test_a_suspended_api_server_keeps_silent_until_it_is_resumed(small: Cluster) -> None:
    asked = ("get", "namespaces", "--request-timeout=1s")
    small.suspend_component("kube-apiserver")
    silent = small.kubectl(*asked, check=False)
    small.resume_component("kube-apiserver")
    assert silent.returncode == 1
    assert small.kubectl(*asked).returncode == 0


def test_a_suspended_component_can_be_stopped(small: Cluster) -> None:
    small.suspend_component("kube-apiserver")
    started = time.monotonic()
    small.stop_component("kube-apiserver")
    assert time.monotonic() - started < 15
    small.start_component("kube-apiserver")


def test_components_are_started_and_stopped_once(small: Cluster) -> None:
    with pytest.raises(DevclusterError, match="etcd is started already"):
        small.start_component("etcd")
    with pytest.raises(DevclusterError, match="kwok is not started"):
        small.stop_component("kwok")


def test_a_component_that_ends_while_starting_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = slots.claim
    claims: list[Slot] = []

    def claim_and_note(besides: set[int]) -> Slot:
        claims.append(claim(besides))
        return claims[-1]

    monkeypatch.setattr(slots, "claim", claim_and_note)
    cluster = Cluster(tmp_path, extra_apiserver_args=["--no-such-flag"])
    with pytest.raises(DevclusterError, match=r"(?s)kube-apiserver exited.*unknown flag"):
        cluster.start()
    assert not (tmp_path / "etcd").exists()
    assert len(claims) == 1  # another slot would not have helped


def test_a_port_that_is_taken_at_the_last_moment_leads_to_another_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = slots.claim
    thieves: list[socket.socket] = []

    def claim_and_lose_a_port(besides: set[int]) -> Slot:
        slot = claim(besides)
        if not thieves:
            thieves.append(socket.create_server(("127.0.0.1", slot.apiserver_port)))
        return slot

    monkeypatch.setattr(slots, "claim", claim_and_lose_a_port)
    with Cluster(tmp_path, controller_manager=False) as cluster:
        stolen = thieves[0].getsockname()[1]
        thieves[0].close()
        assert not cluster.url.endswith(f":{stolen}")


PARENT = """
import sys, threading, time
from pathlib import Path
from dev.cluster import Cluster
cluster = Cluster(Path(sys.argv[1]))
starter = threading.Thread(target=cluster.start)
starter.start()
starter.join()
time.sleep(1)  # the thread is gone, and nothing may have died with it
cluster.kubectl("get", "namespaces")
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties children to their parent")
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        children = [pid for pid in _all_pids() if f"{tmp_path}/" in _command_line(pid)]
        parent.kill()
    assert len(children) == 3
    deadline = time.monotonic() + 5
    while any(processes.identify(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(processes.identify(pid) for pid in children)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _sockets(pid: int) -> list[tuple[str, str]]:
    """Local and remote address of each of the process's TCP and UDP sockets."""
    own = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in own:
                found.append((_address(fields[1]), _address(fields[2])))
    return found


def _address(field: str) -> str:
    """`0100007F:1F90` is 127.0.0.1: each four bytes are in the machine's order."""
    packed = bytes.fromhex(field.partition(":")[0])
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return str(ipaddress.ip_address(ordered))
