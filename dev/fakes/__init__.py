"""Fakes of the products: small HTTPS servers on loopback that answer as the products do.

They are for tests and demos where the real product is too big to run. They know nothing of the
operator.
"""

from __future__ import annotations

from dev.fakes.server import FakeProduct, Fault, Seen

__all__ = ["FakeProduct", "Fault", "Seen"]
