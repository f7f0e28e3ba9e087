"""A real Prometheus scrapes the real operator: every query of a dashboard, every variable and every
rule is executed there, and says of a small fleet what is to be said of it."""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster.foreign_crds import foreign_crds
from dev.harness.operator import CHART, NAMESPACE, RELEASE
from dev.harness.prometheus import LocalPrometheus, Sample
from dev.harness.showcase import (
    ASKED,
    CLUSTER_NAME,
    CONTAINED,
    CONTAINED_HOST,
    EXEMPTED,
    FLEET,
    REFUSING,
    TEAMS,
    Member,
)
from dev.harness.stage import ROLES, Stage, staged
from observability.__main__ import FILE, draw
from observability.alerts import RECORDINGS
from observability.asking import filled_in
from observability.dashboards.files import dashboard_files
from observability.rules import rule_groups
from tests.support import promtool

pytestmark = pytest.mark.cluster

GOVERNED = [member for member in FLEET if member.state]
OPTED_OUT = [member for member in GOVERNED if member.state != "Exempt"]
AMISS = [member for member in OPTED_OUT if member.state != "Compliant"]
PROVEN = (len(OPTED_OUT) - len(AMISS)) / len(OPTED_OUT)
SECONDS = 15
"""So far back ranges go."""


def impatient_rules() -> str:
    """The rules, without the patience that they have."""
    groups = rule_groups()
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(groups)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("prometheus"), rules=impatient_rules()) as stage:
        names = [recording.name for recording in RECORDINGS]
        stage.prometheus.await_that(
            lambda: all(stage.prometheus.query(name) for name in names),
            "a result of every recording rule",
        )
        yield stage


Json = dict[str, Any]
BOARDS: dict[str, Json] = {name: json.loads(text) for name, text in dashboard_files()}
PANELS = [
    pytest.param(board["uid"], panel, id=f"{board['uid']}: {panel['title']}")
    for board in BOARDS.values()
    for panel in board["panels"]
]
VARIABLES = [
    pytest.param(board["uid"], variable, id=f"{board['uid']}: {variable['name']}")
    for board in BOARDS.values()
    for variable in board["templating"]["list"]
    if variable["type"] == "query"
]


# What the panels have to show, from the fleet as it was made

Results = list[list[Sample]]
"""By query."""
Check = Callable[[Results], None]


def one(expected: float) -> Check:
    """A single number."""

    def check(results: Results) -> None:
        (samples,) = results
        assert [sample.value for sample in samples] == [pytest.approx(expected)]

    return check


def between(least: float, most: float) -> Check:
    """A single number in a range."""

    def check(results: Results) -> None:
        (samples,) = results
        (sample,) = samples
        assert least <= sample.value <= most

    return check


def counts(expected: Mapping[Any, int], *labels: str) -> Check:
    """Numbers by labels; a zero is as good as nothing."""

    def check(results: Results) -> None:
        (samples,) = results
        found = {
            tuple(sample.labels[label] for label in labels): sample.value
            for sample in samples
            if sample.value
        }
        assert found == {
            key if isinstance(key, tuple) else (key,): n for key, n in expected.items()
        }

    return check


def names(sample: Sample) -> tuple[str, str, str]:
    return sample.labels["resource_namespace"], sample.labels["kind"], sample.labels["name"]


def named(member: Member) -> tuple[str, str, str]:
    return member.namespace, member.kind, member.name


def states(*members: Member) -> Check:
    """Those workloads with their states and reasons, and no others."""

    def check(results: Results) -> None:
        (samples,) = results
        found = {(*names(s), s.labels["state"], s.labels["reason"]) for s in samples}
        assert found == {(*named(m), m.state, m.reason) for m in members}
        assert len(samples) == len(members)

    return check


def amiss(results: Results) -> None:
    states(*AMISS)(results)
    versions = {sample.labels["name"]: sample.labels.get("version", "") for sample in results[0]}
    assert versions["dependency-track"] == "4.14.3"
    # A tag that says nothing.
    assert versions["sonarqube-nightly"] == ""
    assert {s.labels["policy"] for s in results[0]} == {"opt-out"}


