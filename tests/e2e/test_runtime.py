"""What products say of themselves: fakes on the addresses of real Services and pods."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.emqx import FakeEmqx
from dev.fakes.hosted import FakesThread
from dev.fakes.server import ApiFault, FakeProduct
from dev.fakes.sonarqube import FakeSonarQube
from dev.fakes.sourcegraph import FakeSourcegraph
from dev.harness.pods import PodFollower
from tests.support.tenants import tenant_of
from tests.support.world import (
    DTRACK_4,
    DTRACK_5,
    EMQX,
    SONARQUBE,
    V5_OFF,
    Manifest,
    Space,
    World,
    container,
    eventually,
    workload,
)

pytestmark = pytest.mark.cluster

Fake = TypeVar("Fake", bound=FakeProduct)


@pytest.fixture
def host() -> Iterator[FakesThread]:
    with FakesThread() as host:
        yield host


@dataclass(frozen=True)
class Products:
    """Fakes that answer at the addresses of workloads' pods."""

    follower: PodFollower

    def start(self, space: Space, name: str, fake: Fake) -> Fake:
        """Start one for the pods of a workload."""
        return self.follower.start(fake, space.name, f"app={name}")


@pytest.fixture
def products(world: World, host: FakesThread) -> Iterator[Products]:
    with PodFollower(world.cluster, host) as follower:
        yield Products(follower)


def service(name: str, port: int, **more: Any) -> Manifest:
    """A Service that selects the pods of the workload of the same name."""
    ports = [{"name": "http", "port": port}]
    spec = {"selector": {"app": name}, "ports": ports, **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def secret(name: str, **data: str) -> Manifest:
    encoded = {
        key.replace("__", "."): base64.b64encode(v.encode()).decode() for key, v in data.items()
    }
    metadata = {"name": name, "labels": {"fleettelemetry.io/credential": "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def runtime(product: str, name: str, **more: Any) -> Manifest:
    """The section of a policy."""
    return {"credentials": [{"product": product, "secretRef": {"name": name}}], **more}


def address(space: Space, name: str) -> str:
    found: str = space.get("service", name)["spec"]["clusterIP"]
    return found


def events(space: Space, reason: str) -> list[str]:
    """The notes of events."""
    text = space.kubectl(
        "get",
        "events.events.k8s.io",
        f"--field-selector=reason={reason}",
        "-o",
        "jsonpath={.items[*].note}",
    ).stdout
    return text.split("\n") if text else []


DATABASE = {"ALPINE_DATABASE_MODE": "external"}
"""With a database of its own, only the report of Dependency-Track 4 proves its setting."""


def test_version_5_is_off_by_its_schedule_whatever_its_database_says(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="true"),
    )
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_5)))
    assert space.env("deployment", "dtrack") == V5_OFF
    status = space.telemetry("Deployment", "dtrack", state="Compliant", reported="Enabled")
    assert status["usage"]["reason"] == "RunningInEveryPod"
    space.condition("telemetrypolicy", "opt-out", "Verified", status="True")


def test_a_seed_is_compliant_by_the_products_report(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="false"),
    )
    product.submit(1_767_225_600)
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    status = space.telemetry("Deployment", "dtrack", state="Compliant", reason="Reported")
    assert status["usage"]["reported"] == "Disabled"
    assert status["usage"]["lastSubmissionTime"] == "2026-01-01T00:00:00Z"
    assert status["usage"]["inventory"] == ["db_type", "db_version", "dt_version", "system_id"]
    metrics = space.world.operator.metrics("controller")
    assert 'evidence="reported",kind="Deployment",name="dtrack"' in metrics
    assert "fleet_telemetry_last_submission_timestamp_seconds{" in metrics
    # It is only read: nobody has allowed more.
    assert {seen.method for seen in product.seen} == {"GET"}


