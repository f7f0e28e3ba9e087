"""Options of the webhook's certificate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOptions:
    """The source of the certificate: two files, or a Secret that others fill, or a Secret that the
    operator fills from its own CA in another Secret."""

    namespace: str
    """The operator's namespace, which contains both Secrets."""
    host: str
    """The DNS name that the API server connects to."""
    certificate: Path | None = None
    key: Path | None = None
    leaf_secret: str = ""
    authority_secret: str = ""
    """Empty if the operator does not issue the certificate."""
    client_ca: Path | None = None
    """The CAs of the clients that are answered; None if all are."""
    configuration: str = ""
    """The name of the chart's webhook configurations that get the CA bundle. Empty if others set
    the bundle."""
