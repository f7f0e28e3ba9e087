"""The telemetry hosts of products, as lists that firewalls and name servers take."""
