"""The command ``fleet-telemetry hosts``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from fleet_telemetry.cli.cluster_options import ClusterChoice, with_clusters
from fleet_telemetry.cli.completing import product_names

if TYPE_CHECKING:
    from fleet_telemetry.audit.hosts.listing import Found
    from fleet_telemetry.audit.result import Audit

# The names of HOST_FORMATS and of ChannelName; this module imports nothing heavy.
FORMAT_NAMES = (
    "list",
    "csv",
    "json",
    "hosts",
    "rpz",
    "coredns",
    "dnsmasq",
    "unbound",
    "adguard",
    "squid",
    "aws",
    "azure",
)
CHANNEL_NAMES = ("Usage", "UpdateCheck", "ErrorReport", "License")


@click.command
@click.argument("files", metavar="[FILE]...", nargs=-1)
@with_clusters
@click.option("--deny/--allow", default=True, help="What the list is for. [default: deny]")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMAT_NAMES),
    default=FORMAT_NAMES[0],
    show_default=True,
    help="The form of the list.",
)
@click.option(
    "--include-shared",
    is_flag=True,
    help="With --deny: hosts that serve something else, too, such as updates. [default: they are "
    "left out, and named]",
)
@click.option(
    "--channel",
    "channels",
    type=click.Choice(CHANNEL_NAMES),
    multiple=True,
    help="Only hosts of this channel. May be given several times. [default: all]",
)
@click.option(
    "--product",
    "products",
    multiple=True,
    shell_complete=product_names,
    help="Hosts of every version of this built-in product. May be given several times.",
)
@click.option("--catalogue", "whole", is_flag=True, help="Hosts of all built-in products.")
def hosts(
    files: tuple[str, ...],
    form: str,
    channels: tuple[str, ...],
    products: tuple[str, ...],
    *,
    clusters: ClusterChoice,
    deny: bool,
    include_shared: bool,
    whole: bool,
) -> None:
    """List the telemetry hosts of what runs, for a firewall or a name server.

    What runs is that of a cluster, or of FILEs of manifests. With --product or --catalogue, the
    hosts are those of products, whatever runs. Nothing is changed.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.formats import wording  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.formats.format import notes  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.formats.registry import HOST_FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.listing import Action, make_list  # noqa: PLC0415

    action = Action.DENY if deny else Action.ALLOW
    if action not in HOST_FORMATS[form].actions:
        raise click.UsageError(f"the form {form} can only deny; use another --format with --allow")
    if clusters.is_given and (files or products or whole):
        raise click.UsageError(
            "-A, -n, --context and --cluster-name are for clusters; leave them, or FILEs and "
            "products out"
        )
    now = datetime.now(UTC)
    found = [*_of_products(products, channels, whole=whole)]
    result = None
    if files or not (products or whole):
        result = _audit(files, clusters, now)
        found += _of_result(result, channels)
    listed = make_list(found, action, include_shared=include_shared, serial=int(now.timestamp()))
    click.echo(HOST_FORMATS[form].render(listed), nl=False)
    for line in notes(listed):
        click.echo(f"fleet-telemetry: {line}", err=True)
    problems = result.problems if result is not None else ()
    for problem in problems:
        click.echo(wording.problem(problem), err=True)
    sys.exit(1 if problems else 0)


def _of_products(
    names: tuple[str, ...], channels: tuple[str, ...], *, whole: bool
) -> Iterator[Found]:
    from fleet_telemetry.api.policy import ChannelName  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.listing import hosts_of_products  # noqa: PLC0415
    from fleet_telemetry.catalogue.catalogue import builtin  # noqa: PLC0415

    if not names and not whole:
        return
    known = builtin().products
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(
            f"there is no built-in product {unknown[0]!r}; see fleet-telemetry catalogue"
        )
    chosen = known.values() if whole else [known[name] for name in names]
    yield from hosts_of_products(chosen, [ChannelName(name) for name in channels])


def _of_result(result: Audit, channels: tuple[str, ...]) -> Iterator[Found]:
    from fleet_telemetry.api.policy import ChannelName  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.listing import hosts_of_findings  # noqa: PLC0415

    yield from hosts_of_findings(result.findings, [ChannelName(name) for name in channels])


def _audit(files: tuple[str, ...], clusters: ClusterChoice, now: datetime) -> Audit:
    from fleet_telemetry.audit.auditing import audit  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415

    if files:
        return audit([gather_files(files, sys.stdin.buffer, "default", now)], now, Definitions())
    # Files need no client.
    from fleet_telemetry.cli.clusters import read_clusters  # noqa: PLC0415

    return audit(read_clusters(clusters, Definitions(), now), now, Definitions())
