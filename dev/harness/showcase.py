"""A small fleet that has every state, and the expected states.

The workloads are real objects on a local cluster, kwok simulates their pods, and fakes answer
for two products.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dev.cluster.cluster import Cluster
from dev.fakes.dependency_track import FakeDependencyTrack
from dev.fakes.sonarqube import FakeSonarQube
from dev.harness.dns_server import LocalDnsServer, Records
from dev.harness.pods import PodFollower
from fleet_telemetry.kube.secrets import CREDENTIAL_LABEL

Manifest = dict[str, Any]
_SECONDS = 60.0
_COVERED = {"fleet": "production"}
"""What the policy selects namespaces by."""
TEAMS = {"appsec": "security", "code": "web", "iot": "devices", "platform": "web", "sandbox": ""}
"""The teams of the namespaces; empty: the namespace has no such label."""
TEAM_LABEL = "example.com/team"
NAMESPACES = tuple(TEAMS)
UNCOVERED = "sandbox"
CLUSTER_NAME = "showcase"
_SONARQUBE = "sonarqube:26.7.0.124771-community"
_EMQX = "emqx/emqx:5.8.9"
_DTRACK = "docker.io/dependencytrack/apiserver:4.14.3"


class ShowcaseError(RuntimeError):
    """The fleet did not reach the expected states; the message is for the user."""


@dataclass(frozen=True)
class Member:
    """A workload of the fleet, and the expected state of its channel Usage."""

    namespace: str
    kind: str
    name: str
    product: str
    image: str
    state: str
    """Empty where no policy covers it."""
    reason: str
    replicas: int = 1
    is_old: bool = False
    """Created before the policy."""
    env: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    """Without the one that it names, no pod can be created."""

    @property
    def record(self) -> str:
        """The name of its WorkloadTelemetry."""
        return f"{self.kind.lower()}-{self.name}"


FLEET = (
    Member(
        "appsec", "StatefulSet", "dependency-track", "dependency-track", _DTRACK,
        "NonCompliant", "ReportedContrary", env={"ALPINE_DATABASE_MODE": "external"},
    ),
    Member(
        "appsec", "StatefulSet", "sonarqube", "sonarqube", _SONARQUBE,
        "Compliant", "RunningInEveryPod",
    ),
    Member(
        "appsec", "Deployment", "sonarqube-audit", "sonarqube", _SONARQUBE,
        "Compliant", "RunningInEveryPod",
    ),
    Member(
        "code", "Deployment", "sonarqube", "sonarqube", _SONARQUBE,
        "Compliant", "RunningInEveryPod",
    ),
    Member(
        "code", "Deployment", "sonarqube-old", "sonarqube", _SONARQUBE,
        "NonCompliant", "AwaitingUpgrade", is_old=True,
    ),
    Member(
        "code", "Deployment", "worker", "sourcegraph", "sourcegraph/worker:5.6.2535",
        "Compliant", "RunningInEveryPod",
    ),
    Member(
        "code", "Deployment", "worker-next", "sourcegraph", "sourcegraph/worker:6.2.0",
        "NotEnforceable", "NoEffectiveSwitch",
    ),
    Member(
        "iot", "StatefulSet", "emqx-eu", "emqx", _EMQX,
        "Compliant", "RunningInEveryPod", replicas=3,
    ),
    Member(
        "iot", "StatefulSet", "emqx-us", "emqx", _EMQX,
        "Compliant", "RunningInEveryPod", replicas=2,
    ),
    Member(
        "iot", "StatefulSet", "emqx-lab", "emqx", _EMQX,
        "Pending", "NoPods", service_account="missing",
    ),
    Member(
        "platform", "Deployment", "sonarqube-nightly", "sonarqube", "sonarqube:latest",
        "Unknown", "VersionUnreadable",
    ),
    Member(
        "platform", "Deployment", "sonarqube", "sonarqube", _SONARQUBE,
        "Compliant", "RunningInEveryPod",
    ),
    Member(
        "platform", "StatefulSet", "emqx-legacy", "emqx", _EMQX, "Exempt", "ExemptByPolicy",
        env={"EMQX_TELEMETRY__ENABLE": "true"},
    ),
    Member(UNCOVERED, "Deployment", "sonarqube", "sonarqube", _SONARQUBE, "", ""),
)  # fmt: skip
EXEMPTED = next(member for member in FLEET if member.state == "Exempt")
ASKED = FLEET[0]
"""Its product reports that it submits."""
REFUSING = FLEET[3]
"""Its product does not accept the credentials."""


CONTAINED, CONTAINED_HOST = "iot", "telemetry.emqx.io"
"""A namespace in which a network policy blocks the products' host."""


