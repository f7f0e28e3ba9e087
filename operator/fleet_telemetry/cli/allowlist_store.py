"""Reads the allowlist from the ConfigMap that the controller writes."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio.config import ConfigException
from yaml import YAMLError

from fleet_telemetry.egress.allowlist import AllowlistError, from_config_map
from fleet_telemetry.egress.allowlist_requests import requests_in
from fleet_telemetry.egress.perimeter import Allowlist
from fleet_telemetry.kube.client import ApiError, KubernetesClient, find_kubeconfig
from fleet_telemetry.kube.kinds import CONFIG_MAP
from fleet_telemetry.objects.manifest import Manifest


async def read_allowlist(kubeconfig: str | None, namespace: str, name: str) -> Allowlist:
    """Read the allowlist and the requests, by one call. Without a kubeconfig, use the service
    account in a pod, and ``~/.kube/config`` elsewhere. Raises AllowlistError with a message for a
    person."""
    where = f"ConfigMap {namespace}/{name}"
    client = await _connect(_kubeconfig(kubeconfig))
    try:
        manifest = await _get(client, where, namespace, name)
        return Allowlist(from_config_map(manifest), requests_in(manifest))
    finally:
        await client.close()


def _kubeconfig(given: str | None) -> str | None:
    """The path; None for the service account. Raises AllowlistError if no file exists there."""
    kubeconfig = find_kubeconfig(given)
    # It may be a list of paths. Missing files are ignored, as kubectl does.
    if kubeconfig and not any(Path(part).exists() for part in kubeconfig.split(os.pathsep)):
        raise AllowlistError(f"there is no kubeconfig at {kubeconfig}; give one with --kubeconfig")
    return kubeconfig


async def _connect(kubeconfig: str | None) -> KubernetesClient:
    try:
        return await KubernetesClient.connect(kubeconfig)
    # A file that is no kubeconfig at all raises any of these.
    except (ConfigException, OSError, YAMLError, TypeError, ValueError, AttributeError) as error:
        what = f"kubeconfig {kubeconfig}" if kubeconfig else "service account"
        reason = " ".join(str(error).split())
        raise AllowlistError(f"the {what} cannot be used: {reason}") from None


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