def evidence(results: Results) -> None:
    (samples,) = results
    said = {
        (*names(s), s.labels["evidence"]): s.value
        for s in samples
        if s.labels["channel"] == "Usage"
    }
    assert said[*named(ASKED), "declared"] == said[*named(ASKED), "running"] == 0
    assert said[*named(ASKED), "reported"] == 1
    assert said[*named(REFUSING), "running"] == 0
    assert (*named(REFUSING), "reported") not in said
    # Where the network lets it out, that says nothing.
    denied = {key[:3] for key in said if key[3] == "egress"}
    assert denied == {named(member) for member in FLEET if member.namespace == CONTAINED}
    assert said[*named(EXEMPTED), "running"] == 1


def versions(results: Results) -> None:
    running, asked = results
    assert {names(sample) for sample in running} == {named(member) for member in FLEET}
    outcome = {names(sample): sample.labels["result"] for sample in asked}
    assert outcome[named(ASKED)] == "ok"
    assert outcome[named(REFUSING)] == "CredentialsRejected"
    assert all(abs(sample.value / 1000 - time.time()) < 600 for sample in asked)


def series(label: str, *some: str) -> Check:
    """For each query some series, with numbers and the label; among its values are these."""

    def check(results: Results) -> None:
        for samples in results:
            assert samples
            assert all(sample.value >= 0 for sample in samples if not math.isnan(sample.value))
            assert set(some) <= {sample.labels[label] for sample in samples}

    return check


def reconcile_durations(results: Results) -> None:
    past, under_way = results
    series("subject", "workload", "policy")([past])
    between(0, 60)([under_way])


def replicas(results: Results) -> None:
    (samples,) = results
    assert sorted(sample.labels["role"] for sample in samples) == sorted(ROLES)
    assert {sample.labels["job"] for sample in samples} == {
        f"{RELEASE}-{role}-metrics" for role in ROLES
    }


def exceptions(results: Results) -> None:
    (sample,) = results[0]
    assert names(sample) == named(EXEMPTED)
    assert sample.labels["policy_kind"] == "ClusterTelemetryPolicy"
    assert 0 < sample.value / 1000 - time.time() < 3 * 86400


def telemetry_hosts(results: Results) -> None:
    denied, allowed, answered = results
    for samples in results:
        assert [sample.labels["host"] for sample in samples] == [CONTAINED_HOST]
    # Those that the name server gives and those that the catalogue knows.
    assert denied[0].value >= allowed[0].value >= 2
    assert abs(answered[0].value / 1000 - time.time()) < 600


def host_problems(results: Results) -> None:
    conditions, stale, refused = results
    found = {sample.labels["condition"]: sample.value for sample in conditions}
    # Its addresses are those of a provider that others use, too.
    assert found == {"Held": 0, "Sinkholed": 0, "CollateralRisk": 1}
    assert [sample.value for sample in stale] == [0]
    assert {s.labels["reason"]: s.value for s in refused} == {"sinkhole": 0, "impossible": 0}


OWN_WORKLOADS = len(ROLES)
"""Deployments of the operator itself, which run no known product."""


def shares(label: str, of: Callable[[Member], str]) -> Check:
    """The opted-out workloads, the proven ones of them, and their share, by a label."""

    def check(results: Results) -> None:
        found = [
            {sample.labels.get(label, ""): sample.value for sample in samples}
            for samples in results
        ]
        opted_out = Counter(of(member) for member in OPTED_OUT)
        proven = {
            key: sum(of(m) == key and m.state == "Compliant" for m in OPTED_OUT)
            for key in opted_out
        }
        assert found == [
            opted_out,
            proven,
            {key: pytest.approx(proven[key] / opted_out[key]) for key in opted_out},
        ]

    return check


def team_of(member: Member) -> str:
    return TEAMS[member.namespace] or "(none)"


def coverage(results: Results) -> None:
    seen, known, uncovered = (
        {sample.labels["resource_namespace"]: sample.value for sample in samples}
        for samples in results
    )
    members = Counter(member.namespace for member in FLEET)
    assert known == {**members, NAMESPACE: 0}
    assert seen == {**members, NAMESPACE: OWN_WORKLOADS}
    assert uncovered["sandbox"] >= 1


