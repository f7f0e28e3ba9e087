"""The explanation of a workload."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import ObservedReason, Reason
from fleet_telemetry.audit.cluster.explaining import explain_in_cluster
from fleet_telemetry.audit.cluster.gathering import GatheringRequest
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.explaining.explain import explain
from fleet_telemetry.audit.explaining.explanation import ChannelExplained, Explanation, Happened
from fleet_telemetry.audit.explaining.forms import FORMS
from fleet_telemetry.audit.explaining.reference import ReferenceProblem, parse_reference
from fleet_telemetry.audit.explaining.text import render
from fleet_telemetry.audit.files import read_definitions
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.sources import Definitions
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.cli.explain import explain as command
from fleet_telemetry.evidence.contacts import Contact, Contacts
from fleet_telemetry.evidence.reason_remedies import OBSERVED_REMEDIES, PROVEN, REMEDIES
from fleet_telemetry.workloads.template_reading import read_template
from tests.support import builders
from tests.support.api_stub import ApiStub, Manifest, namespace
from tests.support.builders import (
    EMQX,
    NOW,
    SONARQUBE,
    container,
    manifest,
    pod_of,
    policy,
    workload,
)

SWITCH = "EMQX_TELEMETRY__ENABLE"
OFF = {SWITCH: "false"}
NONE = io.BytesIO()


def subject(*pods: dict[str, Any], env: dict[str, Any] | None = None, **more: Any) -> Subject:
    """An EMQX; each of ``pods`` has its own variables."""
    whole = manifest(container(EMQX, env=env))
    started = tuple(
        pod_of(manifest(container(EMQX, env=each)), f"it-{number}")
        for number, each in enumerate(pods)
    )
    return Subject(Place(cluster="prod"), workload(whole), pods=started, **more)


def explained(one: Subject | Other, *policies: Any) -> Explanation:
    return explain(one, Definitions(policies), builtin(), NOW)


def usage(found: Explanation) -> ChannelExplained:
    (one,) = (c for c in found.channels if c.finding.channel is ChannelName.USAGE)
    return one


def seen(found: Explanation) -> list[tuple[str, str, str, str]]:
    return [(one.source, one.where, one.entry, one.shows) for one in usage(found).evidence]


def test_each_piece_of_evidence_is_where_it_was_seen() -> None:
    found = explained(subject(OFF, {}, env=OFF))
    assert seen(found) == [
        ("declared", "the pod template, container app", SWITCH, "Disabled"),
        ("running", "pod it-0, container app", SWITCH, "Disabled"),
        ("running", "pod it-1, container app", SWITCH, "Unset"),
    ]


def test_what_was_asked_for_has_a_line_of_its_own() -> None:
    asked = Contact("telemetry.emqx.io", "it-0", "uid-of-it-0", NOW, NOW, lookups=2)
    one = subject(OFF, env=OFF, contacts=Contacts((asked,)), recorded_at=NOW)
    (line,) = (
        each for each in usage(explained(one, policy())).evidence if each.source == "observed"
    )
    assert (line.shows, line.time) == ("Contacted", NOW)
    assert "Pod it-0 asked for telemetry.emqx.io 2 times" in line.message
    text = render(explained(one, policy()))
    assert "observed: Contacted (the cluster's DNS" in text


def test_where_it_is_not_known_what_was_asked_for_it_says_what_to_do() -> None:
    for reason in ObservedReason:
        if reason in (ObservedReason.LOOKED_UP, ObservedReason.NO_LOOKUP):
            continue
        found = explained(subject(OFF, env=OFF, contacts=Contacts(reason=reason), recorded_at=NOW))
        (line,) = (each for each in usage(found).evidence if each.source == "observed")
        assert line.shows == "Unknown"
        assert line.message == f"{reason.meaning} {OBSERVED_REMEDIES[reason]}"


def test_a_value_that_is_not_understood_is_not_repeated() -> None:
    secret = "t0k3n"  # a made-up one
    found = explained(subject(env={SWITCH: secret}))
    assert seen(found)[0][3] == "Unknown"
    assert all(secret not in form(found, 0) for form in FORMS.values())


@pytest.mark.parametrize("unread", [False, True])
def test_no_pod_and_no_pod_that_may_be_read_are_told_apart(*, unread: bool) -> None:
    found = explained(subject(env=OFF, pods_unread=unread))
    last = usage(found).evidence[-1]
    reason = Reason.PODS_NOT_READABLE if unread else Reason.NO_PODS
    assert (last.where, last.message) == ("no pod", reason.meaning)
    assert usage(found).missing == (REMEDIES[reason],)


def test_many_pods_are_not_all_listed() -> None:
    found = explained(subject(*[OFF] * 30, env=OFF))
    running = [one for one in usage(found).evidence if one.source == "running"]
    assert len(running) == 21
    assert running[-1].where == "10 more containers of pods"


def test_policies_are_listed_with_what_became_of_them() -> None:
    found = explained(subject(env=OFF), policy("a"), policy("b", submission="Enabled"))
    assert [(one.policy.name, one.outcome) for one in usage(found).policies] == [
        ("a", "Effective"),
        ("b", "LowerPrecedence"),
    ]


def test_nothing_is_missing_where_all_is_proven() -> None:
    assert usage(explained(subject(OFF, env=OFF), policy())).missing == ()


def test_every_reason_is_proven_or_says_what_to_do() -> None:
    """Those without advice of ours say it in their own sentence."""
    rest = set(Reason) - set(REMEDIES) - PROVEN
    words = ("add ", "to allow it", "name ", "copy ", "set ", "lacks", "change it", "allow ")
    unhelpful = {one for one in rest if not any(w in one.meaning.lower() for w in words)}
    assert unhelpful == set()
    assert not set(REMEDIES) & PROVEN


def test_a_workload_without_a_product() -> None:
    found = explained(Subject(Place(), workload(manifest(container("nginx:1")))))
    assert "knows no product" in found.message
    assert [(one.image, one.product) for one in found.containers] == [("nginx:1", "")]


def test_a_pod_of_no_workload() -> None:
    pod = read_template({"spec": {"containers": [container(SONARQUBE)]}})
    found = explained(Other(Place(), "appsec", "Pod", "alone", pod))
    assert "belongs to no workload" in found.message
    assert found.containers[0].product == "sonarqube"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("deploy/web", "Deployment", "web"),
        ("Deployment/web", "Deployment", "web"),
        ("deployments/web", "Deployment", "web"),
        ("deployment.apps/web", "Deployment", "web"),
        ("deployments.v1.apps/web", "Deployment", "web"),
        ("sts/db-0.x", "StatefulSet", "db-0.x"),
        ("ds/a", "DaemonSet", "a"),
        ("cj/a", "CronJob", "a"),
        ("job/a", "Job", "a"),
        ("jobs.batch/a", "Job", "a"),
        ("rs/a", "ReplicaSet", "a"),
        ("rc/a", "ReplicationController", "a"),
        ("rollout.argoproj.io/a", "Rollout", "a"),
        ("po/a", "Pod", "a"),
        ("pod.v1/a", "Pod", "a"),
    ],
)
def test_workloads_are_named_as_kubectl_names_them(text: str, kind: str, name: str) -> None:
    found = parse_reference(text)
    assert (found.kind.kind, found.name) == (kind, name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web", "is not KIND/NAME"),
        ("/web", "is not KIND/NAME"),
        ("deploy/", "is not KIND/NAME"),
        ("", "is not KIND/NAME"),
        ("svc/web", "no kind of workload"),
        ("deploy.extensions/web", "no kind of workload"),
        ("deploy/a/b", "no name"),
        ("deploy/..", "no name"),
        ("deploy/Web", "no name"),
        ("deploy/a?x=1", "no name"),
        ("deploy/a%2fb", "no name"),
        ("deploy/" + "a" * 300, "no name"),
        ("deploy/\x1b[2J", "no name"),
    ],
)
def test_what_names_no_workload_is_said(text: str, said: str) -> None:
    with pytest.raises(ReferenceProblem, match=said) as caught:
        parse_reference(text)
    assert str(caught.value).isprintable()


@given(st.text(max_size=40))
def test_any_word_is_a_reference_or_a_problem(text: str) -> None:
    try:
        found = parse_reference(text)
    except ReferenceProblem:
        return
    assert "/" not in found.name


@given(st.text(max_size=60), st.integers(0, 300))
def test_the_text_holds_no_control_character_and_fits(foreign: str, width: int) -> None:
    whole = manifest(container(SONARQUBE), name="it")
    whole["metadata"]["name"] = foreign
    template = whole["spec"]["template"]["spec"]["containers"][0]
    template["name"] = foreign
    found = explain(
        Subject(Place(file=foreign), workload(whole)),
        Definitions(),
        builtin(),
        NOW,
        history=[Happened(time=NOW, reason=foreign, note=foreign)],
    )
    lines = render(found, width).split("\n")
    assert all(line.isprintable() for line in lines)
    if width >= 60:
        assert all(len(line) <= width for line in lines if " " in line.strip())


def test_the_forms_say_the_same() -> None:
    found = explained(subject(OFF, {}, env=OFF), policy())
    as_json = json.loads(FORMS["json"](found, 0))
    assert yaml.safe_load(FORMS["yaml"](found, 0)) == as_json
    assert as_json["kind"] == "TelemetryExplanation"
    text = FORMS["text"](found, 0)
    for word in ("Deployment appsec/it (cluster prod)", "decides", "pod it-1", "What to do"):
        assert word in text


# In files


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, words)
    return result.exit_code, result.output


def test_a_workload_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "it.yaml"
    file.write_text(yaml.safe_dump(manifest(container(EMQX, env=OFF))))
    status, said = run("-f", str(file), "deploy/it")
    assert status == 0
    assert "Usage of EMQX: sends nothing" in said
    assert "pod as-written" not in said
    status, said = run("-f", str(file), "deploy/other")
    assert status == 1
    assert "the files have no Deployment other; they have: Deployment/it" in said
    status, said = run("-f", str(file), "-n", "elsewhere", "deploy/it")
    assert (status, "in elsewhere" in said) == (1, True)
    assert run("-f", str(file), "--context=x", "deploy/it")[0] == 2
    assert run("-f", str(file), "--cluster-name=x", "deploy/it")[0] == 2
    assert run("--cluster-name=x y", "deploy/it")[0] == 2
    assert run("-f", "-", "-p", "-", "deploy/it")[0] == 2


def flat(text: str) -> str:
    return " ".join(text.split())


POLICY = """
apiVersion: fleettelemetry.io/v1alpha1
kind: %s
metadata: {name: opt-out}
spec: {submission: %s, products: [emqx, emqz]}
"""


def test_policies_that_are_not_applied_explain_a_file(tmp_path: Path) -> None:
    file, rules = tmp_path / "x.yaml", tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(manifest(container(EMQX, env=OFF))))
    rules.write_text(POLICY % ("ClusterTelemetryPolicy", "Disabled"))
    status, said = run("-f", str(file), "-p", str(rules), "deploy/it")
    assert status == 0
    assert "ClusterTelemetryPolicy opt-out (submission Disabled, mode Enforce) decides" in flat(
        said
    )
    assert f"{rules}:2: ClusterTelemetryPolicy opt-out: unknown product 'emqz'; did" in flat(said)
    rules.write_text(POLICY % ("ClusterTelemetryPolicy", "Nonsense"))
    status, said = run("-f", str(file), "-p", str(rules), "deploy/it")
    assert (status, f"{rules}:5" in said, "Policies: none" in said) == (1, True, True)


# In a cluster


@pytest.fixture
def stub() -> Any:
    with ApiStub(objects=[namespace("appsec")]) as stub:
        yield stub


def event(note: str, *, minutes: int, uid: str = "uid-of-it", by: str = "controller") -> Manifest:
    time = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": note, "namespace": "appsec"},
        "eventTime": time,
        "reason": "TelemetrySettingInjected",
        "note": note,
        "type": "Normal",
        "reportingController": f"fleettelemetry.io/{by}",
        "regarding": {"kind": "Deployment", "name": "it", "uid": uid},
    }


def ask(stub: ApiStub, tmp_path: Path, text: str, define: Any = None, **more: Any) -> Explanation:
    path = stub.kubeconfig(tmp_path / "config", namespace="appsec")
    request = GatheringRequest(kubeconfig=str(path), now=NOW, **more)
    return explain_in_cluster(request, parse_reference(text), GatheringProgress(), define)


def parts() -> list[Manifest]:
    whole = manifest(container(EMQX, env=OFF))
    part = manifest(
        container(EMQX, env=OFF),
        kind="ReplicaSet",
        name="it-1",
        owner=builders.controller_of(whole) | {"apiVersion": "apps/v1", "kind": "Deployment"},
        replicas=1,
    )
    return [whole, part, builders.pod_manifest(part, "it-1-a")]


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["deploy/it", "rs/it-1", "pod/it-1-a"])
def test_a_part_is_explained_by_its_whole(stub: ApiStub, tmp_path: Path, text: str) -> None:
    stub.objects += parts()
    found = ask(stub, tmp_path, text)
    assert (found.workload.kind, found.workload.name) == ("Deployment", "it")
    assert found.place.cluster == "stub"
    assert ("running", "pod it-1-a, container app", SWITCH, "Disabled") in seen(found)
    assert found.problems == ()


def test_the_history_is_that_of_the_operator_and_of_this_object(
    stub: ApiStub, tmp_path: Path
) -> None:
    stub.objects += [
        *parts(),
        event("second", minutes=1),
        event("first", minutes=5),
        event("of an earlier object", minutes=9, uid="another"),
        event("of somebody else", minutes=2, by="scheduler"),
        *(event(f"old-{number}", minutes=100 + number) for number in range(30)),
    ]
    found = ask(stub, tmp_path, "deploy/it")
    notes = [one.note for one in found.history]
    assert notes[-2:] == ["first", "second"]
    assert len(notes) == 20
    assert not any(note.startswith("of ") for note in notes)


def test_events_that_may_not_be_read_are_a_problem(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects += parts()
    stub.answer = lambda asked: 403 if asked.kind.plural == "events" else None
    found = ask(stub, tmp_path, "deploy/it")
    assert usage(found).finding.sends == "No"
    assert [one.what for one in found.problems] == ["no events read: RBAC does not allow it"]


def test_a_workload_that_is_not_there(stub: ApiStub, tmp_path: Path) -> None:
    (problem,) = ask(stub, tmp_path, "sts/it").problems
    assert problem.what == "there is no StatefulSet it in namespace appsec"


def test_a_workload_that_may_not_be_read(stub: ApiStub, tmp_path: Path) -> None:
    stub.answer = lambda _: 403
    (problem,) = ask(stub, tmp_path, "sts/it", namespaces=("other",)).problems
    assert problem.what.startswith("StatefulSet it in namespace other cannot be read: RBAC")


def test_a_workload_without_a_product_in_a_cluster(stub: ApiStub, tmp_path: Path) -> None:
    stub.objects.append(manifest(container("nginx:1"), name="web"))
    found = ask(stub, tmp_path, "deploy/web")
    assert "knows no product" in found.message
    assert found.problems == ()


def test_a_pod_without_a_workload(stub: ApiStub, tmp_path: Path) -> None:
    *_, pod = parts()
    pod["metadata"]["ownerReferences"] = []
    stub.objects.append(pod)
    assert "belongs to no workload" in ask(stub, tmp_path, "po/it-1-a").message


def test_a_kubeconfig_that_cannot_be_used() -> None:
    request = GatheringRequest(kubeconfig="/nonexistent", now=NOW)
    (problem,) = explain_in_cluster(
        request, parse_reference("deploy/x"), GatheringProgress()
    ).problems
    assert "there is no kubeconfig" in problem.what


def test_policies_that_are_not_applied_explain_a_cluster(stub: ApiStub, tmp_path: Path) -> None:
    """A TelemetryPolicy that names no namespace is in that of the workload, as kubectl applies
    it."""
    stub.objects += parts()
    rules = tmp_path / "p.yaml"
    rules.write_text(POLICY % ("TelemetryPolicy", "Disabled"))
    found = ask(
        stub, tmp_path, "deploy/it", lambda space: read_definitions([str(rules)], NONE, space, NOW)
    )
    assert found.problems == ()
    ((decides, *_),) = [one.policies for one in found.channels if one.policies]
    assert (decides.policy.namespace, decides.outcome) == ("appsec", "Effective")
    assert [one.message.partition(";")[0] for one in found.policy_advice] == [
        "unknown product 'emqz'"
    ]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(POLICY % ("TelemetryPolicy", "Nonsense"))
    found = ask(
        stub, tmp_path, "deploy/it", lambda space: read_definitions([str(wrong)], NONE, space, NOW)
    )
    assert [one.place.line for one in found.problems] == [5]


def test_only_policies_that_meet_the_workload_get_advice(stub: ApiStub, tmp_path: Path) -> None:
    stub.groups = {**stub.groups, "fleettelemetry.io": ["v1alpha1"]}
    stub.objects += parts()
    for name, selector in (("meets", {}), ("elsewhere", {"matchLabels": {"no": "one"}})):
        spec = {"submission": "Disabled", "products": ["emqz"], "selector": selector}
        stub.objects.append(
            {
                "apiVersion": "fleettelemetry.io/v1alpha1",
                "kind": "TelemetryPolicy",
                "metadata": {"name": name, "namespace": "appsec", "creationTimestamp": None},
                "spec": spec,
            }
        )
    found = ask(stub, tmp_path, "deploy/it", names={"": "prod"})
    assert {one.policy.name for one in found.policy_advice} == {"meets"}
    assert {(one.place.cluster, one.place.file) for one in found.policy_advice} == {("prod", "")}
