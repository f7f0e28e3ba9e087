"""What the API server refuses of a policy, the reader of policy files refuses, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from msgspec import inspect

from fleet_telemetry.api.resources import CLUSTER_TELEMETRY_POLICY, TELEMETRY_POLICY
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.policy_file import read_policy_file
from fleet_telemetry.linting.problem import FileError, Problem
from fleet_telemetry.linting.schema_rules import counterpart
from tests.support.crd_cases import Case
from tests.support.crd_policies import CLUSTER_POLICY, POLICY
from tests.support.schema_walk import rules_of

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
# The API server removes a null. In a file it says nothing, so it is refused.
_CASES = [
    case
    for kind in (POLICY, CLUSTER_POLICY)
    for case in kind.cases()
    if case.root != "status" and not (case.attempt.value is None and case.is_accepted)
]


def _problems(case: Case) -> list[Problem]:
    content = {key: value for key, value in case.manifest.items() if key != "status"}
    manifest = case.kind.manifest("acme", content)
    try:
        document = Document.parse("a.yaml", yaml.safe_dump(manifest).encode(), 11)
        read_policy_file(document, "default", _NOW)
    except FileError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_a_file_is_refused_for_what_the_api_server_refuses(case: Case) -> None:
    problems = _problems(case)
    assert (problems == []) is case.is_accepted, problems
    assert all(one.line > 10 and one.advice for one in problems)


@pytest.mark.parametrize("resource", [TELEMETRY_POLICY, CLUSTER_TELEMETRY_POLICY])
def test_every_rule_of_the_crds_has_a_counterpart(resource: object) -> None:
    assert resource in (TELEMETRY_POLICY, CLUSTER_TELEMETRY_POLICY)
    spec = TELEMETRY_POLICY.spec if resource is TELEMETRY_POLICY else CLUSTER_TELEMETRY_POLICY.spec
    assert spec is not None
    rules = list(rules_of(inspect.type_info(spec)))
    rules += [{"rule": r.expression, "message": r.message} for r in TELEMETRY_POLICY.spec_rules]
    assert len(rules) > 10
    assert [rule for rule in rules if counterpart(rule) is None] == []
