from __future__ import annotations

import pytest

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers, version_changed
from tests.support.builders import (
    DIGEST,
    DTRACK_4,
    EMQX,
    EMQX_ENTERPRISE,
    FRONTEND,
    HYADES,
    NGINX,
    SONARQUBE,
    WORKER,
    catalogue,
    container,
    manifest,
    product,
    workload,
)


def targets(*images: str) -> tuple[MatchedContainer, ...]:
    containers = [container(image, name=f"c{index}") for index, image in enumerate(images)]
    return match_containers(workload(manifest(*containers)).template, builtin())


def target(image: str) -> MatchedContainer:
    (found,) = targets(image)
    return found


def test_containers_that_run_a_product_are_found_in_their_order() -> None:
    found = targets(NGINX, DTRACK_4, "busybox", SONARQUBE, WORKER, FRONTEND)
    assert [(t.container.index, t.product.name, t.image.component) for t in found] == [
        (1, "dependency-track", "server"),
        (3, "sonarqube", "server"),
        (4, "sourcegraph", "worker"),
        (5, "sourcegraph", "frontend"),
    ]
    assert found[0].reference == DTRACK_4


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (DTRACK_4, "4.14.3"),
        (WORKER, "5.6.0"),
        (SONARQUBE, "26.7.0.124771"),
        ("sonarqube:latest", None),
        ("sonarqube", None),
        ("sonarqube" + DIGEST, None),
        ("registry:5000/sonarqube", None),
    ],
)
def test_the_version_is_the_one_of_the_tag(image: str, version: str | None) -> None:
    span = target(image).version
    assert (span.text if span else None) == version


def test_init_containers_are_no_targets() -> None:
    template = workload(
        manifest(container(NGINX), pod={"initContainers": [container(DTRACK_4)]})
    ).template
    assert match_containers(template, builtin()) == ()


def test_a_product_of_the_users_own_claims_an_image_first() -> None:
    own = product("acme", images=[{"pattern": "sonarqube"}], channels=[{"name": "Usage"}])
    found = match_containers(workload(manifest(container(SONARQUBE))).template, catalogue(own))
    assert [t.product.name for t in found] == ["acme"]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (DTRACK_4, DTRACK_4, False),
        (DTRACK_4, "dependencytrack/apiserver:4.14.4", True),
        # Neither a mirror, nor a flavour, nor a digest beside the tag is another version.
        (DTRACK_4, f"mirror.example/hub/{DTRACK_4}", False),
        (DTRACK_4, "dependencytrack/apiserver:4.14.3-alpine", False),
        (DTRACK_4, DTRACK_4 + DIGEST, False),
        ("dependencytrack/apiserver:v4.14.3", DTRACK_4, False),
        ("dependencytrack/apiserver:4.14", DTRACK_4, True),
        # Where one cannot be read, any other image may be another version.
        (DTRACK_4, "dependencytrack/apiserver:latest", True),
        ("sonarqube:latest", "sonarqube:latest", False),
        ("sonarqube:latest", "sonarqube:community", True),
        ("sonarqube" + DIGEST, "sonarqube@sha256:" + "cd" * 32, True),
        # Another edition or product is always another version.
        (EMQX, EMQX_ENTERPRISE.replace("5.8.6", "5.8.9"), True),
        (DTRACK_4, HYADES, True),
        ("sonarqube:4.14.3", DTRACK_4, True),
    ],
)
def test_what_counts_as_another_version(before: str, after: str, *, changed: bool) -> None:
    assert version_changed(target(before), target(after)) is changed


def test_a_first_install_counts_as_another_version() -> None:
    assert version_changed(None, target(DTRACK_4))
