"""The command ``fleet-telemetry allowlist``."""

from __future__ import annotations

import sys

import click

from fleet_telemetry.cli.cluster_options import KUBECONFIG_OPTION
from fleet_telemetry.egress.allowlist import NAME, AllowlistError, AllowlistFormat, render
from fleet_telemetry.egress.allowlist_requests import render_requests

_REQUESTS = "requests"


@click.command
@click.option(
    "--format",
    "form",
    type=click.Choice([*(form.value for form in AllowlistFormat), _REQUESTS]),
    default=AllowlistFormat.PLAIN.value,
    show_default=True,
    help="plain: one range a line. squid: lines for squid.conf. csv and json: also the denied "
    "addresses. requests: what policies ask for and the list does not contain, as JSON.",
)
@click.option(
    "--namespace",
    envvar="POD_NAMESPACE",
    default="fleet-telemetry",
    show_default=True,
    help="The operator's namespace. [env: POD_NAMESPACE]",
)
@click.option("--name", default=NAME, show_default=True, help="The name of the ConfigMap.")
@KUBECONFIG_OPTION
def allowlist(form: str, namespace: str, name: str, kubeconfig: str | None) -> None:
    """Print the addresses that firewalls and proxies outside the cluster have to allow."""
    # The other commands do without the client of the cluster.
    import asyncio  # noqa: PLC0415

    from fleet_telemetry.cli.allowlist_store import read_allowlist  # noqa: PLC0415

    try:
        found = asyncio.run(read_allowlist(kubeconfig, namespace, name))
    except AllowlistError as error:
        sys.exit(f"fleet-telemetry: {error}")
    text = (
        render_requests(found.requests)
        if form == _REQUESTS
        else render(found.entries, AllowlistFormat(form))
    )
    click.echo(text, nl=False)
