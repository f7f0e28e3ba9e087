"""What the demo shows, scene by scene. Every command runs as it is printed."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from dev.cluster import paths
from dev.cluster.cluster import Cluster
from dev.cluster.progress import say
from dev.demo.stand import Stand
from dev.harness.cluster_dns import PORT, print_corefile
from dev.harness.dns_server import Records
from dev.harness.operator import NAMESPACE
from dev.harness.pods import pod_addresses
from dev.harness.products import CREDENTIALS, ProductAddress
from fleet_telemetry.kube.secrets import CREDENTIAL_LABEL
from fleet_telemetry.objects.labels import as_selector

_SECONDS = 90.0
_POLICIES = "examples/policies"
_WORKLOADS = "examples/workloads"
_HOST = "telemetry.emqx.io"
_GATEWAY = "telemetry-gateway.sourcegraph.com"
_DEPENDENCY_TRACK = "appsec", "dependency-track-api-server"
"""Namespace and name of its Service."""

Fleet = Mapping[str, tuple[str, str]]
"""State and reason of the channel Usage, by namespace and name of the WorkloadTelemetry."""

_SEEN: Fleet = {
    "appsec/statefulset-sonarqube": ("", ""),
    "appsec/statefulset-dependency-track-api-server": ("", ""),
    "code/deployment-dependency-track-trial": ("", ""),
}
_JUDGED: Fleet = {
    "appsec/statefulset-sonarqube": ("NonCompliant", "AwaitingUpgrade"),
    # Its setting is a row in a database that nothing has queried.
    "appsec/statefulset-dependency-track-api-server": ("Unknown", "SeedNotProven"),
    "code/deployment-dependency-track-trial": ("NonCompliant", "AwaitingUpgrade"),
}
_INJECTED: Fleet = {
    "appsec/statefulset-sonarqube": ("Compliant", "RunningInEveryPod"),
    "appsec/statefulset-dependency-track-api-server": ("Unknown", "SeedNotProven"),
    "code/deployment-dependency-track-trial": ("Compliant", "SeedProven"),
    "code/deployment-sourcegraph-frontend": ("Unknown", "NotReported"),
    "code/deployment-worker": ("Compliant", "RunningInEveryPod"),
    "code/deployment-worker-next": ("NotEnforceable", "NoEffectiveSwitch"),
    "iot/statefulset-emqx": ("Compliant", "RunningInEveryPod"),
}
_EMQX = "iot/statefulset-emqx"
_OBSERVED: Fleet = {**_INJECTED, _EMQX: ("NonCompliant", "ObservedContact")}
_ASKED: Fleet = {
    **_INJECTED,
    # The row in its database is older than the injected default.
    "appsec/statefulset-dependency-track-api-server": ("NonCompliant", "ReportedContrary"),
    "code/deployment-sourcegraph-frontend": ("NonCompliant", "ReportedContrary"),
}
_IN_THE_END: Fleet = {
    **_ASKED,
    "appsec/statefulset-dependency-track-api-server": ("Compliant", "Reported"),
    "code/deployment-sourcegraph-frontend": ("Compliant", "Reported"),
}


class ShowError(RuntimeError):
    """The fleet is not in the expected state; the message is for the user."""


@dataclass(frozen=True)
class _Terminal:
    """Prints commands and their output."""

    cluster: Cluster

    def kubectl(self, command: str) -> None:
        """Run a kubectl command, given without its first word. Raises CalledProcessError."""
        print(f"\n$ kubectl {command}")
        done = self.cluster.kubectl(*shlex.split(command))
        # kubectl prints its warnings first, too.
        print((done.stderr + done.stdout).rstrip(), flush=True)


def run(place: Stand) -> None:
    """Show the main features. Raises ShowError if the fleet is not in the expected state."""
    terminal = _Terminal(place.cluster)
    _scene("1. Some products already run. The operator lists them without any policy.")
    terminal.kubectl(
        f"apply -f {_WORKLOADS}/namespaces.yaml -f {_WORKLOADS}/sonarqube.yaml"
        f" -f {_WORKLOADS}/dependency-track.yaml -f {_WORKLOADS}/dependency-track-trial.yaml"
    )
    _await(place, _SEEN)
    terminal.kubectl("get workloadtelemetries --all-namespaces")

    time.sleep(
        1.5
    )  # creation times have a resolution of a second, and these workloads must be older
    _scene(
        "2. A policy for the whole cluster. It restarts nothing, and reports only what is proven."
    )
    terminal.kubectl(f"apply -f {_POLICIES}/cluster-opt-out.yaml")
    _await(place, _JUDGED)
    terminal.kubectl("get workloadtelemetries --all-namespaces")

    _scene("3. New workloads get the switch of their own version.")
    terminal.kubectl(f"apply -f {_WORKLOADS}/emqx.yaml -f {_WORKLOADS}/sourcegraph.yaml")

    _scene("4. So do upgraded ones: version 5 refuses to start with the variable of version 4.")
    image = "dependency-track-api-server=docker.io/dependencytrack/apiserver"
    statefulset = "statefulset/dependency-track-api-server"
    terminal.kubectl(f"set image --namespace=appsec {statefulset} {image}:4.14.4")
    terminal.kubectl(f"set image --namespace=appsec {statefulset} {image}:5.0.4 --dry-run=server")
    terminal.kubectl(f"set env --namespace=appsec {statefulset} --list")

    _scene("5. One team opts out of more, at once. The other workloads do not change.")
    terminal.kubectl(f"apply -f {_POLICIES}/appsec.yaml")
    terminal.kubectl("delete deployment --namespace=code dependency-track-trial")
    terminal.kubectl(f"apply -f {_WORKLOADS}/dependency-track-trial.yaml")
    _await(place, _INJECTED)

    _scene("6. What the products' pods ask of DNS is seen, without any credential.")
    _show_lookups(place, terminal)

    _scene("7. A variable proves nothing if a database decides. The operator queries the products.")
    _start_products(place, terminal)
    terminal.kubectl(f"apply -f {_POLICIES}/cluster-opt-out-verified.yaml")
    _await(place, _ASKED)
    terminal.kubectl("get workloadtelemetries --all-namespaces --output=wide")

    _scene("8. The operator remediates the settings that contradict the policy.")
    action = shlex.quote('{"spec":{"runtime":{"action":"Remediate"}}}')
    terminal.kubectl(f"patch clustertelemetrypolicy opt-out --type=merge --patch={action}")
    _await(place, _IN_THE_END)

    _scene(
        "9. Somebody turns telemetry on in the product. The operator finds it within the interval."
    )
    _turn_on(place)
    _await_events(place, "TelemetryRemediated", 2)
    _await(place, _IN_THE_END)
    terminal.kubectl(
        "get events.events.k8s.io --namespace=appsec"
        " --field-selector=reportingController=fleettelemetry.io/controller"
        " --output=custom-columns=REASON:.reason,WORKLOAD:.regarding.name,NOTE:.note"
    )

    _scene("10. A network policy blocks a telemetry host, while the host's addresses change.")
    _show_egress(place, terminal)

    _scene("11. The fleet: what is proven, what is not, and why.")
    terminal.kubectl("get workloadtelemetries --all-namespaces")
    terminal.kubectl("get clustertelemetrypolicy opt-out --output=yaml")
    _show_metrics(place)


def _show_lookups(place: Stand, terminal: _Terminal) -> None:
    place.names.update({host: Records(a=["44.0.2.11"], ttl=60) for host in (_HOST, _GATEWAY)})
    print("\n$ fleet-telemetry corefile", flush=True)
    printed = print_corefile(place.cluster)
    print(printed, flush=True)
    say("(Added to both CoreDNS. Quiet: every lookup would be seen, and there was none.)")
    place.dns.configure(printed)
    columns = (
        "custom-columns=NAME:.metadata.name,STATE:.status.summary.state,REASON:.status.summary.reason,"
        "OBSERVED:.status.channels[*].observed"
    )
    _await_observed(place, _EMQX, "Quiet")
    terminal.kubectl(f"get workloadtelemetries --namespace=iot --output={columns}")
    say("(No container runs here: a lookup from a pod's address stands for the product's own.)")
    _ask(place, "code", "app=worker-next", _GATEWAY)
    _await_observed(place, "code/deployment-worker-next", "Contacted")
    say("(Somebody turns EMQX's telemetry on again, in its dashboard.)")
    _ask(place, "iot", "app.kubernetes.io/name=emqx", _HOST)
    _await(place, _OBSERVED)
    terminal.kubectl(f"get workloadtelemetries --all-namespaces --output={columns}")
    path = "{.status.channels[0].message}"
    terminal.kubectl(
        f"get workloadtelemetry --namespace=iot statefulset-emqx --output=jsonpath={path}"
    )


def _ask(place: Stand, namespace: str, selector: str, host: str) -> None:
    """A lookup by the first pod that a selector matches."""
    address = pod_addresses(place.cluster, namespace, selector)[0]
    print(f"\n$ dig {host} @{place.dns.addresses[0]} -p {PORT} -b {address}", flush=True)
    place.dns.ask(host, client=address)


def _await_observed(place: Stand, record: str, wanted: str) -> None:
    """Wait until DNS shows this of a workload's usage."""
    namespace, _, name = record.partition("/")
    deadline = time.monotonic() + _SECONDS
    while wanted not in _get(place, f"workloadtelemetry/{name}", namespace):
        if time.monotonic() > deadline:
            raise ShowError(f"{record} is not shown as {wanted} after {_SECONDS:.0f} s")
        time.sleep(0.3)


