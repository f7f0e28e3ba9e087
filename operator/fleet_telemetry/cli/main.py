"""The command line: ``fleet-telemetry``."""

from __future__ import annotations

import logging
import sys
from dataclasses import fields
from typing import Any

import click
import uvloop
from kubernetes.aio.config import ConfigException
from pythonjsonlogger.json import JsonFormatter

from fleet_telemetry import __version__
from fleet_telemetry.app.options import EgressSettings, Options, Role
from fleet_telemetry.app.process import run
from fleet_telemetry.cli.allowlist_store import read_allowlist
from fleet_telemetry.cli.options import (
    CONTROLLER_OPTIONS,
    EGRESS_OPTIONS,
    KUBECONFIG_OPTION,
    SERVE_OPTIONS,
    WEBHOOK_OPTIONS,
    with_options,
)
from fleet_telemetry.controllers.revert import (
    find_leftovers,
    find_network_policies,
    policies_left,
)
from fleet_telemetry.controllers.revert import revert as revert_one
from fleet_telemetry.egress.allowlist import NAME as ALLOWLIST
from fleet_telemetry.egress.allowlist import AllowlistError, Format, render
from fleet_telemetry.kube.client import ApiError, KubernetesClient, find_kubeconfig
from fleet_telemetry.objects.manifest import place_of


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Decide, and prove, whether the vendor software in your clusters phones home."""


@main.command()
@with_options((*SERVE_OPTIONS, *WEBHOOK_OPTIONS))
def webhook(**given: Any) -> None:
    """Answer admission requests. Any number of replicas may."""
    _serve(Role.WEBHOOK, **given)


@main.command()
@with_options((*SERVE_OPTIONS, *CONTROLLER_OPTIONS, *EGRESS_OPTIONS))
def controller(**given: Any) -> None:
    """Decide, write and report. Of several replicas one does, the others stand by."""
    _serve(Role.CONTROLLER, **given)


@main.command(name="all")
@with_options((*SERVE_OPTIONS, *WEBHOOK_OPTIONS, *CONTROLLER_OPTIONS, *EGRESS_OPTIONS))
def all_roles(**given: Any) -> None:
    """Do both in one process, for a laptop."""
    _serve(Role.ALL, **given)


@main.command()
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    default=Format.PLAIN.value,
    show_default=True,
    help="plain: a range a line; squid: lines for squid.conf; csv and json: also what is denied.",
)
@click.option(
    "--namespace",
    envvar="POD_NAMESPACE",
    default="fleet-telemetry",
    show_default=True,
    help="The operator's namespace. [env: POD_NAMESPACE]",
)
@click.option("--name", default=ALLOWLIST, show_default=True, help="The ConfigMap's name.")
@KUBECONFIG_OPTION
def allowlist(form: str, namespace: str, name: str, kubeconfig: str | None) -> None:
    """Print what firewalls and proxies outside of the cluster have to let through."""
    try:
        entries = uvloop.run(read_allowlist(kubeconfig, namespace, name))
    except AllowlistError as error:
        sys.exit(f"fleet-telemetry: {error}")
    click.echo(render(entries, Format(form)), nl=False)


@main.command()
@click.option("--namespace", default="", help="Only this namespace. [default: all]")
@click.option(
    "--egress-only",
    is_flag=True,
    help="Only network policies, and also while there are policies: for after an uninstall. An "
    "operator that runs writes them again.",
)
@click.option("--yes", is_flag=True, help="Do it. Without, what would be removed is only listed.")
@KUBECONFIG_OPTION
def revert(namespace: str, kubeconfig: str | None, *, egress_only: bool, yes: bool) -> None:
    """Take all that was injected out of the workloads again, after the policies are gone, and
    remove all network policies that the operator wrote.

    Pods are replaced. What somebody has applied themselves since stays.
    """
    where = find_kubeconfig(kubeconfig)
    try:
        sys.exit(uvloop.run(_revert(where, namespace, egress_only=egress_only, yes=yes)))
    except (ApiError, OSError, ConfigException) as error:
        sys.exit(f"fleet-telemetry: {error}")


async def _revert(kubeconfig: str | None, namespace: str, *, egress_only: bool, yes: bool) -> int:
    client = await KubernetesClient.connect(kubeconfig)
    done = "removed" if yes else "would remove"
    workloads = network_policies = 0
    try:
        left = () if egress_only else await policies_left(client)
        if left:
            click.echo(
                f"fleet-telemetry: there are policies ({', '.join(left)}), by which it would all "
                "be injected again; delete them first",
                err=True,
            )
            return 1
        if not egress_only:
            async for leftover in find_leftovers(client, namespace):
                workloads += 1
                for one in leftover.variables:
                    what = f"{leftover.workload.ref}: {one.container}: {one.name}={one.value}"
                    click.echo(f"{done} {what}")
                if yes:
                    await revert_one(client, leftover)
        async for kind, manifest in find_network_policies(client, namespace):
            network_policies += 1
            click.echo(f"{done} {kind.kind} {place_of(manifest)}")
            if yes:
                await client.delete_this(kind, manifest)
    finally:
        await client.close()
    if not workloads and not network_policies:
        click.echo("nothing that was injected or written is left")
    elif not yes:
        pods = f", which replaces the pods of {workloads} workloads" if workloads else ""
        click.echo(f"--yes removes it{pods}")
    return 0


def _serve(role: Role, *, log_format: str, log_level: str, **given: Any) -> None:
    _set_up_logging(log_format, log_level)
    egress = {
        name.name: given.pop(name.name) for name in fields(EgressSettings) if name.name in given
    }
    options = Options(role=role, egress=EgressSettings(**egress), **given)
    if role.controls:
        _check_egress(options.egress)
    if role.admits:
        _check_certificate(options)
    try:
        uvloop.run(run(options))
    except (OSError, ConfigException) as error:
        sys.exit(f"fleet-telemetry: {error}")


def _check_egress(settings: EgressSettings) -> None:
    from fleet_telemetry.app.assembly import check_egress  # noqa: PLC0415  # a role's own

    try:
        check_egress(settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"{error}; name the servers with --dns-server") from None


def _check_certificate(options: Options) -> None:
    files = (options.tls_certificate, options.tls_key)
    if any(files) == bool(options.tls_secret) or any(files) != all(files):
        raise click.UsageError("give either --tls-secret or both --tls-certificate and --tls-key")
    if options.ca_secret and not (options.tls_secret and options.webhook_configuration):
        raise click.UsageError("--ca-secret needs --tls-secret and --webhook-configuration")


def _set_up_logging(log_format: str, log_level: str) -> None:
    handler = logging.StreamHandler()
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(
        JsonFormatter(fields) if log_format == "json" else logging.Formatter(fields)
    )
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    # kopf tells of every event that it handles.
    logging.getLogger("kopf").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
