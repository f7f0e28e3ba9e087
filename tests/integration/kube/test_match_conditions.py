"""The match conditions on a real API server: however many images there are, and however long."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from dev.cluster import Cluster
from dev.cluster.api import ApiServerError
from fleet_telemetry.catalogue.catalogue import builtin
from tests.support.builders import SONAR_SWITCH, SONARQUBE, Manifest, container, manifest
from tests.support.clusters import Clusters
from tests.support.reader import Reader
from tests.support.rollout_crd import define_rollouts
from tests.support.threaded_webhook import ThreadedWebhook

pytestmark = pytest.mark.cluster

NAME = "conditions"
MANY = {
    "names": [f"vendor-{number}/some-product-{number}" for number in range(2000)],
    "too many names": [f"vendor-{number}/some-product-{number}" for number in range(4000)],
    "few beginnings": [f"vendor-{number}/some-product-{number}*" for number in range(20)],
    "many beginnings": [f"vendor-{number}/some-product-{number}*" for number in range(300)],
    "stars within": [f"vendor-*-{number}/some-?-product-{number}" for number in range(300)],
}
ORDINARY = "registry.example.com:5000/a-team/a-service:1.2.3-20261129.1"


@pytest.fixture(scope="module")
def webhook() -> Iterator[ThreadedWebhook]:
    found = ThreadedWebhook()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    with clusters.lend(controller_manager=False) as cluster:
        cluster.kubectl("create", "serviceaccount", "default", check=False)
        yield cluster


def configure(cluster: Cluster, webhook: ThreadedWebhook, patterns: list[str]) -> None:
    configuration = webhook.configuration(NAME, patterns)
    cluster.kubectl("delete", "mutatingwebhookconfiguration", NAME, "--ignore-not-found")
    cluster.kubectl("create", "-f", "-", input=json.dumps(configuration))
    # Until the API server calls it.
    probe = deployment([SONARQUBE])
    for _ in range(100):
        if injected(created(cluster, probe, dry_run=True)):
            return
    raise AssertionError("the API server does not call the webhook")


@pytest.fixture(scope="module", params=MANY.values(), ids=MANY)
def with_many(
    cluster: Cluster, webhook: ThreadedWebhook, request: pytest.FixtureRequest
) -> Cluster:
    configure(cluster, webhook, request.param)
    return cluster


def deployment(images: list[str], name: str = "it") -> Manifest:
    found = manifest(
        *(container(image, name=f"c{number}") for number, image in enumerate(images)),
        name=name,
        namespace="default",
        selector={"matchLabels": {"app": "it"}},
        replicas=0,
    )
    found["metadata"] = {"name": name, "namespace": "default"}
    return found


def created(cluster: Cluster, given: Manifest, *, dry_run: bool = False) -> Manifest:
    return reader_of(cluster).create(given, dry_run=dry_run)


@cache
def reader_of(cluster: Cluster) -> Reader:
    return Reader(cluster.kubeconfig)


def injected(given: Manifest) -> list[str]:
    """The names of the containers with the switch."""
    return [
        one["name"]
        for one in given["spec"]["template"]["spec"]["containers"]
        if any(entry["name"] == SONAR_SWITCH for entry in one.get("env", ()))
    ]


def errors(cluster: Cluster) -> list[str]:
    """What the API server counts of conditions that it could not evaluate."""
    metric = "apiserver_admission_match_condition_evaluation_errors_total"
    lines = cluster.metrics_text().splitlines()
    return [line for line in lines if line.startswith(metric) and NAME in line]


CASES: dict[str, list[str]] = {
    "one": [SONARQUBE],
    "twenty ordinary ones before it": [*[ORDINARY] * 20, SONARQUBE],
    "an endless one before it": ["a" * 220_000, SONARQUBE],
    "endless ones around it": [*["a" * 60_000] * 10, SONARQUBE, *["a" * 60_000] * 10],
    "an endless one that ends like a product": ["a" * 220_000 + "/" + SONARQUBE, SONARQUBE],
    "the longest that count": [*["a" * 1024] * 20, SONARQUBE],
    "a hundred of the longest": [*["a" * 1024] * 100, SONARQUBE],
    "four hundred of the longest": [*["a" * 1024] * 399, SONARQUBE],
    "four hundred short ones": [*["a"] * 399, SONARQUBE],
    "four thousand": [*["a"] * 4000, SONARQUBE],
}


@pytest.mark.parametrize("images", CASES.values(), ids=CASES)
def test_a_product_among_any_images_is_injected(with_many: Cluster, images: list[str]) -> None:
    given = deployment(images)
    found = created(with_many, given, dry_run=True)
    assert injected(found) == [f"c{images.index(SONARQUBE)}"]
    assert errors(with_many) == []


def test_a_native_sidecar_is_matched_and_injected(with_many: Cluster) -> None:
    given = deployment([ORDINARY])
    given["spec"]["template"]["spec"]["initContainers"] = [
        container(SONARQUBE, name="setup"),
        container(SONARQUBE, name="sidecar", restartPolicy="Always"),
    ]
    found = created(with_many, given, dry_run=True)
    setup, sidecar = found["spec"]["template"]["spec"]["initContainers"]
    assert "env" not in setup
    assert [entry["name"] for entry in sidecar["env"]] == [SONAR_SWITCH]
    assert errors(with_many) == []


FORMS = {
    "as it is": "{path}",
    "with a tag": "{path}:1.2.3",
    "behind a mirror": "registry.example.com:5000/hub/{path}:1.2.3-a@sha256:705ab4f5",
}
STARS = {"acme/se*ver", "ac?e/other", "acme/deep/er", "acme/begins-*", "*/any-name"}


@pytest.fixture(scope="module")
def with_stars(cluster: Cluster, webhook: ThreadedWebhook) -> Cluster:
    configure(cluster, webhook, sorted(STARS))
    return cluster


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_image_of_every_pattern_reaches_the_webhook(
    with_stars: Cluster, webhook: ThreadedWebhook, form: str
) -> None:
    patterns = {*builtin().patterns(), *STARS}
    paths = {one.replace("*", "x").replace("?", "x") for one in patterns}
    for path in sorted(paths):
        assert is_called(with_stars, webhook, form.format(path=path)), path
    assert errors(with_stars) == []


@pytest.mark.parametrize(
    "image",
    [
        "sonarqube-exporter:1",
        "my-sonarqube:1",
        "sonarqube/other:1",
        "registry.example.com/a:sonarqube",
        "nginx@sonarqube",
        "grafana:sonarqube/nginx",
        "acme/sexver/more",
        "acme/other-one",
        "er",
        "deep/er",
        "begins-x",
        "any-name",
        "",
    ],
)
def test_another_image_does_not(with_stars: Cluster, webhook: ThreadedWebhook, image: str) -> None:
    assert not is_called(with_stars, webhook, image)
    assert errors(with_stars) == []


def is_called(cluster: Cluster, webhook: ThreadedWebhook, image: str) -> bool:
    before = webhook.calls
    with suppress(ApiServerError):
        created(cluster, deployment([image]), dry_run=True)
    return webhook.calls > before


def _without(*path: str, kind: str = "Deployment") -> Manifest:
    found = deployment([SONARQUBE])
    found["kind"] = kind
    if kind == "ReplicationController":
        found["apiVersion"] = "v1"
        found["spec"]["selector"] = {"app": "it"}
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return found


INVALID = {
    "no containers": _without("spec", "template", "spec", "containers"),
    "no template": _without("spec", "template"),
    "no spec": _without("spec"),
    "no image": _without("spec", "template", "spec", "containers", 0, "image"),  # type: ignore[arg-type]
    "no template of a controller": _without("spec", "template", kind="ReplicationController"),
    "no spec of a controller": _without("spec", kind="ReplicationController"),
}


@pytest.mark.parametrize("given", INVALID.values(), ids=INVALID)
def test_an_object_that_is_not_valid_is_no_error_of_a_condition(
    with_many: Cluster, given: Manifest
) -> None:
    done = with_many.kubectl(
        "create", "-f", "-", "--validate=false", input=json.dumps(given), check=False
    )
    assert "is invalid" in done.stderr
    assert errors(with_many) == []


def test_a_rollout_without_a_template_is_no_error_of_a_condition(with_many: Cluster) -> None:
    define_rollouts(with_many)
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "it", "namespace": "default"},
        "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "it"}},
    }
    created(with_many, rollout)
    with_many.kubectl("label", "rollouts.argoproj.io", "it", "a=b")
    with_many.kubectl(
        "patch", "rollouts.argoproj.io", "it", "--type=merge", "--patch", '{"spec":{"replicas":2}}'
    )
    assert errors(with_many) == []
    with_many.kubectl("delete", "rollouts.argoproj.io", "it")


def test_a_replication_controller_is_injected(with_many: Cluster) -> None:
    given = {**deployment([SONARQUBE]), "apiVersion": "v1", "kind": "ReplicationController"}
    given["spec"]["selector"] = {"app": "it"}
    assert injected(created(with_many, given, dry_run=True)) == ["c0"]


@pytest.mark.parametrize("count", [20, 100])
def test_an_update_is_matched_with_old_and_new_images(with_many: Cluster, count: int) -> None:
    name = f"update-{count}-{time.time_ns()}"
    images = [*[ORDINARY] * (count - 2), "a" * 1024, "nginx:1"]
    created(with_many, deployment(images, name))
    changed = deployment([*images[:-1], SONARQUBE], name)
    done = with_many.kubectl("replace", "-f", "-", "--output=json", input=json.dumps(changed))
    assert injected(json.loads(done.stdout)) == [f"c{count - 1}"]
    without = deployment([*images[:-1], "nginx:1"], name)
    for one, other in zip(
        without["spec"]["template"]["spec"]["containers"],
        json.loads(done.stdout)["spec"]["template"]["spec"]["containers"],
        strict=True,
    ):
        one["env"] = copy.deepcopy(other.get("env", []))
    done = with_many.kubectl("replace", "-f", "-", "--output=json", input=json.dumps(without))
    assert injected(json.loads(done.stdout)) == []
    assert errors(with_many) == []


def test_a_workload_without_a_product_costs_no_call(
    cluster: Cluster, webhook: ThreadedWebhook
) -> None:
    configure(cluster, webhook, [])
    before = webhook.calls
    for images in ([ORDINARY] * 20, ["a" * 150] * 20, ["a" * 220_000], ["b"] * 200):
        created(cluster, deployment(images), dry_run=True)
    assert webhook.calls == before
    assert errors(cluster) == []
