"""From a kubeconfig's user and cluster, or a pod's service account, to a transport."""

from __future__ import annotations

import base64
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlsplit

from fleet_telemetry.kube.authorization import TokenFile, basic, bearer, expiry_of
from fleet_telemetry.kube.exec_plugin import credentials_of_plugin
from fleet_telemetry.kube.kubeconfig import Access, KubeconfigError, read_kubeconfig
from fleet_telemetry.kube.transport import Authorization, Transport
from fleet_telemetry.objects.manifest import Manifest, list_at, mapping_at, text_at

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST_PORT = 65535
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
    try:
        host = environment["KUBERNETES_SERVICE_HOST"]
        port = int(environment["KUBERNETES_SERVICE_PORT"])
        return Transport(
            f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            tls=ssl.create_default_context(cafile=folder / "ca.crt"),
            authorization=TokenFile(folder / "token"),
        )
    except (KeyError, OSError, ValueError):
        raise KubeconfigError(
            "the pod has no service account that can be used",
            "set automountServiceAccountToken, or give a kubeconfig with --kubeconfig",
        ) from None


async def open_with(
    access: Access, context: str, *, now: Callable[[], float] = time.time
) -> Transport:
    """For the cluster and the user of a context. No call is made yet, except by a plug-in of the
    user. Raises KubeconfigError."""
    user: Mapping[str, Any] = access.user
    if mapping_at(user, "exec"):
        user = await credentials_of_plugin(access)
    server = text_at(access.cluster, "server")
    _check(server, context)
    for part, fields in (("cluster", access.cluster), ("user", user)):
        _check_texts(part, fields, context)
    try:
        tls = _tls(access.cluster, user) if server.startswith("https://") else None
    except (OSError, ValueError) as error:
        raise KubeconfigError(
            f"the certificates or the key of context {context!r} cannot be used "
            f"({type(error).__name__})",
            "get new credentials, or correct them in the kubeconfig",
        ) from None
    return Transport(
        server,
        tls=tls,
        server_name=text_at(access.cluster, "tls-server-name"),
        proxy=_proxy(access.cluster, context),
        authorization=_authorization(user, context, now()),
        headers=_impersonation(user, context),
    )


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


def _tls(cluster: Manifest, user: Manifest) -> ssl.SSLContext:
    """Raises OSError, also for what is no certificate, and ValueError."""
    # OpenSSL loads a client's certificate from files only.
    with TemporaryDirectory(prefix="fleet-telemetry-") as directory:
        folder = Path(directory)
        authority = _file(cluster, "certificate-authority", folder)
        context = ssl.create_default_context(cafile=authority)
        certificate = _file(user, "client-certificate", folder)
        if certificate is not None:
            # Without a password for it, OpenSSL would ask for that of an encrypted key.
            context.load_cert_chain(certificate, _file(user, "client-key", folder), password="")
    if cluster.get("insecure-skip-tls-verify") is True:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _file(fields: Manifest, key: str, folder: Path) -> Path | None:
    """The file that a field names, or one with its data; None if there is neither."""
    data = text_at(fields, f"{key}-data")
    if data:
        path = folder / key
        path.write_bytes(base64.b64decode(data))
        return path
    return Path(text_at(fields, key)) if text_at(fields, key) else None


def _proxy(cluster: Manifest, context: str) -> str:
    proxy = text_at(cluster, "proxy-url")
    if proxy and not proxy.startswith(("http://", "https://")):
        raise KubeconfigError(
            f"the proxy-url of context {context!r} does not begin with http:// or https://",
            "only such proxies can be used: correct it, or remove it and forward a port",
        )
    return proxy


def _authorization(user: Manifest, context: str, now: float) -> Authorization:
    if mapping_at(user, "auth-provider"):
        return _always(_of_provider(mapping_at(user, "auth-provider"), context, now))
    file, token = text_at(user, "tokenFile"), text_at(user, "token")
    try:
        if file:  # kubectl prefers it, too
            return TokenFile(Path(file))
        if token:
            return _always(bearer(token))
    except (OSError, ValueError):
        where = "the file in tokenFile" if file else "the token"
        raise KubeconfigError(
            f"{where} of context {context!r} holds no token",
            "log in again, or correct the user in the kubeconfig",
        ) from None
    name, password = text_at(user, "username"), text_at(user, "password")
    return _always(basic(name, password) if name else "")


def _of_provider(provider: Manifest, context: str, now: float) -> str:
    """The header for an ID token of OpenID Connect. kubectl renews it, and writes it back."""
    name = text_at(provider, "name")
    if name != "oidc":
        raise KubeconfigError(
            f"the credentials of context {context!r} cannot be loaded by the auth-provider "
            f"{name!r}, which kubectl does not have any more, either",
            "use the credential plug-in (exec) of your cloud or identity provider",
        )
    token = text_at(provider, "config", "id-token")
    try:
        end = expiry_of(token)
        if end is None or end > now:
            return bearer(token)
        why = "its token has expired"
    except ValueError:
        why = "it has no ID token"
    raise KubeconfigError(
        f"the credentials of context {context!r} cannot be loaded by the auth-provider 'oidc': "
        f"{why}",
        "run any kubectl command with this context, which renews it, and try again",
    )


def _always(header: str) -> Authorization:
    return lambda: header


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
