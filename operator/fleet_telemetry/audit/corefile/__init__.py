"""What is added to a cluster's Corefile, so that lookups of telemetry hosts are seen or refused."""
