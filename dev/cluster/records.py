"""The record of a detached cluster, for later commands."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import paths
from dev.cluster.errors import DevclusterError
from dev.cluster.files import Layout
from dev.cluster.processes import Identity

_NAME = "cluster.json"


@dataclass(frozen=True)
class ClusterRecord:
    """A detached cluster: its addresses, and its processes by name."""

    url: str
    service_cidr: str
    pod_cidr: str
    processes: Mapping[str, Identity]


def write(layout: Layout, processes: Mapping[str, Identity]) -> None:
    """Replace the record by what runs now."""
    record = ClusterRecord(layout.url, layout.slot.service_cidr, layout.slot.pod_cidr, processes)
    partial = layout.directory / f"{_NAME}.partial"
    partial.write_text(json.dumps(dataclasses.asdict(record), indent=2))
    partial.replace(layout.directory / _NAME)


def read(directory: Path) -> ClusterRecord:
    """Read the record.

    Raises FileNotFoundError where there is nothing, DevclusterError where it is damaged.
    """
    path = directory / _NAME
    try:
        content = json.loads(path.read_text())
        processes = {name: Identity(**found) for name, found in content.pop("processes").items()}
        return ClusterRecord(**content, processes=processes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DevclusterError(
            f"{paths.shown(path)} is damaged, so it is not known which processes belong to the"
            f" cluster: end them if there are any, then remove {paths.shown(directory)}"
        ) from error
