"""DNS lookups of telemetry hosts."""
