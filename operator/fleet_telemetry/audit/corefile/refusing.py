"""Whose lookups of which hosts policies with ``egress.dns: Refuse`` refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from fleet_telemetry.api.policy import DNS_LABEL, DnsAction
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.decision import Plan
from fleet_telemetry.egress.host_use import HostUse, find_host_rules, find_uses
from fleet_telemetry.objects.text import printable

MOST_IN_RULES = 6000
"""Addresses, namespaces and names in all rules together: CoreDNS refuses to load an expression
with 10,000 parts."""
_NAMED = 5
_NAMESPACE = re.compile(DNS_LABEL.expression)
_LONGEST = 200


class By(StrEnum):
    """How pods are distinguished from others."""

    ADDRESSES = "addresses"
    NAMESPACES = "namespaces"


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """Clients to which hosts do not exist."""

    clients: tuple[str, ...]
    """Addresses or namespaces, in order."""
    hosts: tuple[str, ...]
    """In order."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """All of them."""

    by: By
    rules: tuple[RefusalRule, ...] = ()
    policies: tuple[str, ...] = ()
    """Those that ask for it."""
    warnings: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of all rules, in order."""
        return tuple(sorted({host for rule in self.rules for host in rule.hosts}))


@dataclass
class RefusalCollector:
    """Takes the workloads one by one, with the decision on each."""

    by: By
    _refused: dict[str, dict[str, None]] = field(default_factory=dict)
    """Hosts by client."""
    _needed: dict[tuple[str, str], str] = field(default_factory=dict)
    """Who may look a host up, by namespace and host: only for ``By.NAMESPACES``."""
    _policies: dict[str, None] = field(default_factory=dict)
    _left_out: dict[str, str] = field(default_factory=dict)
    """Hosts, and what they also serve."""
    _without_address: list[str] = field(default_factory=list)
    _own_dns: list[str] = field(default_factory=list)
    _host_network: list[str] = field(default_factory=list)
    _warnings: list[str] = field(default_factory=list)

    def add(self, subject: Subject, plan: Plan) -> None:
        """A workload."""
        uses = find_uses(plan.targets, plan.effective)
        hosts = self._hosts_of(subject, plan, uses)
        namespace = subject.workload.ref.namespace
        for use in uses:
            if use.host not in hosts:
                self._needed.setdefault((namespace, use.host), str(subject.workload.ref))
        if not hosts:
            return
        name = str(subject.workload.ref)
        template = subject.workload.template
        if template.own_dns:
            self._own_dns.append(name)
        if template.host_network:
            # They have the address of their node, which others have, too.
            self._host_network.append(name)
            return
        if self.by is By.NAMESPACES:
            self._refuse(namespace, hosts)
            return
        pods = [pod for pod in subject.pods if pod.counts]
        for pod in pods:
            for address in pod.addresses or filter(None, (pod.address,)):
                self._refuse(address, hosts)
        if subject.pods_unread or any(not (pod.addresses or pod.address) for pod in pods):
            self._without_address.append(name)

    def add_other(self, other: Other, catalogue: Catalogue) -> None:
        """A pod without a workload: no policy covers it, so it may look up what it uses."""
        for use in find_uses(match_containers(other.template, catalogue), {}):
            name = f"{other.kind} {other.namespace}/{other.name}"
            self._needed.setdefault((other.namespace, use.host), name)

    def _hosts_of(
        self, subject: Subject, plan: Plan, uses: tuple[HostUse, ...]
    ) -> Mapping[str, None]:
        effective = plan.effective
        refusing = {
            key
            for key, one in effective.items()
            if one.egress is not None and one.egress.egress.dns is DnsAction.REFUSE
        }
        hosts: dict[str, None] = {}
        for rule in find_host_rules(uses, effective):
            if rule.opens or (rule.product, rule.channel) not in refusing:
                continue
            # Another product in the same pod may need it.
            other = next(
                (
                    use.product
                    for use in uses
                    if use.host == rule.host
                    and use.product != rule.product
                    and (use.product, use.channel) not in refusing
                ),
                None,
            )
            if other is not None:
                self._warnings.append(
                    f"{rule.host} is not refused to {_shown(str(subject.workload.ref))}: {other} "
                    "in the same pod may look it up."
                )
                continue
            hosts[rule.host] = None
            self._policies[str(rule.policy)] = None
        for use in uses:
            key = use.product, use.channel
            is_enforced = key in refusing and effective[key].enforced
            if is_enforced and use.also_serves and use.host not in hosts:
                self._left_out[use.host] = use.also_serves
        return hosts

    def _refuse(self, client: str, hosts: Iterable[str]) -> None:
        self._refused.setdefault(client, {}).update(dict.fromkeys(hosts))

    def result(self) -> Refusals:
        """The rules: clients with the same hosts share one."""
        warnings = list(self._warnings)
        by_hosts: dict[tuple[str, ...], list[str]] = {}
        for client, hosts in self._refused.items():
            kept = []
            for host in sorted(hosts):
                needs = self._needed.get((client, host)) if self.by is By.NAMESPACES else None
                if needs is None:
                    kept.append(host)
                else:
                    warnings.append(
                        f"{host} is not refused in namespace {client}: {_shown(needs)} there may "
                        "look it up. Refuse it by addresses, or cover that workload, too."
                    )
            if kept and _is_plain(client, self.by):
                by_hosts.setdefault(tuple(kept), []).append(client)
        rules = tuple(
            RefusalRule(tuple(sorted(clients, key=_in_order)), hosts)
            for hosts, clients in sorted(by_hosts.items())
        )
        size = sum(len(rule.clients) + len(rule.hosts) for rule in rules)
        if size > MOST_IN_RULES:
            warnings.append(
                f"Nothing is refused: the rules would have {size} addresses and names, and CoreDNS "
                f"loads at most about {MOST_IN_RULES}. Use --by namespaces, or -n."
            )
            rules = ()
        return Refusals(
            self.by, rules, tuple(sorted(self._policies)), (*self._of_hosts(), *warnings)
        )

    def _of_hosts(self) -> Iterator[str]:
        for host, serves in sorted(self._left_out.items()):
            yield (
                f"{host} is not refused, because it also serves {_shown(serves)}; "
                "egress.sharedAddresses: Accept refuses it."
            )
        yield from _about(
            self._own_dns,
            "may ask other name servers (dnsPolicy or dnsConfig), which do not refuse",
        )
        yield from _about(
            self._host_network, "uses its node's network, so its lookups look like others'"
        )
        if self._without_address:
            yield from _about(
                self._without_address,
                "has pods without a known address, which are not refused: print again",
            )


def _about(names: list[str], what: str) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"{_shown(', '.join(sorted(names)[:_NAMED]))}{more}: {what}."


def _shown(text: str) -> str:
    return printable(text, _LONGEST)


def _in_order(client: str) -> tuple[int, int, str]:
    """Addresses by number, and names by letter."""
    try:
        address = ip_address(client)
    except ValueError:
        return 0, 0, client
    return address.version, int(address), client


def _is_plain(client: str, by: By) -> bool:
    """Whether it may be a part of a rule. The API server checks both; nothing else is written."""
    if by is By.ADDRESSES:
        try:
            # A zone, after a percent sign, may be any text.
            return "%" not in client and str(ip_address(client)) == client
        except ValueError:
            return False
    return _NAMESPACE.fullmatch(client) is not None and "\n" not in client
