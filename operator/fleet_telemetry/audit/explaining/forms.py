"""The forms of an explanation."""

from __future__ import annotations

import json
from collections.abc import Callable

import yaml

from fleet_telemetry.audit.explaining.explanation import Explanation
from fleet_telemetry.audit.explaining.text import render
from fleet_telemetry.audit.formats.plain import encodable


def _json(explained: Explanation, _: int) -> str:
    return json.dumps(encodable(explained), indent=2) + "\n"


def _yaml(explained: Explanation, _: int) -> str:
    # Through JSON, so that equal parts are no anchors.
    text: str = yaml.safe_dump(json.loads(_json(explained, 0)), sort_keys=False, width=10**6)
    return text


FORMS: dict[str, Callable[[Explanation, int], str]] = {
    "text": render,
    "json": _json,
    "yaml": _yaml,
}
"""Each gets the explanation, and the columns of the terminal; 0 if there is none."""