def test_drift_is_found_and_put_right_over_tls(runtime_space: Space, products: Products) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8443))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(
            address="",
            port=8443,
            names=[f"dtrack.{space.name}.svc"],
            version="5.0.4",
            enabled="false",
        ),
    )
    space.apply(secret("dtrack", apiKey=product.api_key, ca__crt=product.ca_pem))
    endpoint = {
        "product": "dependency-track",
        "service": {"name": "dtrack", "port": 8443, "scheme": "https"},
    }
    asked = runtime("dependency-track", "dtrack", endpoints=[endpoint])
    space.policy(runtime=asked)
    space.apply(
        workload(
            "Deployment",
            "dtrack",
            container(DTRACK_4, env=DATABASE, ports=[{"containerPort": 8443}]),
        )
    )
    space.telemetry("Deployment", "dtrack", reason="Reported")
    # Somebody turns it on in the product; the policy says only to look.
    product.values["submission.enabled"] = "true"
    space.policy(runtime={**asked, "interval": "2m"})
    status = space.telemetry("Deployment", "dtrack", state="NonCompliant")
    assert status["usage"]["reason"] == "ReportedContrary"
    assert product.values["submission.enabled"] == "true"
    assert events(space, "TelemetryDrift")
    assert "TelemetryDrift" in space.kubectl("describe", "deployment", "dtrack").stdout
    # Now it says to put it right.
    space.policy(runtime={**asked, "action": "Remediate"})
    space.telemetry("Deployment", "dtrack", state="Compliant", reason="Reported")
    assert product.values["submission.enabled"] == "false"
    assert events(space, "TelemetryRemediated")


def test_one_node_that_differs_is_named(runtime_space: Space, host: FakesThread) -> None:
    space = runtime_space
    space.apply(service("emqx", 18083, clusterIP="None"))
    space.policy(runtime=runtime("emqx", "emqx"))
    space.apply(workload("StatefulSet", "emqx", container(EMQX), replicas=2))
    space.wait_for_pods("app=emqx", 2)
    for index in range(2):
        pod = space.get("pod", f"emqx-{index}")
        node = FakeEmqx(
            address=pod["status"]["podIP"], port=18083, tls=False, enabled=index == 1,
            api_key="key_of_emqx", api_secret="secret_of_emqx",
        )  # fmt: skip
        host.start(node)
    space.apply(secret("emqx", apiKey="key_of_emqx", apiSecret="secret_of_emqx"))
    space.policy(runtime=runtime("emqx", "emqx", interval="2m"))
    status = space.telemetry("StatefulSet", "emqx", state="NonCompliant", reason="ReportedContrary")
    assert "(emqx-1 of 2)" in status["usage"]["message"]
    space.policy(runtime=runtime("emqx", "emqx", action="Remediate"))
    space.telemetry("StatefulSet", "emqx", state="Compliant", reported="Disabled")


def test_what_is_switched_in_sourcegraph_is_asked_and_set(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("frontend", 3080))
    product = products.start(
        space, "frontend", FakeSourcegraph(address="", port=3080, tls=False, version="5.11.0")
    )
    space.apply(secret("sourcegraph", token=product.token))
    space.policy(runtime=runtime("sourcegraph", "sourcegraph", action="Remediate"))
    image = "index.docker.io/sourcegraph/frontend:5.11.0"
    space.apply(workload("Deployment", "frontend", container(image)))
    space.telemetry("Deployment", "frontend", state="Compliant", reason="Reported")
    assert '"update.channel": "none"' in product.contents


