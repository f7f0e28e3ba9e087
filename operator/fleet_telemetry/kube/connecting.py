"""Connecting a command to the cluster of a context."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio import client as api
from kubernetes.aio import config
from kubernetes.aio.config.kube_config import KubeConfigLoader

from fleet_telemetry.kube.client import KubernetesClient, find_kubeconfig
from fleet_telemetry.kube.exec_plugin import credentials_of_plugin
from fleet_telemetry.kube.kubeconfig import Access, Kubeconfig, KubeconfigError, read_kubeconfig
from fleet_telemetry.objects.manifest import mapping_at, text_at
from fleet_telemetry.objects.text import printable

IN_CLUSTER = "in-cluster"
"""The name of the cluster that a pod runs in, where there is no kubeconfig."""
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
"""Seconds, for one call. A page of large manifests may come over a slow line."""
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


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
    configuration = api.Configuration()
    namespace = "default"
    if kubeconfig is None:
        if context != IN_CLUSTER:
            raise KubeconfigError(
                f"there is no kubeconfig, so no context {context!r}",
                "give one with --kubeconfig, or leave --context out",
            )
        try:
            config.load_incluster_config(client_configuration=configuration)
            namespace = (_SERVICE_ACCOUNT / "namespace").read_text().strip() or namespace
        except (config.ConfigException, OSError, ValueError):
            raise KubeconfigError(
                "the pod has no service account that can be used",
                "set automountServiceAccountToken, or give a kubeconfig with --kubeconfig",
            ) from None
    else:
        access = kubeconfig.access(context)
        namespace = access.namespace
        await _load(access, context, configuration)
    try:
        client = KubernetesClient(api.ApiClient(configuration), timeout=_TIMEOUT)
    except (OSError, ValueError) as error:
        raise KubeconfigError(
            f"the certificates or the key of context {context!r} cannot be used "
            f"({type(error).__name__})",
            "get new credentials, or correct them in the kubeconfig",
        ) from None
    return Connection(context, namespace, _host(configuration.host), client)


async def connect_current(given: str | None) -> Connection:
    """Connect to the cluster that a command is about: of the current context of the given
    kubeconfig, or of the one that there is by default; in a pod, to its own. Raises
    KubeconfigError."""
    path = find_kubeconfig(given)
    kubeconfig = read_kubeconfig(path) if path else None
    return await connect(kubeconfig, context_names(kubeconfig, ())[0])


async def _load(access: Access, context: str, configuration: api.Configuration) -> None:
    user = dict(access.user)
    if mapping_at(user, "exec"):
        user = await credentials_of_plugin(access)
    names = {"cluster": "it", "user": "it"}
    document = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": names}],
        "clusters": [{"name": "it", "cluster": dict(access.cluster)}],
        "users": [{"name": "it", "user": user}],
    }
    try:
        loader = KubeConfigLoader(config_dict=document, config_base_path=os.sep)
        await loader.load_and_set(configuration)
    # Foreign code, which raises anything for fields of other types, and quotes them.
    except Exception as error:  # noqa: BLE001
        kind = text_at(user, "auth-provider", "name")
        of = f"the auth-provider {kind!r}" if kind else "its user and cluster"
        raise KubeconfigError(
            f"the credentials of context {context!r} cannot be loaded by {of} "
            f"({type(error).__name__})",
            "log in again, or correct the user in the kubeconfig",
        ) from None


def _host(url: str) -> str:
    """Without what else a URL may hold, such as a password."""
    found = urlsplit(url)
    return printable(found.netloc.rpartition("@")[2], 300)
