"""Fakes of the products: small HTTPS servers on loopback that answer as the products do.

They are for tests and demos where the real product is too big to run. They know nothing of the
operator.
"""

from __future__ import annotations

from dev.fakes.server import ApiFault, FakeProduct, Seen

__all__ = ["ApiFault", "FakeProduct", "Seen"]
