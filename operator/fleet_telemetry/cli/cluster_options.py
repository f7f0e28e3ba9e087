"""The options of commands that read clusters."""

from __future__ import annotations

import click

KUBECONFIG_OPTION = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    help="The kubeconfig. [env: KUBECONFIG; default: ~/.kube/config, in a pod its service account]",
)
"""For commands that a person runs."""
CONTEXTS_OPTION = click.option(
    "--context",
    "contexts",
    multiple=True,
    help="A context of the kubeconfig. May be given several times, for several clusters. "
    "[default: the current one]",
)
NAMESPACES_OPTION = click.option(
    "--namespace",
    "-n",
    "namespaces",
    multiple=True,
    help="Only this namespace of the cluster. May be given several times. [default: all]",
)
ALL_NAMESPACES_OPTION = click.option(
    "--all-namespaces",
    "-A",
    is_flag=True,
    help="All namespaces of the cluster, which is the default.",
)
