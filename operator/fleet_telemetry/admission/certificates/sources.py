"""Where the certificate comes from: files, a Secret of somebody else's, or a CA of our own."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from fleet_telemetry.admission.certificates.material import MaterialError, Pair, split
from fleet_telemetry.admission.certificates.metrics import CertificateMetrics
from fleet_telemetry.admission.certificates.options import CertificateOptions
from fleet_telemetry.admission.certificates.rotation import (
    BUNDLE,
    next_authorities,
    next_leaf,
    read_authorities,
    read_leaf,
    write_authorities,
    write_leaf,
)
from fleet_telemetry.admission.certificates.serving import ServingCertificate
from fleet_telemetry.admission.certificates.trust import trust
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.kinds import SECRET
from fleet_telemetry.objects.manifest import Manifest, mapping_at

_log = logging.getLogger(__name__)


def certificate_from(
    options: CertificateOptions,
    client: KubernetesClient,
    now: Callable[[], datetime],
    metrics: CollectorRegistry,
) -> tuple[ServingCertificate, Callable[[], Awaitable[None]]]:
    """What to serve with, empty so far, and what has to be called to fill it and keep it fresh."""
    serving = ServingCertificate(options.host, now, CertificateMetrics(metrics).observe)
    if options.certificate and options.key:
        return serving, FileSource(serving, options.certificate, options.key).refresh
    if options.authority_secret:
        return serving, AuthoritySource(client, serving, options, now).refresh
    return serving, SecretSource(client, serving, options).refresh


class FileSource:
    """Two files that somebody renews."""

    def __init__(self, serving: ServingCertificate, certificate: Path, key: Path) -> None:
        self._serving = serving
        self._certificate = certificate
        self._key = key

    async def refresh(self) -> None:
        """Take up what is new. Raises OSError, MaterialError."""
        try:
            pair = Pair(self._certificate.read_text(), self._key.read_text())
            self._serving.load(pair)
        except (MaterialError, UnicodeDecodeError) as error:
            raise MaterialError(f"{self._certificate}, {self._key}: {error}") from error


class SecretSource:
    """A Secret that somebody else fills, such as cert-manager."""

    def __init__(
        self,
        client: KubernetesClient,
        serving: ServingCertificate,
        options: CertificateOptions,
    ) -> None:
        self._client = client
        self._serving = serving
        self._options = options

    async def refresh(self) -> None:
        """Take up what is new, and have its CA trusted where there is a configuration to say so in.

        Raises MaterialError, ApiError.
        """
        options = self._options
        where = f"Secret {options.namespace}/{options.leaf_secret}"
        data = _decoded(await _find(self._client, options.namespace, options.leaf_secret))
        leaf = read_leaf(data)
        if leaf is None:
            raise MaterialError(f"{where} is empty so far")
        try:
            self._serving.load(leaf)
        except MaterialError as error:
            raise MaterialError(f"{where}: {error}") from error
        if options.configuration and split(data.get(BUNDLE, "")):
            await trust(self._client, options.configuration, data[BUNDLE])


class AuthoritySource:
    """A CA of the operator's own, in two Secrets that the chart makes empty and every replica may
    fill: whoever comes second meets a conflict, and finds what the first one wrote."""

    def __init__(
        self,
        client: KubernetesClient,
        serving: ServingCertificate,
        options: CertificateOptions,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._serving = serving
        self._options = options
        self._now = now

    async def refresh(self) -> None:
        """Renew what is due, have it trusted, serve with it. Raises MaterialError, ApiError."""
        client, options, now = self._client, self._options, self._now()
        of_authority = await _find(client, options.namespace, options.authority_secret)
        of_leaf = await _find(client, options.namespace, options.leaf_secret)
        given = _decoded(of_leaf)
        leaf = read_leaf(given)
        found = None
        try:
            found = read_authorities(_decoded(of_authority))
        except MaterialError as error:
            where = f"Secret {options.namespace}/{options.authority_secret}"
            _log.warning("%s cannot be used, it gets a new CA: %s", where, error)
        authorities = next_authorities(found, leaf, given.get(BUNDLE, ""), now)
        if authorities != found:
            await self._write(of_authority, write_authorities(authorities))
        wanted = next_leaf(leaf, authorities, options.host, now)
        if wanted == leaf:
            # Whatever becomes of the rest, what is good is served.
            self._serving.load(leaf)
        # Nothing is served that is not trusted, so this comes before a new leaf is shown to others.
        await trust(client, options.configuration, authorities.bundle)
        data = write_leaf(wanted, authorities)
        if data != given:
            await self._write(of_leaf, data)
        self._serving.load(wanted)

    async def _write(self, secret: Manifest, data: Mapping[str, str]) -> None:
        """Replace the content, if it is still as it was read."""
        metadata = secret["metadata"]
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        version = metadata["resourceVersion"]
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/data", "value": encoded},
        ]
        await self._client.patch(SECRET, metadata["name"], operations, metadata["namespace"])
        _log.info("wrote Secret %s/%s", metadata["namespace"], metadata["name"])


async def _find(client: KubernetesClient, namespace: str, name: str) -> Manifest:
    secret = await client.find(SECRET, name, namespace)
    if secret is None:
        raise MaterialError(f"Secret {namespace}/{name} does not exist")
    return secret


def _decoded(secret: Manifest) -> dict[str, str]:
    """Its content; what is no text is left out."""
    found = {}
    for key, value in mapping_at(secret, "data").items():
        try:
            found[key] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found
