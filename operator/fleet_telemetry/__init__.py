"""Decide, and prove, whether the vendor software in a Kubernetes fleet phones home."""

from importlib import metadata

__version__ = metadata.version("fleet-telemetry-operator")
