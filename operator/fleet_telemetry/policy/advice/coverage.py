"""What a policy selects, and what it exempts."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.api.policy import (
    ClusterTelemetryPolicySpec,
    ClusterWorkloadReference,
    PolicyException,
)
from fleet_telemetry.policy.advice.surroundings import Scene, listed, shown
from fleet_telemetry.policy.precedence import has_expired
from fleet_telemetry.workloads.workload import WorkloadRef

_LATER = "it may be intended, for what comes later"
_PART = "only what was read is known"


def advise_on_coverage(scene: Scene) -> Iterator[str]:
    """Selectors and products that cover nothing now: the widest reason alone."""
    for sentence in _on_coverage(scene):
        yield _hedged(scene, sentence)


def _hedged(scene: Scene, sentence: str) -> str:
    """A sentence on what is not there, for somebody who may not have read everything."""
    if scene.around.is_whole:
        return sentence
    return f"{sentence.removesuffix(f'; {_LATER}')}; {_PART}"


def _on_coverage(scene: Scene) -> Iterator[str]:
    spec = scene.policy.spec
    where = f" of namespace {scene.policy.namespace}" if scene.policy.namespace else ""
    if not scene.namespaces and isinstance(spec, ClusterTelemetryPolicySpec):
        if spec.namespace_selector is not None:
            yield f"spec.namespaceSelector selects no namespace now; {_LATER}"
    elif not scene.in_namespaces:
        if where:
            yield f"no workload{where} runs a known product now; {_LATER}"
        elif isinstance(spec, ClusterTelemetryPolicySpec) and spec.namespace_selector is not None:
            yield (
                "no workload of the namespaces that spec.namespaceSelector selects runs a known "
                f"product now; {_LATER}"
            )
    elif not scene.selected:
        yield f"spec.selector selects no workload that runs a known product now; {_why(scene)}"
    else:
        yield from _on_products(scene)


def _why(scene: Scene) -> str:
    """The usual reason why a selector selects nothing."""
    selector = scene.policy.spec.selector
    for workload in scene.in_namespaces:
        if selector is not None and selector.matches(workload.template.labels):
            return (
                f"it matches labels of the pods of {shown(workload.ref, scene.policy)}, and is "
                "compared with the labels of the workload itself"
            )
    return _LATER


def _on_products(scene: Scene) -> Iterator[str]:
    spec, running = scene.policy.spec, scene.running
    if running is None or any(map(scene.covers, running.values())):
        return
    own = [name for name, product in running.items() if not product.has_builtin_name]
    there = f"what runs there: {listed(sorted(running))}"
    if spec.products is None and own:
        yield (
            "the policy covers nothing that runs there now; a TelemetryProduct has to be in "
            f"spec.additionalProducts: {listed(sorted(own))}"
        )
    elif spec.products is None:
        yield (f"spec.channels: nothing that runs there now has such a channel ({there}); {_LATER}")
    elif set(spec.products) & running.keys():
        both = sorted(set(spec.products) & running.keys())
        yield f"spec.channels: none of them is a channel of {listed(both)}, which runs there"
    else:
        yield (
            f"spec.products: what the policy selects runs none of them now: "
            f"{listed(spec.products)}; {there}"
        )


def advise_on_exceptions(scene: Scene) -> Iterator[str]:
    """Exceptions that exempt nothing: one sentence for each reason."""
    expired: list[str] = []
    absent: list[str] = []
    not_covered: list[str] = []
    hint = ""
    around = scene.around
    for exception in scene.policy.spec.exceptions:
        ref = _ref_of(exception, scene)
        workload = around.workloads.get(ref)
        if has_expired(exception, around.now):
            expired.append(shown(ref, scene.policy))
        elif not around.is_whole and ref.namespace not in around.namespaces:
            continue  # nothing of it was read
        elif workload is None:
            hint = hint if absent else _namesake(ref, scene)
            absent.append(shown(ref, scene.policy))
        else:
            products = scene.products_of(workload)
            is_selected = ref.namespace in scene.namespaces and scene.selects(workload)
            if not is_selected or not (products is None or any(map(scene.covers, products))):
                not_covered.append(shown(ref, scene.policy))
    if expired:
        yield (
            f"spec.exceptions: expiresAt is in the past, so nothing is exempt: {listed(expired)}"
        )
    if absent:
        yield _hedged(
            scene,
            f"spec.exceptions: there is no such workload that runs a known product: "
            f"{listed(absent)}; {hint or _LATER}",
        )
    if not_covered:
        yield _hedged(
            scene,
            f"spec.exceptions: there is nothing to exempt in what the policy does not cover: "
            f"{listed(not_covered)}",
        )


def _ref_of(exception: PolicyException, scene: Scene) -> WorkloadRef:
    named = exception.workload
    namespace = (
        named.namespace if isinstance(named, ClusterWorkloadReference) else scene.policy.namespace
    )
    return WorkloadRef(namespace, named.kind, named.name)


def _namesake(ref: WorkloadRef, scene: Scene) -> str:
    """A workload of the same name that may be meant; empty if there is none."""
    for other in scene.around.workloads:
        if other.name == ref.name and other.namespace == ref.namespace:
            return f"there is a {other.kind} {other.name}"
    # Who may write a policy of a namespace need not know what runs in others.
    for other in scene.around.workloads if not scene.policy.namespace else ():
        if other.name == ref.name and other.kind is ref.kind:
            return f"there is a {other.kind} {other.name} in namespace {other.namespace}"
    return ""
