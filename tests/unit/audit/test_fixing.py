"""What an audit prints to put a workload right, applied, and audited again."""

from __future__ import annotations

import copy
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.fixing.commands import kubectl_command, kustomize_patch, patch_yaml
from fleet_telemetry.audit.formats.fix_text import FixText
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.kustomize import KustomizeFormat
from fleet_telemetry.audit.result import Audit, Change, Fix, PatchForm, Place
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.cli.audit import audit as command
from fleet_telemetry.linting.table import TableKind
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.every import every
from tests.support.fixes import (
    NOW,
    answers,
    apply_fix,
    audited,
    changes_between,
    every_row,
    fix_for,
    manifest_of,
)
from tests.support.json_patch import PatchError

SONAR = "sonarqube:26.7.0.124771-community"
"""Two channels, each with a variable."""
LOKI = "grafana/loki:3.7.6"
"""An argument."""
DTRACK = "dependencytrack/apiserver:4.14.3"


def _with_env(image: str = SONAR, env: Any = None, **container: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "main", "image": image, **container}
    if env is not None:
        found["env"] = env
    return _deployment(found)


def _deployment(*containers: Any, kind: str = "Deployment", **metadata: Any) -> dict[str, Any]:
    labels = {"app": "it"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "it", "namespace": "team", **metadata},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}},
        },
    }


def _text(fix: Fix) -> str:
    return FixText().render(Audit(time=NOW, fixes=(fix,)), Screen())


# Every switch of the catalogue


@pytest.mark.thorough
@every("product", sorted(builtin().products))
def test_what_is_printed_does_what_it_says(product: str) -> None:
    for number, row in enumerate(every_row(product)):
        manifest = manifest_of(row, number)
        before = audited(manifest)
        for fix in before.fixes:
            after = apply_fix(manifest, fix)
            said = {(fix.name, one.product, one.channel): one.after for one in fix.outcomes}
            if fix.patch_form is not None:
                now = answers(audited(after))
                assert {key: now[key] for key in said} == said, row
                assert any(one is not Sends.YES for one in said.values()), row
            _assert_the_rest_is_untouched(manifest, after)
            added = {change for change in changes_between(manifest, after) if change[1][:2] != "- "}
            if fix.patch_form is not None:
                assert added == {(c.container, c.entry) for c in fix.changes if not c.removed}
            listed = [change for one in before.findings for change in one.changes]
            assert {*fix.changes} <= {*listed}


def _assert_the_rest_is_untouched(before: dict[str, Any], after: dict[str, Any]) -> None:
    def without_settings(given: dict[str, Any]) -> dict[str, Any]:
        found = copy.deepcopy(given)
        found["spec"].pop("suspend", None)
        for one in dig(found, *TEMPLATE_PATHS[found["kind"]], "spec", "containers"):
            one.pop("env", None)
            one.pop("args", None)
        return found

    assert without_settings(before) == without_settings(after)


def test_what_sends_nothing_needs_nothing() -> None:
    env = [
        {"name": "SONAR_TELEMETRY_ENABLE", "value": "false"},
        {"name": "SONAR_UPDATECENTER_ACTIVATE", "value": "false"},
    ]
    result = audited(_with_env(env=env))
    assert result.fixes == ()
    assert not any(one.changes for one in result.findings)
    assert FixText().render(result, Screen()).startswith("Nothing to correct")
    assert yaml.safe_load(KustomizeFormat().render(result, Screen()))["patches"] == []


def test_each_channel_has_its_own_changes_and_the_workload_one_patch() -> None:
    result = audited(_with_env())
    assert {one.channel: [c.entry for c in one.changes] for one in result.findings} == {
        "Usage": ["SONAR_TELEMETRY_ENABLE=false"],
        "UpdateCheck": ["SONAR_UPDATECENTER_ACTIVATE=false"],
    }
    (fix,) = result.fixes
    assert [one.entry for one in fix.changes] == [
        "SONAR_TELEMETRY_ENABLE=false",
        "SONAR_UPDATECENTER_ACTIVATE=false",
    ]
    assert {one.after for one in fix.outcomes} == {Sends.NO}


