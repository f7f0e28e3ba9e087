"""One workload: what is declared, running and reported, since when, and why."""

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
        "Single workloads: what each evidence says, since when, and why. It needs "
        "metrics.perWorkload.",
        kit.variables(names, fleet=True),
        _panels(),
    )


def _panels() -> list[Panel]:
    return [
        kit.number(
            "Not shown to comply",
            "Channels of the chosen workloads that a policy covers and that are not shown to be "
            "as it wishes.",
            f'count({m.WORKLOAD_STATE}{{{_IT}, state!~"Compliant|Exempt"}}) or vector(0)',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
            size=(6, 5),
        ),
        kit.number(
            "Last submission",
            "When one of the chosen workloads last sent something, as the product says itself.",
            f"max({m.LAST_SUBMISSION}{{{_IT}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.number(
            "Compliant since",
            "Since when all of the chosen workloads that comply are shown to; the youngest counts.",
            f"max({m.COMPLIANT_SINCE}{{{_OF_WORKLOAD}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.number(
            "Last asked",
            "When the product of one of the chosen workloads was last asked by its API.",
            f"max({m.LAST_CHECK}{{{_IT}}}) * 1000",
            unit="dateTimeFromNow",
            size=(6, 5),
        ),
        kit.rows(
            "Where it stands, and why",
            "The state of each channel, with the reason (docs/reasons.md) and the policy that "
            "decides.",
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
                "desired": "Wished",
                "state": "State",
                "reason": "Reason",
                "policy_kind": "Policy kind",
                "policy": "Policy",
            },
            size=(24, 7),
        ),
        kit.phases(
            "Evidence over time",
            "What each evidence says of the chosen workloads: whether telemetry is on. What the "
            "product reports beats what its pods were started with, and that what is declared.",
            Ask(
                f"max by ({_NAMES}, evidence) ({m.ENABLED}{{{_IT}}})",
                f"{_LEGEND} {{{{evidence}}}}",
            ),
            words={"0": ("off", kit.BLUE), "1": ("on", kit.VERMILLION)},
            size=(24, 9),
        ),
        kit.lines(
            "States over time",
            "How many channels of the chosen workloads are in which state.",
            Ask(f"count by (state) ({m.WORKLOAD_STATE}{{{_IT}}})", "{{state}}"),
            unit="short",
            colours=kit.COLOURS,
            stacked=True,
        ),
        kit.rows(
            "Version, and what came of asking",
            "The version that runs, and the result of the last check by the product's API (ok or a "
            "reason).",
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
                "Value #B": "Asked",
            },
            units={"Value #B": "dateTimeAsLocal"},
            size=(12, 8),
        ),
    ]
