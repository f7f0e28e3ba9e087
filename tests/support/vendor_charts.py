"""What the vendors' own charts render, where such a folder lies beside the repository.

The project stands without it: then the tests of it are skipped, by name. ``FLEET_MANIFESTS`` names
another folder.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

_REPOSITORY = Path(__file__).resolve().parents[2]
VENDOR_MANIFESTS = Path(
    os.environ.get("FLEET_MANIFESTS") or _REPOSITORY.parent / "shared" / "fleet"
)

needs_vendor_manifests = pytest.mark.skipif(
    not any(VENDOR_MANIFESTS.glob("*.yaml")),
    reason=f"no rendered vendor charts in {VENDOR_MANIFESTS} (set FLEET_MANIFESTS)",
)


def vendor_manifests(name: str = "*.yaml") -> list[dict[str, Any]]:
    """The manifests of all files, or of one."""
    return [one for file in sorted(VENDOR_MANIFESTS.glob(name)) for one in manifests_in(file)]


@cache
def manifests_in(file: Path) -> tuple[dict[str, Any], ...]:
    """The objects of a file. Nobody changes them."""
    documents = yaml.load_all(file.read_bytes(), Loader=yaml.CSafeLoader)
    return tuple(one for one in documents if isinstance(one, dict))
