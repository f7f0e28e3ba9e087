"""The archive that krew unpacks, for this platform and Python. Packages come from the registry."""

from __future__ import annotations

import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from dev.harness.operator import ROOT

_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
_PYTHON = "{}.{}".format(*sys.version_info)


def test_the_program_of_the_archive_runs_through_a_link_with_nothing_installed(
    tmp_path: Path,
) -> None:
    if sys.platform != "linux" or platform.machine() not in _ARCH:
        pytest.skip("no wheels are locked for this platform")
    arch = _ARCH[platform.machine()]
    words = [f"--platform=linux/{arch}", f"--python={_PYTHON}"]
    subprocess.run([sys.executable, "-m", "hack.krew", tmp_path, *words], cwd=ROOT, check=True)
    (one,) = yaml.safe_load((tmp_path / "telemetry.yaml").read_text())["spec"]["platforms"]
    store, path = tmp_path / "store", tmp_path / "path"
    with tarfile.open(tmp_path / one["uri"].rpartition("/")[2]) as archive:
        archive.extractall(store, filter="data")
    path.mkdir()
    (path / one["bin"]).symlink_to(store / one["bin"])
    (path / "python3").symlink_to(Path(sys.executable).resolve())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path / one["bin"], *arguments],
            env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--help").stdout.startswith("Usage: kubectl telemetry ")
    assert "telemetry.emqx.io" in run("catalogue", "list", "emqx").stdout
    # With the client of the cluster, which has compiled modules.
    assert "there is no kubeconfig at" in run("allowlist").stderr
    assert "use the operator's image" in run("controller", "--namespace=x").stderr
