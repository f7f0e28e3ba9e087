"""The hosts whose lookups are kept."""

from __future__ import annotations

from typing import Any

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.controllers.observed.hosts import hosts_of_interest
from fleet_telemetry.egress.host_quota import HostQuota
from fleet_telemetry.observed.ledger import HostClass, ProductUse
from tests.support.builders import (
    catalogue,
    policy,
    product,
)

SONAR = "telemetry.sonarsource.com"
EXCLUSIVE, SHARED = HostClass.EXCLUSIVE, HostClass.SHARED
MINE = "telemetry.corp.example"


def naming(*hosts: str, **more: Any) -> Policy:
    return policy(
        egress={"hosts": [{"product": "sonarqube", "host": one} for one in hosts]}, **more
    )


def acme(*channels: dict[str, Any]) -> Any:
    return product("acme", channels=list(channels))


def channel(name: str, *hosts: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "hosts": list(hosts)}


def test_every_host_of_the_catalogue_counts() -> None:
    found = hosts_of_interest(builtin(), ())
    assert ProductUse("sonarqube", EXCLUSIVE) in found[SONAR]
    listed = {
        host.host
        for one in builtin().products.values()
        for channel_ in one.spec.channels
        for host in channel_.hosts
    }
    assert found.keys() == {host.lower() for host in listed}


def test_a_host_that_serves_something_else_is_shared_for_the_product() -> None:
    also = {"host": "api.acme.example", "alsoServes": "sign-in"}
    alone = {"host": "api.acme.example"}
    for channels in ((also, alone), (alone, also)):
        own = acme(channel("Usage", channels[0]), channel("UpdateCheck", channels[1]))
        found = hosts_of_interest(catalogue(own), ())
        assert found["api.acme.example"] == (ProductUse("acme", SHARED),)


def test_policies_name_hosts() -> None:
    found = hosts_of_interest(builtin(), [naming(MINE, cluster=True), policy("other")])
    assert found[MINE] == (ProductUse("sonarqube", EXCLUSIVE),)


def test_a_telemetry_policy_stands_before_nobody() -> None:
    found = hosts_of_interest(builtin(), [naming(MINE, SONAR)])
    assert found[MINE] == (ProductUse("sonarqube", SHARED),)
    assert ProductUse("sonarqube", EXCLUSIVE) in found[SONAR]


def test_telemetry_policies_have_a_quota() -> None:
    many = naming(*(f"h{number}.example.com" for number in range(60)))
    found = hosts_of_interest(builtin(), [many], HostQuota(of_namespace=5, in_total=5))
    assert len(found) == len(hosts_of_interest(builtin(), ())) + 5
