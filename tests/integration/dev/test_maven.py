from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.real_vendors import java, maven
from dev.real_vendors.errors import RealVendorError
from dev.real_vendors.maven import Artifact, fetch

Program = Callable[[str, str], None]
CONTENT = b"a small zip\n"


def artifact(**other: object) -> Artifact:
    given: dict[str, object] = {
        "title": "Product 1",
        "group": "org.example",
        "name": "product",
        "version": "1",
        "extension": "zip",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
    }
    return Artifact(**{**given, **other})  # type: ignore[arg-type]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a program in front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def write(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return write


# As Maven does it: into the local repository that it is told, under the coordinates.
DOWNLOADS = """
echo run >> {runs}
for word; do case $word in -Dmaven.repo.local=*) repo=${{word#*=}};; esac; done
mkdir -p $repo/org/example/product/1
echo 'a small zip' > $repo/org/example/product/1/product-1.zip
"""


def test_it_is_fetched_once(program: Program, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    program("mvn", DOWNLOADS.format(runs=runs))
    folder = tmp_path / "vendors"
    assert fetch(artifact(), folder).read_bytes() == CONTENT
    assert fetch(artifact(), folder) == folder / "product-1.zip"
    assert runs.read_text().split() == ["run"]
    assert sorted(path.name for path in folder.iterdir()) == ["product-1.zip", "product-1.zip.lock"]


def test_another_content_than_the_pinned_one_is_removed(program: Program, tmp_path: Path) -> None:
    program("mvn", DOWNLOADS.format(runs=tmp_path / "runs"))
    folder = tmp_path / "vendors"
    with pytest.raises(
        RealVendorError, match=r"^product-1\.zip has the SHA-256 [0-9a-f]{64} where"
    ):
        fetch(artifact(sha256="0" * 64), folder)
    assert not (folder / "product-1.zip").exists()


def test_what_somebody_put_there_needs_no_maven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "product-1.zip").write_bytes(CONTENT)
    assert fetch(artifact(), tmp_path).read_bytes() == CONTENT


def test_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        RealVendorError, match=r"no mvn was found: install it, or put product-1\.zip"
    ):
        fetch(artifact(), tmp_path)


def test_maven_fails_and_its_log_stays(program: Program, tmp_path: Path) -> None:
    program("mvn", "echo no route to host; exit 1")
    with pytest.raises(RealVendorError, match=r"could not be fetched .*product-1\.log says why"):
        fetch(artifact(), tmp_path / "vendors")
    assert (tmp_path / "vendors" / "product-1.log").read_text() == "no route to host\n"
    assert not (tmp_path / "vendors" / "maven").exists()


def test_no_room(program: Program, tmp_path: Path) -> None:
    program("mvn", "exit 1")
    with pytest.raises(RealVendorError, match="MB are needed on the disk of"):
        fetch(artifact(size=10**18), tmp_path / "vendors")


def test_progress_counts_what_is_under_way(tmp_path: Path) -> None:
    assert maven._size_of(tmp_path / "none") == 0
    (tmp_path / "product-1.zip.part").write_bytes(b"12345")
    assert maven._size_of(tmp_path) == 5


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "is 11: install one, or name it in JAVA_HOME."),
        ('openjdk version "25" 2025-09-16', "is 25: install one"),
        ("hello", "is something else: install one"),
    ],
)
def test_another_java(program: Program, told: str, sentence: str) -> None:
    program("java", f"echo '{told}' >&2")
    with pytest.raises(RealVendorError, match=f"^Product needs Java 17 to 21, and .*{sentence}"):
        java.find("Product", 17, 21)


def test_a_fitting_java(program: Program) -> None:
    program("java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    assert java.find("Product", 17, 21).name == "java"


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RealVendorError, match="and no java was found: install one"):
        java.find("Product", 17, 21)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RealVendorError, match="does not run"):
        java.find("Product", 17, 21)
