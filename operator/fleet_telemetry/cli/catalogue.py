"""The command ``fleet-telemetry catalogue``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from errno import ENOENT
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import click

from fleet_telemetry.cli.completing import product_names


@click.group(invoke_without_command=True)
@click.pass_context
def catalogue(context: click.Context) -> None:
    """Products: those that are known, and files that describe one. Without a command: list."""
    if context.invoked_subcommand is None:
        context.invoke(list_products)


@catalogue.command(name="list")
@click.argument("word", default="", shell_complete=product_names)
def list_products(word: str) -> None:
    """List the built-in products, or those with WORD in a name, a switch or a host."""
    # The other commands do without it.
    from fleet_telemetry.catalogue.catalogue import builtin  # noqa: PLC0415
    from fleet_telemetry.switches.summary import summaries, verified_versions  # noqa: PLC0415

    found = [one for one in summaries(builtin().products.values()) if one.holds(word)]
    for name, channels in groupby(found, key=attrgetter("product")):
        product = builtin().products[name]
        verified = ", ".join(verified_versions(product)) or "any"
        click.echo(f"{name}: {product.spec.title}, verified up to {verified}")
        for one in channels:
            default, kinds = ", ".join(one.defaults), ", ".join(one.kinds)
            click.echo(f"  {one.channel}: default {default or 'unknown'}; switch: {kinds}")
            for text in (*one.switches, *one.hosts):
                click.echo(f"    {text}")
    if not found:
        click.echo(f"fleet-telemetry: no built-in product has {word!r} in it", err=True)
        sys.exit(1)


@catalogue.command
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--built-in",
    is_flag=True,
    help="The files belong to the built-in catalogue. It may say more than a TelemetryProduct, and "
    "has to name its sources.",
)
def lint(files: tuple[Path, ...], *, built_in: bool) -> None:
    """Check TelemetryProducts in files, and the tables beside them.

    FILE is a TelemetryProduct, such as acme.yaml, or a folder of them. Its table is
    acme.test.yaml in the same folder. Prints FILE:LINE: what is wrong; what to do. The status is 1
    if there is a problem, and 2 if a file cannot be read.
    """
    # The other commands do without it.
    from fleet_telemetry.linting.lint import lint as check  # noqa: PLC0415

    try:
        contents = {str(path): _read(path) for path in _with_tables(files)}
    except OSError as error:
        click.echo(f"fleet-telemetry: {error.filename}: {error.strerror}", err=True)
        sys.exit(2)
    problems = check(contents, built_in=built_in)
    for problem in problems:
        click.echo(str(problem))
    sys.exit(1 if problems else 0)


def _read(path: Path) -> bytes:
    """The file; of one that is too large, one byte more than it may have."""
    from fleet_telemetry.linting.document import LARGEST_FILE  # noqa: PLC0415

    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def _with_tables(files: Iterable[Path]) -> list[Path]:
    """The files, those in folders, and beside each one its table or the product of it. Raises
    OSError if a folder has none."""
    from fleet_telemetry.linting.table import SUFFIX  # noqa: PLC0415

    found: dict[Path, None] = {}
    for given in files:
        for path in _in_folder(given) if given.is_dir() else [given]:
            stem = path.name.removesuffix(SUFFIX).removesuffix(".yaml").removesuffix(".yml")
            is_table = path.name.endswith(SUFFIX)
            product = path.with_name(f"{stem}.yml")
            if is_table and not product.exists():
                product = path.with_name(f"{stem}.yaml")
            found[product if is_table else path] = None
            table = path.with_name(f"{stem}{SUFFIX}")
            if is_table or table.exists():
                found[table] = None
    return list(found)


def _in_folder(folder: Path) -> list[Path]:
    paths = sorted(
        path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file()
    )
    if not paths:
        raise OSError(ENOENT, "no file ends in .yaml or .yml", str(folder))
    return paths
