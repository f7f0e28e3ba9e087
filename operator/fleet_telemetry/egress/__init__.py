"""Telemetry hosts: where they are, and what network policies say of them."""