def proofs(results: Results) -> None:
    (samples,) = results
    found = {(s.labels["product"], s.labels["reason"]): s.value for s in samples}
    expected = Counter((m.product, m.reason) for m in GOVERNED if m.state == "Compliant")
    assert found == expected


def since(*members: Member) -> Check:
    """The states, and times that are plausible."""

    def check(results: Results) -> None:
        (samples,) = results
        assert {names(sample) for sample in samples} == {named(member) for member in members}
        for sample in samples:
            assert sample.labels["reason"]
            assert abs(sample.value / 1000 - time.time()) < A_DAY

    return check


def exceptions_with_reason(results: Results) -> None:
    (info,), _ = results
    assert info.labels["reason"] == "contract until spring"
    assert names(info) == named(EXEMPTED)
    exceptions(results[1:])


def nothing(results: Results) -> None:
    """DNS is not observed here."""
    assert results
    assert not any(results)


BY_STATE = Counter(member.state for member in GOVERNED)
A_DAY = 86400.0
EXPECTED: dict[tuple[str, str], Check] = {
    ("fleet-telemetry-overview", title): check
    for title, check in {
        "Proven opted out": one(PROVEN),
        "Opted out": one(len(OPTED_OUT)),
        "Reported as submitting": one(1),
        "Running with telemetry on": one(1),
        "Submitted after opt-out": one(0),
        "Unknown": one(1),
        "Exempt": one(1),
        "Usage without policy": one(1),
        "Policies with a problem": one(0),
        "States over time": counts(BY_STATE, "state"),
        "By product": counts(Counter((m.product, m.state) for m in GOVERNED), "product", "state"),
        "By namespace": counts(
            Counter((m.namespace, m.state) for m in GOVERNED), "resource_namespace", "state"
        ),
        "Not compliant, with reason": amiss,
        "Expiring exceptions": exceptions,
        "Egress": counts(
            Counter(
                (m.product, "Denied" if m.namespace == CONTAINED else "Open") for m in FLEET
            ),
            "product",
            "verdict",
        ),
    }.items()
} | {
    ("fleet-telemetry-compliance", title): check
    for title, check in {
        "Proven opted out": one(PROVEN),
        "Workloads with a known product": one(len(FLEET) / (len(FLEET) + OWN_WORKLOADS)),
        "Longest not compliant": between(0, A_DAY),
        "Workloads with an exception": one(1),
        "By cluster": shares("cluster", lambda _: ""),
        "By team": shares("team", team_of),
        "Coverage by namespace": coverage,
        "Proven by": proofs,
        "Not compliant, since when": since(*AMISS),
        "Compliant, proven by what": since(*(m for m in GOVERNED if m.state == "Compliant")),
        "Exceptions": exceptions_with_reason,
    }.items()
} | {
    ("fleet-telemetry-workload", title): check
    for title, check in {
        "Not proven compliant": one(len(AMISS)),
        "Last submission": one(1_795_000_000_000),
        "Compliant since": between((time.time() - A_DAY) * 1000, (time.time() + A_DAY) * 1000),
        "Last checked": between((time.time() - A_DAY) * 1000, (time.time() + A_DAY) * 1000),
        "State and reason": states(*GOVERNED),
        "Evidence over time": evidence,
        "States over time": counts(BY_STATE, "state"),
        "Version and last check": versions,
    }.items()
} | {
    ("fleet-telemetry-observed", title): check
    for title, check in {
        "Opted-out workloads with contacts": one(0),
        "No lookup can be missing for": nothing,
        "Name servers not connected": nothing,
        "Lost reports": nothing,
        "Lookups by product and host class": nothing,
        "Contacts of opted-out workloads": nothing,
        "Name servers": nothing,
        "Lookups that are no workload's": nothing,
        "Reports of name servers": nothing,
        "Refused connections": nothing,
    }.items()
} | {
    ("fleet-telemetry-operator", title): check
    for title, check in {
        "Leaders": one(1),
        "Synced replicas": one(2),
        "Certificate expires in": between(7 * A_DAY, 36500 * A_DAY),
        "Oldest queued key": between(0, 60),
        "Drift": one(0),
        "Remediations": one(0),
        "Admission: duration": series("path", "mutate", "validate"),
        "Admission: requests": series("result", "patched", "accepted"),
        "Reconciles": series("subject", "workload", "policy"),
        "Reconciles: duration": reconcile_durations,
        "Work queue: wait": series("instance"),
        "Work queue": series("instance"),
        "Requests to the API server": series("code", "200"),
        "Product checks": series("result", "ok", "CredentialsRejected"),
        "Product checks: duration": series("product", "dependency-track"),
        "Telemetry hosts": telemetry_hosts,
        "Telemetry hosts with a problem": host_problems,
        "Writes of network policies": series("resource", "networkpolicies"),
        "Time since last watch event": series("watched", "Lease", "Pod", "WorkloadTelemetry"),
        "Memory": series("instance"),
        "CPU": series("instance"),
        "Replicas": replicas,
    }.items()
}  # fmt: skip


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_panel(stage: Stage, board: str, panel: Json) -> None:
    results = []
    for target in panel["targets"]:
        expression = filled_in(target["expr"])
        if target["instant"]:
            results.append(stage.prometheus.query(expression))
        else:
            ranges = stage.prometheus.query_range(expression, seconds=SECONDS)
            results.append([Sample(labels, values[-1]) for labels, values in ranges])
    EXPECTED[board, panel["title"]](results)


