"""What the cluster's DNS sees: lookups of telemetry hosts, and whose they are."""
