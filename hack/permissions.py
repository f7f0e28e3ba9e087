"""RBAC rules for the registered workload types, for the chart's ClusterRoles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.workloads.registry import WorkloadKind


def workload_permissions() -> dict[str, list[dict[str, Any]]]:
    """Rules by purpose: ``watch`` for both roles, ``patch`` for the controller."""
    types = [kind.type for kind in WorkloadKind]
    mutable = [one.api for one in types if not (one.template_immutable or one.is_injected_by_pod)]
    return {
        "watch": _rules((one.api for one in types), ["list", "watch"]),
        "patch": _rules(mutable, ["patch"]),
    }


def _rules(kinds: Iterable[Kind], verbs: list[str]) -> list[dict[str, Any]]:
    """One rule for each API group."""
    resources = defaultdict(list)
    for kind in kinds:
        resources[kind.group].append(kind.plural)
    return [
        {"apiGroups": [group], "resources": plurals, "verbs": verbs}
        for group, plurals in resources.items()
    ]
