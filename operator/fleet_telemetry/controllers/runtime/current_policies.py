"""Whether policies, as they are now, still ask for a check.

A check is planned when its workload is decided on, which may be some time after a policy was
deleted or changed. Its author may want a credential to go nowhere any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.evidence.checks import Check, WorkloadPlace, plan_checks
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.policy.precedence import resolve_effective, select_policies
from fleet_telemetry.workloads.workload import WorkloadRef


def is_still_asked(
    cache: ClusterCache, now: Callable[[], datetime], ref: WorkloadRef, check: Check
) -> bool:
    """Whether the check would be planned now, too: by the same credential, for the same end."""
    workload = cache.fleet.workloads.get(ref)
    product = cache.catalogue.products.get(check.product)
    if workload is None or product is None:
        return False
    labels = cache.labels_of(ref.namespace)
    covering = select_policies(cache.policies_for(ref.namespace), workload, labels)
    channel = ChannelName.USAGE
    in_effect = resolve_effective(
        covering, ref, product.name, channel, now(), built_in=product.has_builtin_name
    )
    if in_effect is None:
        return False
    planned = plan_checks(
        match_containers(workload.template, cache.catalogue),
        {(product.name, channel): in_effect},
        WorkloadPlace(ref.namespace, labels),
    )
    wanted = check.grant, check.desired, check.action, check.service
    return any((one.grant, one.desired, one.action, one.service) == wanted for one in planned)
