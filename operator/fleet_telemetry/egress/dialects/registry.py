"""The dialects by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.egress.dialects import cilium, cluster_network_policy, network_policy
from fleet_telemetry.egress.dialects.common import ObjectKind, Rendered
from fleet_telemetry.egress.model import Order


@dataclass(frozen=True, slots=True)
class Dialect:
    """A kind of network policy, and what can be said in it."""

    name: EgressDialect
    kinds: tuple[ObjectKind, ...]
    """Of the objects that it takes; the first is the policy's own."""
    cannot: Callable[[Order], str | None]
    """Why an order cannot be expressed, as a sentence; None where it can."""
    render: Callable[[Order], Rendered | None]
    """The policy for an order; None where there is nothing to say."""


DIALECTS: Mapping[EgressDialect, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            EgressDialect.NETWORK_POLICY,
            network_policy.KINDS,
            network_policy.cannot,
            network_policy.render,
        ),
        Dialect(EgressDialect.CILIUM, cilium.KINDS, cilium.cannot, cilium.render),
        Dialect(
            EgressDialect.CLUSTER_NETWORK_POLICY,
            cluster_network_policy.KINDS,
            cluster_network_policy.cannot,
            cluster_network_policy.render,
        ),
    )
}
"""Every dialect but ``Auto``, which is a wish and not a dialect."""
