"""Network policies and telemetry hosts, kept as the policies require."""