def test_no_panel_goes_unlooked_at() -> None:
    """A new panel needs an expectation."""
    known = {
        (board["uid"], panel["title"]) for board in BOARDS.values() for panel in board["panels"]
    }
    assert known == set(EXPECTED)


def test_the_processes_name_the_cluster(stage: Stage) -> None:
    found = stage.prometheus.query("fleet_telemetry_cluster_info")
    assert [sample.labels["cluster_name"] for sample in found] == [CLUSTER_NAME] * len(ROLES)


def test_teams_are_those_of_the_namespaces(stage: Stage) -> None:
    found = stage.prometheus.query("fleet_telemetry_namespace_team")
    teams = {sample.labels["resource_namespace"]: sample.labels["team"] for sample in found}
    assert teams == {name: team or "(none)" for name, team in {**TEAMS, NAMESPACE: ""}.items()}


@pytest.mark.parametrize(
    "board",
    ["fleet-telemetry-overview", "fleet-telemetry-compliance", "fleet-telemetry-workload"],
)
def test_a_chosen_namespace_and_product_are_all_that_is_shown(stage: Stage, board: str) -> None:
    chosen = {"namespace": "iot", "product": "emqx"}
    for panel in BOARDS[f"{board}.json"]["panels"]:
        for target in panel["targets"]:
            for sample in stage.prometheus.query(filled_in(target["expr"], **chosen)):
                assert sample.labels.get("resource_namespace", "iot") == "iot", panel["title"]
                assert sample.labels.get("product", "emqx") == "emqx", panel["title"]
    opted_out = BOARDS["fleet-telemetry-overview.json"]["panels"][1]["targets"][0]["expr"]
    (sample,) = stage.prometheus.query(filled_in(opted_out, **chosen))
    assert sample.value == 3


VALUES = {
    "cluster": [],
    "job": [f"{RELEASE}-controller-metrics", f"{RELEASE}-webhook-metrics"],
    "namespace": sorted({member.namespace for member in FLEET}),
    "product": sorted({member.product for member in FLEET}),
    "workload": sorted({member.name for member in FLEET}),
}


@pytest.mark.parametrize(("board", "variable"), VARIABLES)
def test_variable(stage: Stage, board: str, variable: Json) -> None:
    del board
    asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
    assert asked
    found = stage.prometheus.label_values(asked[2], filled_in(asked[1]))
    if variable["name"] == "instance":
        assert len(found) == len(ROLES)
    else:
        assert sorted(found) == VALUES[variable["name"]]


def test_rules_are_evaluated_without_a_complaint(stage: Stage) -> None:
    assert stage.prometheus.problems() == []


