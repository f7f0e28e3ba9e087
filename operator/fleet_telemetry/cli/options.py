"""The options of the commands, by subject."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.cli.cluster_name import check_cluster_name
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.egress.perimeter import IncludedRequests
from fleet_telemetry.objects.labels import is_label_key
from fleet_telemetry.policy.exclusion import parse_label_selector
from fleet_telemetry.reporting.reports_api import ReportsApi

Command = Callable[..., None]


def _cluster_name(_: click.Context, __: click.Parameter, value: str) -> str:
    return check_cluster_name(value) if value else ""


def _label_key(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not is_label_key(value):
        raise click.BadParameter(f"{value!r} is no key of a label, such as example.com/team")
    return value


def _selector(_: click.Context, __: click.Parameter, value: str) -> LabelSelector:
    try:
        return parse_label_selector(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _host_name() -> str:
    from socket import gethostname  # noqa: PLC0415  # 10 ms

    return gethostname()


SERVE_OPTIONS = (
    click.option(
        "--namespace",
        envvar="POD_NAMESPACE",
        required=True,
        help="The operator's namespace. [env: POD_NAMESPACE]",
    ),
    click.option(
        "--identity",
        envvar="POD_NAME",
        default=_host_name,
        help="The name of this replica in the Lease. [env: POD_NAME; default: the host name]",
    ),
    click.option(
        "--lease", default="fleet-telemetry", show_default=True, help="The name of the Lease."
    ),
    click.option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        help="The kubeconfig. [env: KUBECONFIG; default: the pod's service account]",
    ),
    # A pod's address is not known before the pod runs, so the default is all of them (S104).
    click.option(
        "--http-host",
        default="0.0.0.0",  # noqa: S104
        show_default=True,
        help="The address for probes and metrics.",
    ),
    click.option(
        "--http-port", default=8080, show_default=True, help="The port for probes and metrics."
    ),
    click.option(
        "--webhook-configuration",
        envvar="WEBHOOK_CONFIGURATION",
        default="",
        help="The name of the chart's webhook configurations. The webhook writes its CA into them. "
        "The controller writes another one for the images that TelemetryProducts add. "
        "[env: WEBHOOK_CONFIGURATION; default: none of this]",
    ),
    click.option(
        "--cluster-name",
        default="",
        callback=_cluster_name,
        help="The name of this cluster, for metrics and reports. [default: none]",
    ),
    click.option(
        "--metrics-for",
        type=click.Choice(["All", "Pod"]),
        default="All",
        show_default=True,
        help="Who gets /metrics. Pod: only clients of the same pod, such as a proxy beside the "
        "operator that authenticates its own clients.",
    ),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text"),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning"]), default="info"),
)
WEBHOOK_OPTIONS = (
    click.option(
        "--webhook-host",
        default="0.0.0.0",  # noqa: S104
        show_default=True,
        help="The address to listen on.",
    ),
    click.option("--webhook-port", default=9443, show_default=True, help="The port to listen on."),
    click.option(
        "--webhook-service",
        default="fleet-telemetry-webhook",
        show_default=True,
        help="The Service of the webhook, in the operator's namespace.",
    ),
    click.option(
        "--drain-seconds",
        default=0.0,
        show_default=True,
        help="How long to continue serving after SIGTERM, until requests go to other replicas.",
    ),
    click.option(
        "--tls-secret",
        default="",
        help="The Secret, in the operator's namespace, with the webhook's certificate (tls.crt, "
        "tls.key). It is read every few seconds.",
    ),
    click.option(
        "--ca-secret",
        default="",
        help="The Secret with the operator's own CA, which issues the certificate in --tls-secret. "
        "Both Secrets have to exist, and may be empty at first.",
    ),
    click.option(
        "--tls-certificate",
        type=click.Path(path_type=Path),
        help="Instead of a Secret: a file with the certificate (PEM), reloaded when it changes.",
    ),
    click.option(
        "--tls-key",
        type=click.Path(path_type=Path),
        help="The file with the certificate's key (PEM).",
    ),
    click.option(
        "--client-ca-file",
        "client_ca",
        type=click.Path(path_type=Path),
        help="A file with CAs (PEM). The webhook then answers only clients with a certificate of "
        "one of them. [default: it answers all clients]",
    ),
    click.option(
        "--client-name",
        "client_names",
        multiple=True,
        help="With --client-ca-file: the common name that a client's certificate must have. May be "
        "given several times. [default: any]",
    ),
)

EGRESS_OPTIONS = (
    click.option(
        "--allowlist",
        default=ALLOWLIST,
        show_default=True,
        help="The ConfigMap, in the operator's namespace, with the addresses that firewalls "
        "outside the cluster have to allow.",
    ),
    click.option(
        "--allowlist-requests",
        type=click.Choice([one.value for one in IncludedRequests]),
        default=IncludedRequests.NONE.value,
        show_default=True,
        help="What TelemetryPolicies allow that the allowlist includes, in addition to what "
        "ClusterTelemetryPolicies allow: hosts of the catalogue, or all.",
    ),
    click.option(
        "--dns-server",
        "dns_servers",
        multiple=True,
        help="A name server for telemetry hosts, such as 10.96.0.10 or corp=192.0.2.53:53. Give "
        "one for each view of the internet. [default: those in /etc/resolv.conf]",
    ),
    click.option(
        "--dns-interval",
        type=click.FloatRange(1, 300),
        default=30.0,
        show_default=True,
        help="The shortest time in seconds between two lookups of a host. Within this limit and "
        "300 seconds, it is half of the TTL.",
    ),
    click.option(
        "--egress-interval",
        type=click.FloatRange(1, 3600),
        default=60.0,
        show_default=True,
        help="Seconds between two lists of the kinds of network policy that are not watched: all "
        "but NetworkPolicies.",
    ),
    click.option(
        "--egress-family",
        "egress_families",
        type=click.Choice([family.value for family in AddressFamily]),
        multiple=True,
        default=[family.value for family in AddressFamily],
        show_default=True,
        help="An address family that network policies cover.",
    ),
    click.option(
        "--egress-enforced",
        type=click.Choice([name.value for name in EgressDialect if name is not EgressDialect.AUTO]),
        multiple=True,
        help="A kind of network policy that this cluster enforces. [default: none, so no traffic "
        "counts as denied]",
    ),
    click.option(
        "--cluster-range",
        "cluster_ranges",
        multiple=True,
        help="A public range that belongs to the cluster, so no telemetry host is in it.",
    ),
    click.option(
        "--nat64-prefix",
        "nat64_prefixes",
        multiple=True,
        help="A prefix by which the cluster's DNS64 and NAT64 translate IPv4 addresses, such as "
        "2001:db8:64::/96, in addition to 64:ff9b::/96.",
    ),
    click.option(
        "--published-ranges",
        type=click.Choice(["fetch", "built-in"]),
        default="fetch",
        show_default=True,
        help="Fetch the ranges that content delivery networks publish, once a day if a policy "
        "needs them, or use those that are built into this version.",
    ),
)

OBSERVED_OPTIONS = (
    click.option(
        "--observe",
        is_flag=True,
        help="Receive what the cluster's DNS is asked, by dnstap. Needs --dnstap-service and "
        "--dnstap-address, and CoreDNS that reports.",
    ),
    click.option(
        "--dnstap-host",
        default="",
        help="The address to listen on for dnstap. [default: that of --dnstap-address]",
    ),
    click.option(
        "--dnstap-port",
        type=click.IntRange(1, 65535),
        default=6000,
        show_default=True,
        help="The port to listen on for dnstap.",
    ),
    click.option(
        "--dnstap-service",
        default="",
        help="The Service, in the operator's namespace and without a selector, that name servers "
        "report to. The leader writes its EndpointSlice, NAME-leader.",
    ),
    click.option(
        "--dnstap-address",
        envvar="POD_IP",
        default="",
        help="This pod's own IP address, for that EndpointSlice. [env: POD_IP]",
    ),
    click.option(
        "--dnstap-tls-cert",
        type=click.Path(path_type=Path),
        help="A file with the certificate (PEM) for dnstap over TLS, reloaded when it changes. "
        "[default: no TLS]",
    ),
    click.option(
        "--dnstap-tls-key",
        type=click.Path(path_type=Path),
        help="The file with that certificate's key (PEM).",
    ),
    click.option(
        "--dns-service",
        default="kube-system/kube-dns",
        show_default=True,
        help="The Service of the cluster's DNS, as NAMESPACE/NAME. Only its name servers may "
        "report.",
    ),
    click.option(
        "--dnstap-source",
        "dnstap_sources",
        multiple=True,
        help="A range of further addresses that may report, for name servers behind NAT, such as "
        "10.0.0.0/24. May be given several times.",
    ),
    click.option(
        "--cluster-domain",
        default="cluster.local",
        show_default=True,
        help="The domain of the cluster's Services.",
    ),
)

CONTROLLER_OPTIONS = (
    click.option("--loopback-pods", is_flag=True, hidden=True),
    click.option(
        "--resource-interval",
        type=click.FloatRange(1, 3600),
        default=60.0,
        show_default=True,
        help="Seconds between two reads of a custom resource that holds the switch of a product.",
    ),
    click.option(
        "--excluded-namespace",
        "excluded_namespaces",
        multiple=True,
        help="A namespace whose workloads the controller does not change, in addition to its own. "
        "Give the same ones as in the webhook configuration.",
    ),
    click.option(
        "--namespace-selector",
        default="{}",
        callback=_selector,
        help="A LabelSelector in JSON. The controller changes no workload of a namespace that it "
        "does not select. Give the same one as in the webhook configuration. [default: all]",
    ),
    click.option(
        "--per-workload-metrics/--no-per-workload-metrics",
        default=True,
        show_default=True,
        help="Whether to add series for each workload to the counts.",
    ),
    click.option(
        "--team-label",
        default="",
        callback=_label_key,
        help="A label of namespaces whose value is the team that they belong to, for metrics. "
        "[default: none]",
    ),
    click.option(
        "--read-config-maps",
        is_flag=True,
        help="Get the ConfigMaps that containers of products take variables from, as evidence. "
        "Needs the right to get ConfigMaps. Secrets are never read.",
    ),
    click.option(
        "--reports",
        type=click.Choice([form.value for form in ReportsApi]),
        default=ReportsApi.AUTO.value,
        show_default=True,
        callback=lambda _, __, value: ReportsApi(value),
        help="The API in which to write reports for auditors. Auto: OpenReports if the API server "
        "serves it, else PolicyReport if it serves that, else none.",
    ),
)


def with_options(options: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Add options to a command, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(list(options)):
            command = option(command)
        return command

    return decorate
