"""Asking name servers for the addresses of telemetry hosts."""
