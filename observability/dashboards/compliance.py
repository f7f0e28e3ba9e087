"""The compliance dashboard: for whoever answers for the fleet before an auditor."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability import metrics as m
from observability.dashboards import kit
from observability.dashboards.kit import Ask, Panel
from observability.dashboards.overview import WORKLOAD_UID

UID = "fleet-telemetry-compliance"
_OPTED_OUT = f'{m.WORKLOADS}{{{kit.FLEET}, desired="Disabled", state!="Exempt"}}'
_PROVEN = f'{m.WORKLOADS}{{{kit.FLEET}, desired="Disabled", state="Compliant"}}'
_IN_NAMESPACE = f'{kit.SCRAPED}, resource_namespace=~"$namespace"'
_NAMESPACE = "cluster, resource_namespace"
_NAMES = f"{_NAMESPACE}, kind, name"
_CHANNEL = f"{_NAMES}, product, channel"
_POLICY = "policy_kind, policy_namespace, policy"
_TO_WORKLOAD = kit.link_to(
    WORKLOAD_UID, "Workload dashboard", namespace="Namespace", product="Product", workload="Name"
)
_SHARE = (
    "Opted-out workload channels, how many of them are proven to submit nothing, and their share."
)


def build() -> Dashboard:
    """The dashboard."""
    return kit.board(
        UID,
        "Fleet telemetry / Compliance",
        "How much is covered, what is proven and by what, what is not and since when, and what is "
        "exempt.",
        kit.variables(fleet=True),
        [*_numbers(), *_shares(), *_coverage(), *_evidence(), *_exceptions()],
    )


def _numbers() -> list[Panel]:
    return [
        kit.number(
            "Proven opted out",
            "The share of opted-out workload channels, without exempt ones, that is proven to "
            "submit nothing.",
            f"sum({_PROVEN}) / (sum({_OPTED_OUT}) > 0)",
            unit="percentunit",
            decimals=1,
            steps=((None, kit.VERMILLION), (0.9, kit.ORANGE), (1, kit.BLUE)),
            size=(6, 4),
        ),
        kit.number(
            "Workloads with a known product",
            "The share of all workloads of the cluster that run a product of the catalogue. About "
            "the others nothing is known, and most of them are no vendor's product.",
            f'sum({m.SEEN}{{{_IN_NAMESPACE}, known="true"}})\n'
            f"/ (sum({m.SEEN}{{{_IN_NAMESPACE}}}) > 0)",
            unit="percentunit",
            decimals=1,
            size=(6, 4),
        ),
        kit.number(
            "Longest not compliant",
            "For how long the workload has not been compliant that has not been for longest.",
            f"time() - min({m.NOT_COMPLIANT_SINCE}{{{_IN_NAMESPACE}}})",
            unit="s",
            steps=((None, kit.BLUE), (86400, kit.ORANGE), (7 * 86400, kit.VERMILLION)),
            size=(6, 4),
        ),
        kit.number(
            "Workloads with an exception",
            "Workloads that exceptions of policies name, expired or not.",
            f"count(max by ({_NAMES}) ({m.EXCEPTION_INFO}{{{_IN_NAMESPACE}}})) or vector(0)",
            size=(6, 4),
        ),
    ]


def _shares() -> list[Panel]:
    return [
        _share(
            "By cluster",
            f"{_SHARE} The clusters are those of the label cluster: clusterName in the chart.",
            "cluster",
            "Cluster",
        ),
        _share(
            "By team",
            f"{_SHARE} A namespace's team is the value of its label metrics.teamLabel. Empty if "
            "that is not set in the chart.",
            "team",
            "Team",
        ),
    ]


def _share(title: str, about: str, label: str, shown: str) -> Panel:
    def per_label(selector: str) -> str:
        if label != "team":
            return f"sum by ({label}) ({selector})"
        return f"sum by (team) ({_with_team(f'sum by ({_NAMESPACE}) ({selector})')})"

    return kit.rows(
        title,
        about,
        Ask(per_label(_OPTED_OUT)),
        Ask(per_label(_PROVEN)),
        Ask(f"{per_label(_PROVEN)} / ({per_label(_OPTED_OUT)} > 0)"),
        columns={
            label: shown,
            "Value #A": "Opted out",
            "Value #B": "Proven",
            "Value #C": "Share",
        },
        units={"Value #C": "percentunit"},
        size=(12, 8),
    )


def _with_team(by_namespace: str) -> str:
    """The same, with the label ``team``."""
    team = f"max by ({_NAMESPACE}, team) ({m.TEAM}{{{_IN_NAMESPACE}}})"
    return f"{by_namespace}\n* on ({_NAMESPACE}) group_left (team)\n{team}"


def _coverage() -> list[Panel]:
    return [
        kit.rows(
            "Coverage by namespace",
            "All workloads of a namespace, those of them that run a known product, and how many of "
            "its product channels no policy covers.",
            Ask(f"sum by ({_NAMESPACE}) ({m.SEEN}{{{_IN_NAMESPACE}}})"),
            Ask(f'sum by ({_NAMESPACE}) ({m.SEEN}{{{_IN_NAMESPACE}, known="true"}})'),
            Ask(f"sum by ({_NAMESPACE}) ({m.WITHOUT_POLICY}{{{kit.FLEET}}})"),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "Value #A": "Workloads",
                "Value #B": "With a known product",
                "Value #C": "Channels without policy",
            },
            size=(12, 8),
        ),
    ]


def _evidence() -> list[Panel]:
    state = f"{m.WORKLOAD_STATE}{{{kit.FLEET}, "
    since_when = (
        "1000 * max by ({labels}) ({state})\n"
        f"* on ({_NAMES}) group_left ()\n"
        f"max by ({_NAMES}) ({{since}}{{{{{_IN_NAMESPACE}}}}})"
    )
    return [
        kit.bars(
            "Proven by",
            "Compliant opted-out workload channels by what proves it (docs/reasons.md): each pod's "
            "settings, the product's own report, the version, or network policies. Requires "
            "metrics.perWorkload.",
            f'count by (product, reason) ({state}desired="Disabled", state="Compliant"}})',
            by="product",
            series="reason",
            colours={},
        ),
        kit.rows(
            "Not compliant, since when",
            "Every channel that is not proven to be as its policy says, with its reason, and since "
            "when its workload has not been compliant: the earliest first. Requires "
            "metrics.perWorkload.",
            Ask(
                "sort("
                + since_when.format(
                    labels=f"{_CHANNEL}, state, reason, policy_kind, policy",
                    state=f'{state}state!~"Compliant|Exempt"}}',
                    since=m.NOT_COMPLIANT_SINCE,
                )
                + ")"
            ),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "channel": "Channel",
                "state": "State",
                "reason": "Reason",
                "policy_kind": "Policy kind",
                "policy": "Policy",
                "Value": "Since",
            },
            links={"name": _TO_WORKLOAD},
            units={"Value": "dateTimeAsLocal"},
        ),
        kit.rows(
            "Compliant, proven by what",
            "Every workload that is proven compliant in all channels, with the reason that proves "
            "each channel, and since when. Requires metrics.perWorkload.",
            Ask(
                since_when.format(
                    labels=f"{_CHANNEL}, desired, reason",
                    state=f'{state}state="Compliant"}}',
                    since=m.COMPLIANT_SINCE,
                )
            ),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "channel": "Channel",
                "desired": "Desired",
                "reason": "Proven by",
                "Value": "Since",
            },
            links={"name": _TO_WORKLOAD},
            units={"Value": "dateTimeAsLocal"},
        ),
    ]


def _exceptions() -> list[Panel]:
    exempted = f"{_POLICY}, {_NAMES}"
    return [
        kit.rows(
            "Exceptions",
            "Every exception of a policy, with its reason and when it expires. Without an expiry "
            "it lasts until it is removed. An expired one exempts nothing.",
            Ask(f"max by ({exempted}, reason) ({m.EXCEPTION_INFO}{{{_IN_NAMESPACE}}})"),
            Ask(f"1000 * max by ({exempted}) ({m.EXCEPTION_EXPIRY}{{{_IN_NAMESPACE}}})"),
            columns={
                "cluster": "Cluster",
                "policy_kind": "Policy kind",
                "policy_namespace": "Policy namespace",
                "policy": "Policy",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "reason": "Reason",
                "Value #B": "Expires",
            },
            units={"Value #B": "dateTimeAsLocal"},
        ),
    ]
