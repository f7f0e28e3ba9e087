"""Checks of catalogue files and of their tables: ``fleet-telemetry catalogue lint``."""