def test_recordings(stage: Stage) -> None:
    found = {recording.name: stage.prometheus.query(recording.name) for recording in RECORDINGS}
    ratio, by_product, p99 = found.values()
    assert [sample.value for sample in ratio] == [pytest.approx(PROVEN)]
    expected = {
        product: sum(m.state == "Compliant" for m in OPTED_OUT if m.product == product)
        / sum(m.product == product for m in OPTED_OUT)
        for product in {member.product for member in OPTED_OUT}
    }
    assert {s.labels["product"]: s.value for s in by_product} == pytest.approx(expected)
    assert {s.labels["path"] for s in p99} == {"mutate", "validate"}


def test_metrics_are_as_prometheus_likes_them(stage: Stage) -> None:
    for role in ROLES:
        done = promtool.run("check", "metrics", stdin=stage.operator.metrics(role))
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), role


def test_the_picture_of_the_readme_is_what_the_queries_yield(stage: Stage) -> None:
    assert FILE.read_text() == draw(stage.prometheus), "run `make picture`"


def test_histograms_can_be_had_as_native_ones(stage: Stage) -> None:
    name = "fleet_telemetry_admission_duration_seconds"
    (native,) = stage.prometheus.query(f'histogram_quantile(0.5, sum({name}{{path="mutate"}}))')
    (classic,) = stage.prometheus.query(
        f'histogram_quantile(0.5, sum by (le) ({name}_bucket{{path="mutate"}}))'
    )
    assert 0 < native.value < 10
    assert native.value == pytest.approx(classic.value)
    (counted,) = stage.prometheus.query(f'histogram_count(sum({name}{{path="mutate"}}))')
    assert counted.value >= len(FLEET)


def alerts_of(prometheus: LocalPrometheus) -> dict[str, set[tuple[str, ...]]]:
    """The alerts that fire, with the workloads, or whatever else, that they name."""
    return {
        name: {
            tuple(labels[key] for key in ("resource_namespace", "kind", "name") if key in labels)
            for labels in found
        }
        for name, found in prometheus.firing().items()
    }


STANDING = {
    "FleetTelemetrySubmissionReported": {named(ASKED)},
    "FleetTelemetrySubmissionRunning": {("code", "Deployment", "sonarqube-old")},
    "FleetTelemetryUnknownTooLong": {("platform", "Deployment", "sonarqube-nightly")},
    "FleetTelemetryCredentialsRejected": {named(REFUSING)},
    "FleetTelemetryExceptionExpiring": {named(EXEMPTED)},
}
"""What is wrong with the fleet, and what would be if it stayed so."""


def test_alerts_name_what_is_wrong_and_nothing_else(stage: Stage) -> None:
    stage.prometheus.await_that(
        lambda: alerts_of(stage.prometheus) == STANDING, "the fleet's alerts"
    )


def test_the_chart_brings_rules_monitors_and_dashboards(stage: Stage) -> None:
    for path in foreign_crds("prometheus-operator"):
        # Server-side, because they are larger than an annotation may be.
        stage.cluster.kubectl("apply", "--server-side", f"--filename={path}")
    metrics = {
        "serviceMonitor": {"enabled": True, "nativeHistograms": True, "labels": {"scrape": "me"}},
        "prometheusRule": {"enabled": True, "runbooks": "https://wiki.example.com/runbooks/"},
        "dashboards": {"enabled": True},
    }
    stage.operator.install({**stage.showcase.values, "metrics": metrics})  # without teams

    def get(kind: str, name: str) -> Json:
        text = stage.cluster.kubectl(
            "get", kind, name, f"--namespace={NAMESPACE}", "--output=json"
        ).stdout
        found: Json = json.loads(text)
        return found

    boards = get("configmap", f"{RELEASE}-dashboards")
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {n: json.loads(t) for n, t in boards["data"].items()} == BOARDS
    rules = get("prometheusrule", RELEASE)["spec"]["groups"]
    expected = yaml.safe_load((CHART / "files" / "prometheus-rules.yaml").read_text())["groups"]
    assert expected == rule_groups()["groups"]
    for group in expected:
        for rule in group["rules"]:
            if "annotations" in rule:
                runbook = f"https://wiki.example.com/runbooks/{rule['alert']}.md"
                rule["annotations"]["runbook_url"] = runbook
    assert rules == expected
    monitor = get("servicemonitor", RELEASE)
    assert monitor["metadata"]["labels"]["scrape"] == "me"
    assert monitor["spec"]["convertClassicHistogramsToNHCB"] is True
    selected = stage.cluster.kubectl(
        "get", "services", f"--namespace={NAMESPACE}", "--output=json",
        "--selector=" + ",".join(
            f"{k}={v}" for k, v in monitor["spec"]["selector"]["matchLabels"].items()
        ),
    ).stdout  # fmt: skip
    (endpoint,) = monitor["spec"]["endpoints"]
    scraped = {
        service["metadata"]["name"]
        for service in json.loads(selected)["items"]
        for port in service["spec"]["ports"]
        if port["name"] == endpoint["port"]
    }
    # The jobs by which the tests above scrape.
    assert scraped == {f"{RELEASE}-{role}-metrics" for role in ROLES}


