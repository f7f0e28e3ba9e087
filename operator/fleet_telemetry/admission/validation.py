"""What the schema of a CRD cannot say of a policy or a product, said when it is written."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    PolicyKind,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product import TelemetryProductSpec
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.combining import find_rejection
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import ProductError
from fleet_telemetry.objects.manifest import Manifest, dig
from fleet_telemetry.switches.policy_problems import find_problems, warn_of_clear_text


@dataclass(frozen=True, slots=True)
class Validation:
    """Why an object is refused, or empty; and what its author should know besides."""

    refusal: str = ""
    warnings: tuple[str, ...] = ()


def validate(request: Manifest, catalogue: Catalogue) -> Validation:
    """Judge a policy or a product of an admission request.

    An object that was stored before a rule existed can still be labelled or deleted: while its spec
    does not change, problems are warnings.
    """
    found = _validate(request, catalogue)
    old = dig(request, "oldObject", "spec")
    if not found.refusal or old is None or old != dig(request, "object", "spec"):
        return found
    return Validation(warnings=(found.refusal, *found.warnings))


def _validate(request: Manifest, catalogue: Catalogue) -> Validation:
    kind = dig(request, "kind", "kind")
    spec = dig(request, "object", "spec") or {}
    try:
        if kind == "TelemetryProduct":
            name = dig(request, "object", "metadata", "name") or ""
            return _judge_product(name, msgspec.convert(spec, TelemetryProductSpec), catalogue)
        if kind == PolicyKind.NAMESPACED:
            return _judge(msgspec.convert(spec, TelemetryPolicySpec), catalogue)
        if kind == PolicyKind.CLUSTER:
            return _judge(msgspec.convert(spec, ClusterTelemetryPolicySpec), catalogue)
    except (msgspec.ValidationError, ProductError) as error:
        return Validation(refusal=str(error))
    return Validation()


def _judge_product(name: str, spec: TelemetryProductSpec, catalogue: Catalogue) -> Validation:
    """Raises ProductError."""
    product = compile_own(name, spec)
    rejection = find_rejection(product, catalogue)
    if rejection is not None:
        return Validation(refusal=rejection.message)
    namesake = catalogue.products.get(name)
    if not spec.overrides_builtin:
        return Validation()
    if namesake is not None and namesake.has_builtin_name:
        return Validation(warnings=(f"it replaces the built-in product {name}, whole",))
    return Validation(warnings=(f"overridesBuiltin has no effect: {name} is not built in",))


def _judge(
    spec: TelemetryPolicySpec | ClusterTelemetryPolicySpec, catalogue: Catalogue
) -> Validation:
    problems = list(find_problems(spec, catalogue))
    warnings = [problem.message for problem in problems if not problem.is_mistake]
    clear = warn_of_clear_text(spec)
    return Validation(
        refusal="; ".join(problem.message for problem in problems if problem.is_mistake),
        warnings=(*warnings, *([clear] if clear else [])),
    )
