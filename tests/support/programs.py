"""The console scripts of pyproject.toml, as an installer would write them."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

from dev.harness.operator import ROOT


def entry_points() -> dict[str, str]:
    """The names of the programs, and for each ``module:function``."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts: dict[str, str] = tomllib.load(file)["project"]["scripts"]
    return scripts


def write_programs(folder: Path) -> Path:
    """Write all of them into the folder, and return it."""
    for name, place in entry_points().items():
        module, _, function = place.partition(":")
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path[:0] = {[str(ROOT / 'operator')]!r}\n"
            f"from {module} import {function}\nsys.exit({function}())\n"
        )
        path.chmod(0o755)
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    """With the folder first on PATH, and of the rest only what a program needs."""
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), **more}
