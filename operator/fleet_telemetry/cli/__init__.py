"""The command line: ``fleet-telemetry``."""
