"""Telemetry hosts: where they are, what may be said of it, and what network policies say it with."""