def test_only_fixes_that_are_asked_for_are_made() -> None:
    assert audit([Gathered([])], NOW, Definitions()).fixes == ()


# The form of the patch


def test_a_variable_that_stands_twice_is_changed_where_it_counts() -> None:
    env = [{"name": "SONAR_TELEMETRY_ENABLE", "value": value} for value in ("false", "true")]
    manifest = _with_env(env=env)
    fix = fix_for(manifest)
    assert fix.patch_form is PatchForm.JSON
    after = apply_fix(manifest, fix)
    assert set(answers(audited(after)).values()) == {Sends.NO}


def test_arguments_of_others_are_not_printed() -> None:
    args = ["-config.file=/etc/loki.yaml", "-password=hunter2", "-log.level=info"]
    manifest = _with_env(LOKI, args=args)
    fix = fix_for(manifest)
    assert fix.patch_form is PatchForm.JSON
    printed = json.dumps(fix.patch) + _text(fix) + kubectl_command(fix)
    assert "hunter2" not in printed
    assert sorted(_args(apply_fix(manifest, fix))) == sorted([*args, "-reporting.enabled=false"])


def _args(manifest: dict[str, Any]) -> list[str]:
    found: list[str] = manifest["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def test_a_json_patch_fails_where_something_else_stands() -> None:
    manifest = _with_env(LOKI, args=["-reporting.enabled=true", "-log.level=info"])
    fix = fix_for(manifest)
    moved = copy.deepcopy(manifest)
    _args(moved).reverse()
    with pytest.raises(PatchError):
        apply_fix(moved, fix)
    other = copy.deepcopy(manifest)
    other["spec"]["template"]["spec"]["containers"][0]["name"] = "other"
    with pytest.raises(PatchError):
        apply_fix(other, fix)


def test_a_json_patch_of_what_a_cluster_holds_fails_once_that_has_changed() -> None:
    manifest = _with_env(LOKI, args=["-log.level=info"])
    manifest["metadata"]["generation"] = 7
    fix = fix_for(manifest)
    with pytest.raises(PatchError):
        apply_fix({**manifest, "metadata": {**manifest["metadata"], "generation": 8}}, fix)
    # Manifests in files have none.
    patch = kustomize_patch(fix)
    assert patch is not None
    assert "generation" not in patch["patch"] + patch_yaml(fix)


def test_a_custom_resource_gets_a_json_patch() -> None:
    manifest = _with_env()
    manifest |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    fix = fix_for(manifest, Place(cluster="prod"))
    assert fix.patch_form is PatchForm.JSON
    assert " rollouts.argoproj.io/it " in kubectl_command(fix)
    assert set(answers(audited(apply_fix(manifest, fix))).values()) == {Sends.NO}


def test_a_native_sidecar_is_patched_where_it_stands() -> None:
    manifest = _deployment({"name": "web", "image": "nginx"})
    init = [
        {"name": "setup", "image": "busybox"},
        {"name": "sonar", "image": SONAR, "restartPolicy": "Always"},
    ]
    manifest["spec"]["template"]["spec"]["initContainers"] = init
    after = apply_fix(manifest, fix_for(manifest))
    patched = after["spec"]["template"]["spec"]["initContainers"]
    assert [one["name"] for one in patched] == ["setup", "sonar"]
    assert len(patched[1]["env"]) == 2
    assert after["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "nginx"}]


def test_a_removed_variable_is_named_without_its_value() -> None:
    env = [
        {"name": "TELEMETRY_SUBMISSION_ENABLED_DEFAULT", "value": "s3cret"},
        {"name": "OTHER", "value": "stays"},
    ]
    manifest = _with_env("dependencytrack/apiserver:5.6.0", env=env)
    fix = fix_for(manifest)
    removed = Change(container="main", entry="TELEMETRY_SUBMISSION_ENABLED_DEFAULT", removed=True)
    assert removed in fix.changes
    assert "s3cret" not in _text(fix) + json.dumps(fix.patch)
    left = apply_fix(manifest, fix)["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "OTHER", "value": "stays"} in left
    assert "TELEMETRY_SUBMISSION_ENABLED_DEFAULT" not in [one["name"] for one in left]


# Where no patch helps


def test_a_value_by_reference_is_changed_by_hand() -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "telemetry"}}
    fix = fix_for(_with_env(env=[{"name": "SONAR_TELEMETRY_ENABLE", "valueFrom": source}]))
    (obstacle,) = fix.obstacles
    assert obstacle.entry == "SONAR_TELEMETRY_ENABLE"
    assert "By hand: SONAR_TELEMETRY_ENABLE in container main: The value" in _text(fix)


def test_what_another_setting_overrides_is_no_fix() -> None:
    manifest = _with_env("ghcr.io/coroot/coroot:1.24.5", args=["--no-disable-usage-statistics"])
    fix = fix_for(manifest)
    assert fix.patch is None
    assert "it sends, and would with the change, too" in _text(fix)
    assert "--no-disable-usage-statistics overrides it" in _text(fix)


def test_without_a_setting_there_is_the_remedy_of_the_vendor() -> None:
    fix = fix_for(_with_env("index.docker.io/sourcegraph/frontend:7.6.0"))
    assert (fix.changes, fix.patch) == ((), None)
    assert "no setting is known that changes it" in _text(fix)
    assert "  The vendor: " in _text(fix)


def test_a_job_is_created_again() -> None:
    manifest = _deployment({"name": "main", "image": SONAR}, kind="Job")
    manifest["apiVersion"] = "batch/v1"
    fix = fix_for(manifest)
    assert fix.changes
    assert fix.patch is None
    assert "Delete it, and create it with the change" in _text(fix)


def test_what_a_controller_writes_is_changed_there() -> None:
    owner = {
        "apiVersion": "apps.emqx.io/v2beta1",
        "kind": "EMQX",
        "name": "broker",
        "uid": "u",
        "controller": True,
    }
    manifest = _deployment({"name": "main", "image": SONAR}, ownerReferences=[owner])
    fix = fix_for(manifest)
    assert fix.changes
    assert fix.patch is None
    assert "EMQX broker writes this Deployment, and would undo a patch" in _text(fix)


def test_a_name_that_is_none_gets_no_patch() -> None:
    for names in (
        ("Main", "it"),
        ("main", "it;reboot"),
        ("", "it"),
        ("main\n", "it"),
        ("main", ""),
    ):
        container, name = names
        manifest = _deployment({"name": container, "image": SONAR}, name=name)
        fix = fix_for(manifest, Place(cluster="prod"))
        assert fix.patch is None, names
        assert kubectl_command(fix) == ""
        assert "reboot" not in "".join(_text(fix).splitlines()[1:])


# What else happens


@pytest.mark.parametrize(
    ("kind", "spec", "note"),
    [
        ("Deployment", {}, "The pods are replaced: it is a rollout."),
        ("Deployment", {"paused": True}, "once the workload is resumed"),
        ("Deployment", {"replicas": 0}, "No pod runs. The next one has the change."),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "once somebody deletes them"),
        ("ReplicaSet", {}, "once somebody deletes them"),
    ],
)
def test_it_says_when_pods_are_restarted(kind: str, spec: dict[str, Any], note: str) -> None:
    manifest = _deployment({"name": "main", "image": SONAR}, kind=kind)
    manifest["spec"] |= spec
    assert note in _text(fix_for(manifest))


