"""Reads the allowlist from the ConfigMap that the controller writes."""

from __future__ import annotations

from fleet_telemetry.egress.allowlist import AllowlistError, from_config_map
from fleet_telemetry.egress.allowlist_requests import requests_in
from fleet_telemetry.egress.perimeter import Allowlist
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.connecting import connect_current
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.kube.kubeconfig import KubeconfigError
from fleet_telemetry.objects.manifest import Manifest


async def read_allowlist(kubeconfig: str | None, namespace: str, name: str) -> Allowlist:
    """Read the allowlist and the requests, by one call. Without a kubeconfig, use the service
    account in a pod, and ``~/.kube/config`` elsewhere. Raises AllowlistError with a message for a
    person."""
    where = f"ConfigMap {namespace}/{name}"
    try:
        client = (await connect_current(kubeconfig)).client
    except KubeconfigError as error:
        raise AllowlistError(str(error)) from None
    try:
        manifest = await _get(client, where, namespace, name)
        return Allowlist(from_config_map(manifest), requests_in(manifest))
    finally:
        await client.close()


async def _get(client: KubernetesClient, where: str, namespace: str, name: str) -> Manifest:
    try:
        return await client.get(CONFIG_MAP, name, namespace)
    except ApiError as error:
        if error.is_not_found:
            text = (
                f"{where} does not exist; the controller writes it into its own namespace, which "
                "--namespace gives, when a policy has an egress section"
            )
        elif error.is_forbidden:
            text = f"{where} may not be read; RBAC has to allow you to get that ConfigMap"
        elif error.status:
            text = f"{where} cannot be read: {error}"
        else:
            text = f"{where} cannot be read: the API server does not answer"
            if why := str(error.__cause__):
                text += f": {why}"
        raise AllowlistError(text) from None
