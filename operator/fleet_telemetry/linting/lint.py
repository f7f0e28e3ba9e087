"""Checks catalogue files together with their tables. Reads no file itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from fleet_telemetry.api.product.image import Image
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.pattern_index import PatternIndex
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.linting.catalogue_rules import MOST_PATTERNS, check_built_in, check_own
from fleet_telemetry.linting.channel_rules import check_channels
from fleet_telemetry.linting.coverage_rules import check_coverage, check_gaps
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.finding import LintFinding
from fleet_telemetry.linting.image_rules import check_images
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.linting.product_file import read_product_file
from fleet_telemetry.linting.table import SUFFIX, Table
from fleet_telemetry.linting.table_rules import check_table


@dataclass(frozen=True, slots=True)
class _LintedProduct:
    document: Document
    product: Product


@dataclass
class _Linter:
    files: Mapping[str, bytes]
    built_in: bool
    problems: list[FileProblem] = field(default_factory=list)

    def run(self) -> list[FileProblem]:
        entries = list(self._without_twins(self._entries()))
        products = {entry.product.name: entry.product for entry in entries}
        patterns = sum(len(one.spec.images) for one in products.values())
        if patterns > MOST_PATTERNS:
            what = (
                f"the files together have {patterns} image patterns, and may have {MOST_PATTERNS}"
            )
            self.problems.append(
                FileProblem(next(iter(self.files)), 1, what, "lint fewer at a time")
            )
            return sorted(set(self.problems))
        catalogue = builtin().with_products(products)
        combined = combine(builtin(), () if self.built_in else products.values())
        taken = PatternIndex(catalogue.products.values())
        for entry in entries:
            if self.built_in:
                self._add(entry.document, *check_built_in(entry.product, taken))
            else:
                self._add(entry.document, *check_own(entry.product, combined))
            self._check(entry, catalogue)
        for file in self.files:
            if file.endswith(SUFFIX) and not any(
                table_of(other) == file for other in self.files if other != file
            ):
                what = "there is no product beside this table"
                self.problems.append(FileProblem(file, 1, what, "name it as the product's file"))
        return sorted(set(self.problems))

    def _entries(self) -> Iterator[_LintedProduct]:
        for file in self.files:
            if file.endswith(SUFFIX):
                continue
            try:
                document = Document.parse(file, self.files[file])
                yield _LintedProduct(document, read_product_file(document, built_in=self.built_in))
            except FileError as error:
                self.problems.extend(error.problems)

    def _without_twins(self, entries: Iterator[_LintedProduct]) -> Iterator[_LintedProduct]:
        seen: dict[str, str] = {}
        for entry in entries:
            name, document = entry.product.name, entry.document
            first = seen.setdefault(name, document.file)
            if first != document.file:
                what = f"{first} has a product {name}, too"
                self._add(document, LintFinding(("metadata", "name"), what, "choose another name"))
            else:
                yield entry

    def _check(self, entry: _LintedProduct, catalogue: Catalogue) -> None:
        product, document = entry.product, entry.document
        self._add(document, *check_images(product.spec))
        if product.spec.base is None:  # that of a base is the base's
            self._add(document, *check_channels(product, built_in=self.built_in))
        if self.built_in:
            self._check_head(entry)
        self._check_table(document, *_with_image(product, catalogue))

    def _check_table(self, document: Document, product: Product, catalogue: Catalogue) -> None:
        file = table_of(document.file)
        table = self._read_table(file)
        if table is not None:
            table_document, rows = table
            self.problems.extend(check_table(table_document, rows, product, catalogue))
            if product.spec.base is None:
                self._add(document, *check_gaps(product, rows, catalogue))
                self._add(table_document, *check_coverage(product, rows, catalogue))
        elif file not in self.files:
            if self.built_in:
                what = f"it has no table {file}"
                self._add(document, LintFinding((), what, "write one, see CONTRIBUTING.md"))
            if product.spec.base is None:
                self._add(document, *check_gaps(product, None, catalogue))

    def _check_head(self, entry: _LintedProduct) -> None:
        product, document = entry.product, entry.document
        stem = document.file.rpartition("/")[2].removesuffix(".yaml")
        if stem != product.name:
            what = f"the product {product.name} is in a file {stem}.yaml"
            self._add(document, LintFinding(("metadata", "name"), what, "give both one name"))
        if not product.spec.homepage:
            self._add(document, LintFinding(("spec",), "it has no homepage", "add it"))

    def _read_table(self, file: str) -> tuple[Document, Table] | None:
        if file not in self.files:
            return None
        try:
            document = Document.parse(file, self.files[file])
            return document, document.read(Table)
        except FileError as error:
            self.problems.extend(error.problems)
            return None

    def _add(self, document: Document, *findings: LintFinding) -> None:
        self.problems.extend(finding.in_document(document) for finding in findings)


def lint(files: Mapping[str, bytes], *, built_in: bool = False) -> list[FileProblem]:
    """The problems of product files and of the tables beside them, by file and line.

    ``files`` are contents by name. ``built_in``: they belong to the built-in catalogue, which is
    reviewed and may say more.
    """
    return _Linter(files, built_in).run()


def _with_image(product: Product, catalogue: Catalogue) -> tuple[Product, Catalogue]:
    """The product with an image of its own name, if it has none: of some, only users build them."""
    if product.spec.images:
        return product, catalogue
    images = (msgspec.convert({"pattern": product.name}, Image),)
    with_image = replace(product, spec=msgspec.structs.replace(product.spec, images=images))
    return with_image, catalogue.with_products({product.name: with_image})


def table_of(file: str) -> str:
    """The name of the table beside a product file."""
    return file.removesuffix(".yaml").removesuffix(".yml") + SUFFIX
