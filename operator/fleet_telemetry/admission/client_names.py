"""Which clients may call the webhook, by the name in their certificate."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web


def check_client(http: web.Request, names: Collection[str]) -> None:
    """Raise HTTPForbidden unless the certificate's common name is one of these. Without names,
    every certificate of the CA will do. TLS has verified it."""
    if not names:
        return
    transport = http.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    subject = (certificate or {}).get("subject", ())
    found = {value for part in subject for key, value in part if key == "commonName"}
    if not found & set(names):
        raise web.HTTPForbidden(text="the client certificate has another name\n")