def test_sonarqube_that_says_the_contrary_is_not_compliant(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("sonar", 9000))
    product = products.start(space, "sonar", FakeSonarQube(address="", port=9000, tls=False))
    space.apply(secret("sonar", token=product.token))
    space.policy(runtime=runtime("sonarqube", "sonar", action="Remediate"))
    space.apply(workload("Deployment", "sonar", container(SONARQUBE)))
    space.telemetry("Deployment", "sonar", state="NonCompliant", reported="Enabled")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ApiFault.UNAUTHORIZED_401, "CredentialsRejected"),
        (ApiFault.HTML_200, "UnexpectedAnswer"),
        (ApiFault.REDIRECT_301, "UnexpectedAnswer"),
        (ApiFault.HUGE, "UnexpectedAnswer"),
        (ApiFault.GZIP_BOMB, "UnexpectedAnswer"),
        (ApiFault.TOO_MANY_429, "RateLimited"),
        (ApiFault.CUT_IN_THE_MIDDLE, "Unreachable"),
    ],
)
def test_a_fault_is_a_reason_and_shows_no_credential(
    runtime_space: Space, products: Products, fault: ApiFault, reason: str
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(space, "dtrack", FakeDependencyTrack(address="", port=8080, tls=False))
    product.elsewhere = "http://169.254.169.254/latest/meta-data/"
    product.retry_after = "86400"
    product.fail(fault)
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    status = space.telemetry("Deployment", "dtrack", state="Unknown", reason=reason)
    assert product.api_key not in str(status)
    assert product.api_key not in space.world.operator.log("controller").read_text()


@pytest.mark.parametrize(
    ("data", "reason"), [(None, "SecretNotReadable"), ({"other": "x"}, "SecretIncomplete")]
)
def test_a_secret_that_does_not_help_is_named(
    runtime_space: Space, data: dict[str, str] | None, reason: str
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    if data is not None:
        space.apply(secret("missing", **data))
    space.policy(runtime=runtime("dependency-track", "missing"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    status = space.telemetry("Deployment", "dtrack", state="Unknown", reason=reason)
    assert f"{space.name}/missing" in status["usage"]["message"]


def test_a_namespace_that_the_chart_does_not_name_gives_no_secret(space: Space) -> None:
    space.apply(service("dtrack", 8080), secret("dtrack", apiKey="odt_x"))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    status = space.telemetry("Deployment", "dtrack", reason="SecretNotReadable")
    assert "runtime.secrets" in status["usage"]["message"]


def test_a_credential_goes_nowhere_but_to_the_workloads_own_pods(
    runtime_space: Space, host: FakesThread
) -> None:
    space = runtime_space
    # A Service without a selector leads wherever its author says; so does a name.
    elsewhere = service("elsewhere", 8080)
    del elsewhere["spec"]["selector"]
    named = {"type": "ExternalName", "externalName": "collector.example"}
    space.apply(elsewhere, service("outside", 8080, **named), service("other", 8080))
    collectors = [
        host.start(FakeDependencyTrack(address=address(space, name), port=8080, tls=False))
        for name in ("elsewhere", "other")
    ]
    space.apply(secret("dtrack", apiKey=collectors[0].api_key))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    for name in ("elsewhere", "outside", "other"):
        endpoint = {"product": "dependency-track", "service": {"name": name, "port": 8080}}
        space.policy(runtime=runtime("dependency-track", "dtrack", endpoints=[endpoint]))
        status = space.telemetry("Deployment", "dtrack", reason="EndpointNotFound")
        eventually(
            lambda name=name: (
                f"'{name}'" in space.telemetry("Deployment", "dtrack")["usage"]["message"]
            ),
            say=f"word of {name}",
        )
        assert status["usage"]["state"] == "Unknown"
    assert [seen for collector in collectors for seen in collector.seen] == []


def test_a_helper_pod_and_services_that_lead_to_it_are_no_evidence(
    runtime_space: Space, host: FakesThread, products: Products
) -> None:
    """Of a tenant with the stock role edit, whose product sends."""
    space, tenant = runtime_space, tenant_of(runtime_space)
    honest = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="true"),
    )
    # A helper with the labels of the product's pods, a port of the same name, and its image.
    labels = {"app": "dtrack"}
    image = container(DTRACK_5, ports=[{"name": "http", "containerPort": 9999}])
    helper: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper", "labels": {**labels, "helper": "true"}},
        "spec": {"containers": [image]},
    }
    http = [{"name": "http", "containerPort": 8080}]
    tenant.apply(
        workload("StatefulSet", "dtrack", container(DTRACK_5, ports=http)),
        service("dtrack", 8080),
        helper,
    )
    for name, ports in {
        "aaa": [{"name": "http", "port": 8080, "targetPort": "http"}],
        "aab": [{"name": "http", "port": 8080, "targetPort": 9999}],
    }.items():
        to_both = {"selector": labels, "ports": ports}
        to_helper = {"selector": {"helper": "true"}, "ports": ports}
        for suffix, spec in (("", to_both), ("-helper", to_helper)):
            one = service(f"{name}{suffix}", 8080)
            tenant.apply({**one, "spec": spec})
    space.wait_for_pods("app=dtrack", 2)
    address_of_helper = space.get("pod", "helper")["status"]["podIP"]
    liars = [
        host.start(
            FakeDependencyTrack(
                address=where, port=port, tls=False, version="5.0.4", enabled="false",
                api_key=honest.api_key,
            )
        )
        for where, port in (
            (address_of_helper, 9999),
            *((address(space, name), 8080) for name in ("dtrack", "aaa", "aab", "aaa-helper")),
        )
    ]  # fmt: skip
    space.apply(secret("dtrack", apiKey=honest.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.telemetry("StatefulSet", "dtrack", state="NonCompliant", reported="Enabled")
    for name in ("aaa", "aab"):
        endpoint = {"product": "dependency-track", "service": {"name": name, "port": 8080}}
        space.policy(runtime=runtime("dependency-track", "dtrack", endpoints=[endpoint]))
        time.sleep(3)
        space.telemetry("StatefulSet", "dtrack", state="NonCompliant", reported="Enabled")
    assert [seen for liar in liars for seen in liar.seen] == []


def test_a_pod_on_the_network_of_its_node_is_not_asked(runtime_space: Space) -> None:
    space, tenant = runtime_space, tenant_of(runtime_space)
    space.apply(secret("dtrack", apiKey="odt_x"))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    made = workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE))
    made["spec"]["template"]["spec"]["hostNetwork"] = True
    tenant.apply(made, service("dtrack", 8080))
    status = space.telemetry("Deployment", "dtrack", state="Unknown", reason="NoVerifiedPod")
    assert "hostNetwork" in status["usage"]["message"]


def test_a_setting_that_somebody_keeps_turning_back_is_left_alone(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space, "dtrack", FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4")
    )
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack", action="Remediate"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    for round_number in range(3):
        eventually(lambda: product.values["submission.enabled"] == "false", say="put right")
        product.values["submission.enabled"] = "true"
        # Another pod is an occasion to ask.
        space.kubectl("delete", "pod", "-l", "app=dtrack", "--wait=false")
        assert round_number < 3
    space.telemetry("Deployment", "dtrack", state="NonCompliant", reason="SettingFoughtOver")
    writes = [seen for seen in product.seen if seen.method == "POST"]
    time.sleep(3)
    assert len(writes) == 3
    assert events(space, "TelemetryRemediationConflict")


def test_a_policy_that_turns_it_off_asks_nothing(runtime_space: Space, products: Products) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(space, "dtrack", FakeDependencyTrack(address="", port=8080, tls=False))
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack", action="Off"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    space.telemetry("Deployment", "dtrack", reason="SeedNotProven")
    time.sleep(3)
    assert product.seen == []


def test_what_a_product_said_counts_no_more_once_it_is_not_asked(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="false"),
    )
    space.apply(secret("dtrack", apiKey=product.api_key))
    asked = runtime("dependency-track", "dtrack")
    space.policy(runtime=asked)
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    space.telemetry("Deployment", "dtrack", state="Compliant", reason="Reported")
    space.policy(runtime={**asked, "action": "Off"})
    space.telemetry("Deployment", "dtrack", reason="SeedNotProven", reported="Unknown")


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(
    runtime_space: Space, products: Products
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="false"),
    )
    product.fail(ApiFault.HANG)
    space.apply(secret("dtrack", apiKey=product.api_key))
    asked = runtime("dependency-track", "dtrack")
    space.policy(runtime=asked)
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    space.wait_for_pods("app=dtrack", 1)
    eventually(lambda: product.seen, say="a question")
    product.mend()
    space.policy(runtime={**asked, "interval": "30m"})
    space.telemetry("Deployment", "dtrack", state="Compliant", reason="Reported")
    # By now the first question has waited for as long as one does.
    time.sleep(17)
    space.telemetry("Deployment", "dtrack", state="Compliant", reason="Reported")


def test_nothing_is_written_while_a_product_says_the_same(
    runtime_space: Space, products: Products, world: World
) -> None:
    space = runtime_space
    space.apply(service("dtrack", 8080))
    product = products.start(
        space,
        "dtrack",
        FakeDependencyTrack(address="", port=8080, tls=False, version="5.0.4", enabled="false"),
    )
    space.apply(secret("dtrack", apiKey=product.api_key))
    space.policy(runtime=runtime("dependency-track", "dtrack"))
    space.apply(workload("Deployment", "dtrack", container(DTRACK_4, env=DATABASE)))
    space.telemetry("Deployment", "dtrack", reason="Reported")
    version = space.get("workloadtelemetry", "deployment-dtrack")["metadata"]["resourceVersion"]
    asked = len(product.seen)
    # A new leader asks anew, and finds the same.
    world.operator.stop("controller")
    world.operator.start("controller")
    world.operator.wait_until_ready("controller")
    eventually(lambda: len(product.seen) > asked, say="a question")
    time.sleep(2)
    found = space.get("workloadtelemetry", "deployment-dtrack")
    assert found["metadata"]["resourceVersion"] == version
