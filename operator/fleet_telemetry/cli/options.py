"""The options of the commands, by what they are about."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from fleet_telemetry.api.policy import EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.reporting.reports_api import ReportsApi

Command = Callable[..., None]

KUBECONFIG_OPTION = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    help="How to reach the API server. [env: KUBECONFIG; default: ~/.kube/config, in a pod its "
    "service account]",
)
"""Of a command that somebody runs."""
SERVE_OPTIONS = (
    click.option(
        "--namespace",
        envvar="POD_NAMESPACE",
        required=True,
        help="The operator's own namespace. [env: POD_NAMESPACE]",
    ),
    click.option(
        "--identity",
        envvar="POD_NAME",
        default=socket.gethostname,
        help="This replica's name in the Lease. [env: POD_NAME; default: the host's name]",
    ),
    click.option("--lease", default="fleet-telemetry", show_default=True, help="The Lease."),
    click.option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        help="How to reach the API server. [env: KUBECONFIG; default: the pod's service account]",
    ),
    # A pod's own address is not known before it runs.
    click.option("--http-host", default="0.0.0.0", show_default=True, help="Probes and metrics."),  # noqa: S104
    click.option("--http-port", default=8080, show_default=True, help="Probes and metrics."),
    click.option(
        "--webhook-configuration",
        envvar="WEBHOOK_CONFIGURATION",
        default="",
        help="The chart's webhook configurations. The webhook has them trust its CA; beside them "
        "the controller keeps one for the images that TelemetryProducts add. "
        "[env: WEBHOOK_CONFIGURATION; default: neither]",
    ),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text"),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning"]), default="info"),
)
WEBHOOK_OPTIONS = (
    click.option("--webhook-host", default="0.0.0.0", show_default=True, help="Where to listen."),  # noqa: S104
    click.option("--webhook-port", default=9443, show_default=True, help="Where to listen."),
    click.option(
        "--webhook-service",
        default="fleet-telemetry-webhook",
        show_default=True,
        help="The Service, in the operator's own namespace, by which the API server gets here.",
    ),
    click.option(
        "--drain-seconds",
        default=0.0,
        show_default=True,
        help="How long to answer on after SIGTERM, until requests go to other replicas.",
    ),
    click.option(
        "--tls-secret",
        default="",
        help="The Secret, in the operator's own namespace, with the webhook's certificate "
        "(tls.crt, tls.key). It is read again every few seconds.",
    ),
    click.option(
        "--ca-secret",
        default="",
        help="The Secret with a CA of the operator's own, which then issues the certificate in "
        "--tls-secret. Both Secrets have to be there, and may be empty at first.",
    ),
    click.option(
        "--tls-certificate",
        type=click.Path(path_type=Path),
        help="Instead of a Secret: a file with the certificate (PEM), taken up when it changes.",
    ),
    click.option(
        "--tls-key",
        type=click.Path(path_type=Path),
        help="The file with the certificate's key (PEM).",
    ),
)

EGRESS_OPTIONS = (
    click.option(
        "--allowlist",
        default=ALLOWLIST,
        show_default=True,
        help="The ConfigMap, in the operator's own namespace, with what firewalls outside of the "
        "cluster have to let through.",
    ),
    click.option(
        "--dns-server",
        "dns_servers",
        multiple=True,
        help="A name server to ask for telemetry hosts, such as 10.96.0.10 or corp=192.0.2.53:53; "
        "as often as there are views of the internet. [default: those of /etc/resolv.conf]",
    ),
    click.option(
        "--dns-interval",
        type=click.FloatRange(1, 300),
        default=30.0,
        show_default=True,
        help="Seconds between two questions for the same host, at least; at most they are 300, and "
        "in between half of its TTL.",
    ),
    click.option(
        "--egress-interval",
        type=click.FloatRange(1, 3600),
        default=60.0,
        show_default=True,
        help="Seconds between two looks at kinds of network policy that are not watched: all but "
        "NetworkPolicies.",
    ),
    click.option(
        "--egress-family",
        "egress_families",
        type=click.Choice([family.value for family in AddressFamily]),
        multiple=True,
        default=[family.value for family in AddressFamily],
        show_default=True,
        help="A family of addresses that network policies are to speak of.",
    ),
    click.option(
        "--egress-enforced",
        type=click.Choice([name.value for name in EgressDialect if name is not EgressDialect.AUTO]),
        multiple=True,
        help="A kind of network policy that this cluster is known to enforce. [default: none, so "
        "that none is relied upon]",
    ),
    click.option(
        "--cluster-range",
        "cluster_ranges",
        multiple=True,
        help="A public range that is the cluster's own: no telemetry host is in there.",
    ),
    click.option(
        "--published-ranges",
        type=click.Choice(["fetch", "built-in"]),
        default="fetch",
        show_default=True,
        help="Fetch the ranges that content delivery networks publish, once a day where a policy "
        "needs them, or use those that came with this version.",
    ),
)

CONTROLLER_OPTIONS = (
    click.option(
        "--per-workload-metrics/--no-per-workload-metrics",
        default=True,
        show_default=True,
        help="Whether single workloads have series of their own, beside the counts.",
    ),
    click.option(
        "--reports",
        type=click.Choice([form.value for form in ReportsApi]),
        default=ReportsApi.AUTO.value,
        show_default=True,
        callback=lambda _, __, value: ReportsApi(value),
        help="In which form to write reports for auditors. Auto: OpenReports where the API server "
        "knows it, else PolicyReport where it knows that, else none.",
    ),
)


def with_options(options: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Give a command these options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(list(options)):
            command = option(command)
        return command

    return decorate