def test_a_cron_job_restarts_nothing() -> None:
    row = next(one for one in every_row("linkerd") if one.kind is TableKind.CRON_JOB)
    assert "The CronJob starts no more Jobs." in _text(fix_for(manifest_of(row)))


def test_it_says_that_a_seed_may_come_too_late() -> None:
    text = _text(fix_for(_with_env(DTRACK)))
    assert "counts only when the product first initialises its data" in text


def test_data_that_may_be_there_is_not_taken_for_new() -> None:
    manifest = _with_env(DTRACK, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    claim = {"persistentVolumeClaim": {"claimName": "data"}}
    manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "data", **claim}]
    (outcome,) = fix_for(manifest).outcomes
    assert (outcome.after, outcome.reason) == (Sends.UNKNOWN, "SeedNotProven")


@pytest.mark.parametrize(
    ("label", "tool"),
    [
        ("argocd.argoproj.io/instance", "Argo CD writes this workload"),
        ("kustomize.toolkit.fluxcd.io/name", "Flux writes this workload"),
        ("helm.sh/chart", "Helm wrote this workload"),
    ],
)
def test_it_names_the_tool_that_would_undo_a_patch(label: str, tool: str) -> None:
    manifest = _deployment({"name": "main", "image": SONAR}, labels={label: "x"})
    assert tool in _text(fix_for(manifest))


