"""A catalogue file: its schema, and what its parts say of each other."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.catalogue.builtin_file import ProductFile
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import Origin, Product, ProductError
from fleet_telemetry.linting.document import Document, Path
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.linting.schema_rules import check_schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORIGIN = Origin(_EPOCH, _EPOCH)
_CHANNEL = re.compile(
    r"channel (?P<channel>\w{1,64})(?:, (?P<list>rule|host) (?P<which>[^:]{1,253}))?"
)
_LINE = re.compile(r"versions, line (?P<place>\d{1,4})")
_IMAGE = re.compile(r"image (?P<pattern>[^\s:]{1,256}):")
_ADVICE = (
    ("overlap", "restrict versions, editions or components of one of them"),
    ("no image has the", "name one that spec.images has, or add the image"),
    ("is not a version", "write versions such as 4.13.0, and ranges such as '>=4.13.0 <5.0.0'"),
    ("no version can be in", "put the lower bound first"),
    ("no version of spec.versions", "correct the range, or add the line to spec.versions"),
    ("refuses its own switch", "remove it from refuses, or the switch"),
    ("not in this order", "put them in this order"),
    ("in capitals", "spell the variable as the property in capitals"),
)


class OwnFile(ProductFile, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The manifest of a TelemetryProduct, as the API server takes it."""

    spec: TelemetryProductSpec  # type: ignore[assignment]  # it needs images

    @property
    def product_spec(self) -> TelemetryProductSpec:
        """The specification."""
        return self.spec


def read_product_file(document: Document, *, built_in: bool) -> Product:
    """The product. Raises FileError, with every problem at once if the schema is met."""
    file = document.read(ProductFile if built_in else OwnFile)
    spec = file.product_spec
    problems = list(check_schema(document, built_in=built_in))
    if problems:
        raise FileError(*problems)
    try:
        if built_in:
            return Product.compile(file.metadata.name, spec)
        return compile_own(file.metadata.name, spec, _ORIGIN)
    except ProductError as error:
        raise FileError(*(_located(document, spec, one) for one in error.problems)) from None


def _located(document: Document, spec: TelemetryProductSpec, problem: str) -> FileProblem:
    advice = next((advice for words, advice in _ADVICE if words in problem), "correct it")
    return document.problem(_place(spec, problem), problem, advice)


def _place(spec: TelemetryProductSpec, problem: str) -> Path:
    """Where the words of a problem say that it is."""
    line = _LINE.match(problem)
    if line is not None:
        return "spec", "versions", "lines", int(line["place"]) - 1
    if problem.startswith("versions"):
        return "spec", "versions"
    image = _IMAGE.match(problem)
    if image is not None:
        patterns = [one.pattern for one in spec.images]
        if image["pattern"] in patterns:
            return "spec", "images", patterns.index(image["pattern"])
    found = _CHANNEL.match(problem)
    names = [channel.name for channel in spec.channels]
    if found is None or found["channel"] not in names:
        return ("spec",)
    place = names.index(found["channel"])  # type: ignore[arg-type]  # names are text
    path: Path = ("spec", "channels", place)
    if found["list"] == "rule" and found["which"].isdigit():
        return *path, "rules", int(found["which"]) - 1
    if found["list"] == "host":
        hosts = [host.host for host in spec.channels[place].hosts]
        if found["which"] in hosts:
            return *path, "hosts", hosts.index(found["which"])
    return path
