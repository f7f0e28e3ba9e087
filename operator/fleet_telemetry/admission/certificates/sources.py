"""The sources of the certificate: files, a Secret that others fill, or the operator's own CA."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from fleet_telemetry.admission.certificates.material import CertificateError, KeyPair, split
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
    """The serving certificate, not loaded yet, and the function that loads and renews it."""
    serving = ServingCertificate(
        options.host, now, CertificateMetrics(metrics).observe, options.client_ca
    )
    if options.certificate and options.key:
        return serving, FileSource(serving, options.certificate, options.key).refresh
    if options.authority_secret:
        return serving, AuthoritySource(client, serving, options, now).refresh
    return serving, SecretSource(client, serving, options).refresh


class FileSource:
    """Two files that others renew."""

    def __init__(self, serving: ServingCertificate, certificate: Path, key: Path) -> None:
        self._serving = serving
        self._certificate = certificate
        self._key = key

    async def refresh(self) -> None:
        """Load the files if they changed. Raises OSError, CertificateError."""
        try:
            pair = KeyPair(self._certificate.read_text(), self._key.read_text())
            self._serving.load(pair)
        except (CertificateError, UnicodeDecodeError) as error:
            raise CertificateError(f"{self._certificate}, {self._key}: {error}") from error


class SecretSource:
    """A Secret that others fill, such as cert-manager."""

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
        """Load the Secret if it changed, and write its CA bundle into the webhook configurations if
        they are named.

        Raises CertificateError, ApiError.
        """
        options = self._options
        where = f"Secret {options.namespace}/{options.leaf_secret}"
        data = _decoded(await _find(self._client, options.namespace, options.leaf_secret))
        leaf = read_leaf(data)
        if leaf is None:
            raise CertificateError(f"{where} is empty")
        try:
            self._serving.load(leaf)
        except CertificateError as error:
            raise CertificateError(f"{where}: {error}") from error
        if options.configuration and split(data.get(BUNDLE, "")):
            await trust(self._client, options.configuration, data[BUNDLE])


class AuthoritySource:
    """The operator's own CA, in two Secrets. The chart creates them empty, and any replica fills
    them: the second replica gets a conflict, and reads what the first one wrote."""

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
        """Renew the CA and the leaf if they are due, write the CA bundle, then serve with the leaf.

        Raises CertificateError, ApiError.
        """
        client, options, now = self._client, self._options, self._now()
        of_authority = await _find(client, options.namespace, options.authority_secret)
        of_leaf = await _find(client, options.namespace, options.leaf_secret)
        given = _decoded(of_leaf)
        leaf = read_leaf(given)
        found = None
        try:
            found = read_authorities(_decoded(of_authority))
        except CertificateError as error:
            where = f"Secret {options.namespace}/{options.authority_secret}"
            _log.warning("%s cannot be used, creating a new CA: %s", where, error)
        authorities = next_authorities(found, leaf, given.get(BUNDLE, ""), now)
        if authorities != found:
            await self._write(of_authority, write_authorities(authorities))
        renewed = next_leaf(leaf, authorities, options.host, now)
        if renewed == leaf:
            # Serve a valid leaf even if a later step fails.
            self._serving.load(leaf)
        # Only a trusted leaf is served, so write the bundle before others can read a new leaf.
        await trust(client, options.configuration, authorities.bundle)
        data = write_leaf(renewed, authorities)
        if data != given:
            await self._write(of_leaf, data)
        self._serving.load(renewed)

    async def _write(self, secret: Manifest, data: Mapping[str, str]) -> None:
        """Replace the data if the Secret has not changed since it was read."""
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
        raise CertificateError(f"Secret {namespace}/{name} does not exist")
    return secret


def _decoded(secret: Manifest) -> dict[str, str]:
    """The decoded data of a Secret. Values that are not text are left out."""
    found = {}
    for key, value in mapping_at(secret, "data").items():
        try:
            found[key] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found