class Showcase:
    """Makes the fleet, in this order: ``prepare``, then the chart is installed with ``values`` and
    the operator started, then ``create`` and ``wait``."""

    def __init__(self, cluster: Cluster, follower: PodFollower, names: LocalDnsServer) -> None:
        self._cluster = cluster
        self._follower = follower
        self._names = names
        self.values: Manifest = {
            "runtime": {"secrets": [{"namespace": "appsec"}, {"namespace": "code"}]},
            "egress": {"dnsServers": [names.endpoint], "enforced": ["NetworkPolicy"]},
            "clusterName": CLUSTER_NAME,
            "metrics": {"teamLabel": TEAM_LABEL},
        }
        """Which Secrets the operator may read, and whom it asks for telemetry hosts."""
        self.exception_ends = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
        self.dependency_track: FakeDependencyTrack | None = None

    def prepare(self) -> None:
        """Create the namespaces."""
        for name in NAMESPACES:
            labels = {} if name == UNCOVERED else _COVERED
            if TEAMS[name]:
                labels = {**labels, TEAM_LABEL: TEAMS[name]}
            metadata = {"name": name, "labels": labels}
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def create(self) -> None:
        """Create the policies and the workloads, and start the fakes of the products."""
        self.apply(*(_workload(member) for member in FLEET if member.is_old))
        time.sleep(1.1)  # creation times have a resolution of a second
        self.apply(_service(ASKED, 8080), _service(REFUSING, 9000))
        self.dependency_track = self._follower.start(
            FakeDependencyTrack(address="", port=8080, tls=False, version="4.14.3", enabled="true"),
            ASKED.namespace,
            f"app={ASKED.name}",
        )
        self.dependency_track.submit(1_795_000_000)
        self._follower.start(
            FakeSonarQube(address="", port=9000, tls=False),
            REFUSING.namespace,
            f"app={REFUSING.name}",
        )
        self._names.set(CONTAINED_HOST, Records(a=["54.230.1.7", "54.230.1.8"]))
        self.apply(
            _secret(ASKED, apiKey=self.dependency_track.api_key),
            _secret(REFUSING, token="squ_of_somebody_else"),  # noqa: S106  # opens nothing
            self.policy(),
            _asking(ASKED),
            _asking(REFUSING),
            _containing(),
        )
        self._await("the policies' statuses", self._policies_are_known)
        self.apply(*(_workload(member) for member in FLEET if not member.is_old))

    def policy(self) -> Manifest:
        """The opt-out of all namespaces but one, with an exception."""
        reference = {
            "namespace": EXEMPTED.namespace,
            "kind": EXEMPTED.kind,
            "name": EXEMPTED.name,
        }
        exception = {
            "workload": reference,
            "reason": "contract until spring",
            "expiresAt": self.exception_ends.isoformat(),
        }
        return {
            "apiVersion": "fleettelemetry.io/v1alpha1",
            "kind": "ClusterTelemetryPolicy",
            "metadata": {"name": "opt-out"},
            "spec": {
                "submission": "Disabled",
                "namespaceSelector": {"matchLabels": _COVERED},
                "exceptions": [exception],
            },
        }

    def wait(self) -> None:
        """Wait until the fleet has the expected states. Raises ShowcaseError."""
        wanted = {(m.namespace, m.record): (m.state, m.reason) for m in FLEET}
        self._await("the fleet", lambda: self.usage() == wanted)

    def usage(self) -> dict[tuple[str, str], tuple[str, str]]:
        """State and reason of the channel Usage by namespace and name of the WorkloadTelemetry."""
        found = {}
        for record in self.records():
            metadata = record["metadata"]
            channels = record.get("status", {}).get("channels", ())
            channel: Manifest = next((c for c in channels if c["name"] == "Usage"), {})
            said = channel.get("state", ""), channel.get("reason", "") if "state" in channel else ""
            found[metadata["namespace"], metadata["name"]] = said
        return found

    def records(self) -> list[Manifest]:
        """All WorkloadTelemetries."""
        text = self._cluster.kubectl(
            "get", "workloadtelemetries", "--all-namespaces", "--output=json"
        ).stdout
        found: list[Manifest] = json.loads(text)["items"]
        return found

    def apply(self, *manifests: Manifest) -> None:
        """Create or change objects."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self._cluster.kubectl("apply", "--filename=-", input=json.dumps(bundle))

    def _policies_are_known(self) -> bool:
        text = self._cluster.kubectl(
            "get", "ctpol,tpol", "--all-namespaces", "--output=json"
        ).stdout
        found = json.loads(text)["items"]
        return len(found) == 4 and all("observedGeneration" in p.get("status", {}) for p in found)  # noqa: PLR2004  # those of create()

    def _await(self, what: str, probe: Any) -> None:
        deadline = time.monotonic() + _SECONDS
        while not probe():
            if time.monotonic() > deadline:
                raise ShowcaseError(f"{what} was not reached; the last state: {self.usage()}")
            time.sleep(0.2)


def _workload(member: Member) -> Manifest:
    labels = {"app": member.name}
    env = [{"name": name, "value": value} for name, value in member.env.items()]
    container = {"name": "app", "image": member.image, "env": env}
    spec: Manifest = {
        "replicas": member.replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    if member.service_account:
        spec["template"]["spec"]["serviceAccountName"] = member.service_account
    if member.kind == "StatefulSet":
        spec |= {"serviceName": member.name, "podManagementPolicy": "Parallel"}
    return {
        "apiVersion": "apps/v1",
        "kind": member.kind,
        "metadata": {"name": member.name, "namespace": member.namespace, "labels": labels},
        "spec": spec,
    }


def _service(member: Member, port: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": member.name, "namespace": member.namespace},
        "spec": {"selector": {"app": member.name}, "ports": [{"name": "http", "port": port}]},
    }


def _secret(member: Member, **data: str) -> Manifest:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": member.name,
            "namespace": member.namespace,
            "labels": {CREDENTIAL_LABEL: "true"},
        },
        "data": encoded,
    }


def _asking(member: Member) -> Manifest:
    """A policy of the namespace's own: it agrees, and has the credentials for the product."""
    reference = {"product": member.product, "secretRef": {"name": member.name}}
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryPolicy",
        "metadata": {"name": "ask", "namespace": member.namespace},
        "spec": {
            "submission": "Disabled",
            "products": [member.product],
            "runtime": {"interval": "1m", "credentials": [reference]},
        },
    }


def _containing() -> Manifest:
    """A policy of the namespace's own: it agrees, and denies the host by a network policy."""
    return {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryPolicy",
        "metadata": {"name": "contain", "namespace": CONTAINED},
        "spec": {
            "submission": "Disabled",
            "egress": {"action": "Deny", "sharedAddresses": "Accept"},
        },
    }
