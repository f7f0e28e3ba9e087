"""The patterns of the fields of the API."""

from __future__ import annotations

import importlib
import pkgutil

from fleet_telemetry import api
from fleet_telemetry.api.schema import Pattern

_MODULES = [
    importlib.import_module(one.name)
    for one in pkgutil.walk_packages(api.__path__, f"{api.__name__}.")
]
PATTERNS = sorted(
    {one for module in _MODULES for one in vars(module).values() if isinstance(one, Pattern)},
    key=lambda one: one.expression,
)
