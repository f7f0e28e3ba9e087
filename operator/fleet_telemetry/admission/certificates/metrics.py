"""Metrics of the serving certificate."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge


class CertificateMetrics:
    """The expiry of the serving certificate."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._expiry = Gauge(
            "fleet_telemetry_webhook_certificate_expiry_timestamp_seconds",
            "When the certificate that the webhook serves with expires; 0 while it has none.",
            registry=registry,
        )

    def observe(self, expiry: datetime) -> None:
        """A certificate that expires then was loaded."""
        self._expiry.set(expiry.timestamp())
