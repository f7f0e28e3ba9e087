"""What the schema of a CRD cannot say of a policy or a product, said when it is written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    Policy,
    PolicyKind,
    TelemetryPolicySpec,
)
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.schema import explain
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.combining import find_rejection
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import ProductError
from fleet_telemetry.objects.manifest import Manifest, dig, read_time, text_at
from fleet_telemetry.objects.text import printable
from fleet_telemetry.policy.advice.advise import advise
from fleet_telemetry.policy.advice.surroundings import Surroundings
from fleet_telemetry.switches.policy_problems import find_problems, warnings_on

_log = logging.getLogger(__name__)

MOST_WARNINGS = 5
LONGEST_WARNING = 250
"""Characters, and bytes. The API server truncates longer ones, and drops what is beyond 4,096."""
_LONGEST_NAME = 80
_Spec = TypeVar("_Spec", TelemetryPolicySpec, ClusterTelemetryPolicySpec)


@dataclass(frozen=True, slots=True)
class Validation:
    """Why an object is refused, or empty; and what its author should know besides."""

    refusal: str = ""
    warnings: tuple[str, ...] = ()


def validate(
    request: Manifest, catalogue: Catalogue, around: Surroundings | None = None
) -> Validation:
    """Judge a policy or a product of an admission request. ``around`` is what else is in the
    cluster, None if that is not known.

    An object that was stored before a rule existed can still be labelled or deleted: while its spec
    does not change, problems are warnings, and there are no others.
    """
    found = _validate(request, catalogue, around)
    old = dig(request, "oldObject", "spec")
    if old is not None and old == dig(request, "object", "spec"):
        found = Validation(warnings=(found.refusal,) if found.refusal else ())
    return Validation(found.refusal, tuple(_bounded(_name(request), found.warnings)))


def _name(request: Manifest) -> str:
    """The kind and the name. kubectl shows equal warnings of several objects once."""
    name = text_at(request, "object", "metadata", "name")
    prefix = text_at(request, "object", "metadata", "generateName")
    namespace = text_at(request, "namespace")
    shown = name or (f"{prefix}..." if prefix else "")
    where = f"{namespace}/" if namespace else ""
    return printable(f"{text_at(request, 'kind', 'kind')} {where}{shown}".strip(), _LONGEST_NAME)


def _bounded(name: str, warnings: Iterable[str]) -> Iterator[str]:
    found = list(dict.fromkeys(warnings))
    shown = found if len(found) <= MOST_WARNINGS else found[: MOST_WARNINGS - 1]
    for warning in shown:
        yield _cut(f"{name}: {warning}")
    if len(found) > len(shown):
        yield f"{name}: {len(found) - len(shown)} more warnings; correct these first"


def _cut(text: str) -> str:
    """On one line, at most so many bytes."""
    text = printable(text, LONGEST_WARNING)
    if len(text.encode()) > LONGEST_WARNING:
        text = text.encode()[: LONGEST_WARNING - 3].decode(errors="ignore") + "..."
    return text


def _validate(request: Manifest, catalogue: Catalogue, around: Surroundings | None) -> Validation:
    kind = dig(request, "kind", "kind")
    spec = dig(request, "object", "spec") or {}
    try:
        if kind == "TelemetryProduct":
            name = dig(request, "object", "metadata", "name") or ""
            return _judge_product(name, msgspec.convert(spec, TelemetryProductSpec), catalogue)
        if kind == PolicyKind.NAMESPACED:
            return _judge(request, msgspec.convert(spec, TelemetryPolicySpec), catalogue, around)
        if kind == PolicyKind.CLUSTER:
            cluster_spec = msgspec.convert(spec, ClusterTelemetryPolicySpec)
            return _judge(request, cluster_spec, catalogue, around)
    except (msgspec.ValidationError, ProductError) as error:
        return Validation(refusal=explain(error))
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
    request: Manifest, spec: _Spec, catalogue: Catalogue, around: Surroundings | None
) -> Validation:
    problems = list(find_problems(spec, catalogue))
    refusal = "; ".join(problem.message for problem in problems if problem.is_mistake)
    warnings = list(warnings_on(spec, problems))
    if around is not None and not refusal:
        warnings += _advise(_policy(request, spec, around), around)
    return Validation(refusal, tuple(warnings))


def _advise(policy: Policy, around: Surroundings) -> list[str]:
    try:
        return list(advise(policy, around))
    except Exception:  # noqa: BLE001  # a bug, which is logged; without advice the policy is as good
        _log.exception("no advice on %s", policy)
        return []


def _policy(request: Manifest, spec: _Spec, around: Surroundings) -> Policy:
    """The policy as it will be in the cluster."""
    created = read_time(dig(request, "object", "metadata", "creationTimestamp"))
    is_cluster = isinstance(spec, ClusterTelemetryPolicySpec)
    return Policy(
        kind=PolicyKind.CLUSTER if is_cluster else PolicyKind.NAMESPACED,
        namespace="" if is_cluster else text_at(request, "namespace"),
        name=text_at(request, "object", "metadata", "name"),
        created=created or around.now,
        spec=spec,
    )
