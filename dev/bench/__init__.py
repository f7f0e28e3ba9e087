"""Measures what the operator costs: admission through the API server, and a large fleet."""
