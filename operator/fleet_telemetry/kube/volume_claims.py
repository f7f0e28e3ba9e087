"""Facts of volume claims, which the evidence of a seed needs."""

from __future__ import annotations

from collections.abc import Iterable

from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import VOLUME, VOLUME_CLAIM
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, read_time

_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


async def read_volume_claim_facts(
    client: KubernetesClient, namespace: str, names: Iterable[str]
) -> dict[str, VolumeClaimFacts]:
    """The facts of the claims with these names that are bound, by name. Raises ApiError."""
    facts = {}
    for name in sorted(set(names)):
        claim = await client.find(VOLUME_CLAIM, name, namespace)
        volume_name = dig(claim, "spec", "volumeName")
        volume = await client.find(VOLUME, volume_name) if volume_name else None
        if claim is not None and volume is not None:
            found = _facts(claim, volume)
            if found is not None:
                facts[name] = found
    return facts


def _facts(claim: Manifest, volume: Manifest) -> VolumeClaimFacts | None:
    created = read_time(dig(claim, "metadata", "creationTimestamp"))
    volume_created = read_time(dig(volume, "metadata", "creationTimestamp"))
    if created is None or volume_created is None:
        return None
    annotations = mapping_at(volume, "metadata", "annotations")
    copies = any(dig(claim, "spec", key) for key in ("dataSource", "dataSourceRef"))
    return VolumeClaimFacts(
        uid=str(dig(claim, "metadata", "uid")),
        # A volume, and so its data, may be older than the claim that it is bound to.
        created=min(created, volume_created),
        began_empty=not copies and _PROVISIONED_BY in annotations,
    )
