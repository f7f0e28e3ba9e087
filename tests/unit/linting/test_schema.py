"""What the API server refuses of a TelemetryProduct, the linter refuses, too."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import inspect

from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.resources import TELEMETRY_PRODUCT
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.linting.product_file import OwnFile
from fleet_telemetry.linting.schema_rules import check_schema, counterpart
from tests.support.crd_cases import Case
from tests.support.crd_files import fields_of_files, in_a_file
from tests.support.crd_kinds import Field
from tests.support.crd_products import PRODUCT
from tests.support.schema_walk import rules_of


def _problems(case: Case) -> list[FileProblem]:
    try:
        document = Document.parse("a.yaml", in_a_file(case))
        document.read(OwnFile)
    except FileError as error:
        return list(error.problems)
    return list(check_schema(document))


@pytest.mark.thorough
@pytest.mark.parametrize("field", fields_of_files(PRODUCT), ids=lambda field: field.id)
def test_a_file_is_refused_for_what_the_api_server_refuses(field: Field) -> None:
    found = {case.id: (case.is_accepted, _problems(case)) for case in field.cases}
    wrong = {name: problems for name, (good, problems) in found.items() if good is bool(problems)}
    assert wrong == {}


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