def _show_egress(place: Stand, terminal: _Terminal) -> None:
    say("(The demo's own name server answers here; on your cluster this is cluster DNS.)")
    place.names.set(_HOST, Records(a=["44.0.2.11"], ttl=4))
    terminal.kubectl(f"apply -f {_POLICIES}/egress.yaml")
    policy = "fleet-telemetry-deny-statefulset-emqx"
    path = "{.spec.egress[*].to[*].ipBlock}"
    for addresses in (["44.0.2.11"], ["44.0.2.12", "44.0.3.77"]):
        place.names.set(_HOST, Records(a=addresses, ttl=4))
        say(f"(DNS now returns {' and '.join(addresses)} for {_HOST}.)")
        _await_denied(place, policy, addresses)
        terminal.kubectl(f"get networkpolicy --namespace=iot {policy} --output=jsonpath='{path}'")
    terminal.kubectl(f"get telemetryhost {_HOST}")
    path = "{range .status.channels[*]}{.name}: {.egress}, {.egressReason}: {.egressMessage}{end}"
    terminal.kubectl(
        "get workloadtelemetry --namespace=iot statefulset-emqx"
        f" --output=jsonpath={shlex.quote(path)}"
    )


def _await_denied(place: Stand, policy: str, addresses: list[str]) -> None:
    """Wait until a NetworkPolicy excepts the addresses."""
    deadline = time.monotonic() + _SECONDS
    command = ("get", "networkpolicy", policy, "--namespace=iot", "--ignore-not-found", "-oyaml")
    while not all(f"{one}/32" in place.cluster.kubectl(*command).stdout for one in addresses):
        if time.monotonic() > deadline:
            raise ShowError(f"{policy} does not deny {addresses} after {_SECONDS:.0f} s")
        time.sleep(0.3)


