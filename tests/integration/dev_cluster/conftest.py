"""Fixtures for the tests of the local control plane."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dev.cluster import ensure, slots
from dev.cluster.toolchain import TOOLS

REPOSITORY = Path(__file__).resolve().parents[3]

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: starts a real control plane (seconds each)")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own, so that nobody's `.cluster` is touched."""
    folder = tmp_path / "root"
    monkeypatch.setenv("DEVCLUSTER_ROOT", str(folder))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return folder


@pytest.fixture
def own_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots that no other cluster of this machine uses: neither their locks nor their ports."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first = slots.FIRST_PORT + 2 * slots.SLOTS * (1 + os.getpid() % 40)
    monkeypatch.setattr(slots, "FIRST_PORT", first)


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder with all binaries; the first time on a machine this takes minutes."""
    return ensure(tool.name for tool in TOOLS)["etcd"].parent


@pytest.fixture
def command_line(root: Path) -> CommandLine:
    """Runs `python -m dev.cluster` with its own root, and captures what it says."""

    def run(
        *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dev.cluster", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "DEVCLUSTER_ROOT": str(root), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run
