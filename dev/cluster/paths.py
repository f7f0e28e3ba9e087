"""Paths: the pinned tools in the repository, and generated files in `.cluster`."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
TOOLS = PACKAGE / "tools"
STAGES = PACKAGE / "stages.yaml"


def root() -> Path:
    """Say where all that is made here goes: DEVCLUSTER_ROOT, else `.cluster` in the repository."""
    chosen = os.environ.get("DEVCLUSTER_ROOT")
    return Path(chosen).resolve() if chosen else PACKAGE.parents[1] / ".cluster"


def shown(path: Path) -> str:
    """Write the path as people read it in a message: relative to where they are."""
    return os.path.relpath(path)