def _start_products(place: Stand, terminal: _Terminal) -> None:
    """Put the credentials into Secrets, and start the fakes at the products' addresses."""
    for name, keys in CREDENTIALS.items():
        literals = " ".join(f"--from-literal={key}={value}" for key, value in keys.items())
        terminal.kubectl(f"create secret generic --namespace={NAMESPACE} {name} {literals}")
    marked = f"{' '.join(CREDENTIALS)} {CREDENTIAL_LABEL}=true"
    terminal.kubectl(f"label secret --namespace={NAMESPACE} {marked}")
    services = (
        ("dependency-track", *_DEPENDENCY_TRACK, 8080),
        ("sonarqube", "appsec", "sonarqube", 9000),
        ("sourcegraph", "code", "sourcegraph-frontend", 3080),
        ("emqx", "iot", "emqx-headless", 18083),
    )
    places = [
        ProductAddress(product, address, port)
        for product, namespace, name, port in services
        for address in _addresses_behind(place, namespace, name)
    ]
    say("(No container runs here: fakes of the products' APIs listen at their addresses.)")
    place.start_products(places)


def _get(place: Stand, what: str, namespace: str) -> str:
    return place.cluster.kubectl("get", what, f"--namespace={namespace}", "--output=json").stdout


def _addresses_behind(place: Stand, namespace: str, service: str) -> list[str]:
    """The addresses of the pods that a Service selects."""
    selector = json.loads(_get(place, f"service/{service}", namespace))["spec"]["selector"]
    labels = as_selector(selector)
    return pod_addresses(place.cluster, namespace, labels)


def _turn_on(place: Stand) -> None:
    """What an administrator does in Dependency-Track's user interface, by its API."""
    (address,) = _addresses_behind(place, *_DEPENDENCY_TRACK)
    url = f"http://{address}:8080/api/v1/configProperty"
    content = {
        "groupName": "telemetry",
        "propertyName": "submission.enabled",
        "propertyValue": "true",
    }
    key = CREDENTIALS["dependency-track"]["apiKey"]
    headers = {"X-Api-Key": key, "Content-Type": "application/json"}
    body = json.dumps(content)
    print(f"\n$ curl {url} --header 'X-Api-Key: {key}' --json '{body}'")
    request = urllib.request.Request(url, body.encode(), headers)  # our own fake
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own fake
        print(answer.read().decode(), flush=True)


def _await_events(place: Stand, reason: str, count: int) -> None:
    """Wait until the namespace appsec has this many events with the reason."""
    deadline = time.monotonic() + _SECONDS
    selector = f"--field-selector=reason={reason}"
    command = ("get", "events.events.k8s.io", "--namespace=appsec", selector, "--output=name")
    while len(place.cluster.kubectl(*command).stdout.split()) < count:
        if time.monotonic() > deadline:
            raise ShowError(f"{count} events {reason} did not come within {_SECONDS:.0f} s")
        time.sleep(0.5)


def print_hints(place: Stand) -> None:
    """Print how to reach the demo's components."""
    assert place.operator is not None
    programs = paths.shown(paths.root() / "bin")
    print(
        textwrap.dedent(f"""
        To explore it:
          export KUBECONFIG={paths.shown(place.cluster.kubeconfig)} PATH={programs}:$PATH
          kubectl get telemetry --all-namespaces
          kubectl describe workloadtelemetry --namespace=code deployment-worker-next
          curl {place.operator.url("controller")}/metrics
        docs/monitoring.md describes the alerts and dashboards; docs/overview.svg is a picture
        of the overview.
        Logs are in {paths.shown(place.operator.log("controller").parent)}."""),
        flush=True,
    )


def _scene(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def _await(place: Stand, expected: Fleet) -> None:
    """Wait until the fleet has the expected states."""
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
