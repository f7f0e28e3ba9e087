"""The versions of pods whose tags admission has replaced by digests.

Policies such as Sigstore's policy-controller write ``repository@sha256:...`` into a pod where its
template has a tag. Then the template's tag speaks for the pod, if it is certain that the pod was
created from that template and if repository and digest allow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.evidence.config_maps import NO_CONFIG_MAPS, ConfigMaps
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.references import with_values_of_pod
from fleet_telemetry.workloads.workload import Pod, PodTemplate

Digests = Mapping[str, AbstractSet[str]]
"""By the name of a container: the digests that it has in all pods of one template."""


def gather_pod_facts(
    pods: Sequence[Pod], catalogue: Catalogue, config_maps: ConfigMaps = NO_CONFIG_MAPS
) -> tuple[PodFacts, ...]:
    """The pods with their containers that run products, and the values that those surely got."""
    digests: dict[int, dict[str, set[str]]] = {}
    for pod in pods:
        # Pods of one template have the same object here.
        of_origin = digests.setdefault(id(pod.origin), {})
        for container in pod.template.containers:
            digest = ImageReference.parse(container.image).digest
            of_origin.setdefault(container.name, set()).add(digest)
    return tuple(
        PodFacts(
            pod.template,
            with_values_of_pod(
                with_versions_of(
                    match_containers(pod.template, catalogue),
                    pod.origin,
                    catalogue,
                    digests[id(pod.origin)],
                ),
                config_maps,
                pod.created,
            ),
            finished=not pod.counts,
            uid=pod.uid,
            started=pod.started,
        )
        for pod in pods
    )


def with_versions_of(
    targets: tuple[MatchedContainer, ...],
    origin: PodTemplate | None,
    catalogue: Catalogue,
    digests: Digests | None = None,
) -> tuple[MatchedContainer, ...]:
    """A pod's containers; those with a digest and no tag have the version of their container in the
    template that the pod was created from.

    ``digests`` are those of all pods of the template, if there are more. If the template has no
    digest, and its pods have different ones, the tag has moved, and speaks for none of them.
    """
    if origin is None or all(_tagless(target) is None for target in targets):
        return targets
    said = {target.container.name: target for target in match_containers(origin, catalogue)}
    return tuple(_with_version(target, said, digests or {}) for target in targets)


def _with_version(
    target: MatchedContainer, said: Mapping[str, MatchedContainer], digests: Digests
) -> MatchedContainer:
    own = _tagless(target)
    template = said.get(target.container.name)
    if own is None or template is None:
        return target
    reference = ImageReference.parse(template.reference)
    is_same = (template.product, template.image) == (target.product, target.image)
    if not is_same or reference.repository != own.repository:
        return target
    known = {reference.digest} if reference.digest else digests.get(target.container.name, ())
    if {own.digest, *known} != {own.digest}:
        return target
    return replace(
        target, version=template.version, fault=template.fault, verified=template.verified
    )


def _tagless(target: MatchedContainer) -> ImageReference | None:
    reference = ImageReference.parse(target.reference)
    return reference if reference.digest and not reference.tag else None
