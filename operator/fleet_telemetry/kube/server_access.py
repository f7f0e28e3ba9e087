"""From a kubeconfig's user and cluster, or a pod's service account, to a transport.

The official client reads both. What it would take in another way than kubectl is refused or put
right before.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kubernetes.aio import client as api
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import KubeConfigLoader

from fleet_telemetry.kube.exec_plugin import credentials_of_plugin
from fleet_telemetry.kube.kubeconfig import Access, KubeconfigError, read_kubeconfig
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.objects.manifest import Manifest, list_at, mapping_at, text_at

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST_PORT = 65535
_LARGEST_TOKEN = 2**16
"""Bytes."""
_IMPERSONATE = "Impersonate-"
_HEADER_NAME = "!#$&'*+-.^_`|~"
"""The characters that a header's name may have besides letters and digits. ``%`` begins another."""
_TEXTS = {
    "cluster": ("tls-server-name", "proxy-url", "certificate-authority-data"),
    "user": (
        *("token", "username", "password", "as", "as-uid"),
        *("client-certificate-data", "client-key-data"),
    ),
}
"""Fields that would read as absent if they were numbers."""


async def open_transport(kubeconfig: str | None) -> Transport:
    """For the current context of a kubeconfig, or the service account of the pod if None. Raises
    KubeconfigError."""
    if kubeconfig is None:
        return open_in_cluster()
    found = read_kubeconfig(kubeconfig)
    context = found.choose()
    return await open_with(found.access(context), context)


def open_in_cluster(
    folder: Path = SERVICE_ACCOUNT, environment: Mapping[str, str] = os.environ
) -> Transport:
    """For the pod's own cluster, with its service account. Raises KubeconfigError."""
    configuration = api.Configuration()
    try:
        InClusterConfigLoader(
            token_filename=folder / "token", cert_filename=folder / "ca.crt", environ=environment
        ).load_and_set(configuration)
        int(environment["KUBERNETES_SERVICE_PORT"])
        return Transport(configuration)
    except (ConfigException, OSError, ValueError):
        raise KubeconfigError(
            "the pod has no service account that can be used",
            "set automountServiceAccountToken, or give a kubeconfig with --kubeconfig",
        ) from None


async def open_with(access: Access, context: str) -> Transport:
    """For the cluster and the user of a context. No call is made yet, except by a plug-in or an
    identity provider of the user. Raises KubeconfigError."""
    user: Mapping[str, Any] = access.user
    if mapping_at(user, "exec"):
        user = await credentials_of_plugin(access)
    _check(text_at(access.cluster, "server"), context)
    for part, fields in (("cluster", access.cluster), ("user", user)):
        _check_texts(part, fields, context)
    user = _with_token_of_file(user, context)
    _check_proxy(access.cluster, context)
    headers = _impersonation(user, context)
    configuration = await _load(access.cluster, user, context)
    _check_token(configuration, context)
    try:
        _check_key(configuration)
        return Transport(configuration, headers)
    except (OSError, ValueError) as error:
        raise KubeconfigError(
            f"the certificates or the key of context {context!r} cannot be used "
            f"({type(error).__name__})",
            "get new credentials, or correct them in the kubeconfig",
        ) from None


async def _load(cluster: Manifest, user: Manifest, context: str) -> api.Configuration:
    verifies = cluster.get("insecure-skip-tls-verify") is not True  # whatever else is no word
    document = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [
            {"name": "it", "cluster": {**cluster, "insecure-skip-tls-verify": not verifies}}
        ],
        "users": [{"name": "it", "user": dict(user)}],
    }
    configuration = api.Configuration()
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
    return configuration


def _check(server: str, context: str) -> None:
    """Raises KubeconfigError if requests to this URL would fail in a way that nobody explains."""
    try:
        found = urlsplit(server)
        is_good = bool(found.hostname) and (found.port or 1) <= _LARGEST_PORT
        has_more = "@" in found.netloc or bool(found.query or found.fragment)
    except ValueError:
        is_good = has_more = False
    if not is_good or has_more or not server.isprintable() or " " in server:
        # The URL may hold a password.
        raise KubeconfigError(
            f"the server of context {context!r} is no URL of an API server",
            "write it as https://HOST:PORT in the kubeconfig, and credentials under users",
        )


def _check_texts(part: str, fields: Manifest, context: str) -> None:
    for key in _TEXTS[part]:
        if fields.get(key) is not None and not isinstance(fields[key], str):
            raise KubeconfigError(
                f"{key} of the {part} of context {context!r} is no text",
                "write it in quotation marks in the kubeconfig",
            )


def _check_proxy(cluster: Manifest, context: str) -> None:
    proxy = text_at(cluster, "proxy-url")
    if proxy and not proxy.startswith(("http://", "https://")):
        raise KubeconfigError(
            f"the proxy-url of context {context!r} does not begin with http:// or https://",
            "only such proxies can be used: correct it, or remove it and forward a port",
        )


def _with_token_of_file(user: Manifest, context: str) -> Manifest:
    """The file goes before a token beside it, as with kubectl. Raises KubeconfigError."""
    path = text_at(user, "tokenFile")
    if not path:
        return user
    try:
        with Path(path).open("rb") as file:
            token = file.read(_LARGEST_TOKEN).decode().strip()
    except (OSError, ValueError):
        token = ""
    if not token:
        raise KubeconfigError(
            f"the file in tokenFile of context {context!r} holds no token",
            "log in again, or correct the user in the kubeconfig",
        )
    return {**{key: value for key, value in user.items() if key != "tokenFile"}, "token": token}


def _check_token(configuration: api.Configuration, context: str) -> None:
    """Raises KubeconfigError for what no header may hold."""
    token = configuration.api_key.get("BearerToken", "")
    if not (token.isascii() and token.isprintable()):
        raise KubeconfigError(
            f"the token of context {context!r} holds no token",
            "log in again, or correct the user in the kubeconfig",
        )


def _check_key(configuration: api.Configuration) -> None:
    """Raises OSError and ValueError. Without a password for it, OpenSSL would ask a person for that
    of an encrypted key."""
    if configuration.cert_file:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            configuration.cert_file, configuration.key_file, password=""
        )


def _impersonation(user: Manifest, context: str) -> list[tuple[str, str]]:
    """The headers of a user who acts as another one, with what that one may."""
    found = list(_impersonation_headers(user))
    texts = [text for header in found for text in header]
    if not all(text.isascii() and text.isprintable() for text in texts):
        raise KubeconfigError(
            f"the user of context {context!r} acts as one whose name has other characters than "
            "ASCII",
            "correct as, as-uid, as-groups or as-user-extra in the kubeconfig",
        )
    if found and found[0][0] != f"{_IMPERSONATE}User":
        raise KubeconfigError(
            f"the user of context {context!r} has as-uid, as-groups or as-user-extra, but not as",
            "add as, or remove them, in the kubeconfig",
        )
    return found


def _impersonation_headers(user: Manifest) -> Iterator[tuple[str, str]]:
    for key, header in (("as", "User"), ("as-uid", "Uid")):
        if text := text_at(user, key):
            yield f"{_IMPERSONATE}{header}", text
    for group in list_at(user, "as-groups"):
        yield f"{_IMPERSONATE}Group", str(group)
    extra = mapping_at(user, "as-user-extra")
    for key in extra:
        name = quote(str(key), safe=_HEADER_NAME)
        for value in list_at(extra, key):
            yield f"{_IMPERSONATE}Extra-{name}", str(value)
