"""What is known of one vendor's product: the kind TelemetryProduct."""
