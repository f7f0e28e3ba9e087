"""The detached cluster: up, status, env, down, and what is left when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.cluster import processes
from dev.cluster.processes import Identity

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def line(
    built: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    """The command line with the binaries that are built already; ends what a test leaves behind."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(built))
    yield command_line
    command_line("down")


def recorded(root: Path) -> dict[str, Identity]:
    content = json.loads((root / "run" / "cluster.json").read_text())
    return {name: Identity(**found) for name, found in content["processes"].items()}


def wait_for_record(root: Path) -> None:
    deadline = time.monotonic() + 60
    while not (root / "run" / "cluster.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.cluster
def test_up_status_env_down(line: CommandLine, root: Path) -> None:
    up = line("up")
    assert up.returncode == 0
    assert "stop it:" in up.stdout
    running = recorded(root)
    assert len(running) == 5
    assert all(process.is_alive() for process in running.values())

    assert line("status").returncode == 0
    shell = f'eval "$({sys.executable} -m dev.cluster env)" && kubectl get nodes && helm list'
    nodes = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert "node-1   Ready" in nodes.stdout

    again = line("up")
    assert again.returncode == 0
    assert "running already" in again.stderr
    assert recorded(root) == running

    assert line("down").returncode == 0
    assert not any(process.is_alive() for process in running.values())
    assert not (root / "run").exists()
    assert not (root / "kubeconfig").exists()
    assert "no cluster was running" in line("down").stderr


@pytest.mark.cluster
def test_up_replaces_a_cluster_that_lost_a_component(line: CommandLine, root: Path) -> None:
    assert line("up").returncode == 0
    before = recorded(root)
    before["kube-scheduler"].kill()
    status = line("status")
    assert status.returncode == 1
    assert "kube-scheduler is gone" in status.stdout
    assert "kube-scheduler is gone" in line("up").stderr
    assert line("status").returncode == 0
    assert not any(process.is_alive() for process in before.values())


@pytest.mark.cluster
def test_an_up_that_was_killed_half_way_leaves_nothing_that_down_does_not_find(
    line: CommandLine, root: Path
) -> None:
    with subprocess.Popen([sys.executable, "-m", "dev.cluster", "up"]) as up:
        wait_for_record(root)
        up.send_signal(signal.SIGKILL)
    begun = recorded(root)
    assert "etcd" in begun
    assert "kwok" not in begun
    assert line("status").returncode == 1
    assert line("down").returncode == 0
    assert not any(process.is_alive() for process in begun.values())


@pytest.mark.cluster
def test_a_down_waits_for_the_up_that_is_at_work(line: CommandLine, root: Path) -> None:
    with subprocess.Popen([sys.executable, "-m", "dev.cluster", "up"]) as up:
        wait_for_record(root)
        down = line("down")
    assert up.returncode == 0
    assert "waiting for it" in down.stderr
    assert not (root / "run").exists()


def leave_record(root: Path, **found: Identity) -> None:
    """As an earlier cluster would have left it."""
    (root / "run").mkdir(parents=True)
    content = {
        "url": "https://127.0.0.1:1",
        "service_cidr": "127.1.0.0/16",
        "pod_cidr": "127.2.0.0/16",
        "processes": {
            name: {"pid": identity.pid, "started": identity.started}
            for name, identity in found.items()
        },
    }
    (root / "run" / "cluster.json").write_text(json.dumps(content))


def test_down_after_a_crash_of_the_machine_spares_who_has_the_number_now(
    command_line: CommandLine, root: Path
) -> None:
    leave_record(root, etcd=Identity(os.getpid(), "before the crash"))
    assert command_line("down").returncode == 0
    assert processes.identify(os.getpid())
    assert not (root / "run").exists()


def test_a_cluster_that_was_never_complete_is_not_usable(
    command_line: CommandLine, root: Path
) -> None:
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        alive = processes.identify(sleeper.pid)
        assert alive
        leave_record(root, **{"etcd": alive, "kube-apiserver": alive, "kube-scheduler": alive})
        status = command_line("status")
        sleeper.kill()
    assert status.returncode == 1
    assert "kube-controller-manager, kwok are gone" in status.stdout


def test_a_damaged_record_is_one_sentence(command_line: CommandLine, root: Path) -> None:
    leave_record(root)
    (root / "run" / "cluster.json").write_text("{")
    for command in ("status", "env", "down"):
        done = command_line(command)
        assert done.returncode == 1
        assert "is damaged" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_without_a_cluster_env_prints_nothing_to_evaluate(command_line: CommandLine) -> None:
    done = command_line("env")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "start it with" in done.stderr