@pytest.mark.parametrize(
    ("image", "container", "label", "chart", "values"),
    [
        (
            SONAR,
            "sonarqube",
            "chart",
            "sonarqube-2026.5.0",
            {
                "env": [
                    {"name": "SONAR_TELEMETRY_ENABLE", "value": "false"},
                    {"name": "SONAR_UPDATECENTER_ACTIVATE", "value": "false"},
                ]
            },
        ),
        (
            DTRACK,
            "dependency-track-api-server",
            "helm.sh/chart",
            "dependency-track-1.3.0",
            {
                "apiServer": {
                    "extraEnv": [{"name": "TELEMETRY_SUBMISSION_ENABLED_DEFAULT", "value": "false"}]
                }
            },
        ),
        (DTRACK, "dependency-track-api-server", "helm.sh/chart", "dependency-track-2.0.0", None),
        (SONAR, "sonarqube", "helm.sh/chart", "my-sonarqube-2026.5.0", None),
        (SONAR, "web", "helm.sh/chart", "sonarqube-2026.5.0", None),
        (
            "qdrant/qdrant:v1.15.4",
            "qdrant",
            "helm.sh/chart",
            "qdrant-1.15.4",
            {"env": [{"name": "QDRANT__TELEMETRY_DISABLED", "value": "true"}]},
        ),
        (
            "unleashorg/unleash-server:7.3.0",
            "unleash",
            "helm.sh/chart",
            "unleash-5.6.6",
            {
                "env": [
                    {"name": "SEND_TELEMETRY", "value": "false"},
                    {"name": "CHECK_VERSION", "value": "false"},
                ]
            },
        ),
        ("unleashorg/unleash-server:7.3.0", "unleash", "helm.sh/chart", "unleash-edge-5.0.0", None),
    ],
)
def test_values_are_those_of_charts_that_are_known(
    image: str, container: str, label: str, chart: str, values: dict[str, Any] | None
) -> None:
    manifest = _deployment({"name": container, "image": image}, labels={label: chart})
    fix = fix_for(manifest)
    assert (fix.chart, fix.helm_values) == (chart, values)
    assert (f"Values of the chart {chart}" in _text(fix)) is (values is not None)
    assert "Helm wrote this workload" in _text(fix)


TRAEFIK = {"name": "t", "image": "traefik:v3.6.0", "args": ["--ping=true"]}
PREFECT = {
    "name": "prefect-server",
    "image": "prefecthq/prefect:3.4.0-python3.11",
    "command": ["/usr/bin/tini", "-g", "--", "/opt/prefect/entrypoint.sh"],
    "args": ["prefect", "server", "start"],
}


