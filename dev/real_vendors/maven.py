"""Gets what vendors publish on Maven Central, by coordinates and with a pinned checksum.

Maven itself fetches it, so mirrors, proxies and credentials are those of the user's own Maven
settings. Its local repository is a folder of ours that is removed afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.locks import exclusive
from dev.cluster.paths import shown
from dev.cluster.progress import say
from dev.real_vendors.errors import RealVendorError

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
_MEGABYTE = 1_000_000
_TOTAL_SECONDS = 1800.0
_PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class Artifact:
    """A file on Maven Central."""

    title: str
    group: str
    name: str
    version: str
    extension: str
    sha256: str
    size: int

    @property
    def coordinates(self) -> str:
        """As Maven takes them."""
        return f"{self.group}:{self.name}:{self.version}:{self.extension}"

    @property
    def file_name(self) -> str:
        """As Maven names it."""
        return f"{self.name}-{self.version}.{self.extension}"


def fetch(artifact: Artifact, folder: Path) -> Path:
    """The file in the folder, fetched if it is not there. Raises RealVendorError."""
    file = folder / artifact.file_name
    with exclusive(folder / f"{artifact.file_name}.lock", f"waiting for {artifact.file_name} ..."):
        if not file.exists():
            _fetch(artifact, file)
        # What somebody put there by hand is looked at too.
        found = _sha256(file)
        if found != artifact.sha256:
            file.unlink()
            raise RealVendorError(
                f"{file.name} has the SHA-256 {found} where {artifact.sha256} is pinned; it was"
                f" removed, so the next run fetches it again."
            )
    return file


def _fetch(artifact: Artifact, file: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise RealVendorError(
            f"Maven is needed to fetch {artifact.title} ({artifact.coordinates}), and no mvn was"
            f" found: install it, or put {artifact.file_name} into {shown(file.parent)} yourself."
        )
    require_space(file.parent, artifact.size + 100 * _MEGABYTE, f"fetch {artifact.title}")
    log = file.with_suffix(".log")
    with _removed_afterwards(file.parent / "maven") as repository:
        command = [
            maven,
            "--batch-mode",
            f"-Dmaven.repo.local={repository}",
            _PLUGIN,
            f"-Dartifact={artifact.coordinates}",
            "-Dtransitive=false",
        ]
        place = repository.joinpath(*artifact.group.split("."), artifact.name, artifact.version)
        _run(command, artifact, place, log)
        (place / artifact.file_name).replace(file)
    log.unlink()


def _run(command: list[str], artifact: Artifact, place: Path, log: Path) -> None:
    """Run Maven, and report the progress."""
    title = f"{artifact.title} from Maven Central"
    total = artifact.size // _MEGABYTE
    started = time.monotonic()
    say(f"{title}: {total} MB, once")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            while process.poll() is None:
                try:
                    process.wait(_PROGRESS_SECONDS)
                except subprocess.TimeoutExpired:
                    seconds = time.monotonic() - started
                    come = _size_of(place) // _MEGABYTE
                    say(f"{title}: {come} of {total} MB, {seconds:.0f} s")
                    if seconds > _TOTAL_SECONDS:
                        process.kill()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0 or not (place / artifact.file_name).exists():
        raise RealVendorError(
            f"{artifact.title} could not be fetched from Maven Central; {shown(log)} says why"
            f" (no network, or a mirror in Maven's settings that does not have it)."
        )
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


def require_space(folder: Path, needed: int, goal: str) -> None:
    """Raise RealVendorError unless the folder's disk has room."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RealVendorError(
            f"To {goal}, {needed // _MEGABYTE} MB are needed on the disk of {shown(folder)}, and"
            f" {free // _MEGABYTE} MB are free."
        )


@contextmanager
def _removed_afterwards(folder: Path) -> Iterator[Path]:
    # What an earlier run left when it was killed is no use: Maven starts anew.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _size_of(folder: Path) -> int:
    """Of all its files, whatever Maven calls the one that is under way."""
    size = 0
    try:
        for entry in os.scandir(folder):
            size += entry.stat().st_size
    except FileNotFoundError:
        pass  # not begun, or renamed just now
    return size


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
