"""Network policies on a real API server, with a real name server whose answers change."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from dev.harness.dns_server import Records
from tests.support.forked_operator import run_command
from tests.support.world import SONARQUBE, Manifest, Space, container, eventually, workload

pytestmark = pytest.mark.cluster

HOST = "telemetry.sonarsource.com"
OURS = "fleet-telemetry-deny-deployment-sonar"
ALLOW = "fleet-telemetry-allow-deployment-sonar"
DENY = {"action": "Deny", "sharedAddresses": "Accept"}
OPEN = {"action": "Allow", "sharedAddresses": "Accept"}


def sonar(**more: Any) -> Manifest:
    return workload("Deployment", "sonar", container(SONARQUBE), **more)


def net(name: str, **spec: Any) -> Manifest:
    """A NetworkPolicy of somebody's for every pod, which lets nothing out unless told to."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], **spec},
    }


EVERYTHING = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]


def excepted(manifest: Manifest) -> set[str]:
    """The addresses that a NetworkPolicy leaves out."""
    return {
        address
        for rule in manifest["spec"]["egress"]
        for peer in rule.get("to", [])
        for address in peer.get("ipBlock", {}).get("except", [])
    }


def denied(space: Space, *addresses: str) -> Manifest:
    """Our policy, once it denies these addresses at least."""

    def probe() -> Manifest | None:
        found = space.find("networkpolicy", OURS)
        return found if found and excepted(found) >= set(addresses) else None

    return eventually(probe, say=f"a policy that denies {addresses}")


def gone(space: Space, name: str) -> None:
    eventually(lambda: space.find("networkpolicy", name) is None, say=f"the end of {name}")


def test_what_is_denied_follows_the_hosts_addresses(space: Space) -> None:
    names = space.world.names
    names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress=DENY)
    space.apply(sonar())

    found = denied(space, "54.230.1.1/32")
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("TelemetryPolicy", "opt-out")
    assert found["spec"]["podSelector"] == {"matchLabels": {"app": "sonar"}}
    space.telemetry("Deployment", "sonar", egress="Denied", egressReason="EveryAddressDenied")

    # What it had before stays denied: somebody may still be sent there.
    names.set(HOST, Records(a=["54.230.1.2"], aaaa=["2600:9000::2"], ttl=1))
    denied(space, "54.230.1.1/32", "54.230.1.2/32", "2600:9000::2/128")
    host = space.world.get("telemetryhost", HOST)
    assert {one["ip"] for one in host["status"]["addresses"]} >= {"54.230.1.1", "54.230.1.2"}
    space.telemetry("Deployment", "sonar", egress="Denied")
    space.condition("telemetrypolicy", "opt-out", "Programmed", status="True")


def test_it_goes_with_its_policy_and_with_its_workload(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress=DENY)
    space.apply(sonar())
    denied(space, "54.230.1.1/32")

    space.kubectl("delete", "deployment", "sonar")
    gone(space, OURS)
    space.apply(sonar())
    denied(space, "54.230.1.1/32")
    space.kubectl("delete", "telemetrypolicy", "opt-out")
    gone(space, OURS)
    space.telemetry("Deployment", "sonar", egress="Open", egressReason="NothingIsolates")


def test_what_somebody_edits_or_deletes_is_put_right(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress=DENY)
    space.apply(sonar())
    before = denied(space, "54.230.1.1/32")

    space.kubectl(
        "patch", "networkpolicy", OURS, "--type=merge", "--patch", '{"spec":{"egress":[{}]}}'
    )
    eventually(lambda: space.get("networkpolicy", OURS)["spec"] == before["spec"], say="its repair")
    space.kubectl("label", "networkpolicy", OURS, "app.kubernetes.io/managed-by=me", "--overwrite")
    eventually(
        lambda: (
            space.get("networkpolicy", OURS)["metadata"]["labels"]["app.kubernetes.io/managed-by"]
            == "fleet-telemetry"
        ),
        say="its label",
    )
    space.kubectl("delete", "networkpolicy", OURS)
    denied(space, "54.230.1.1/32")


def test_a_policy_that_would_widen_is_withdrawn_and_the_culprit_named(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress=DENY)
    space.apply(sonar())
    denied(space, "54.230.1.1/32")

    space.apply(net("theirs"))
    gone(space, OURS)
    space.telemetry("Deployment", "sonar", egress="Denied")

    space.apply(net("chart", egress=EVERYTHING))
    found = space.telemetry("Deployment", "sonar", egress="Allowed", egressReason="NegatedByPolicy")
    assert "NetworkPolicy chart." in found["usage"]["egressMessage"]
    told = space.condition("telemetrypolicy", "opt-out", "Programmed", status="False")
    assert told["reason"] == "EgressMissing"
    assert space.find("networkpolicy", OURS) is None

    space.kubectl("delete", "networkpolicy", "theirs", "chart")
    denied(space, "54.230.1.1/32")


