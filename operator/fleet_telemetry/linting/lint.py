"""Checks catalogue files together with their tables. Reads no file itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import FileError, Problem
from fleet_telemetry.linting.product_file import read_product_file
from fleet_telemetry.linting.table import SUFFIX, Table
from fleet_telemetry.linting.table_rules import check_table


@dataclass(frozen=True, slots=True)
class _Entry:
    document: Document
    product: Product


@dataclass
class _Linter:
    files: Mapping[str, bytes]
    built_in: bool
    problems: list[Problem] = field(default_factory=list)

    def run(self) -> list[Problem]:
        entries = [*self._entries()]
        products = {entry.product.name: entry.product for entry in entries}
        catalogue = builtin().with_products(products)
        for entry in entries:
            self._check_table(entry, catalogue)
        return sorted(set(self.problems))

    def _entries(self) -> Iterator[_Entry]:
        for file in self.files:
            if file.endswith(SUFFIX):
                continue
            try:
                document = Document.parse(file, self.files[file])
                yield _Entry(document, read_product_file(document, built_in=self.built_in))
            except FileError as error:
                self.problems.extend(error.problems)

    def _check_table(self, entry: _Entry, catalogue: Catalogue) -> None:
        file = table_of(entry.document.file)
        if file not in self.files:
            return
        try:
            document = Document.parse(file, self.files[file])
            table = document.read(Table)
        except FileError as error:
            self.problems.extend(error.problems)
            return
        self.problems.extend(check_table(document, table, entry.product, catalogue))


def lint(files: Mapping[str, bytes], *, built_in: bool = False) -> list[Problem]:
    """The problems of product files and of the tables beside them, by file and line.

    ``files`` are contents by name. ``built_in``: they belong to the built-in catalogue, which is
    reviewed and may say more.
    """
    return _Linter(files, built_in).run()


def table_of(file: str) -> str:
    """The name of the table beside a product file."""
    return file.removesuffix(".yaml").removesuffix(".yml") + SUFFIX
