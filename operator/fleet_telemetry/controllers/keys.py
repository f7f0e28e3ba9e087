"""The keys of the work queue. The type of a key selects the reconciler."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.workloads.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class PolicyStatusKey:
    """The status of a policy."""

    policy: PolicyKey

    def __str__(self) -> str:
        return "/".join(filter(None, self.policy))


@dataclass(frozen=True, slots=True)
class ExpiryKey:
    """The expiry of an exception of a policy."""

    policy: PolicyKey

    def __str__(self) -> str:
        return f"expiry of {'/'.join(filter(None, self.policy))}"


@dataclass(frozen=True, slots=True)
class ProductKey:
    """A TelemetryProduct."""

    name: str

    def __str__(self) -> str:
        return f"TelemetryProduct/{self.name}"


@dataclass(frozen=True, slots=True)
class WebhooksKey:
    """The webhook configuration for the images of TelemetryProducts."""

    def __str__(self) -> str:
        return "webhook configuration for products"


@dataclass(frozen=True, slots=True)
class AllowlistKey:
    """The allowlist for firewalls outside the cluster."""

    def __str__(self) -> str:
        return "allowlist"


ReconcileKey = WorkloadRef | PolicyStatusKey | ExpiryKey | ProductKey | WebhooksKey | AllowlistKey
