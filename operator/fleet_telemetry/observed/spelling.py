"""One spelling for each IP address and each host."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_LONGEST = 64


@lru_cache(maxsize=16_384)
def canonical_address(text: str) -> str | None:
    """An IP address in its usual spelling; None if the text is none.

    An IPv4 address that is mapped into IPv6 is an IPv4 address. Leading zeros are decimal, as the
    API server reads them. A zone (``%eth0``) says only through which device the address is reached.
    """
    text = text.strip().partition("%")[0]
    if not text or len(text) > _LONGEST:
        return None
    if ":" not in text:
        text = ".".join(part.lstrip("0") or part[:1] for part in text.split("."))
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
