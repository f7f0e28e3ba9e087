"""The generated files are up to date, and it is noticed when one of them is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hack.generate import ROOT, generated_files

GENERATED = sorted(str(path.relative_to(ROOT)) for path, _ in generated_files())


def _generate(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hack.generate", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'operator'}"},
        capture_output=True,
        text=True,
        check=False,
    )


def _drift(tree: Path) -> set[str]:
    """The files that the check names."""
    checked = _generate(tree, "--check")
    if checked.returncode == 0:
        assert checked.stderr == ""
        return set()
    sentence, _, names = checked.stderr.strip().partition(": ")
    assert (checked.returncode, sentence) == (1, "Not up to date, run `make generate`")
    return set(names.split(", "))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is generated and what generates it."""
    for folder in {
        "examples",
        "hack",
        "operator",
        "observability",
        *(name.partition("/")[0] for name in GENERATED),
    }:
        # With its compiled modules, which are valid for a copy, too.
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    return tmp_path


def test_repository_is_up_to_date() -> None:
    assert _drift(ROOT) == set()


def test_altered_and_missing_files_are_named_and_put_right(tree: Path) -> None:
    altered, missing, *untouched = GENERATED
    with (tree / altered).open("a") as file:
        file.write("# a remark\n")
    (tree / missing).unlink()
    assert untouched
    assert _drift(tree) == {altered, missing}

    assert _generate(tree).returncode == 0

    assert _drift(tree) == set()
    for name in GENERATED:
        assert (tree / name).read_text() == (ROOT / name).read_text()


def test_every_generated_file_is_checked(tree: Path) -> None:
    for name in GENERATED:
        (tree / name).write_text("")

    assert _drift(tree) == set(GENERATED)


def test_changed_type_makes_its_definitions_drift(tree: Path) -> None:
    source = tree / "operator" / "fleet_telemetry" / "api" / "policy.py"
    before = source.read_text()
    source.write_text(before.replace("max_length=1024", "max_length=1025"))
    assert source.read_text() != before

    assert _drift(tree) >= {
        f"{folder}/{plural}.yaml"
        for folder in ("crds", "charts/fleet-telemetry-operator/files/crds")
        for plural in ("telemetrypolicies", "clustertelemetrypolicies")
    }


def test_a_new_change_makes_the_charts_metadata_drift(tree: Path) -> None:
    with (tree / "CHANGELOG.md").open("a") as file:
        file.write("- One more.\n")
    chart = "charts/fleet-telemetry-operator/Chart.yaml"
    assert _drift(tree) == {chart}

    assert _generate(tree).returncode == 0

    assert "description: One more\n" in (tree / chart).read_text()
    assert _drift(tree) == set()
