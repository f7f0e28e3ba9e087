"""What krew distributes: the manifest's shape, and how an archive is put together.

The rules: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/ and krew's own
internal/index/validation.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from dev.harness.operator import ROOT
from fleet_telemetry import __version__
from hack.krew.archive import ArchiveError, merge, pack
from hack.krew.manifest import PROGRAM, archive_name, manifest, render
from hack.krew.platforms import PLATFORMS, PYTHONS
from tests.support.programs import entry_points

DIGESTS = {platform: f"{number:064x}" for number, platform in enumerate(PLATFORMS)}
LAUNCHER = ROOT / "hack" / "krew" / "launcher.py"


def test_the_manifest_has_the_shape_that_krew_wants() -> None:
    content = yaml.safe_load(render(manifest(__version__, DIGESTS)))
    assert content.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert content["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert content["kind"] == "Plugin"
    assert re.fullmatch(r"[\w-]+", content["metadata"]["name"])
    spec = content["spec"]
    assert spec.keys() == {
        "version",
        "homepage",
        "shortDescription",
        "description",
        "caveats",
        "platforms",
    }
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-[\w.]+)?", spec["version"])
    assert spec["homepage"].startswith("https://")
    assert len(spec["shortDescription"]) <= 50
    assert not spec["shortDescription"].endswith(".")
    assert "kubectl" not in spec["shortDescription"]
    for one in spec["platforms"]:
        assert one.keys() == {"selector", "uri", "sha256", "bin"}
        assert one["selector"]["matchLabels"].keys() == {"os", "arch"}
        assert re.fullmatch(r"https://\S+/v\d[^/]*/\S+\.tar\.gz", one["uri"])
        assert re.fullmatch(r"[0-9a-f]{64}", one["sha256"])
        assert one["bin"] == f"kubectl-{content['metadata']['name']}"
        assert one["bin"] in entry_points()
    labels = [tuple(one["selector"]["matchLabels"].values()) for one in spec["platforms"]]
    assert len(set(labels)) == len(labels) == len(PLATFORMS)


def test_every_text_of_several_lines_is_written_as_such() -> None:
    text = render(manifest(__version__, DIGESTS))
    assert "description: |" in text
    assert "caveats: |" in text


def test_the_pythons_are_those_that_the_project_allows() -> None:
    assert f'requires-python = ">={PYTHONS[0]}"' in (ROOT / "pyproject.toml").read_text()
    names = {archive_name(platform) for platform in PLATFORMS}
    assert len(names) == len(PLATFORMS)


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_packages_of_several_pythons_share_what_is_the_same(tmp_path: Path) -> None:
    same = {
        "acme/__init__.py": "x = 1",
        "acme-1.dist-info/METADATA": "Name: acme",
        "acme-1.dist-info/licenses/LICENSE.txt": "free",
    }
    for version in ("311", "312"):
        of_one = {
            f"acme/_fast.cpython-{version}.so": version,
            "acme-1.dist-info/RECORD": version,
            "acme-1.dist-info/sboms/acme.json": version,
            "bin/acme": version,
        }
        merge(_write(tmp_path / version, {**same, **of_one}), tmp_path / "lib")
    found = {
        path.relative_to(tmp_path / "lib").as_posix()
        for path in (tmp_path / "lib").rglob("*")
        if path.is_file()
    }
    assert found == {*same, "acme/_fast.cpython-311.so", "acme/_fast.cpython-312.so"}


def test_a_file_that_differs_is_not_replaced_in_silence(tmp_path: Path) -> None:
    merge(_write(tmp_path / "one", {"acme.py": "x = 1"}), tmp_path / "lib")
    with pytest.raises(ArchiveError, match=r"acme\.py is not the same for every Python"):
        merge(_write(tmp_path / "two", {"acme.py": "x = 2"}), tmp_path / "lib")


def test_an_archive_depends_on_its_files_alone(tmp_path: Path) -> None:
    first = _write(tmp_path / "first", {"b": "1", "a/c": "2", PROGRAM: "#!"})
    second = _write(tmp_path / "second", {PROGRAM: "#!", "a/c": "2", "b": "1"})
    for folder in (first, second):
        (folder / PROGRAM).chmod(0o755)
    (second / "b").chmod(0o600)
    assert pack(first) == pack(second)
    with tarfile.open(fileobj=io.BytesIO(pack(first))) as archive:
        entries = {entry.name: entry for entry in archive}
    assert list(entries) == ["a/c", "b", PROGRAM]
    assert {name: entry.mode for name, entry in entries.items()} == {
        "a/c": 0o644,
        "b": 0o644,
        PROGRAM: 0o755,
    }
    assert not any(entry.mtime or entry.uid or entry.uname for entry in entries.values())


@pytest.mark.parametrize("version", ["3, 6, 15", "3, 10, 13", "3, 99, 0", "2, 7, 18"])
def test_another_python_is_refused_with_what_is_needed(version: str) -> None:
    program = (
        f"import runpy, sys, pathlib; sys.version_info = ({version})\n"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    major, minor, _ = version.split(", ")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "kubectl telemetry: python3 on PATH has to be CPython 3.11 to 3.11, and is CPython "
        f"{major}.{minor}\n"
    )
