"""All decisions, as pure functions: no clients, no clock, no kopf, nothing but values."""
