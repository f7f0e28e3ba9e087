"""The webhook's certificate: where it comes from, and that it never runs out."""
