"""Connecting a command to the cluster of a context."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from fleet_telemetry.kube.client import KubernetesClient, find_kubeconfig
from fleet_telemetry.kube.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from fleet_telemetry.kube.server_access import SERVICE_ACCOUNT, open_in_cluster, open_with
from fleet_telemetry.objects.text import printable

IN_CLUSTER = "in-cluster"
"""The name of the cluster that a pod runs in, where there is no kubeconfig."""
_NAMESPACE = "default"
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
"""Seconds, for one call. A page of large manifests may come over a slow line."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of one cluster. It has to be closed."""

    context: str
    namespace: str
    """The context's own."""
    server: str
    """Host and port of the API server."""
    client: KubernetesClient


def context_names(kubeconfig: Kubeconfig | None, given: tuple[str, ...]) -> tuple[str, ...]:
    """The contexts to use, each once: the given ones, or the current one. Whether a given one
    exists is said by ``connect``. Raises KubeconfigError."""
    if given:
        return tuple(dict.fromkeys(given))
    return (IN_CLUSTER if kubeconfig is None else kubeconfig.choose(),)


async def connect(kubeconfig: Kubeconfig | None, context: str) -> Connection:
    """Connect to the cluster of a context; without a kubeconfig, to that of the pod. No call is
    made yet. Raises KubeconfigError."""
    if kubeconfig is None:
        if context != IN_CLUSTER:
            raise KubeconfigError(
                f"there is no kubeconfig, so no context {context!r}",
                "give one with --kubeconfig, or leave --context out",
            )
        transport = open_in_cluster()
        namespace = _own_namespace()
    else:
        access = kubeconfig.access(context)
        transport = await open_with(access, context)
        namespace = access.namespace
    client = KubernetesClient(transport, timeout=_TIMEOUT)
    return Connection(context, namespace, _host(transport.server), client)


async def connect_current(given: str | None) -> Connection:
    """Connect to the cluster that a command is about: of the current context of the given
    kubeconfig, or of the one that there is by default; in a pod, to its own. Raises
    KubeconfigError."""
    path = find_kubeconfig(given)
    kubeconfig = read_kubeconfig(path) if path else None
    return await connect(kubeconfig, context_names(kubeconfig, ())[0])


def _own_namespace() -> str:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip() or _NAMESPACE
    except (OSError, ValueError):
        return _NAMESPACE


def _host(url: str) -> str:
    """Without what else a URL may hold, such as a password."""
    found = urlsplit(url)
    return printable(found.netloc.rpartition("@")[2], 300)
