"""What the API server refuses of a TelemetryProduct, the linter refuses, too."""

from __future__ import annotations

import msgspec
import pytest
import yaml
from msgspec import inspect

from fleet_telemetry.api.product import TelemetryProductSpec
from fleet_telemetry.api.resources import TELEMETRY_PRODUCT
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import FileError, Problem
from fleet_telemetry.linting.product_file import OwnFile
from fleet_telemetry.linting.schema_rules import check_schema, counterpart
from tests.support.crd_cases import Case
from tests.support.crd_products import PRODUCT
from tests.support.schema_walk import rules_of

# The API server removes a null. In a file it says nothing, so it is refused.
_CASES = [
    case
    for case in PRODUCT.cases()
    if case.root != "status" and not (case.attempt.value is None and case.is_accepted)
]


def _problems(case: Case) -> list[Problem]:
    content = {key: value for key, value in case.manifest.items() if key != "status"}
    manifest = {**PRODUCT.manifest("acme", content)}
    manifest["metadata"] = {"name": "acme", **content.get("metadata", {})}
    try:
        document = Document.parse("a.yaml", yaml.safe_dump(manifest).encode())
        document.read(OwnFile)
    except FileError as error:
        return list(error.problems)
    return list(check_schema(document))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_a_file_is_refused_for_what_the_api_server_refuses(case: Case) -> None:
    problems = _problems(case)
    assert (problems == []) is case.is_accepted, problems


def test_every_rule_of_the_crd_has_a_counterpart() -> None:
    rules = list(rules_of(inspect.type_info(TelemetryProductSpec)))
    of_spec = TELEMETRY_PRODUCT.spec_rules
    rules += [{"rule": rule.expression, "message": rule.message} for rule in of_spec]
    assert rules
    assert [rule for rule in rules if counterpart(rule) is None] == []


def test_it_is_a_file_as_written() -> None:
    text = msgspec.yaml.encode({"kind": "TelemetryProduct"})
    with pytest.raises(FileError, match="apiVersion"):
        Document.parse("a.yaml", text).read(OwnFile)