@pytest.mark.parametrize(
    ("container", "chart", "values"),
    [
        (TRAEFIK, "traefik-41.3.0", {"global": {"checkNewVersion": False}}),
        # Its Usage is off by default; where somebody has switched it on, both are values.
        (
            {**TRAEFIK, "args": ["--global.sendAnonymousUsage"]},
            "traefik-41.3.0",
            {"global": {"checkNewVersion": False, "sendAnonymousUsage": False}},
        ),
        (TRAEFIK, "traefik-40.0.0", None),
        (
            PREFECT,
            "prefect-server-2026.8.18172642",
            {"server": {"env": [{"name": "PREFECT_SERVER_ANALYTICS_ENABLED", "value": "false"}]}},
        ),
    ],
)
def test_values_of_charts_with_arguments(
    container: dict[str, Any], chart: str, values: dict[str, Any] | None
) -> None:
    fix = fix_for(_deployment(container, labels={"helm.sh/chart": chart}))
    assert fix.helm_values == values


# Foreign text


@given(cluster=st.text(max_size=40))
def test_a_context_is_one_word_of_the_command(cluster: str) -> None:
    fix = fix_for(_with_env(), Place(cluster=cluster))
    command = kubectl_command(fix)
    if not cluster.isprintable():
        assert command == ""
        return
    words = shlex.split(command)
    expected = [f"--context={cluster}"] if cluster else []
    assert words[:-1] == [
        "kubectl",
        *expected,
        "--namespace=team",
        "patch",
        "deployments.apps/it",
        "--type=strategic",
    ]
    assert json.loads(words[-1].removeprefix("--patch=")) == fix.patch
    assert command.isprintable()


@given(
    file=st.text(max_size=30),
    name=st.text(max_size=30),
    container=st.text(max_size=30),
    value=st.text(max_size=30),
)
def test_no_foreign_text_controls_a_terminal_or_leaves_its_line(
    file: str, name: str, container: str, value: str
) -> None:
    env = [{"name": "SONAR_TELEMETRY_ENABLE", "value": value}]
    manifest = _deployment(
        {"name": container, "image": SONAR, "env": env}, name=name, labels={"helm.sh/chart": value}
    )
    result = audited(manifest, place=Place(file=file, line=1))
    for form in (FixText(), KustomizeFormat()):
        text = form.render(result, Screen())
        assert all(line.isprintable() for line in text.split("\n"))
    yaml.safe_load(KustomizeFormat().render(result, Screen()))


def test_a_file_is_named_with_its_line_and_no_cluster_is_touched() -> None:
    text = _text(fix_for(_with_env(), Place(file="apps/sonar.yaml", line=12)))
    assert text.startswith("Deployment team/it (apps/sonar.yaml:12)\n")
    assert "kubectl" not in text
    assert "kubectl --context=prod " in _text(fix_for(_with_env(), Place(cluster="prod")))


# The command


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (("--fix",), "Deployment team/it ("),
        (("--fix-format=text",), "Deployment team/it ("),
        (("--fix", "--fix-format=kustomize"), "# Deployment it: "),
        (("--fix", "--output=json"), "{\n"),
    ],
)
def test_the_command_prints_fixes_and_has_the_status_of_the_audit(
    tmp_path: Path, arguments: tuple[str, ...], begins: str
) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(yaml.safe_dump(_with_env()))
    done = CliRunner().invoke(command, [str(path), *arguments])
    assert done.exit_code == 2
    assert done.stdout.startswith(begins), done.stdout
    if "--output=json" in arguments:
        (fix,) = json.loads(done.stdout)["fixes"]
        assert fix["patchForm"] == "strategic"
        assert fix["patch"]["spec"]["template"]["spec"]["containers"][0]["name"] == "main"


def test_without_fix_the_result_has_none(tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(yaml.safe_dump(_with_env()))
    done = CliRunner().invoke(command, [str(path), "--output=json"])
    assert not json.loads(done.stdout).get("fixes")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(cluster="prod"), "kubectl --context=prod "),
        (Place(cluster="prod", context="kind-1"), "kubectl --context=kind-1 "),
        (Place(cluster="in-cluster", context=""), "kubectl --namespace="),
    ],
)
def test_the_command_names_the_context_whatever_the_cluster_is_called(
    place: Place, expected: str
) -> None:
    assert kubectl_command(fix_for(_with_env(), place)).startswith(expected)
