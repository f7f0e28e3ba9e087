"""The command ``fleet-telemetry hosts``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet_telemetry.cli.completing import product_names

if TYPE_CHECKING:
    from fleet_telemetry.audit.hosts.listing import Found
    from fleet_telemetry.audit.result import Problem

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
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
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
    files: tuple[Path, ...],
    form: str,
    channels: tuple[str, ...],
    products: tuple[str, ...],
    *,
    deny: bool,
    include_shared: bool,
    whole: bool,
) -> None:
    """List the telemetry hosts of what FILEs of manifests run, for a firewall or a name server.

    With --product or --catalogue, those of products, whatever runs. Nothing is changed.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.hosts.formats.format import remarks  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.formats.registry import HOST_FORMATS  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.listing import Action, make_list  # noqa: PLC0415

    action = Action.DENY if deny else Action.ALLOW
    if action not in HOST_FORMATS[form].actions:
        raise click.UsageError(f"the form {form} can only deny; use another --format with --allow")
    if not (files or products or whole):
        raise click.UsageError("name a FILE of manifests, a --product, or --catalogue")
    problems: list[Problem] = []
    now = datetime.now(UTC)
    found = [*_of_products(products, channels, whole=whole)]
    found += _of_files(files, channels, now, problems)
    listed = make_list(found, action, include_shared=include_shared, serial=int(now.timestamp()))
    click.echo(HOST_FORMATS[form].render(listed), nl=False)
    for line in remarks(listed):
        click.echo(f"fleet-telemetry: {line}", err=True)
    for problem in problems:
        where = f"{problem.place.file or problem.place.cluster}:{problem.place.line}"
        click.echo(f"{where}: {problem.what}; {problem.advice}", err=True)
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


def _of_files(
    files: tuple[Path, ...], channels: tuple[str, ...], now: datetime, problems: list[Problem]
) -> Iterator[Found]:
    from fleet_telemetry.api.policy import ChannelName  # noqa: PLC0415
    from fleet_telemetry.audit.auditing import audit  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415
    from fleet_telemetry.audit.hosts.listing import hosts_of_findings  # noqa: PLC0415
    from fleet_telemetry.audit.sources import Definitions  # noqa: PLC0415

    if files:
        gathered = gather_files(map(str, files), sys.stdin.buffer, "default", now)
        result = audit([gathered], now, Definitions())
        problems += result.problems
        yield from hosts_of_findings(result.findings, [ChannelName(name) for name in channels])
