"""The checks of a workload's products: what is checked, for which policy, with which Secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet_telemetry.api.policy import (
    ChannelName,
    ClusterCredential,
    Mode,
    RuntimeAction,
    ServiceReference,
    Submission,
)
from fleet_telemetry.api.product import Api
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
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
    secret: tuple[str, str] | None
    """Namespace and name; None if the policy names no credentials."""
    service: ServiceReference | None = None


def plan_checks(
    targets: tuple[MatchedContainer, ...], effective: EffectivePolicies, namespace: str
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
        secret = None
        if isinstance(credential, ClusterCredential):
            secret = credential.secret_ref.namespace, credential.secret_ref.name
        elif credential is not None:
            secret = namespace, credential.secret_ref.name
        audits = in_effect.policy.spec.mode is Mode.AUDIT
        yield Check(
            product=product.name,
            api=api,
            desired=in_effect.desired,
            action=RuntimeAction.VERIFY if audits else runtime.action,
            interval=read_interval(runtime.interval),
            secret=secret,
            service=next((e.service for e in runtime.endpoints if e.product == product.name), None),
        )


def result_without_check(check: Check) -> Reported | None:
    """The result for a product that cannot be checked; None if it can."""
    return Reported(fault=Reason.CREDENTIALS_MISSING) if check.secret is None else None


def read_interval(text: str) -> float:
    """Seconds of a duration such as 1h30m, at least a minute and at most a day."""
    parts = _PART.findall(text[:_LONGEST_INTERVAL])
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return min(max(_SHORTEST_SECONDS, seconds), _LONGEST_SECONDS)
