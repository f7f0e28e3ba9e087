"""Which release of the command, with which products, made an audit."""

from __future__ import annotations

import hashlib
from importlib import resources

from fleet_telemetry import __version__, catalogue
from fleet_telemetry.audit.result import Tool
from fleet_telemetry.catalogue.builtin_file import FILE

_DIGITS = 12


def this_tool() -> Tool:
    """The running release. It reads the file of built-in products."""
    products = resources.files(catalogue).joinpath(FILE).read_bytes()
    return Tool(
        version=__version__,
        catalogue=hashlib.sha256(products).hexdigest()[:_DIGITS],
        products=sum(bool(line.strip()) for line in products.splitlines()),
    )
