"""What the demo shows, scene by scene. Every command is run as it is printed."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass

from demo.stand import Stand
from devcluster import paths
from devcluster.cluster import Cluster

_SECONDS = 90.0
_POLICIES = "examples/policies"
_WORKLOADS = "examples/workloads"

Fleet = Mapping[str, tuple[str, str]]
"""State and reason of the channel Usage, by namespace/record."""

_SEEN: Fleet = {
    "appsec/statefulset-sonarqube": ("", ""),
    "appsec/statefulset-dependency-track-api-server": ("", ""),
    "code/deployment-dependency-track-trial": ("", ""),
}
_JUDGED: Fleet = {
    "appsec/statefulset-sonarqube": ("NonCompliant", "AwaitingUpgrade"),
    # What it sends depends on a row in a database that nobody has asked.
    "appsec/statefulset-dependency-track-api-server": ("Unknown", "SeedNotProven"),
    "code/deployment-dependency-track-trial": ("NonCompliant", "AwaitingUpgrade"),
}
_IN_THE_END: Fleet = {
    "appsec/statefulset-sonarqube": ("Compliant", "RunningInEveryPod"),
    "appsec/statefulset-dependency-track-api-server": ("Unknown", "SeedNotProven"),
    "code/deployment-dependency-track-trial": ("Compliant", "SeedProven"),
    "code/deployment-sourcegraph-frontend": ("Unknown", "NotReported"),
    "code/deployment-worker": ("Compliant", "RunningInEveryPod"),
    "code/deployment-worker-next": ("NotEnforceable", "NoEffectiveSwitch"),
    "iot/statefulset-emqx": ("Compliant", "RunningInEveryPod"),
}


class ShowError(RuntimeError):
    """The fleet is not as it should be; the message is a sentence for a person."""


@dataclass(frozen=True)
class _Terminal:
    """Prints commands and what they say."""

    cluster: Cluster

    def kubectl(self, command: str) -> None:
        """Run a kubectl command, given without its first word. Raises CalledProcessError."""
        print(f"\n$ kubectl {command}")
        done = self.cluster.kubectl(*shlex.split(command))
        # kubectl tells its warnings first, too.
        print((done.stderr + done.stdout).rstrip(), flush=True)


def run(place: Stand) -> None:
    """Show the main job. Raises ShowError where the fleet is not as it should be."""
    terminal = _Terminal(place.cluster)
    _scene("1. Some products run already. Without any policy they are listed.")
    terminal.kubectl(
        f"apply -f {_WORKLOADS}/namespaces.yaml -f {_WORKLOADS}/sonarqube.yaml"
        f" -f {_WORKLOADS}/dependency-track.yaml -f {_WORKLOADS}/dependency-track-trial.yaml"
    )
    _await(place, _SEEN)
    terminal.kubectl("get workloadtelemetries --all-namespaces")

    time.sleep(1.5)  # times are told in whole seconds, and these workloads shall be the older ones
    _scene("2. A policy for the whole cluster. Nothing is restarted for it, and nothing pretended.")
    terminal.kubectl(f"apply -f {_POLICIES}/cluster-opt-out.yaml")
    _await(place, _JUDGED)
    terminal.kubectl("get workloadtelemetries --all-namespaces")

    _scene("3. What is installed from now on is given the switch of its own version.")
    terminal.kubectl(f"apply -f {_WORKLOADS}/emqx.yaml -f {_WORKLOADS}/sourcegraph.yaml")

    _scene("4. So is what is upgraded: version 5 refuses to start with the variable of version 4.")
    image = "dependency-track-api-server=docker.io/dependencytrack/apiserver"
    statefulset = "statefulset/dependency-track-api-server"
    terminal.kubectl(f"set image --namespace=appsec {statefulset} {image}:4.14.4")
    terminal.kubectl(f"set image --namespace=appsec {statefulset} {image}:5.0.4")
    terminal.kubectl(f"set env --namespace=appsec {statefulset} --list")

    _scene("5. One team wants more, and at once. The other workloads stay as they are.")
    terminal.kubectl(f"apply -f {_POLICIES}/appsec.yaml")
    terminal.kubectl("delete deployment --namespace=code dependency-track-trial")
    terminal.kubectl(f"apply -f {_WORKLOADS}/dependency-track-trial.yaml")
    _await(place, _IN_THE_END)

    _scene("6. The fleet: what is proven, what is not, and why.")
    terminal.kubectl("get workloadtelemetries --all-namespaces")
    terminal.kubectl("get clustertelemetrypolicy opt-out --output=yaml")
    _show_metrics(place)


def tell_where_to_look(place: Stand) -> None:
    """Print how to reach it all."""
    assert place.operator is not None
    programs = paths.shown(paths.root() / "bin")
    print(
        textwrap.dedent(f"""
        To look around:
          export KUBECONFIG={paths.shown(place.cluster.kubeconfig)} PATH={programs}:$PATH
          kubectl get telemetry --all-namespaces
          kubectl describe workloadtelemetry --namespace=code deployment-worker-next
          curl {place.operator.url("controller")}/metrics
        Logs are in {paths.shown(place.operator.log("controller").parent)}."""),
        flush=True,
    )


def _scene(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def _await(place: Stand, expected: Fleet) -> None:
    """Wait until the fleet is as expected."""
    deadline = time.monotonic() + _SECONDS
    while (found := _fleet(place.cluster)) != expected:
        if time.monotonic() > deadline:
            assert place.operator is not None
            log = paths.shown(place.operator.log("controller"))
            raise ShowError(
                f"after {_SECONDS:.0f} s the fleet is {json.dumps(found, indent=2)} and not"
                f" {json.dumps(expected, indent=2)}; the controller's log is {log}"
            )
        time.sleep(0.2)


def _fleet(cluster: Cluster) -> Fleet:
    answer = cluster.kubectl("get", "workloadtelemetries", "--all-namespaces", "--output=json")
    found: dict[str, tuple[str, str]] = {}
    for item in json.loads(answer.stdout)["items"]:
        channels = item.get("status", {}).get("channels", [])
        usage: dict[str, str] = next(
            (channel for channel in channels if channel["name"] == "Usage"), {}
        )
        name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        found[name] = (usage.get("state", ""), usage.get("reason", ""))
    return found


def _show_metrics(place: Stand) -> None:
    assert place.operator is not None
    url = place.operator.url("controller")
    wanted = re.compile(
        r'fleet_telemetry_(submission_enabled\{.*evidence="running"|workloads\{.*\} [1-9])'
    )
    print(f"\n$ curl --silent {url}/metrics | grep --extended-regexp '{wanted.pattern}'")
    for line in place.operator.metrics("controller").splitlines():
        if wanted.match(line):
            print(line)
