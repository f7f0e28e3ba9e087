"""The serving certificate of the webhook: its sources and its rotation."""
