"""From sources to the result."""

from __future__ import annotations

from datetime import UTC, datetime

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterTelemetryPolicySpec,
    Policy,
    PolicyKind,
)
from fleet_telemetry.audit.auditing import MOST_UNKNOWN_IMAGES, audit
from fleet_telemetry.audit.result import Audit, ExitCode, Place, Problem
from fleet_telemetry.audit.sources import Definitions, Gathered, Read
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import Container, PodTemplate, Workload, WorkloadRef

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _template(*images: str) -> PodTemplate:
    return PodTemplate(tuple(Container(at, f"c{at}", image) for at, image in enumerate(images)))


def _subject(*images: str, name: str = "web") -> Subject:
    ref = WorkloadRef("default", WorkloadKind.DEPLOYMENT, name)
    return Subject(Place(), Workload(ref, _template(*images)))


def _audit(*sources: Gathered) -> Audit:
    return audit(sources, _NOW, Definitions())


def test_images_that_are_unknown_are_counted_by_repository() -> None:
    images = ("docker.io/nginx:1", "nginx@sha256:0", "index.docker.io/library/nginx", "a.test/b:1")
    result = _audit(Gathered([_subject(*images), _subject("sonarqube:26.7.0")]))
    assert [(one.image, one.containers) for one in result.unknown_images] == [
        ("docker.io/library/nginx", 3),
        ("a.test/b", 1),
    ]
    coverage = result.coverage
    assert (coverage.workloads, coverage.workloads_with_product) == (2, 1)
    assert (coverage.containers, coverage.containers_with_product) == (5, 1)
    assert coverage.unknown_images == 2


def test_the_list_of_unknown_images_ends_and_their_number_is_right() -> None:
    result = _audit(Gathered(_subject(f"image-{number}") for number in range(300)))
    assert len(result.unknown_images) == MOST_UNKNOWN_IMAGES
    assert result.coverage.unknown_images == 300


def test_an_image_that_is_none_is_printable() -> None:
    result = _audit(Gathered([_subject("\x1b[2J:1", "x" * 5000)]))
    assert all(one.image.isprintable() for one in result.unknown_images)
    assert max(len(one.image) for one in result.unknown_images) <= 512


def test_an_object_that_cannot_be_judged_is_listed_if_it_runs_a_product() -> None:
    pods = [
        Other(Place(file="x.yaml", line=3), "default", "Pod", name, _template(image))
        for name, image in (("sonar", "sonarqube:26.7.0"), ("web", "nginx"))
    ]
    result = _audit(Gathered(pods))
    assert [(one.name, one.products) for one in result.unmanaged] == [("sonar", ("sonarqube",))]
    assert result.exit_code is ExitCode.ONLY_UNKNOWN
    assert result.coverage.containers == 2
    assert result.coverage.workloads == 0


def test_problems_that_are_found_while_subjects_are_read_count() -> None:
    source = Gathered((), read=Read(files=1, objects=2, not_objects=3))

    def subjects() -> object:
        source.problems.append(Problem(place=Place(), what="x", advice="y"))
        yield _subject("nginx")

    source.subjects = subjects()  # type: ignore[assignment]  # an iterator of subjects
    result = _audit(source)
    assert [one.what for one in result.problems] == ["x"]
    assert result.exit_code is ExitCode.ERROR
    assert (result.coverage.files, result.coverage.objects, result.coverage.not_objects) == (
        1,
        2,
        3,
    )


def test_the_list_of_problems_ends_and_says_so() -> None:
    problems = [Problem(place=Place(line=line), what="x", advice="y") for line in range(1100)]
    result = _audit(Gathered((), problems=problems))
    assert len(result.problems) == 1001
    assert result.problems[-1].what == "100 more problems are not listed"


def test_a_policy_that_is_not_applied_yet_is_as_old_as_the_one_that_it_replaces() -> None:
    def policy(name: str, year: int, channel: ChannelName) -> Policy:
        spec = ClusterTelemetryPolicySpec(channels=(channel,))
        return Policy(PolicyKind.CLUSTER, "", name, datetime(year, 1, 1, tzinfo=UTC), spec)

    applied = Definitions((policy("a", 2020, ChannelName.USAGE),))
    new = (policy("a", 2026, ChannelName.LICENSE), policy("b", 2026, ChannelName.LICENSE))
    found = Definitions(new).over(applied).policies
    assert [(one.name, one.created.year) for one in found] == [("a", 2020), ("b", 2026)]
    assert [one.spec.channels for one in found] == [(ChannelName.LICENSE,)] * 2


def test_a_cluster_without_a_policy_is_not_judged_by_those_of_another() -> None:
    spec = ClusterTelemetryPolicySpec(channels=(ChannelName.LICENSE,))
    policy = Policy(PolicyKind.CLUSTER, "", "opt-out", _NOW, spec)
    ref = WorkloadRef("default", WorkloadKind.DEPLOYMENT, "web")
    there = Subject(Place(cluster="there"), Workload(ref, _template("sonarqube:26.7.0")))
    here = Subject(Place(cluster="here"), Workload(ref, _template("nginx:1")))
    judged = Gathered([here], definitions=Definitions(policies=(policy,)))
    result = _audit(judged, Gathered([there]))
    assert (result.judged, result.unjudged_clusters) == (True, ("there",))
    assert result.exit_code is ExitCode.VIOLATIONS
    assert _audit(judged, Gathered([there], definitions=judged.definitions)).exit_code is (
        ExitCode.NOTHING_FOUND
    )
