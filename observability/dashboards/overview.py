"""The fleet at a glance, for people who look rather than read."""

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
        "Whether the products that were opted out are shown to be, and which are not.",
        kit.variables(fleet=True),
        _panels(),
    )


def _panels() -> list[Panel]:
    return [
        kit.number(
            "Opted out and proven",
            "Of the workloads that a policy opts out and that are not exempt, the share that is "
            "shown to submit nothing. What is merely declared does not count.",
            f"sum({_PROVEN}) / (sum({_OPTED_OUT}) > 0)",
            unit="percentunit",
            decimals=1,
            steps=((None, kit.VERMILLION), (0.9, kit.ORANGE), (1, kit.BLUE)),
            size=(8, 8),
        ),
        kit.number(
            "Opted out",
            "Channels of workloads that a policy opts out and that are not exempt.",
            f"sum({_OPTED_OUT})",
        ),
        kit.number(
            "Report that they submit",
            "Opted-out workloads whose product says by its own API that it submits.",
            f'sum({m.SUBMITTING}{{{kit.FLEET}, evidence="reported"}})',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Run so that they submit",
            "Opted-out workloads whose pods were started so that they submit.",
            f'sum({m.SUBMITTING}{{{kit.FLEET}, evidence="running"}})',
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Sent after the opt-out",
            "Workloads that sent something after they had been shown to be opted out.",
            f"sum({m.SUBMITTED_LATE}{{{kit.FLEET}}})",
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
        ),
        kit.number(
            "Unknown",
            "Workloads under a policy of which nothing shows whether they submit.",
            f'sum({m.WORKLOADS}{{{kit.FLEET}, state="Unknown"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Exempt",
            "Workloads that an exception of a policy lifts from it.",
            f'sum({m.WORKLOADS}{{{kit.FLEET}, state="Exempt"}})',
        ),
        kit.number(
            "Usage under no policy",
            "Workloads that run a product and of which no policy covers the channel Usage.",
            f'sum({m.WITHOUT_POLICY}{{{kit.FLEET}, channel="Usage"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.number(
            "Policies with a problem",
            "Policies that are not accepted as a whole, or that another one overrules.",
            f"sum({m.POLICY_CONDITION}{{{kit.SCRAPED}, "
            'condition="Accepted", status="false"}) '
            f'+ sum({m.POLICY_CONDITION}{{{kit.SCRAPED}, condition="Conflicted", status="true"}})',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
        ),
        kit.lines(
            "States over time",
            "Workloads under a policy by the state of a channel.",
            Ask(f"sum by (state) ({m.WORKLOADS}{{{kit.FLEET}}})", "{{state}}"),
            unit="short",
            colours=kit.COLOURS,
            stacked=True,
            size=(24, 8),
        ),
        kit.bars(
            "By product",
            "Workloads under a policy by product and state.",
            f"sum by (product, state) ({m.WORKLOADS}{{{kit.FLEET}}})",
            by="product",
            series="state",
            colours=kit.COLOURS,
        ),
        kit.bars(
            "By namespace",
            "Workloads under a policy by namespace and state, for the twenty namespaces with the "
            "most that is neither shown to comply nor exempt.",
            f"sum by (resource_namespace, state) ({m.WORKLOADS}{{{kit.FLEET}}})\n"
            "and on (resource_namespace)\n"
            "topk(20, sum by (resource_namespace) ("
            f'{m.WORKLOADS}{{{kit.FLEET}, state!~"Compliant|Exempt"}}))',
            by="resource_namespace",
            series="state",
            colours=kit.COLOURS,
        ),
        kit.rows(
            "Not compliant, and why",
            "Every workload under an opt-out that is not shown to comply, with its reason "
            "(docs/reasons.md). A name leads to the workload's own dashboard. Empty where all "
            "comply, or where the operator shows no single workloads (metrics.perWorkload).",
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
                    "The workload",
                    namespace="Namespace",
                    product="Product",
                    workload="Name",
                ),
            },
        ),
        kit.rows(
            "Exceptions that end",
            "When an exception ends, its policy applies to the workload by itself.",
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
                "Value": "Ends",
            },
            units={"Value": "dateTimeAsLocal"},
            size=(14, 8),
        ),
        kit.bars(
            "What the network does",
            "Workloads by what the network does with the hosts of their product's telemetry: it "
            "denies them, allows them where all else is denied, or leaves all open. Open says "
            "nothing of whether anything is sent.",
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
