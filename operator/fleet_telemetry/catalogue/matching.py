"""Which containers of a workload run a product, and in which version."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.catalogue import Catalogue, ImageMatch
from fleet_telemetry.catalogue.product import Product, RuleLookup
from fleet_telemetry.catalogue.version import VersionSpan
from fleet_telemetry.workloads.workload import Container, PodTemplate


@dataclass(frozen=True, slots=True)
class MatchedContainer:
    """A container that runs a product; ``version`` is None where the tag names none that the
    product is known to have."""

    container: Container
    product: Product
    image: Image
    version: VersionSpan | None
    reference: str
    """The image as written, to detect a change if no version can be read."""
    fault: Reason | None = None
    """Why no version can be read."""
    verified: bool = True
    """Whether the product's facts are verified for the version."""
    recognised: bool = True
    """False: the catalogue does not know the image, which takes the place of one that it knows."""

    def rule(self, channel: ChannelName) -> RuleLookup:
        """What holds for its version."""
        if not self.recognised:
            return RuleLookup(None, Reason.VERSION_UNREADABLE)
        return self.product.rule_for(channel, self.image, self.version)

    def with_unknown_image(self, container: Container) -> MatchedContainer:
        """The same container of another pod, where it has an image that the catalogue does not
        know: a copy of the product, in whichever version, or anything else."""
        return replace(
            self, container=container, version=None, reference=container.image, recognised=False
        )


def match_containers(template: PodTemplate, catalogue: Catalogue) -> tuple[MatchedContainer, ...]:
    """The containers that run a product of the catalogue, in their order."""
    targets = []
    for container in template.containers:
        found = catalogue.match_image(container.image, container.name)
        if found is not None:
            targets.append(_target(container, found))
    return tuple(targets)


def _target(container: Container, found: ImageMatch) -> MatchedContainer:
    tag = found.product.read_tag(found.reference, found.image)
    return MatchedContainer(
        container=container,
        product=found.product,
        image=found.image,
        version=tag.version,
        reference=container.image,
        fault=tag.fault,
        verified=tag.verified,
    )


def version_changed(before: MatchedContainer | None, after: MatchedContainer) -> bool:
    """Whether this is a first install or another version of the product.

    Where one of the versions cannot be read, any other image counts as another version.
    """
    if before is None or before.product.name != after.product.name or before.image != after.image:
        return True
    if before.version is None or after.version is None:
        return before.reference != after.reference
    return before.version != after.version
