"""The Dockerfile, as far as it goes without a container engine: its rules, and its steps."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dev.harness.operator import CHART, ROOT

HADOLINT = Path(sys.executable).parent / "hadolint"


@dataclass(frozen=True)
class Step:
    """One instruction, and the stage that it is in."""

    stage: int
    name: str
    text: str


def steps() -> Iterator[Step]:
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stage = -1
    for line in re.sub(r" *\\\n *", " ", "\n".join(lines)).splitlines():
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        yield Step(stage, name, rest)


STEPS = list(steps())
LAST = STEPS[-1].stage


def copied() -> list[str]:
    """What is copied from the build context."""
    return [
        source
        for step in STEPS
        if step.name == "COPY" and not step.text.startswith("--from")
        for source in step.text.split()[:-1]
    ]


def _canonical(name: str) -> str:
    """The name of a package as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_hadolint_has_nothing_to_say() -> None:
    if not HADOLINT.exists():
        pytest.skip("there is no hadolint for this platform")
    done = subprocess.run(
        [HADOLINT, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_base_is_pinned_by_a_digest_that_is_given() -> None:
    bases = [step.text.split()[0] for step in STEPS if step.name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert all(base.endswith("@${PYTHON_DIGEST}") for base in bases)
    assert "PYTHON_DIGEST" in [step.text for step in STEPS if step.name == "ARG"]


def test_it_runs_as_a_user_that_is_nobody_by_number() -> None:
    (user,) = [step.text for step in STEPS if step.name == "USER" and step.stage == LAST]
    number = user.partition(":")[0]
    assert number.isdecimal()
    # The kubelet has to see that it is not root, and the chart says the same one.
    assert int(number) == yaml.safe_load((CHART / "values.yaml").read_text())["runAsUser"]


def test_everything_that_is_installed_is_locked() -> None:
    installs = [
        command
        for step in STEPS
        if step.name == "RUN"
        for command in step.text.split("&&")
        if "pip install" in command or "pip wheel" in command
    ]
    assert len(installs) == 5
    for command in installs:
        locked = "--require-hashes" in command and "--only-binary=:all:" in command
        own = "--no-deps" in command and ("--no-index" in command or "-isolation" in command)
        assert locked or own, command


def test_what_ci_installs_from_a_registry_is_locked() -> None:
    text = re.sub(r" *\\\n *", " ", (ROOT / ".ci" / "run").read_text())
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 1
    assert all("--require-hashes" in line and "--only-binary=:all:" in line for line in installs)


def test_nothing_is_added_from_elsewhere() -> None:
    assert "ADD" not in {step.name for step in STEPS}
    assert not any(re.search(r"https?://|curl|wget|apt", s.text) for s in STEPS if s.name == "RUN")


def test_the_context_is_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert allowed == set(copied())
    assert all((ROOT / source).exists() for source in copied())


def test_the_charts_command_is_the_entrypoint() -> None:
    (entry,) = [json.loads(step.text) for step in STEPS if step.name == "ENTRYPOINT"]
    assert (
        f"command: {entry}".replace("'", "") in (CHART / "templates" / "workloads.yaml").read_text()
    )


def test_the_version_is_the_projects() -> None:
    version = re.search(r'(?m)^version = "(.*)"', (ROOT / "pyproject.toml").read_text())
    assert version
    assert f"VERSION={version[1]}" in [step.text for step in STEPS if step.name == "ARG"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version[1]


def test_its_steps_make_an_operator_that_starts_with_nothing_to_write(tmp_path: Path) -> None:
    """The steps themselves, with other folders. Packages come from the registry, or pip's cache."""
    source, opt = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    ignored = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("**/")
    ]

    def ignore(_: str, names: list[str]) -> set[str]:
        return {
            n for n in names for rule in ignored if fnmatch.fnmatch(n, rule.removeprefix("**/"))
        }

    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source / name)
    environment = {
        "PATH": f"{Path(sys.executable).resolve().parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # To compile all of the official client takes longer than to install it.
        "PIP_NO_COMPILE": "1",
        "SOURCE_DATE_EPOCH": "0",
    }
    if "PIP_INDEX_URL" in os.environ:
        environment["PIP_INDEX_URL"] = os.environ["PIP_INDEX_URL"]
    for step in STEPS:
        if step.name == "RUN" and step.stage == 0:
            command = step.text.replace("/opt/", f"{opt}/")
            done = subprocess.run(
                ["sh", "-euc", command],
                cwd=source,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr

    # The SBOM has what is installed and locked, and no more.
    sbom = opt / "fleet-telemetry" / "share" / "sbom" / "fleet-telemetry.cdx.json"
    content = json.loads(sbom.read_text())
    assert content["bomFormat"] == "CycloneDX"
    assert content["metadata"]["component"]["name"] == "fleet-telemetry-operator"
    listed = {_canonical(one["name"]) for one in content["components"]}
    lock = (ROOT / "requirements.lock").read_text()
    locked = {_canonical(name) for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", lock)}
    assert listed <= {*locked, "fleet-telemetry-operator"}
    assert len(listed) > 20
    assert "pip" not in listed

    # As the image runs: no way to write beside /tmp, and nothing of this tree on the path.
    program = opt / "fleet-telemetry" / "bin" / "fleet-telemetry"
    before = sorted(path for path in opt.rglob("*"))
    said = subprocess.run(
        [program, "webhook", "--help"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--tls-secret" in said
    assert sorted(path for path in opt.rglob("*")) == before
    packages = {path.name.partition("-")[0] for path in opt.rglob("fleet-telemetry/**/*.dist-info")}
    assert {"fleet_telemetry_operator", "kopf", "cryptography"} <= packages
    assert not {"pip", "hatchling", "pytest"} & packages
    (catalogue,) = opt.rglob("fleet_telemetry/catalogue/builtin.jsonl")
    source = ROOT / "operator" / "fleet_telemetry" / "catalogue" / "builtin.jsonl"
    assert catalogue.read_bytes() == source.read_bytes()
    assert not list(opt.rglob("fleet_telemetry/catalogue/products"))
