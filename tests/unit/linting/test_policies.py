"""What the API server refuses of a policy, the reader of policy files refuses, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import inspect

from fleet_telemetry.api.resources import CLUSTER_TELEMETRY_POLICY, TELEMETRY_POLICY
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.policy_file import read_policy_file
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.linting.schema_rules import counterpart
from tests.support.crd_cases import Case
from tests.support.crd_files import fields_of_files, in_a_file
from tests.support.crd_kinds import Field
from tests.support.crd_policies import CLUSTER_POLICY, POLICY
from tests.support.schema_walk import rules_of

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _problems(case: Case) -> list[FileProblem]:
    try:
        document = Document.parse("a.yaml", in_a_file(case), 11)
        read_policy_file(document, "default", _NOW)
    except FileError as error:
        return list(error.problems)
    return []


@pytest.mark.thorough
@pytest.mark.parametrize(
    "field", fields_of_files(POLICY, CLUSTER_POLICY), ids=lambda field: field.id
)
def test_a_file_is_refused_for_what_the_api_server_refuses(field: Field) -> None:
    wrong = {}
    for case in field.cases:
        problems = _problems(case)
        has_help = all(one.line > 10 and one.advice for one in problems)
        if case.is_accepted is bool(problems) or not has_help:
            wrong[case.id] = problems
    assert wrong == {}


@pytest.mark.parametrize("resource", [TELEMETRY_POLICY, CLUSTER_TELEMETRY_POLICY])
def test_every_rule_of_the_crds_has_a_counterpart(resource: object) -> None:
    assert resource in (TELEMETRY_POLICY, CLUSTER_TELEMETRY_POLICY)
    spec = TELEMETRY_POLICY.spec if resource is TELEMETRY_POLICY else CLUSTER_TELEMETRY_POLICY.spec
    assert spec is not None
    rules = list(rules_of(inspect.type_info(spec)))
    rules += [{"rule": r.expression, "message": r.message} for r in TELEMETRY_POLICY.spec_rules]
    assert len(rules) > 10
    assert [rule for rule in rules if counterpart(rule) is None] == []
