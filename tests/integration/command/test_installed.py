"""The command as people install it: in a virtual environment of its own, from this folder.

Packages come from the registry, or pip's cache.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev.harness.operator import ROOT
from tests.support.programs import entry_points

OPERATOR_ONLY = {"kopf", "cryptography", "prometheus_client", "uvloop", "dnspython", "httpx"}


class Installed:
    """A virtual environment, and the programs in it."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "venv"
        self.home = folder / "home"
        self.home.mkdir()
        self.bin = self.prefix / "bin"

    def run(self, *command: str | Path, code: int = 0, **more: str) -> str:
        """Run, and return what was printed on both."""
        done = subprocess.run(
            command,
            cwd=self.home,
            env=self._environment(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def packages(self) -> set[str]:
        return {path.name.partition("-")[0] for path in self.prefix.rglob("*.dist-info")}

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PIP_INDEX_URL", "HOME") if name in os.environ}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        # To compile all of the official client takes longer than to install it.
        pip = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1", "PIP_NO_COMPILE": "1"}
        return {**kept, **pip, "PATH": path, **more}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    made = Installed(folder)
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(
        ROOT / "operator", source / "operator", ignore=shutil.ignore_patterns("__pycache__")
    )
    # The locked versions, or a release upstream could break this test. Without the hashes, which
    # pip would want of the folder, too.
    pins = re.findall(r"(?m)^[A-Za-z0-9._-]+==[^ \\]+", (ROOT / "requirements.lock").read_text())
    (folder / "pins").write_text("\n".join(pins))
    made.run(sys.executable, "-m", "venv", made.prefix)
    made.run(made.bin / "pip", "install", source, PIP_CONSTRAINT=str(folder / "pins"))
    return made


def test_it_pulls_what_a_persons_command_needs_and_no_more(installed: Installed) -> None:
    lock = (ROOT / "requirements-command.lock").read_text()
    locked = {name.lower().replace("-", "_") for name in re.findall(r"(?m)^([\w.-]+)==", lock)}
    found = {name.lower() for name in installed.packages()}
    assert found <= locked | {"fleet_telemetry_operator", "pip", "setuptools"}
    assert not found & OPERATOR_ONLY
    installed.run(installed.bin / "pip", "check")


def test_it_brings_the_programs(installed: Installed) -> None:
    assert all((installed.bin / name).exists() for name in entry_points())
    assert "Usage: fleet-telemetry" in installed.run("fleet-telemetry", "--help")
    assert "telemetry.emqx.io" in installed.run("fleet-telemetry", "catalogue", "list", "emqx")
    assert "catalogue\t" in installed.run("kubectl_complete-telemetry", "cata")


def test_kubectl_finds_the_plugin_and_its_completion(installed: Installed) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl on PATH")
    assert "Usage: kubectl telemetry" in installed.run("kubectl", "telemetry", "--help")
    said = installed.run("kubectl", "__complete", "telemetry", "catalogue", "li")
    assert {"lint", "list"} <= {line.partition("\t")[0] for line in said.splitlines()}


@pytest.mark.parametrize("command", ["allowlist", "revert"])
def test_a_command_that_reads_a_cluster_needs_nothing_else(
    installed: Installed, command: str
) -> None:
    said = installed.run("fleet-telemetry", command, "--kubeconfig=/nothing/there", code=1)
    assert "Traceback" not in said
    assert "/nothing/there" in said


def test_the_operators_command_says_how_to_get_what_it_needs(installed: Installed) -> None:
    """And what it says helps: the last of these tests, because it installs the rest."""
    start = ("fleet-telemetry", "controller", "--namespace=x", "--kubeconfig=/nothing/there")
    (line,) = installed.run(*start, code=1).splitlines()
    assert "install them with: " in line
    command = shlex.split(line.rpartition("with: ")[2])
    pins = installed.prefix.parent / "pins"
    installed.run(*command, PIP_CONSTRAINT=str(pins))
    assert installed.packages() >= OPERATOR_ONLY
    said = installed.run(*start, code=1)
    assert "not installed" not in said
    assert "/nothing/there" in said
