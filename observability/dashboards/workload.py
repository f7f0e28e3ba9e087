"""The workload dashboard: evidence, state and reason of single workloads."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability import metrics as m
from observability.dashboards import kit
from observability.dashboards.kit import Ask, Panel
from observability.dashboards.overview import WORKLOAD_UID

_IT = f'{kit.FLEET}, name=~"$workload"'
_NAMES = "resource_namespace, kind, name, product, channel"
_LEGEND = "{{resource_namespace}}/{{kind}}/{{name}} {{channel}}"
_OF_WORKLOAD = f'{kit.SCRAPED}, resource_namespace=~"$namespace", name=~"$workload"'


def build() -> Dashboard:
    """The dashboard."""
    names = kit.query_variable(
        "workload",
        "workload",
        f'label_values({m.WORKLOAD_INFO}{{cluster=~"$cluster", resource_namespace=~"$namespace", '
        'product=~"$product"}, name)',
    )
    return kit.board(
        WORKLOAD_UID,
        "Fleet telemetry / Workload",
        "Single workloads: evidence, state and reason over time. Requires metrics.perWorkload.",
        kit.variables(names, fleet=True),
        _panels(),
    )


def _panels() -> list[Panel]:
    return [
        kit.number(
            "Not proven compliant",
            "Channels of the selected workloads that a policy covers and that are not proven "
            "compliant.",
            f'count({m.WORKLOAD_STATE}{{{_IT}, state!~"Compliant|Exempt"}}) or vector(0)',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
            size=(6, 5),
        ),
        kit.number(
            "Last submission",
            "When one of the selected workloads last sent something, as the product reports.",
            f"max({m.LAST_SUBMISSION}{{{_IT}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.number(
            "Compliant since",
            "Since when the compliant ones of the selected workloads are compliant; the latest "
            "time.",
            f"max({m.COMPLIANT_SINCE}{{{_OF_WORKLOAD}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.number(
            "Last checked",
            "When the product of one of the selected workloads was last checked by its API.",
            f"max({m.LAST_CHECK}{{{_IT}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.rows(
            "State and reason",
            "The state of each channel, with its reason (docs/reasons.md) and the effective "
            "policy.",
            Ask(
                f"max by ({_NAMES}, desired, state, reason, policy_kind, policy) "
                f"({m.WORKLOAD_STATE}{{{_IT}}})"
            ),
            columns={
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "channel": "Channel",
                "desired": "Desired",
                "state": "State",
                "reason": "Reason",
                "policy_kind": "Policy kind",
                "policy": "Policy",
            },
            size=(24, 7),
        ),
        kit.phases(
            "Evidence over time",
            "Whether telemetry is on, by evidence. The reported setting overrides the running "
            "one, and the running one overrides the declared one.",
            Ask(
                f"max by ({_NAMES}, evidence) ({m.ENABLED}{{{_IT}}})",
                f"{_LEGEND} {{{{evidence}}}}",
            ),
            words={"0": ("off", kit.BLUE), "1": ("on", kit.VERMILLION)},
            size=(24, 9),
        ),
        kit.lines(
            "States over time",
            "The number of channels of the selected workloads in each state.",
            Ask(f"count by (state) ({m.WORKLOAD_STATE}{{{_IT}}})", "{{state}}"),
            unit="short",
            colours=kit.COLOURS,
            stacked=True,
        ),
        kit.rows(
            "Version and last check",
            "The running version, and the result of the last check by the product's API (ok or "
            "a reason).",
            Ask(
                f"max by (resource_namespace, kind, name, product, version) "
                f"({m.WORKLOAD_INFO}{{{_IT}}})"
            ),
            Ask(
                f"max by (resource_namespace, kind, name, product, result) "
                f"({m.LAST_CHECK}{{{_IT}}}) * 1000"
            ),
            columns={
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "version": "Version",
                "result": "Last check",
                "Value #B": "Checked",
            },
            units={"Value #B": "dateTimeAsLocal"},
            size=(12, 8),
        ),
    ]
