"""What is wrong with a policy or a product, wherever that is asked: when it is written, and later,
when something else has changed around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_telemetry.api.policy import PolicySpec
from fleet_telemetry.api.reasons import PolicyReason
from fleet_telemetry.catalogue.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a policy that is not in force. ``is_mistake``: it can never be, as written."""

    reason: PolicyReason
    message: str
    is_mistake: bool


def find_problems(spec: PolicySpec, catalogue: Catalogue) -> Iterator[Problem]:
    """Everything that is wrong with a policy's spec as far as the schema cannot say it."""
    for name in _named_products(spec):
        if name not in catalogue.products:
            known = ", ".join(sorted(catalogue.products))
            # Not a mistake: the TelemetryProduct may come after the policy.
            yield Problem(
                PolicyReason.UNKNOWN_PRODUCT,
                f"no product is called {name!r}; known are {known}",
                is_mistake=False,
            )
    for settings in spec.injection.settings if spec.injection else ():
        product = catalogue.products.get(settings.product)
        if product is None:
            continue
        switches = [switch.env for switch in product.switches(*spec.channels) if switch.env]
        for setting in settings.env:
            if any(switch.is_named(setting.name) for switch in switches):
                yield Problem(
                    PolicyReason.SETTING_NAMES_SWITCH,
                    f"spec.injection.settings: {setting.name} is a switch of {settings.product}; "
                    f"spec.submission sets it, so leave it out",
                    is_mistake=True,
                )


def _named_products(spec: PolicySpec) -> list[str]:
    named = list(spec.products or ())
    if spec.egress:
        named += [host.product for host in spec.egress.hosts]
    if spec.injection:
        named += [settings.product for settings in spec.injection.settings]
    return list(dict.fromkeys(named))
