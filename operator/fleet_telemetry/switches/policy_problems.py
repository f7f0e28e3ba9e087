"""Problems of a policy: found at admission, and later, when other objects have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from fleet_telemetry.api.policy import (
    ClusterCredential,
    ClusterTelemetryPolicySpec,
    Credential,
    PolicySpec,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import PolicyReason
from fleet_telemetry.api.variable_names import (
    ADVICE,
    EXPANSION_ADVICE,
    is_refused_name,
    is_refused_value,
)
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.switches.desired import names_switch

_MOST_NAMED = 20
_ALIKE = 0.75
"""Of 1: how much a name has in common with the one that may be meant."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A part of a policy that is not in effect. ``is_mistake``: no other object can change that."""

    reason: PolicyReason
    message: str
    is_mistake: bool


def find_problems(spec: PolicySpec, catalogue: Catalogue) -> Iterator[PolicyProblem]:
    """All problems of a policy's spec that its schema cannot express."""
    for name in _named_products(spec):
        if name not in catalogue.products:
            alike = get_close_matches(name, catalogue.products, n=1, cutoff=_ALIKE)
            advice = f"did you mean {alike[0]}?" if alike else _known(catalogue)
            # Not a mistake: the TelemetryProduct may be created after the policy.
            yield PolicyProblem(
                PolicyReason.UNKNOWN_PRODUCT,
                f"unknown product {name!r}; {advice}",
                is_mistake=False,
            )
    for found in _credentials(spec):
        if isinstance(found, ClusterCredential) and found.lacks_scope:
            # Not a mistake: the CRD refuses it. Objects of earlier versions may still be changed.
            yield PolicyProblem(
                PolicyReason.CREDENTIAL_SCOPE_MISSING,
                f"spec.runtime.credentials: the credential for {found.product} is not used; add "
                f"namespaces or namespaceSelector to say to which namespaces it may be sent, or "
                f"leave out secretRef.namespace",
                is_mistake=False,
            )
    yield from _not_covered(spec, catalogue)
    yield from _refused_settings(spec)
    for settings in spec.injection.settings if spec.injection else ():
        product = catalogue.products.get(settings.product)
        if product is None:
            continue
        switches = list(product.switches(*spec.channels))
        for setting in settings.env:
            if any(names_switch(switch, setting.name) for switch in switches):
                yield PolicyProblem(
                    PolicyReason.SETTING_NAMES_SWITCH,
                    f"spec.injection.settings: {setting.name} is a switch of {settings.product}; "
                    f"remove it, because spec.submission sets it",
                    is_mistake=True,
                )
            elif any(_excludes(switch, setting.name, spec) for switch in switches):
                yield PolicyProblem(
                    PolicyReason.SETTING_EXCLUDES_SWITCH,
                    f"spec.injection.settings: {settings.product} does not start with "
                    f"{setting.name} and the switch that spec.submission sets; remove the setting",
                    is_mistake=True,
                )


def _known(catalogue: Catalogue) -> str:
    names = sorted(catalogue.products)
    if len(names) > _MOST_NAMED:
        return f"fleet-telemetry catalogue lists the {len(names)} known products"
    return f"known products are {', '.join(names)}"


def warnings_on(spec: PolicySpec, problems: Iterable[PolicyProblem]) -> Iterator[str]:
    """What the author should know of the spec alone. ``problems`` are those of the spec."""
    yield from (problem.message for problem in problems if not problem.is_mistake)
    clear = warn_of_clear_text(spec)
    if clear:
        yield clear


def _excludes(switch: Switch, name: str, spec: PolicySpec) -> bool:
    """Whether a product does not start with a variable and the switch as the policy sets it."""
    env = switch.env
    return env is not None and env.excludes(name) and env.value_for(spec.submission) is not None


def warn_of_clear_text(spec: PolicySpec) -> str:
    """A sentence if a cluster policy permits to send credentials without TLS; else empty."""
    if not isinstance(spec, ClusterTelemetryPolicySpec):
        return ""
    products = [found.product for found in _credentials(spec) if not found.require_tls]
    if not products:
        return ""
    return (
        f"Credentials are sent in clear where the endpoint is http, because requireTLS is false: "
        f"{', '.join(products)}"
    )


def _credentials(spec: PolicySpec) -> tuple[Credential, ...]:
    if isinstance(spec, TelemetryPolicySpec | ClusterTelemetryPolicySpec) and spec.runtime:
        return spec.runtime.credentials
    return ()


def _not_covered(spec: PolicySpec, catalogue: Catalogue) -> Iterator[PolicyProblem]:
    """TelemetryProducts that a part of the policy is about, and that the policy does not name."""
    covered = {*(spec.products or ()), *spec.additional_products}
    for name in _named_products(spec):
        product = catalogue.products.get(name)
        if product is not None and not product.has_builtin_name and name not in covered:
            yield PolicyProblem(
                PolicyReason.PRODUCT_NOT_COVERED,
                f"the policy does not cover {name}, which is not built in; name it in "
                "spec.additionalProducts",
                is_mistake=False,
            )


def _refused_settings(spec: PolicySpec) -> Iterator[PolicyProblem]:
    for settings in spec.injection.settings if spec.injection else ():
        for setting in settings.env:
            where = f"spec.injection.settings: {setting.name} of {settings.product}"
            if is_refused_name(setting.name):
                message = f"{where} may not be set by a policy: {ADVICE}"
                yield PolicyProblem(PolicyReason.REFUSED_VARIABLE, message, is_mistake=True)
            elif is_refused_value(setting.value):
                message = f"{where}: {EXPANSION_ADVICE}"
                yield PolicyProblem(PolicyReason.REFUSED_VARIABLE, message, is_mistake=True)


def _named_products(spec: PolicySpec) -> list[str]:
    named = [*(spec.products or ()), *spec.additional_products]
    if spec.egress:
        named += [host.product for host in spec.egress.hosts]
    if spec.injection:
        named += [settings.product for settings in spec.injection.settings]
    named += [found.product for found in _credentials(spec)]
    if isinstance(spec, TelemetryPolicySpec | ClusterTelemetryPolicySpec) and spec.runtime:
        named += [endpoint.product for endpoint in spec.runtime.endpoints]
    return list(dict.fromkeys(named))
