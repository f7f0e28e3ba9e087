"""The checks of a workload's products: what is checked, for which policy, with which Secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleet_telemetry.api.policy import (
    ChannelName,
    Mode,
    RuntimeAction,
    ServiceReference,
    Submission,
)
from fleet_telemetry.api.product.spec import Api
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.evidence.credentials import (
    CredentialDestination,
    CredentialGrant,
    grant_credential,
    images_of,
    why_withheld,
    why_withheld_from,
)
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.switches.desired import EffectivePolicies

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([hms])")
_LONGEST_INTERVAL = 32
"""Characters, as in the schema of the policies."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_SHORTEST_SECONDS = 60.0
_LONGEST_SECONDS = 86400.0
"""A day. What was reported longer ago says little, whatever the policy's interval."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one product of a workload. All adapters report the channel Usage."""

    product: str
    api: Api
    desired: Submission
    action: RuntimeAction
    """Verify or Remediate."""
    interval: float
    """Seconds."""
    grant: CredentialGrant | None
    """None if the policy names no credentials."""
    service: ServiceReference | None = None
    withheld: Reported | None = None
    """Why the credential is not sent; None if it may be."""

    @property
    def is_for_namespace(self) -> bool:
        """Whether the policy has a credential for the workload's namespace at all."""
        fault = self.withheld.fault if self.withheld is not None else None
        return self.grant is not None and fault is not Reason.CREDENTIAL_NOT_FOR_NAMESPACE

    @property
    def secret(self) -> tuple[str, str] | None:
        """Namespace and name."""
        return self.grant.secret if self.grant is not None else None


@dataclass(frozen=True, slots=True)
class WorkloadPlace:
    """Where the workload is: what decides whether a credential may be sent to it."""

    namespace: str
    namespace_labels: Mapping[str, str]
    pods: tuple[PodFacts, ...] = ()


def plan_checks(
    targets: tuple[MatchedContainer, ...], effective: EffectivePolicies, place: WorkloadPlace
) -> Iterator[Check]:
    """The checks of a workload, one for each product with an API and an effective policy."""
    seen = set()
    for target in targets:
        product, api = target.product, target.product.spec.api
        in_effect = effective.get((product.name, ChannelName.USAGE))
        if (
            api is None
            or product.name in seen
            or (api.components and target.image.component not in api.components)
            or in_effect is None
            or in_effect.exempt is not None
            or in_effect.runtime.action is RuntimeAction.OFF
        ):
            continue
        seen.add(product.name)
        runtime = in_effect.runtime
        credential = next((c for c in runtime.credentials if c.product == product.name), None)
        service = next((e.service for e in runtime.endpoints if e.product == product.name), None)
        grant = withheld = None
        if credential is not None and in_effect.runtime_policy is not None:
            policy = in_effect.runtime_policy
            grant = grant_credential(credential, policy, product, place.namespace)
            withheld = _why_withheld(grant, product, targets, place, service)
        audits = in_effect.policy.spec.mode is Mode.AUDIT
        yield Check(
            product=product.name,
            api=api,
            desired=in_effect.desired,
            action=RuntimeAction.VERIFY if audits else runtime.action,
            interval=read_interval(runtime.interval),
            grant=grant,
            service=service,
            withheld=withheld,
        )


def _why_withheld(
    grant: CredentialGrant,
    product: Product,
    targets: tuple[MatchedContainer, ...],
    place: WorkloadPlace,
    service: ServiceReference | None,
) -> Reported | None:
    images = images_of(product, targets, place.pods)
    to = CredentialDestination(place.namespace, place.namespace_labels, images)
    withheld = why_withheld(grant, to)
    if withheld is None and service is not None:
        withheld = why_withheld_from(grant, [service.scheme], f"Service {service.name}")
    return withheld


def result_without_check(check: Check) -> Reported | None:
    """The result for a product that cannot be checked; None if it can."""
    return Reported(fault=Reason.CREDENTIALS_MISSING) if check.grant is None else check.withheld


def read_interval(text: str) -> float:
    """Seconds of a duration such as 1h30m, at least a minute and at most a day."""
    parts = _PART.findall(text[:_LONGEST_INTERVAL])
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return min(max(_SHORTEST_SECONDS, seconds), _LONGEST_SECONDS)
