"""The names that the leader looks up itself, to prove that it sees what the cluster's DNS is asked.

A canary is ``<token>.canary.fleettelemetry.invalid``. The printed Corefile answers it itself, with
``CANARY_ADDRESS``. ``invalid`` is reserved (RFC 2606), so no name server on the internet has it.
"""

from __future__ import annotations

CANARY_ZONE = "canary.fleettelemetry.invalid"
CANARY_ADDRESS = "192.0.2.53"
"""Of TEST-NET-1 (RFC 5737), which nothing uses."""
LAST_DIGITS = "01"
"""A token ends with one of them. The printed Corefile may have two server blocks, each with a
connection of its own to the operator: the one that refuses lookups takes tokens with the second.
So a round of canaries has one of each, and a broken connection of either is noticed.
"""


def token_of(name: str) -> str | None:
    """The token of a canary's name; None if the name is none. A search domain may follow."""
    token, dot, rest = name.partition(".")
    is_canary = dot and (rest == CANARY_ZONE or rest.startswith(f"{CANARY_ZONE}."))
    return token if is_canary and token else None
