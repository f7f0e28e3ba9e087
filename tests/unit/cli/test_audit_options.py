"""The options of the command ``audit`` that concern files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleet_telemetry.cli.audit import audit

_WORKLOAD = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: sonar}
spec: {template: {spec: {containers: [{name: a, image: "sonarqube:26.7.0.124771-community"}]}}}
"""
_POLICY = """
kind: ClusterTelemetryPolicy
apiVersion: fleettelemetry.io/v1alpha1
metadata: {name: opt-out}
spec: {submission: %s}
"""


def _run(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(audit, arguments, input=given)


@pytest.mark.parametrize(
    ("submission", "status"), [("Disabled", 2), ("Enabled", 0), ("Nonsense", 1)]
)
def test_a_policy_that_is_not_applied_yet(tmp_path: Path, submission: str, status: int) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(_POLICY % submission)
    result = _run("-", "--policy", str(policy), "-o", "json", given=_WORKLOAD)
    assert result.exit_code == status
    found = json.loads(result.stdout)
    assert found.get("judged", False) is (status != 1)
    assert len(found["findings"]) > 0


def test_the_status_says_what_was_found() -> None:
    assert _run("-", given=_WORKLOAD).exit_code == 2
    assert _run("-", given=_WORKLOAD.replace("sonarqube", "nginx")).exit_code == 0
    assert _run("-", given=_WORKLOAD.replace("26.7.0.124771-community", "latest")).exit_code == 3
    assert _run("-", given="").exit_code == 1


_WRONG = (
    ("-", "--policy", "-"),
    ("--nonsense",),
    ("-", "-o", "nonsense"),
    ("-", "-A"),
    ("-", "-n", "a", "-n", "b"),
    ("-", "--cluster-name", "x"),
    ("--cluster-name", "x", "--cluster-name", "y"),
    ("--context=a", "--context=b", "--cluster-name", "x"),
    ("--context=a", "--context=b", "--cluster-name", "x", "--cluster-name", "x"),
    ("--context=a", "--context=a", "--cluster-name", "x", "--cluster-name", "y"),
    *(("--cluster-name", name) for name in ("", " ", "-a", "a-", "a b", "a\n", "é", "a" * 129)),
)


@pytest.mark.parametrize("arguments", _WRONG)
def test_a_wrong_option_is_an_error_and_no_violation(arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert result.exit_code == 1
    assert "Usage" in result.stderr


def test_objects_without_a_namespace_are_in_the_given_one() -> None:
    result = _run("-", "-n", "shop", "-o", "json", given=_WORKLOAD)
    assert {one["namespace"] for one in json.loads(result.stdout)["findings"]} == {"shop"}
