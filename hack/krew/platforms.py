"""The platforms and Pythons for which all packages of the command have wheels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """A platform as Go and krew name it, and the tags of the wheels that run on it."""

    os: str
    arch: str
    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"


def _linux(arch: str, machine: str) -> Platform:
    versions = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
    return Platform("linux", arch, tuple(f"{version}_{machine}" for version in versions))


PLATFORMS = (
    _linux("amd64", "x86_64"),
    _linux("arm64", "aarch64"),
    Platform("darwin", "amd64", ("macosx_11_0_x86_64",)),
    Platform("darwin", "arm64", ("macosx_11_0_arm64",)),
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Versions of CPython. Each has compiled modules of its own in an archive."""
