"""The command ``test``: policies against manifests with expected results."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.cli.test import test as command
from fleet_telemetry.linting.problem import FileError
from fleet_telemetry.policy_tests.suite import FILE_NAME, read_suite

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SONAR = "sonarqube:26.7.0.124771-community"
POLICY: dict[str, Any] = {
    "apiVersion": "fleettelemetry.io/v1alpha1",
    "kind": "ClusterTelemetryPolicy",
    "metadata": {"name": "opt-out"},
    "spec": {"submission": "Disabled", "channels": ["Usage"]},
}
WORKLOAD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "sonar", "namespace": "team"},
    "spec": {
        "selector": {"matchLabels": {"app": "sonar"}},
        "template": {
            "metadata": {"labels": {"app": "sonar"}},
            "spec": {"containers": [{"name": "main", "image": SONAR}]},
        },
    },
}
RESULT: dict[str, Any] = {
    "workload": "Deployment/sonar",
    "namespace": "team",
    "policy": "ClusterTelemetryPolicy/opt-out",
    "state": "Compliant",
    "reason": "RunningInEveryPod",
    "sends": "No",
    "sets": ["SONAR_TELEMETRY_ENABLE=false"],
}
SUITE: dict[str, Any] = {
    "apiVersion": "test.fleettelemetry.io/v1alpha1",
    "kind": "PolicyTest",
    "metadata": {"name": "it"},
    "policies": ["policies.yaml"],
    "resources": ["resources.yaml"],
    "results": [RESULT],
}


def _write(
    folder: Path,
    *results: dict[str, Any],
    written: tuple[Any, ...] = (POLICY,),
    deployed: tuple[Any, ...] = (WORKLOAD,),
    **suite: Any,
) -> None:
    whole = {**SUITE, "results": list(results or (RESULT,)), **suite}
    (folder / FILE_NAME).write_text(yaml.safe_dump(whole, sort_keys=False))
    (folder / "policies.yaml").write_text(yaml.safe_dump_all(written))
    (folder / "resources.yaml").write_text(yaml.safe_dump_all(deployed))


def _run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(one) for one in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def _with_spec(**spec: Any) -> dict[str, Any]:
    return {**POLICY, "spec": {**POLICY["spec"], **spec}}


def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    _write(tmp_path)
    code, out = _run(tmp_path)
    assert out == (
        "ok    team/Deployment/sonar sonarqube Usage  Compliant RunningInEveryPod\n"
        "1 tests, 0 failed\n"
    )
    assert code == 0


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"policy": ""}, "policy is ClusterTelemetryPolicy/opt-out, not none"),
        ({"state": "Pending"}, "state is Compliant (RunningInEveryPod: "),
        ({"reason": "DefaultApplies"}, "reason is RunningInEveryPod, not DefaultApplies"),
        ({"sends": "Yes"}, "sends is No (RunningInEveryPod: "),
        ({"sets": []}, "sets is [SONAR_TELEMETRY_ENABLE=false], not []"),
    ],
)
def test_each_field_is_compared(tmp_path: Path, change: dict[str, Any], difference: str) -> None:
    _write(tmp_path, {**RESULT, **change})
    code, out = _run(tmp_path)
    assert code == 1
    assert f"{tmp_path / FILE_NAME}:10: {difference}" in out
    assert out.startswith("FAIL")
    assert out.endswith("1 tests, 1 failed\n")


@pytest.mark.parametrize(
    ("spec", "result"),
    [
        ({"mode": "Audit"}, {"state": "NonCompliant", "reason": "AuditOnly", "sends": "Yes"}),
        ({"submission": "Enabled"}, {"state": "Compliant", "sends": "Yes"}),
        ({"products": ["emqx", "sonarqube"]}, {"state": "Compliant"}),
    ],
)
def test_the_decision_is_that_of_the_operator(
    tmp_path: Path, spec: dict[str, Any], result: dict[str, Any]
) -> None:
    expected = {"workload": RESULT["workload"], "namespace": "team", **result}
    _write(tmp_path, expected, written=(_with_spec(**spec),))
    code, out = _run(tmp_path)
    assert (code, out.splitlines()[-1]) == (0, "1 tests, 0 failed"), out


def test_exceptions_are_looked_at_at_the_time_of_the_suite(tmp_path: Path) -> None:
    exception = {
        "workload": {"kind": "Deployment", "namespace": "team", "name": "sonar"},
        "reason": "trial",
        "expiresAt": "2027-01-01T00:00:00Z",
    }
    policy = _with_spec(exceptions=[exception])
    for now, state in (("2026-12-01T00:00:00Z", "Exempt"), ("2027-02-01T00:00:00Z", "Compliant")):
        expected = {"workload": RESULT["workload"], "namespace": "team", "state": state}
        _write(tmp_path, expected, written=(policy,), now=now)
        code, out = _run(tmp_path)
        assert code == 0, out


def test_namespaces_give_their_labels(tmp_path: Path) -> None:
    policy = _with_spec(namespaceSelector={"matchLabels": {"stage": "prod"}})
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {}}}
    space["metadata"]["labels"] = {"stage": "prod"}  # type: ignore[index]  # a literal dict
    _write(tmp_path, written=(policy,), deployed=(WORKLOAD, space))
    assert _run(tmp_path)[0] == 0
    _write(tmp_path, written=(policy,))
    code, out = _run(tmp_path)
    assert code == 1
    assert "state is none, as no policy covers it, not Compliant" in out


def test_the_patched_workload_is_compared_without_values(tmp_path: Path) -> None:
    patched = copy.deepcopy(WORKLOAD)
    container = patched["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "SONAR_TELEMETRY_ENABLE", "value": "false"}]
    _write(tmp_path, {**RESULT, "patched": "patched.yaml"})
    (tmp_path / "patched.yaml").write_text(yaml.safe_dump(patched))
    assert _run(tmp_path)[0] == 0
    container["env"].append({"name": "PASSWORD", "value": "hunter2"})
    container["args"] = ["--secret=hunter2"]
    (tmp_path / "patched.yaml").write_text(yaml.safe_dump(patched))
    code, out = _run(tmp_path)
    assert code == 1
    assert "patched: container main: the variable PASSWORD differs" in out
    assert "patched: container main: args differ" in out
    assert "hunter2" not in out


def test_the_pods_of_what_a_controller_writes_are_changed(tmp_path: Path) -> None:
    owned = copy.deepcopy(WORKLOAD)
    owner = {"apiVersion": "x.example/v1", "kind": "Sonar", "name": "s", "uid": "u"}
    owned["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    _write(tmp_path, deployed=(owned,))
    assert _run(tmp_path)[0] == 0


# A test that cannot fail, and names of what is not there


@pytest.mark.parametrize(
    ("result", "where", "what"),
    [
        ({"workload": "Deployment/sonar"}, 10, "nothing is expected, so this can never fail"),
        ({"workload": "sonar", "state": "Compliant"}, 10, "'sonar' is not KIND/NAME"),
        (
            {"workload": "Deployment/sonr", "state": "Compliant"},
            10,
            "no resource is Deployment/sonr",
        ),
        (
            {"workload": "Deployment/sonar", "state": "Compliant"},
            10,
            "it is in the namespace team",
        ),
        ({**RESULT, "product": "emqx"}, 18, "does not run emqx, but sonarqube"),
        ({**RESULT, "channel": "License"}, 18, "sonarqube has no channel License here"),
        ({**RESULT, "policy": "TelemetryPolicy/x"}, 12, "no policy is TelemetryPolicy/x"),
        ({**RESULT, "state": "compliant"}, 13, "Invalid enum value 'compliant'"),
        ({**RESULT, "reason": "Because"}, 14, "Invalid enum value 'Because'"),
        ({**RESULT, "stat": "Compliant"}, 18, "unknown field `stat`"),
        ({**RESULT, "sends": False}, 15, "put the value in quotes"),
        ({**RESULT, "patched": "nope.yaml"}, 18, "there is no nope.yaml"),
    ],
)
def test_what_is_wrong_in_a_result_has_its_line(
    tmp_path: Path, result: dict[str, Any], where: int, what: str
) -> None:
    _write(tmp_path, result)
    code, out = _run(tmp_path)
    assert code == 1
    assert what in out
    assert f"{tmp_path / FILE_NAME}:{where}: " in out


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"results": []}, "Expected `array` of length >= 1"),
        ({"resources": []}, "Expected `array` of length >= 1"),
        ({"resources": ["nope.yaml"]}, "resources: there is no nope.yaml"),
        ({"policies": ["-"]}, "policies: there is no -"),
        ({"kind": "Test"}, "Invalid enum value 'Test'"),
        ({"now": "2026-01-01"}, "now"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"results": [RESULT, RESULT]}, "line 10 has the same workload"),
    ],
)
def test_what_is_wrong_in_a_suite_is_no_test_that_passes(
    tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    _write(tmp_path, **change)
    code, out = _run(tmp_path)
    assert code == 1
    assert what in out


def test_a_policy_that_no_result_is_about_is_an_error(tmp_path: Path) -> None:
    other = {**_with_spec(products=["emqx"]), "metadata": {"name": "other"}}
    _write(tmp_path, written=(POLICY, other))
    code, out = _run(tmp_path)
    assert code == 1
    assert "no result is about what ClusterTelemetryPolicy/other covers" in out


def test_a_wrong_policy_is_an_error_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, written=(_with_spec(submision="Disabled"),))
    code, out = _run(tmp_path)
    assert code == 1
    assert f"{tmp_path / 'policies.yaml'}:" in out
    assert "submision" in out


def test_two_resources_of_one_name_are_an_error(tmp_path: Path) -> None:
    _write(tmp_path, deployed=(WORKLOAD, WORKLOAD))
    code, out = _run(tmp_path)
    assert code == 1
    assert "too; keep one of them" in out


@pytest.mark.parametrize(
    ("policies", "resources"),
    [
        (["."], ["."]),
        (["policies.yaml"], ["."]),
        (["."], ["resources.yaml"]),
        (["policies.yaml", "./policies.yaml"], ["resources.yaml"]),
    ],
)
def test_what_is_named_twice_is_read_once(
    tmp_path: Path, policies: list[str], resources: list[str]
) -> None:
    _write(tmp_path)
    suite = {**SUITE, "policies": policies, "resources": resources}
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(suite))
    code, out = _run(tmp_path)
    assert (code, out.splitlines()[-1]) == (0, "1 tests, 0 failed"), out


def test_a_folder_without_a_suite_is_an_error(tmp_path: Path) -> None:
    code, out = _run(tmp_path)
    assert code == 1
    assert f"{tmp_path}:1: there is no {FILE_NAME} in it" in out
    code, out = _run(tmp_path / "nope")
    assert code == 1
    assert "it is no folder" in out


def test_suites_below_a_folder_run_and_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _write(tmp_path / name)
    (tmp_path / "a" / FILE_NAME).write_text("results: [")
    code, out = _run(tmp_path)
    assert code == 1
    assert "ok    team/Deployment/sonar" in out
    assert f"{tmp_path / 'a' / FILE_NAME}:1: no YAML" in out


def test_junit_has_a_failure_for_each_test_that_fails(tmp_path: Path) -> None:
    _write(tmp_path, RESULT, {**RESULT, "channel": "UpdateCheck", "state": "Compliant"})
    file = tmp_path / "junit.xml"
    assert _run(tmp_path, "--junit", file)[0] == 1
    root = ElementTree.parse(file).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")
    (suite,) = root
    assert [case.get("line") for case in suite] == ["10", "18"]
    assert [one.tag for case in suite for one in case] == ["system-out", "failure"]


def test_the_example_passes() -> None:
    code, out = _run(EXAMPLES / "policy-tests")
    assert code == 0, out


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_file_is_a_suite_or_has_a_problem(text: bytes) -> None:
    problems = None
    try:
        read_suite("x.yaml", text)
    except FileError as error:
        problems = error.problems
    assert problems != ()
