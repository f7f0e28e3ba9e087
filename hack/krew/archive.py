"""Builds the archive of a platform: the launcher, and all packages in one folder.

A zipapp would not do: Python cannot load compiled modules, such as msgspec's, from a zip file.
"""

from __future__ import annotations

import filecmp
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hack.generate import ROOT
from hack.krew.manifest import PROGRAM
from hack.krew.platforms import PYTHONS, Platform

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LICENCES = ("LICEN", "NOTICE", "COPYING", "AUTHORS")
"""How the names of licences begin, which wheels have in their dist-info."""


class ArchiveError(Exception):
    """An archive cannot be built."""


def build(platform: Platform, target: Path, pythons: Sequence[str] = PYTHONS) -> str:
    """Write the archive, and return its SHA-256. The same sources make the same bytes.

    Packages are those of requirements-command.lock. Raises ArchiveError.
    """
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "content"
        content.mkdir()
        shutil.copy(ROOT / "LICENSE", content / "LICENSE")
        launcher = content / PROGRAM
        launcher.write_text(_launcher(pythons))
        launcher.chmod(0o755)
        wheel = _own_wheel(Path(folder) / "wheel")
        for python in pythons:
            packages = Path(folder) / python
            lock = str(ROOT / "requirements-command.lock")
            _install(platform, python, packages, "--require-hashes", "--requirement", lock)
            _install(platform, python, packages, "--no-deps", str(wheel))
            merge(packages, content / "lib")
        data = pack(content)
    target.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _launcher(pythons: Sequence[str]) -> str:
    text = _LAUNCHER.read_text()
    mark = '("3.11",)  # replaced by hack/krew/archive.py'
    assert text.count(mark) == 1
    return text.replace(mark, repr(tuple(pythons)))


def _own_wheel(folder: Path) -> Path:
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def _install(platform: Platform, python: str, folder: Path, *what: str) -> None:
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    of = ("--implementation", "cp", "--python-version", python, "--only-binary=:all:")
    _pip("install", "--no-compile", "--target", str(folder), *of, *tags, *what)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ArchiveError(f"`{' '.join(command[1:])}` failed: {done.stderr.strip()}")


def merge(packages: Path, target: Path) -> None:
    """Copy the packages of one Python to those of the others: all share the sources, and compiled
    modules have the Python in their names. Raises ArchiveError if a file would replace another."""
    for source in sorted(packages.rglob("*")):
        name = source.relative_to(packages)
        if not source.is_file() or name.parts[0] == "bin" or not _is_kept(name):
            continue
        copy = target / name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        elif not filecmp.cmp(source, copy, shallow=False):
            raise ArchiveError(f"{name} is not the same for every Python")


def _is_kept(name: Path) -> bool:
    """Of dist-info, the metadata and the licences; the rest is of one Python or installation."""
    if not name.parts[0].endswith(".dist-info"):
        return True
    return name.name == "METADATA" or name.name.upper().startswith(_LICENCES)


def pack(folder: Path) -> bytes:
    """The files as tar.gz, without times, owners and the order of the file system."""
    data = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=data, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return data.getvalue()
