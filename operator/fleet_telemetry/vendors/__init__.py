"""Reads and writes the telemetry setting of products by their APIs: one adapter for each."""
