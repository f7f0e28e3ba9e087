"""The dashboard of what the cluster's DNS is asked: contacts, and whether all of them are seen."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability import metrics as m
from observability.dashboards import kit
from observability.dashboards.kit import SCRAPED, Ask, Panel
from observability.dashboards.overview import WORKLOAD_UID

UID = "fleet-telemetry-observed"
_RATE = "[$__rate_interval]"


def build() -> Dashboard:
    """The dashboard."""
    return kit.board(
        UID,
        "Fleet telemetry / Observed",
        "Lookups of telemetry hosts in the cluster's DNS. Requires observed.enabled.",
        kit.variables(fleet=True),
        [*_contacts(), *_chain()],
    )


def _contacts() -> list[Panel]:
    return [
        kit.number(
            "Opted-out workloads with contacts",
            "Opted-out workload channels that are not compliant because a pod asked DNS for a host "
            "that serves the channel alone. It is an attempt; the network may have denied it.",
            f"sum({m.CONTACTED}{{{kit.FLEET}}})",
            steps=((None, kit.BLUE), (1, kit.VERMILLION)),
            size=(6, 4),
        ),
        kit.number(
            "No lookup can be missing for",
            "For how long every lookup would have been seen. None: some may be missing now, or "
            "nothing is observed.",
            f"time() - max({m.COMPLETE_SINCE}{{{SCRAPED}}})",
            unit="s",
            size=(6, 4),
        ),
        kit.number(
            "Name servers not connected",
            "Addresses of name servers that no connection comes from. Behind NAT they come from "
            "other addresses; then canaries show whether all report.",
            f"count({m.SOURCE_CONNECTED}{{{SCRAPED}}}) - sum({m.SOURCE_CONNECTED}{{{SCRAPED}}})",
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
            size=(6, 4),
        ),
        kit.number(
            "Lost reports",
            "Reports in the selected range that were dropped or could not be read. Each may have "
            "been a lookup.",
            f'sum(increase({m.FRAMES}{{{SCRAPED}, result!~"Lookup|Ignored"}}[$__range]))',
            steps=((None, kit.BLUE), (1, kit.ORANGE)),
            size=(6, 4),
        ),
        kit.lines(
            "Lookups by product and host class",
            "Lookups per second of hosts that serve telemetry alone (Exclusive), and of hosts that "
            "serve other things, too (Shared). Requires metrics.perWorkload.",
            Ask(
                f"sum by (product, host_class) (rate({m.LOOKUPS}{{{kit.FLEET}}}{_RATE}))",
                "{{product}} {{host_class}}",
            ),
            unit="reqps",
            size=(24, 8),
        ),
        kit.rows(
            "Contacts of opted-out workloads",
            "Every opted-out workload that is not compliant because of a lookup. The name links to "
            "the workload's dashboard. Requires metrics.perWorkload.",
            Ask(f'{m.WORKLOAD_STATE}{{{kit.FLEET}, desired="Disabled", reason="ObservedContact"}}'),
            columns={
                "cluster": "Cluster",
                "resource_namespace": "Namespace",
                "kind": "Kind",
                "name": "Name",
                "product": "Product",
                "channel": "Channel",
                "state": "State",
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
    ]


def _chain() -> list[Panel]:
    return [
        kit.phases(
            "Name servers",
            "Whether a name server is connected and reports its lookups.",
            Ask(f"max by (source) ({m.SOURCE_CONNECTED}{{{SCRAPED}}})", "{{source}}"),
            words={"0": ("not connected", kit.VERMILLION), "1": ("connected", kit.BLUE)},
            size=(12, 8),
        ),
        kit.lines(
            "Lookups that are no workload's",
            "Lookups per second of telemetry hosts that are not one pod's, by reason. They are "
            "counted, and nobody is judged by them.",
            Ask(f"sum by (reason) (rate({m.LOOKUPS_OF_NOBODY}{{{SCRAPED}}}{_RATE}))", "{{reason}}"),
            unit="reqps",
        ),
        kit.lines(
            "Reports of name servers",
            "Reports per second, by what became of them. All but Lookup and Ignored are lost.",
            Ask(f"sum by (result) (rate({m.FRAMES}{{{SCRAPED}}}{_RATE}))", "{{result}}"),
            unit="ops",
        ),
        kit.lines(
            "Refused connections",
            "Connections per second that were closed, by reason.",
            Ask(
                f"sum by (reason) (rate({m.CONNECTIONS_REFUSED}{{{SCRAPED}}}{_RATE}))", "{{reason}}"
            ),
            unit="cps",
        ),
    ]
