"""The command ``fleet-telemetry corefile``."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from fleet_telemetry.cli.cluster_options import KUBECONFIG_OPTION
from fleet_telemetry.cli.completing import contexts

if TYPE_CHECKING:
    from fleet_telemetry.audit.cluster.dns import ClusterDns
    from fleet_telemetry.audit.corefile.addition import Tap
    from fleet_telemetry.audit.corefile.refusing import By

# The names of FORMS and of By; this module imports nothing heavy.
FORM_NAMES = ("corefile", "coredns-custom")
BY_NAMES = ("addresses", "namespaces")
_PORT = 6000
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _coredns(_: click.Context, __: click.Parameter, value: str) -> tuple[str, str]:
    namespace, _slash, name = value.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise click.BadParameter("write NAMESPACE/NAME, such as kube-system/coredns")
    return namespace, name


def _endpoint(_: click.Context, __: click.Parameter, value: str) -> tuple[str, int] | None:
    if not value:
        return None
    advice = "write an IP address and optionally a port, such as 10.96.0.7:6000 or [fd00::7]:6000"
    host, port = value, str(_PORT)
    if value.startswith("["):
        host, _bracket, rest = value[1:].partition("]")
        port = rest.removeprefix(":") if rest else port
    elif value.count(":") == 1:
        host, _colon, port = value.partition(":")
    try:
        address = str(ip_address(host))
    except ValueError:
        raise click.BadParameter(f"{advice}; CoreDNS cannot look up names of Services") from None
    if "%" in address or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 1 << 16):
        raise click.BadParameter(advice)
    return address, int(port)


@click.command
@click.option(
    "--filename",
    "-f",
    "files",
    multiple=True,
    type=click.Path(),
    help="A file or folder of manifests, - for standard input: what runs is what is in them, and "
    "no cluster is read. May be given several times. [default: the cluster]",
)
@click.option("--all", "whole", is_flag=True, help="Hosts of all built-in products, too.")
@click.option(
    "--context",
    default="",
    shell_complete=contexts,
    help="A context of the kubeconfig. [default: the current one]",
)
@KUBECONFIG_OPTION
@click.option(
    "--to",
    "endpoint",
    default="",
    callback=_endpoint,
    metavar="ADDRESS[:PORT]",
    help="The ClusterIP and the port of the operator's Service. [default: as the cluster has it]",
)
@click.option(
    "--tls", is_flag=True, help="Report by TLS; for a chart with observed.tls.secretName."
)
@click.option(
    "--skip-verify",
    is_flag=True,
    help="With --tls: CoreDNS does not check the operator's certificate.",
)
@click.option("--no-tap", is_flag=True, help="Report nothing: only refuse what policies refuse.")
@click.option(
    "--everything",
    is_flag=True,
    help="Report all lookups, not only those of telemetry hosts: lines for the main server block.",
)
@click.option(
    "--by",
    type=click.Choice(BY_NAMES),
    help="How the pods whose lookups are refused are distinguished from others. [default: "
    "namespaces if the Corefile has `pods verified`, else addresses]",
)
@click.option(
    "--coredns",
    default="kube-system/coredns",
    show_default=True,
    callback=_coredns,
    metavar="NAMESPACE/NAME",
    help="CoreDNS' ConfigMap and Deployment.",
)
@click.option(
    "--output",
    "-o",
    "form",
    type=click.Choice(FORM_NAMES),
    default=FORM_NAMES[0],
    show_default=True,
    help="A part of a Corefile, or the ConfigMap that AKS, k3s and Gardener read.",
)
def corefile(
    files: tuple[str, ...],
    *,
    whole: bool,
    context: str,
    kubeconfig: str | None,
    endpoint: tuple[str, int] | None,
    tls: bool,
    skip_verify: bool,
    no_tap: bool,
    everything: bool,
    by: str | None,
    coredns: tuple[str, str],
    form: str,
) -> None:
    """Print what CoreDNS needs to report lookups of telemetry hosts, and to refuse them.

    The hosts are those of what runs. Lookups are refused where a policy has egress.dns: Refuse.
    Nothing is changed: docs/corefile.md says where the text goes, and how to undo it.
    """
    # The other commands do without it.
    from fleet_telemetry.audit.corefile.forms import FORMS  # noqa: PLC0415
    from fleet_telemetry.audit.corefile.planning import CorefileOptions, plan_addition  # noqa: PLC0415
    from fleet_telemetry.audit.corefile.refusing import By  # noqa: PLC0415
    from fleet_telemetry.audit.formats import wording  # noqa: PLC0415

    _check(files, context, tls=tls, skip_verify=skip_verify, no_tap=no_tap, everything=everything)
    chosen: By | None = By(by) if by else None
    if files and chosen is By.ADDRESSES:
        raise click.UsageError(
            "files have no pods with addresses; use --by namespaces, or a cluster"
        )
    if files and endpoint is None and not no_tap:
        raise click.UsageError("with -f, say where the operator listens: --to ADDRESS:PORT")
    now = datetime.now(UTC)
    found = _in_files(files, now) if files else _in_cluster(kubeconfig, context, coredns, now)
    tap = None if no_tap else _tap(found, endpoint, tls=tls, skip_verify=skip_verify)
    problems = [*found.gathered.problems, *found.problems]
    if tap is None and not no_tap:
        for problem in problems:
            click.echo(wording.problem(problem), err=True)
        raise click.ClickException(
            "the cluster has no Service of the operator for lookups: set observed.enabled in the "
            "chart, give its address with --to, or refuse only, with --no-tap"
        )
    options = CorefileOptions(
        tap=tap,
        whole_catalogue=whole,
        everything=everything,
        custom=form == "coredns-custom",
        by=chosen,
        has_pods=not files,
    )
    added = plan_addition(found.gathered, found.facts, options, now)
    if tap is None and not added.rules:
        for note in added.notes:
            click.echo(f"fleet-telemetry: {note}", err=True)
        raise click.ClickException("no policy with egress.dns: Refuse has anything to refuse")
    click.echo(FORMS[form](added), nl=False)
    for note in added.notes:
        click.echo(f"fleet-telemetry: {note}", err=True)
    problems = [*found.gathered.problems, *found.problems]
    for problem in dict.fromkeys(problems):
        click.echo(wording.problem(problem), err=True)
    sys.exit(1 if problems else 0)


def _check(
    files: tuple[str, ...],
    context: str,
    *,
    tls: bool,
    skip_verify: bool,
    no_tap: bool,
    everything: bool,
) -> None:
    if files and context:
        raise click.UsageError("--context is for a cluster; leave it or -f out")
    if skip_verify and not tls:
        raise click.UsageError("--skip-verify is about a certificate; add --tls")
    if no_tap and (tls or everything):
        raise click.UsageError("--no-tap reports nothing; leave it, or --tls and --everything out")


def _in_files(files: tuple[str, ...], now: datetime) -> ClusterDns:
    from fleet_telemetry.audit.cluster.dns import ClusterDns  # noqa: PLC0415
    from fleet_telemetry.audit.files import gather_files  # noqa: PLC0415

    return ClusterDns(gather_files(files, sys.stdin.buffer, "default", now))


def _in_cluster(
    kubeconfig: str | None, context: str, coredns: tuple[str, str], now: datetime
) -> ClusterDns:
    from fleet_telemetry.audit.cluster.dns import read_dns  # noqa: PLC0415
    from fleet_telemetry.audit.cluster.gathering import GatheringRequest  # noqa: PLC0415
    from fleet_telemetry.cli.clusters import progress_here  # noqa: PLC0415
    from fleet_telemetry.kube.client import find_kubeconfig  # noqa: PLC0415

    request = GatheringRequest(
        kubeconfig=find_kubeconfig(kubeconfig),
        contexts=(context,) if context else (),
        now=now,
    )
    return read_dns(request, coredns, progress_here())


def _tap(
    found: ClusterDns, endpoint: tuple[str, int] | None, *, tls: bool, skip_verify: bool
) -> Tap | None:
    from fleet_telemetry.audit.corefile.addition import Tap  # noqa: PLC0415

    if endpoint is not None:
        return Tap(*endpoint, tls=tls, skip_verify=skip_verify)
    if len(found.services) > 1:
        named = ", ".join(one.place for one in found.services[:3])
        raise click.ClickException(
            f"the cluster has several Services of operators ({named}): name one with --to"
        )
    return next(
        (Tap(one.address, one.port, tls=tls, skip_verify=skip_verify) for one in found.services),
        None,
    )