def test_what_breaks_is_alerted(tmp_path: Path) -> None:
    """On a stage of its own, because nothing is left of it."""
    with staged(tmp_path, rules=impatient_rules()) as stage:
        prometheus, product = stage.prometheus, stage.showcase.dependency_track
        assert product is not None

        def fires(name: str, *workload: str) -> bool:
            return workload in alerts_of(prometheus).get(name, set())

        # The product obeys, and then it is found to have sent something all the same.
        product.values["submission.enabled"] = "false"
        ask_anew(stage, "2m")
        prometheus.await_that(
            lambda: not fires("FleetTelemetrySubmissionReported", *named(ASKED)), "compliance"
        )
        assert not fires("FleetTelemetrySubmittedAfterOptOut", *named(ASKED))
        product.submit(int(time.time()) + 600)
        ask_anew(stage, "3m")
        prometheus.await_that(
            lambda: fires("FleetTelemetrySubmittedAfterOptOut", *named(ASKED)), "a late submission"
        )
        # Somebody turns it on.
        product.values["submission.enabled"] = "true"
        ask_anew(stage, "2m")
        prometheus.await_that(
            lambda: fires("FleetTelemetrySubmissionReported", *named(ASKED)), "a contrary report"
        )
        # Without the webhook deploys go through.
        assert "FleetTelemetryWebhookFailingOpen" not in alerts_of(prometheus)
        stage.operator.stop("webhook")
        stage.cluster.kubectl(
            "create", "deployment", "sonarqube-missed", "--namespace=code",
            "--image=sonarqube:26.7.0.124771-community",
        )  # fmt: skip

        def by_api_server() -> bool:
            failing = prometheus.firing().get("FleetTelemetryWebhookFailingOpen", ())
            return any(labels.get("name", "").endswith("fleettelemetry.io") for labels in failing)

        prometheus.await_that(by_api_server, "the API server's word that it failed open")
        # Without the controller nothing is known any more.
        assert "FleetTelemetryNoLeader" not in alerts_of(prometheus)
        stage.operator.stop("controller")
        prometheus.await_that(lambda: fires("FleetTelemetryNoLeader"), "the end of the leader")
        # A controller that shows no single workloads leaves the counts, and the alerts say so.
        stage.operator.start("controller", extra=["--no-per-workload-metrics"])
        stage.operator.wait_until_ready("controller")
        with LocalPrometheus(stage.cluster, stage.operator, tmp_path / "counts") as counting:
            counting.start("controller", rules=impatient_rules())
            asked = {
                "resource_namespace": ASKED.namespace, "product": ASKED.product,
                "channel": "Usage", "severity": "critical",
            }  # fmt: skip
            counting.await_that(
                lambda: asked in counting.firing().get("FleetTelemetrySubmissionReported", ()),
                "the alert on a count",
            )
            assert counting.query("fleet_telemetry_workload_state") == []
            assert counting.query("sum(fleet_telemetry_workloads) > 0")


def ask_anew(stage: Stage, interval: str) -> None:
    """Any change of the policy's section has the product asked within seconds."""
    patch = json.dumps({"spec": {"runtime": {"interval": interval}}})
    stage.cluster.kubectl(
        "patch", "telemetrypolicy", "ask", f"--namespace={ASKED.namespace}", "--type=merge",
        f"--patch={patch}",
    )  # fmt: skip
