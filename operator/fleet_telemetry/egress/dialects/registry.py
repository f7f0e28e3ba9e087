"""The dialects. One line registers a dialect."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.egress.dialects.cilium import CiliumDialect
from fleet_telemetry.egress.dialects.cluster_network_policy import ClusterNetworkPolicyDialect
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.foreign_kinds import FOREIGN_KINDS, ForeignKind
from fleet_telemetry.egress.dialects.network_policy import NetworkPolicyDialect

DIALECTS: tuple[Dialect, ...] = (
    NetworkPolicyDialect(),
    CiliumDialect(),
    ClusterNetworkPolicyDialect(),
)
"""One for each value of EgressDialect, apart from ``Auto``, which selects one of them."""


def always_served(dialects: Iterable[Dialect]) -> frozenset[Dialect]:
    """The dialects whose kinds are part of Kubernetes."""
    return frozenset(dialect for dialect in dialects if not dialect.required_kinds)


def select_dialect(asked: EgressDialect, served: Iterable[Dialect]) -> Dialect | None:
    """The served dialect that a policy asks for; None where the cluster does not serve it."""
    if asked is not EgressDialect.AUTO:
        return next((dialect for dialect in served if dialect.name is asked), None)
    preferred = [
        (dialect.auto_preference, dialect)
        for dialect in served
        if dialect.auto_preference is not None
    ]
    return max(preferred, key=lambda pair: pair[0], default=(0, None))[1]


def dialect_named(name: EgressDialect) -> Dialect | None:
    """The dialect with this name; None for ``Auto``."""
    return next((dialect for dialect in DIALECTS if dialect.name is name), None)


def foreign_kinds(dialects: Iterable[Dialect]) -> tuple[ForeignKind, ...]:
    """The kinds of which others may have policies."""
    return (*(one for dialect in dialects for one in dialect.foreign_kinds), *FOREIGN_KINDS)
