"""The overview dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability import metrics as m
from observability.dashboards import kit
from observability.dashboards.kit import Ask, Panel

UID = "fleet-telemetry-overview"
WORKLOAD_UID = "fleet-telemetry-workload"
_OPTED_OUT = f'{m.WORKLOADS}{{{kit.FLEET}, desired="Disabled", state!="Exempt"}}'
_PROVEN = f'{m.WORKLOADS}{{{kit.FLEET}, desired="Disabled", state="Compliant"}}'
_JOIN = "cluster, resource_namespace, kind, name, product"


def build() -> Dashboard:
    """The dashboard."""
    return kit.board(
        UID,
        "Fleet telemetry / Overview",
        "Whether the opted-out products are proven to be opted out, and which are not.",
        kit.variables(fleet=True),
        _panels(),
    )


def _panels() -> list[Panel]:
    return [
        kit.number(
            "Proven opted out",
            "The share of opted-out workloads, without exempt ones, that is proven to submit "
            "nothing. A declared setting alone does not count.",
            f"sum({_PROVEN}) / (sum({_OPTED_OUT}) > 0)",
            unit="percentunit",
            decimals=1,
            steps=((None, kit.VERMILLION), (0.9, kit.ORANGE), (1, kit.BLUE)),
            size=(8, 8),
        ),
        kit.number(
            "Opted out",
            "Workload channels that a policy opts out, without exempt ones.",
            f"sum({_OPTED_OUT})",
        ),
        kit.number(
            "Reported as submitting",
            "Opted-out workloads whose product reports by its API that it submits.",
            f'sum({m.SUBMITTING}{{{kit.FLEET}, evidence="reported"}})',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Running with telemetry on",
            "Opted-out workloads whose pods were started with telemetry on.",
            f'sum({m.SUBMITTING}{{{kit.FLEET}, evidence="running"}})',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Submitted after opt-out",
            "Workloads that submitted something after they were proven opted out.",
            f"sum({m.SUBMITTED_LATE}{{{kit.FLEET}}})",
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Unknown",
            "Workloads that a policy covers and that are not proven either way.",
            f'sum({m.WORKLOADS}{{{kit.FLEET}, state="Unknown"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Exempt",
            "Workloads that an exception exempts from their policy.",
            f'sum({m.WORKLOADS}{{{kit.FLEET}, state="Exempt"}})',
        ),
        kit.number(
            "Usage without policy",
            "Workloads that run a product and whose channel Usage no policy covers.",
            f'sum({m.WITHOUT_POLICY}{{{kit.FLEET}, channel="Usage"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Policies with a problem",
            "Policies that are not fully accepted, or that a policy of higher precedence "
            "overrides.",
            f"sum({m.POLICY_CONDITION}{{{kit.SCRAPED}, "
            'condition="Accepted", status="false"}) '
            f'+ sum({m.POLICY_CONDITION}{{{kit.SCRAPED}, condition="Conflicted", status="true"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.lines(
            "States over time",
            "Workloads that a policy covers, by channel state.",
            Ask(f"sum by (state) ({m.WORKLOADS}{{{kit.FLEET}}})", "{{state}}"),
            unit="short",
            colours=kit.COLOURS,
            stacked=True,
            size=(24, 8),
        ),
        kit.bars(
            "By product",
            "Workloads that a policy covers, by product and state.",
            f"sum by (product, state) ({m.WORKLOADS}{{{kit.FLEET}}})",
            by="product",
            series="state",
            colours=kit.COLOURS,
        ),
        kit.bars(
            "By namespace",
            "Workloads that a policy covers, by namespace and state, for the twenty namespaces "
            "with the most workloads that are neither compliant nor exempt.",
            f"sum by (resource_namespace, state) ({m.WORKLOADS}{{{kit.FLEET}}})\n"
            "and on (resource_namespace)\n"
            "topk(20, sum by (resource_namespace) ("
            f'{m.WORKLOADS}{{{kit.FLEET}, state!~"Compliant|Exempt"}}))',
            by="resource_namespace",
            series="state",
            colours=kit.COLOURS,
        ),
        kit.rows(
            "Not compliant, with reason",
            "Every opted-out workload that is not proven compliant, with its reason "
            "(docs/reasons.md). The name links to the workload's dashboard. Empty if all "
            "comply, or if metrics.perWorkload is off.",
            Ask(
                f'{m.WORKLOAD_STATE}{{{kit.FLEET}, desired="Disabled", '
                'state!~"Compliant|Exempt"}\n'
                f"* on ({_JOIN}) group_left (version)\n"
                f"max by ({_JOIN}, version) ({m.WORKLOAD_INFO}{{{kit.FLEET}}})"
            ),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "version": "Version",
                "channel": "Channel",
                "state": "State",
                "reason": "Reason",
                "policy_kind": "Policy kind",
                "policy": "Policy",
            },
            links={
                "name": kit.link_to(
                    WORKLOAD_UID,
                    "Workload dashboard",
                    namespace="Namespace",
                    product="Product",
                    workload="Name",
                ),
            },
        ),
        kit.rows(
            "Expiring exceptions",
            "When an exception expires, its policy applies to the workload again.",
            Ask(
                "sort(1000 * max by (cluster, policy_kind, policy_namespace, policy, "
                f"resource_namespace, kind, name) ({m.EXCEPTION_EXPIRY}{{{kit.SCRAPED}, "
                'resource_namespace=~"$namespace"}))'
            ),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "policy_kind": "Policy kind",
                "policy": "Policy",
                "Value": "Expires",
            },
            units={"Value": "dateTimeAsLocal"},
            size=(14, 8),
        ),
        kit.bars(
            "Egress",
            "Workloads by egress verdict: network policies deny the telemetry hosts, allow them "
            "while other hosts are denied, or leave them open. Open does not mean that anything "
            "is sent.",
            f'sum by (product, verdict) ({m.EGRESS}{{{kit.FLEET}, channel="Usage"}})',
            by="product",
            series="verdict",
            colours={
                "Denied": kit.BLUE,
                "Allowed": kit.SKY,
                "Open": kit.YELLOW,
                "Unknown": kit.GREY,
            },
            size=(10, 8),
        ),
    ]
