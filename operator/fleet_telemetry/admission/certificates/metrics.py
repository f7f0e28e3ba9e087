"""How long the certificate is good for."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge


class CertificateMetrics:
    """The certificate that is served with."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._expiry = Gauge(
            "fleet_telemetry_webhook_certificate_expiry_timestamp_seconds",
            "When the certificate that the webhook serves with expires; 0 while it has none.",
            registry=registry,
        )

    def observe(self, expiry: datetime) -> None:
        """A certificate was taken up."""
        self._expiry.set(expiry.timestamp())
