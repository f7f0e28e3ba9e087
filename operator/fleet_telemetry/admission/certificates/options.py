"""What is told from outside about the webhook's certificate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOptions:
    """Two files, or a Secret, or a Secret and that of the operator's own CA."""

    namespace: str
    """The operator's own, of both Secrets."""
    host: str
    """The name that the API server asks for."""
    certificate: Path | None = None
    key: Path | None = None
    leaf_secret: str = ""
    authority_secret: str = ""
    """Empty where somebody else issues the certificate."""
    configuration: str = ""
    """The chart's webhook configurations, which are to trust the CA; empty: somebody else sees to
    that."""
