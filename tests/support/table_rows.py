"""The rows of the built-in products' tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.table import SUFFIX, ChannelRow, Table

FOLDER = Path(str(resources.files("fleet_telemetry.catalogue") / "products"))


@dataclass(frozen=True)
class Switched:
    """An image, and what is set in a container of it in each direction."""

    product: str
    row: ChannelRow

    @property
    def image(self) -> str:
        return self.row.images[0]


@cache
def tables() -> Mapping[str, Table]:
    """Every table by its product."""
    found = {}
    for path in sorted(FOLDER.glob(f"*{SUFFIX}")):
        document = Document.parse(path.name, path.read_bytes())
        found[path.name.removesuffix(SUFFIX)] = document.read(Table)
    return found


def every_switch() -> Iterator[Switched]:
    """One row for each combination of switches of each channel, of a container that sets nothing
    itself. Products whose images users build are known in a cluster by a TelemetryProduct alone."""
    for product, table in tables().items():
        if not builtin().products[product].spec.images:
            continue
        seen = set()
        for row in table.channels:
            key = row.channel, row.kind, row.disabled, row.enabled
            # A field of a custom resource is in no container: tests/e2e/test_custom_resources.py.
            is_bare = not (row.env or row.command or row.args or row.fields)
            if is_bare and (row.disabled or row.enabled) and key not in seen:
                seen.add(key)
                yield Switched(product, row)