def test_an_allow_is_there_only_while_something_isolates(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy("opt-in", submission="Enabled", egress=OPEN)
    space.apply(sonar())
    space.telemetry("Deployment", "sonar", egress="Open", egressReason="NotIsolated")
    assert space.find("networkpolicy", ALLOW) is None

    space.apply(net("theirs"))
    found = eventually(lambda: space.find("networkpolicy", ALLOW), say="the allowance")
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("NetworkPolicy", "theirs")
    (rule,) = found["spec"]["egress"]
    assert {"ipBlock": {"cidr": "54.230.1.1/32"}} in rule["to"]
    assert [port["port"] for port in rule["ports"]] == [443]
    space.telemetry("Deployment", "sonar", egress="Allowed", egressReason="LetThrough")

    # Alone, it would isolate the pods itself.
    space.kubectl("delete", "networkpolicy", "theirs")
    gone(space, ALLOW)


def test_isolate_leaves_dns_and_what_is_listed(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    database = {"podSelector": {"matchLabels": {"app": "db"}}, "ports": [{"port": 5432}]}
    space.policy(egress={"action": "Isolate", "reachable": [database]})
    space.apply(sonar())

    name = "fleet-telemetry-isolate-deployment-sonar"
    found = eventually(lambda: space.find("networkpolicy", name), say="the isolation")
    ports = {port["port"] for rule in found["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5432}
    space.telemetry("Deployment", "sonar", egress="Denied")


def test_somebody_elses_policy_of_that_name_is_left_alone(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    theirs = net(OURS, podSelector={"matchLabels": {"app": "another"}})
    space.apply(theirs)
    space.policy(egress=DENY)
    space.apply(sonar())

    space.telemetry("Deployment", "sonar", egress="Open", egressReason="NameTaken")
    assert space.get("networkpolicy", OURS)["spec"]["podSelector"] == {
        "matchLabels": {"app": "another"}
    }


def test_a_dialect_that_the_cluster_does_not_have_is_told(space: Space) -> None:
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress={**DENY, "dialect": "Cilium"})
    space.apply(sonar())

    space.telemetry("Deployment", "sonar", egress="Open", egressReason="DialectNotServed")


def test_a_shared_address_is_not_denied_without_being_accepted(space: Space) -> None:
    # One of CloudFront's, which is where the host really is.
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress={"action": "Deny"})
    space.apply(sonar())

    found = space.telemetry("Deployment", "sonar", egressReason="SharedAddresses")
    assert found["usage"]["egress"] == "Open"
    # What else the host has had, it may have to itself.
    ours = space.find("networkpolicy", OURS)
    assert ours is None or "54.230.1.1/32" not in excepted(ours)


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "0.0.0.0", "64:ff9b::a00:1"])
def test_an_address_that_cannot_be_right_is_never_believed(space: Space, address: str) -> None:
    own = f"bad-{address.replace('.', '-').replace(':', '-')}.example.com"
    records = Records(aaaa=[address], ttl=1) if ":" in address else Records(a=[address], ttl=1)
    space.world.names.set(own, records)
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.policy(egress={**DENY, "hosts": [{"product": "sonarqube", "host": own}]})
    space.apply(sonar())

    found = space.telemetry("Deployment", "sonar", egressReason="HostsNotResolved")
    assert own in found["usage"]["egressMessage"]
    assert not {one for one in excepted(denied(space, "54.230.1.1/32")) if one.startswith(address)}
    conditions = space.world.get("telemetryhost", own)["status"]["conditions"]
    told = {one["type"]: one for one in conditions}
    assert address in told["Fresh"]["message"]
    leads_nowhere = address in ("0.0.0.0", "127.0.0.1")
    assert told["Sinkholed"]["status"] == str(leads_nowhere)


def test_the_allowlist_for_firewalls_outside(space: Space) -> None:
    own = "own.example.com"
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.world.names.set(own, Records(a=["54.230.7.7"], ttl=1))
    hosts = [{"product": "sonarqube", "host": own, "port": 8443}]
    here = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    cluster_policy(space, "opt-in", namespaceSelector=here, egress={**OPEN, "hosts": hosts})
    space.apply(sonar())

    def entries() -> list[Manifest]:
        return [one for one in allowlist(space, "json", "entries") if one["host"] == own]

    (entry,) = eventually(entries, say="the entry")
    assert (entry["action"], entry["port"], entry["addresses"]) == ("allow", 8443, ["54.230.7.7"])
    space.kubectl("delete", "clustertelemetrypolicy", "opt-in")
    eventually(lambda: not entries(), say="its end")
    eventually(
        lambda: space.world.find("telemetryhost", own) is None, seconds=120, say="the host's end"
    )


def test_a_telemetry_policy_writes_no_allowlist_and_its_denial_wins(space: Space) -> None:
    own, c2 = "perimeter.example.com", "c2.attacker.example"
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.world.names.set(own, Records(a=["54.230.7.8", "54.230.7.9"], ttl=1))
    space.world.names.set(c2, Records(a=["54.230.9.9"], ttl=1))
    here = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    hosts = [{"product": "sonarqube", "host": own}]
    cluster_policy(space, "perimeter", namespaceSelector=here, egress={**OPEN, "hosts": hosts})
    space.apply(sonar())

    def addresses() -> set[str]:
        found = [one for one in allowlist(space, "json", "entries") if one["host"] == own]
        return {address for one in found for address in one["addresses"]}

    def requests() -> dict[str, Manifest]:
        found = allowlist(space, "requests", "requests")
        mine = [one for one in found if one["policy"].get("namespace") == space.name]
        return {one["host"]: one for one in mine}

    eventually(lambda: addresses() == {"54.230.7.8", "54.230.7.9"}, say="the cluster's entry")
    asked = [{"product": "sonarqube", "host": c2}]
    space.policy(
        "mine", submission="Enabled", channels=["UpdateCheck"], egress={**OPEN, "hosts": asked}
    )
    found = eventually(lambda: requests().get(c2), say="the request")
    assert (found["action"], found["policy"]["name"]) == ("allow", "mine")
    assert not [one for one in allowlist(space, "json", "entries") if one["host"] == c2]

    # Denied to another workload: a denial by anybody takes the address out of the list.
    space.world.names.set(c2, Records(a=["54.230.7.9"], ttl=1))
    space.apply(workload("Deployment", "other", container(SONARQUBE), labels={"app": "other"}))
    other = {"matchLabels": {"app": "other"}}
    space.policy("mine", selector=other, egress={**DENY, "hosts": asked})
    eventually(lambda: addresses() == {"54.230.7.8"}, say="what is left")
    space.kubectl("delete", "clustertelemetrypolicy", "perimeter")


def test_a_namespace_has_so_many_hosts_looked_up_and_no_more(space: Space) -> None:
    names = [f"h{number}.quota.example.com" for number in range(40)]
    hosts = [{"product": "sonarqube", "host": name} for name in names]
    space.policy(egress={**DENY, "hosts": hosts})
    space.apply(sonar())

    told = space.condition("telemetrypolicy", "opt-out", "Accepted", status="False")
    assert told["reason"] == "TooManyHosts"
    assert "not looked up: h32.quota.example.com" in told["message"]

    def looked_up() -> list[str]:
        text = space.world.cluster.kubectl("get", "telemetryhosts", "--output=name").stdout
        return [line for line in text.splitlines() if line.endswith(".quota.example.com")]

    eventually(lambda: len(looked_up()) == 32, say="the hosts that are looked up")
    space.telemetry("Deployment", "sonar", egressReason="TooManyHosts")
    # With fewer hosts in the policy, all of them are.
    space.policy(egress={**DENY, "hosts": hosts[30:]})
    space.condition("telemetrypolicy", "opt-out", "Accepted", status="True")
    eventually(
        lambda: f"telemetryhost.fleettelemetry.io/{names[39]}" in looked_up(), say="the last"
    )


def cluster_policy(space: Space, name: str, **spec: Any) -> None:
    space.apply(
        {
            "apiVersion": "fleettelemetry.io/v1alpha1",
            "kind": "ClusterTelemetryPolicy",
            "metadata": {"name": name},
            "spec": {"submission": "Enabled", **spec},
        }
    )


def allowlist(space: Space, form: str, section: str) -> list[Manifest]:
    """What the command prints; nothing before the ConfigMap exists."""
    kubeconfig = f"--kubeconfig={space.world.cluster.kubeconfig}"
    done = run_command("allowlist", f"--format={form}", kubeconfig, environment=os.environ)
    found: list[Manifest] = json.loads(done.stdout)[section] if done.returncode == 0 else []
    return found


def test_a_setting_that_cannot_be_written_does_not_keep_the_network_from_denying(
    space: Space,
) -> None:
    # Somebody's admission policy lets nobody but its own tools change a Deployment.
    metadata = {"name": f"{space.name}.example.com"}
    everywhere = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    rules = [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["UPDATE"],
            "resources": ["deployments"],
        }
    ]
    manifests = (
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": metadata,
            "spec": {
                "matchConstraints": {"resourceRules": rules, "namespaceSelector": everywhere},
                "validations": [
                    {"expression": "!request.userInfo.username.contains('fleet-telemetry')"}
                ],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {"policyName": metadata["name"], "validationActions": ["Deny"]},
        },
    )
    space.world.names.set(HOST, Records(a=["54.230.1.1"], ttl=1))
    space.apply(sonar())
    space.world.apply(*manifests)
    try:
        time.sleep(2)  # until the API server acts on it
        injection = {"when": "Always", "rollout": "Immediate"}
        space.policy(egress=DENY, injection=injection)
        denied(space, "54.230.1.1/32")
        assert "SONAR_TELEMETRY_ENABLE" not in space.env("Deployment", "sonar")
    finally:
        kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings"
        space.kubectl("delete", kinds, metadata["name"])
    space.telemetry("Deployment", "sonar", declared="Disabled", egress="Denied", seconds=90)
