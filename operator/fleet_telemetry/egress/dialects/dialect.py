"""What the operator needs to know of a kind of network policy.

A dialect is a class that implements ``Dialect``, in a file of its own, and one line in
``registry.py``. The rest of the operator asks the dialect and never compares its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.egress.dialects.common import (
    Rendered,
    is_applied_by_us,
    is_our_policy,
    is_same_object,
)
from fleet_telemetry.egress.dialects.foreign_kinds import ForeignKind
from fleet_telemetry.egress.dialects.object_state import ObjectResult, read_conditions
from fleet_telemetry.egress.dialects.plugin import NetworkPlugin
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest


class SideEffect(StrEnum):
    """What a policy does to the pods beyond its action, beside the NetworkPolicies of others."""

    WIDENS = "Widens"
    """It allows all that it does not deny."""
    ISOLATES = "Isolates"
    """It denies all that it does not allow, where nothing else isolates the pods."""


class Dialect(Protocol):
    """A kind of network policy that the operator writes. Instances have no state.

    What has a default here holds for a dialect whose denials are final: no allowance overrides
    them, and they allow nothing.
    """

    name: EgressDialect
    """The value of ``egress.dialect`` in a policy that selects it."""
    policy_kind: Kind
    """The kind of the policy objects."""
    required_kinds: tuple[Kind, ...] = ()
    """The kinds that the cluster has to serve. Empty for kinds that are part of Kubernetes: those
    are always served, and their objects are watched."""
    group_kind: Kind | None = None
    """The kind of the cluster-scoped objects that hold the addresses of one denied host for all
    workloads; None where the policies hold the addresses themselves. With groups, a host is denied
    as a whole or not at all."""
    auto_preference: int | None = None
    """Where the dialect is ``Auto``, the served dialect with the highest preference is written;
    None: Auto never selects this one."""
    is_evaluated: bool = False
    """The operator evaluates the policies of this kind, of everybody. Otherwise it relies on the
    status of its own objects."""
    denial_is_final: bool = True
    """A denial cannot be overridden by what other policies allow."""
    only_cluster_policies_open: bool = False
    """Only a ClusterTelemetryPolicy may allow anything by this dialect."""
    plugin: NetworkPlugin | None = None
    """The network plug-in that serves the kinds, if it matches no pod and no node by an address
    range. A Deny by a NetworkPolicy would cut the pods off from nodes and the API server, so none
    is written where there is any sign of it, whether or not it serves the kinds."""
    foreign_kinds: tuple[ForeignKind, ...] = ()
    """Kinds of the same network plug-in of which others may have policies, this one included."""
    condition_types: Collection[str] = ("Valid", "Accepted", "Programmed", "Ready")
    """The conditions by which network plug-ins report that they enforce an object."""

    def cannot(self, desired: DesiredNetworkPolicy) -> str | None:
        """Why the dialect cannot express a desired policy, as a sentence; None where it can."""

    def render(self, desired: DesiredNetworkPolicy) -> Rendered | None:
        """The policy object; None where there is nothing to write.

        Raises ValueError where ``cannot`` has a reason.
        """

    def denied_networks(self, live: Manifest) -> tuple[Network, ...]:
        """The networks that a live Deny object or address group of ours denies; malformed parts
        are left out."""

    def side_effect(self, action: EgressAction) -> SideEffect | None:
        """What a policy with this action does beyond it."""
        return None

    def adds_up(self, action: EgressAction) -> bool:
        """Whether pods also reach what NetworkPolicies of others allow. Only for dialects that are
        not evaluated."""
        return False

    def overriding_kinds(self, action: EgressAction, others: Sequence[str]) -> Sequence[str]:
        """Those of the other kinds of policy that are present that may allow what a policy of ours
        denies. Only for dialects that are not evaluated."""
        return ()

    def groups(self, desired: DesiredNetworkPolicy) -> Mapping[str, tuple[Network, ...]]:
        """The address groups that the rendered policy refers to, by host. They have to exist
        before the policy does; a group to which no policy refers is stale."""
        return {}

    def render_group(self, host: str, networks: Sequence[Network]) -> Rendered | None:
        """The address group of a host; None where there is no address."""
        return None

    def read_status(self, live: Manifest) -> ObjectResult:
        """What the network plug-in reports about a live object."""
        return read_conditions(live, self.condition_types)

    def is_ours(self, manifest: Manifest) -> bool:
        """Whether this operator made the object, by its kind, label, annotation and place."""
        return is_our_policy(self.policy_kind, manifest)

    def may_replace(self, rendered: Manifest, live: Manifest) -> bool:
        """Whether the live object of the same name may be overwritten.

        It may if it is ours, or if its managed fields show that we applied it and somebody removed
        our label or annotation. Any other object of that name belongs to somebody else.
        """
        return is_same_object(rendered, live) and (self.is_ours(live) or is_applied_by_us(live))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the objects that are written; policies before the groups they refer to."""
        return (self.policy_kind, *((self.group_kind,) if self.group_kind is not None else ()))
