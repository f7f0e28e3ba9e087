"""The bounds of a receiver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """Of connections, memory and time."""

    connections: int = 256
    connections_per_address: int = 8
    """Each `dnstap` of a Corefile makes one, and several name servers may share an address."""
    buffered: int = 4 << 20
    """Bytes that wait to be decoded, of all connections."""
    handshake_seconds: float = 10.0
    """Until a stream begins. CoreDNS itself gives up after 4."""
    slice_seconds: float = 0.004
    """How long the loop is kept at once."""
    share: float = 0.5
    """Of the time, for decoding."""
    skipping_share: float = 0.25
    """Of the time, for passing over frames that cannot be decoded in time."""
