"""Which hosts a workload's products use, and which of them have to be looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from fleet_telemetry.api.policy import (
    ChannelName,
    Policy,
    PolicyKind,
    SharedAddresses,
    Submission,
)
from fleet_telemetry.api.product.channel import Sender
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.egress.model import Address
from fleet_telemetry.switches.desired import EffectivePolicies

Key = tuple[str, ChannelName]
"""A product and one of its channels."""


@dataclass(frozen=True, slots=True)
class HostUse:
    """A host that a channel of a product in the workload uses."""

    product: str
    channel: ChannelName
    host: str
    port: int
    certain: bool = True
    """False where another version of the product uses it, and the image may be that version."""
    seeds: frozenset[Address] = frozenset()
    """Addresses that the vendor publishes."""
    provider: str | None = None
    """The provider that publishes the ranges that the host may be in."""
    also_serves: str = ""
    """What else the host serves, and a denial would block."""
    named_by: PolicyName | None = field(default=None, compare=False)
    """The policy that names it; None for hosts of the catalogue."""

    @property
    def in_catalogue(self) -> bool:
        """Whether the catalogue has it."""
        return self.named_by is None

    @property
    def is_tenants(self) -> bool:
        """Whether a TelemetryPolicy names it."""
        return self.named_by is not None and self.named_by.is_tenant


@dataclass(frozen=True, slots=True)
class HostNeed:
    """A host whose addresses a decision depends on."""

    host: str
    seeds: frozenset[Address] = frozenset()
    provider: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class PolicyName:
    """A policy, by its place."""

    kind: PolicyKind
    namespace: str
    """Empty for a ClusterTelemetryPolicy."""
    name: str

    @classmethod
    def of(cls, policy: Policy) -> PolicyName:
        """The name of a policy."""
        return cls(policy.kind, policy.namespace, policy.name)

    @property
    def is_tenant(self) -> bool:
        """Whether users of a namespace write it."""
        return self.kind is PolicyKind.NAMESPACED

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """Whether a workload's policies allow or deny a host, wherever that is enforced."""

    product: str
    channel: ChannelName
    host: str
    port: int
    opens: bool
    """The host is allowed; otherwise it is denied."""
    takes_ranges: bool
    """Addresses that others share count, too, and the ranges that the provider publishes."""
    policy: PolicyName
    """The policy of the egress section."""
    in_catalogue: bool = True
    """The catalogue has the host; otherwise only the policy names it."""
    spares: tuple[str, ...] = ()
    """Hosts that are not denied: those of other channels, and those that serve something else.
    Their addresses are not denied either."""


def find_host_rules(
    uses: tuple[HostUse, ...], effective: EffectivePolicies
) -> tuple[HostRule, ...]:
    """The rules of egress sections. Only hosts that the version certainly uses are allowed."""
    sections = {
        key: in_effect.egress
        for key, in_effect in effective.items()
        if in_effect.enforced and in_effect.egress is not None
    }
    opening = {key for key in sections if effective[key].desired is Submission.ENABLED}
    rules = []
    for use in uses:
        key = use.product, use.channel
        section = sections.get(key)
        if section is None:
            continue
        opens = key in opening
        accepts = section.egress.shared_addresses is SharedAddresses.ACCEPT
        needed = list(needed_besides(use, uses, section.policy, sections.keys() - opening))
        if not accepts:
            needed += serving_besides(use, uses)
        if use.certain if opens else use.host not in {other.host for other in needed}:
            rules.append(
                HostRule(
                    product=use.product,
                    channel=use.channel,
                    host=use.host,
                    port=use.port,
                    opens=opens,
                    takes_ranges=accepts,
                    policy=PolicyName.of(section.policy),
                    in_catalogue=use.in_catalogue,
                    spares=() if opens else tuple(sorted({other.host for other in needed})),
                )
            )
    return tuple(dict.fromkeys(rules))


