"""Where the credential of a policy may be sent.

The rules are applied when a check is planned, and again at the moment of each request, because the
labels of the namespace and the pods may have changed in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from fleet_telemetry.api.policy import ClusterCredential, Credential, Policy, Scheme
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.objects.labels import NAMESPACE_NAME_LABEL

_NAMED = 3
_LONGEST_IMAGE = 256


class CredentialWithheldError(Exception):
    """The credential may not be sent, and nothing was."""

    def __init__(self, result: Reported) -> None:
        self.result = result
        super().__init__(result.message)


@dataclass(frozen=True, slots=True)
class CredentialGrant:
    """A credential of a policy for one workload, and where it may be sent."""

    policy: str
    """The policy as messages name it."""
    secret: tuple[str, str]
    """Namespace and name."""
    namespaces: tuple[str, ...] = ()
    """Empty: they are not restricted by name."""
    namespace_selector: LabelSelector | None = None
    lacks_scope: bool = False
    """A given namespace has the Secret, and no rule says where it may be sent."""
    images: tuple[str, ...] | None = None
    """The registries, parts of registries and repositories of images; None: any image."""
    require_tls: bool = False


@dataclass(frozen=True, slots=True)
class CredentialDestination:
    """What a credential would be sent to."""

    namespace: str
    namespace_labels: Mapping[str, str]
    """Empty if they are not known. No selector matches then."""
    images: frozenset[str]
    """Of the product's containers, in the pod template and in the pods."""


def grant_credential(
    credential: Credential, policy: Policy, product: Product, namespace: str
) -> CredentialGrant:
    """What a policy's credential permits for a workload of a namespace."""
    own = {image for entry in product.spec.images for image in entry.repositories}
    images = tuple(sorted(own | set(credential.registries)))
    grant = CredentialGrant(
        policy=str(policy),
        secret=(namespace, credential.secret_ref.name),
        images=images if credential.registries else None,
        require_tls=credential.require_tls,
    )
    if not isinstance(credential, ClusterCredential):
        return grant
    given = credential.secret_ref.namespace
    return replace(
        grant,
        secret=(given or namespace, credential.secret_ref.name),
        namespaces=credential.namespaces,
        namespace_selector=credential.namespace_selector,
        lacks_scope=credential.lacks_scope,
        images=images,
    )


def images_of(
    product: Product, targets: Iterable[MatchedContainer], pods: Iterable[PodFacts]
) -> frozenset[str]:
    """The images that a credential would be sent to: those of the product's containers in the pod
    template and in each pod. Of a pod that has none, all images."""
    images = {target.reference for target in targets if target.product is product}
    for pod in pods:
        own = {target.reference for target in pod.targets if target.product is product}
        images |= own or {container.image for container in pod.template.containers}
    return frozenset(images)


def why_withheld(grant: CredentialGrant, to: CredentialDestination) -> Reported | None:
    """Why the credential is not sent; None if it may be."""
    if grant.lacks_scope:
        return _withheld(Reason.CREDENTIAL_SCOPE_MISSING, f"Policy: {grant.policy}.")
    if not _allows_namespace(grant, to):
        detail = f"Policy: {grant.policy}; namespace: {to.namespace}."
        return _withheld(Reason.CREDENTIAL_NOT_FOR_NAMESPACE, detail)
    refused = sorted(_refused_images(grant, to.images))
    if refused:
        more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        names = ", ".join(image[:_LONGEST_IMAGE] for image in refused[:_NAMED])
        detail = f"Policy: {grant.policy}; image: {names}{more}."
        return _withheld(Reason.CREDENTIAL_NOT_FOR_IMAGE, detail)
    return None


def why_withheld_from(
    grant: CredentialGrant, schemes: Iterable[str], where: str
) -> Reported | None:
    """Why the credential is not sent to endpoints with these URL schemes; None if it may be."""
    if grant.require_tls and any(scheme != Scheme.HTTPS for scheme in schemes):
        detail = f"Policy: {grant.policy}; endpoint: {where}."
        return _withheld(Reason.TLS_REQUIRED, detail)
    return None


def _allows_namespace(grant: CredentialGrant, to: CredentialDestination) -> bool:
    if grant.namespaces and to.namespace not in grant.namespaces:
        return False
    selector = grant.namespace_selector
    if selector is None:
        return True
    # Without it the labels are not known, and NotIn and DoesNotExist would match.
    is_known = to.namespace_labels.get(NAMESPACE_NAME_LABEL) == to.namespace
    return is_known and selector.matches(to.namespace_labels)


def _refused_images(grant: CredentialGrant, images: Iterable[str]) -> Iterator[str]:
    if grant.images is None:
        return
    for image in images:
        reference = ImageReference.parse(image)
        if not any(reference.is_in(allowed) for allowed in grant.images):
            yield image


def _withheld(reason: Reason, detail: str) -> Reported:
    return Reported(fault=reason, message=detail)
