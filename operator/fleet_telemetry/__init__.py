"""Decide, and prove, whether the vendor software in a Kubernetes fleet phones home."""

# Written here and not asked of the installed package: that costs each start 50 ms.
__version__ = "0.1.0"