def needed_besides(
    use: HostUse, uses: Iterable[HostUse], policy: Policy, closing: Collection[Key]
) -> Iterator[HostUse]:
    """The other uses of the product's hosts that must not be denied, where ``policy`` denies a host
    and ``closing`` are all denied channels.

    A host that only a TelemetryPolicy names is not needed where a ClusterTelemetryPolicy denies:
    its author could take any host or address out of that denial.
    """
    for other in uses:
        if (
            other.product == use.product
            # A channel without an effective policy may still be one that the policy lists.
            and other.channel not in policy.spec.channels
            and (other.product, other.channel) not in closing
            and not (other.is_tenants and policy.kind is PolicyKind.CLUSTER)
        ):
            yield other


def serving_besides(use: HostUse, uses: Iterable[HostUse]) -> Iterator[HostUse]:
    """The uses of the product's hosts that also serve something else, and that a policy denies only
    if it accepts that."""
    yield from (other for other in uses if other.product == use.product and other.also_serves)


def find_browser_hosts(targets: tuple[MatchedContainer, ...]) -> Mapping[Key, tuple[str, ...]]:
    """The hosts of each channel to which browsers connect, and not pods, in words."""
    found: dict[Key, dict[str, None]] = {}
    for target in targets:
        for channel in target.product.spec.channels:
            hosts = target.product.hosts_of(channel.name, target.image, target.version)
            for host, _ in hosts:
                if host.sent_by is Sender.BROWSER:
                    key = target.product.name, channel.name
                    also = f" (it also serves {host.also_serves})" if host.also_serves else ""
                    found.setdefault(key, {})[f"{host.host}{also}"] = None
    return {key: tuple(hosts) for key, hosts in found.items()}


def find_uses(
    targets: tuple[MatchedContainer, ...], effective: EffectivePolicies
) -> tuple[HostUse, ...]:
    """Every host of every channel of the products to which pods connect, and those that policies
    add to them."""
    found = dict.fromkeys((*_of_catalogue(targets), *_of_policies(effective)))
    return tuple(found)


def _of_catalogue(targets: tuple[MatchedContainer, ...]) -> Iterator[HostUse]:
    for target in targets:
        for channel in target.product.spec.channels:
            hosts = target.product.hosts_of(channel.name, target.image, target.version)
            for host, certain in hosts:
                if host.sent_by is Sender.BROWSER:
                    continue
                yield HostUse(
                    product=target.product.name,
                    channel=channel.name,
                    host=host.host,
                    port=host.port,
                    certain=certain,
                    seeds=frozenset(map(ip_address, host.addresses)),
                    provider=host.published_ranges,
                    also_serves=host.also_serves,
                )


def _of_policies(effective: EffectivePolicies) -> Iterator[HostUse]:
    for (product, channel), in_effect in effective.items():
        if in_effect.egress is None:
            continue
        for host in in_effect.egress.egress.hosts:
            if host.product == product:
                yield HostUse(
                    product=product,
                    channel=channel,
                    host=host.host,
                    port=host.port,
                    named_by=PolicyName.of(in_effect.egress.policy),
                )


def find_needs(
    uses: tuple[HostUse, ...],
    effective: EffectivePolicies,
    granted: frozenset[str] | None = None,
) -> frozenset[HostNeed]:
    """The hosts to look up: all hosts of the products that an egress section is about. Of those
    that TelemetryPolicies name, only the ``granted`` ones; None for all.

    That includes the hosts of their other channels: a host that another channel needs is not
    denied.
    """
    products = {
        product
        for (product, _), in_effect in effective.items()
        if in_effect.egress is not None and in_effect.exempt is None
    }
    seeds: dict[str, frozenset[Address]] = {}
    providers: dict[str, str | None] = {}
    for use in uses:
        is_granted = granted is None or not use.is_tenants or use.host in granted
        if use.product in products and is_granted:
            seeds[use.host] = seeds.get(use.host, frozenset()) | use.seeds
            providers[use.host] = providers.get(use.host) or use.provider
    return frozenset(HostNeed(host, seeds[host], providers[host]) for host in seeds)
