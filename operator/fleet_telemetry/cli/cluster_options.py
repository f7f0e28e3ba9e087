"""The options of commands that read clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import click

from fleet_telemetry.cli.cluster_name import check_cluster_name
from fleet_telemetry.cli.completing import contexts

KUBECONFIG_OPTION = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    help="The kubeconfig. [env: KUBECONFIG; default: ~/.kube/config, in a pod its service account]",
)
"""For commands that a person runs."""
_CONTEXT = click.option(
    "--context",
    "contexts",
    multiple=True,
    shell_complete=contexts,
    help="A context of the kubeconfig. May be given several times, for several clusters. "
    "[default: the current one]",
)
_CLUSTER_NAME = click.option(
    "--cluster-name",
    "cluster_names",
    multiple=True,
    callback=lambda _, __, names: tuple(map(check_cluster_name, names)),
    help="The name that the output shows for the cluster. With several --context: one for each, in "
    "the same order. [default: the context]",
)
_NAMESPACE = click.option(
    "--namespace",
    "-n",
    "namespaces",
    multiple=True,
    help="Only this namespace of the cluster. May be given several times. With FILEs: the "
    "namespace of objects that name none. [default: all; with FILEs default]",
)
_ALL_NAMESPACES = click.option(
    "--all-namespaces",
    "-A",
    is_flag=True,
    help="All namespaces of the cluster, which is the default.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChoice:
    """Which clusters to read, and which namespaces of them."""

    kubeconfig: str | None = None
    contexts: tuple[str, ...] = ()
    """None: the current one."""
    namespaces: tuple[str, ...] = ()
    """None: all."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Those that are shown for clusters, by context; of the current one, the key is empty."""
    is_given: bool = False
    """Whether any was chosen, so that files would contradict it. A kubeconfig may come from the
    environment."""


def with_clusters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as ``clusters``, a ClusterChoice."""

    @wraps(command)
    def run(
        *args: Any,
        kubeconfig: str | None,
        contexts: tuple[str, ...],
        namespaces: tuple[str, ...],
        all_namespaces: bool,
        cluster_names: tuple[str, ...],
        **options: Any,
    ) -> Any:
        if all_namespaces and namespaces:
            raise click.UsageError("-A reads all namespaces; leave it out, or -n")
        choice = ClusterChoice(
            kubeconfig=kubeconfig,
            contexts=contexts,
            namespaces=tuple(dict.fromkeys(namespaces)),
            names=_names_by_context(contexts, cluster_names),
            is_given=bool(contexts or namespaces or all_namespaces or cluster_names),
        )
        return command(*args, clusters=choice, **options)

    for option in (KUBECONFIG_OPTION, _ALL_NAMESPACES, _NAMESPACE, _CLUSTER_NAME, _CONTEXT):
        run = option(run)
    return run


def _names_by_context(contexts: tuple[str, ...], names: tuple[str, ...]) -> Mapping[str, str]:
    """Raises click.UsageError if a cluster had no name or two, or two had the same."""
    if not names:
        return {}
    named = contexts or ("",)
    if len(names) != len(named):
        clusters = f"{len(named)} cluster{'s' if len(named) > 1 else ''}"
        raise click.UsageError(
            f"--cluster-name stands {len(names)} times, and {clusters} are read; give one name for "
            "each --context"
        )
    for option, given in (("--context", named), ("--cluster-name", names)):
        for one in given:
            if given.count(one) > 1:
                raise click.UsageError(f"{option} {one} stands twice; each name is of one cluster")
    return dict(zip(named, names, strict=True))
