"""The cases of the tables as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from tests.support.crd_cases import Case, Kind
from tests.support.crd_kinds import FIELDS, Field

# Five times as fast, and the same text.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def fields_of_files(*kinds: Kind) -> list[Field]:
    """The fields that somebody writes, with their cases. The API server removes a null. In a file
    it says nothing, so it is refused: such a case is left out."""
    return [found for kind in kinds for found in _fields_of_files(kind)]


def _fields_of_files(kind: Kind) -> Iterator[Field]:
    for field in FIELDS:
        cases = tuple(
            case
            for case in field.cases
            if case.root != "status" and not (case.attempt.value is None and case.is_accepted)
        )
        if field.kind is kind and cases:
            yield replace(field, cases=cases)


def in_a_file(case: Case) -> bytes:
    """The object of the case as YAML. Nobody writes a status."""
    content = {key: value for key, value in case.manifest.items() if key != "status"}
    manifest = case.kind.manifest("acme", content)
    manifest["metadata"] = {"name": "acme", **content.get("metadata", {})}
    return yaml.dump(manifest, Dumper=DUMPER).encode()
