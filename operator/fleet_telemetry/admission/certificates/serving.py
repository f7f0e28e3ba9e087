"""The serving certificate of the webhook, which is replaced without closing the listener."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from fleet_telemetry.admission.certificates.material import (
    CertificateError,
    KeyPair,
    check_key,
    problems,
)
from fleet_telemetry.kube.client import ApiError

_log = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
_CONFLICT_SECONDS = 0.5


class ServingCertificate:
    """A TLS context with a replaceable certificate. Open connections keep the old certificate."""

    def __init__(
        self,
        host: str,
        now: Callable[[], datetime],
        on_load: Callable[[datetime], None],
        client_ca: Path | None = None,
    ) -> None:
        """``on_load`` gets the expiry of each certificate that is loaded. With ``client_ca``, only
        clients with a certificate of these CAs are accepted. Raises OSError if it has none."""
        self.context = serving_context(client_ca)
        self._host = host
        self._now = now
        self._on_load = on_load
        self._loaded: KeyPair | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether a certificate was loaded."""
        return self._loaded is not None

    def load(self, pair: KeyPair) -> None:
        """Serve new connections with this certificate. Does nothing if it is loaded already.

        Raises CertificateError if it cannot be loaded; the old certificate stays then.
        """
        if pair == self._loaded:
            return
        certificate = check_key(pair)
        with tempfile.TemporaryDirectory() as directory:
            # The standard library loads certificates from files only.
            chain, key = Path(directory, "chain"), Path(directory, "key")
            key.touch(mode=0o600)
            chain.write_text(pair.certificate)
            key.write_text(pair.key)
            try:
                # A failed load leaves a context without a certificate, so try another one first.
                serving_context().load_cert_chain(chain, key)
            except ssl.SSLError as error:
                raise CertificateError(f"OpenSSL cannot load it: {error.reason}") from error
            self.context.load_cert_chain(chain, key)
        self._loaded = pair
        self._on_load(certificate.not_valid_after_utc)
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        _log.info("serving with certificate %x, valid until %s", certificate.serial_number, until)
        for problem in problems(certificate, self._host, self._now()):
            _log.warning("the API server will not trust the webhook's certificate: %s", problem)


def serving_context(client_ca: Path | None = None) -> ssl.SSLContext:
    """A context without a certificate of its own. Raises OSError if the file of the clients' CAs
    cannot be read or has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_ca is not None:
        context.load_verify_locations(cafile=client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def keep_fresh(refresh: Callable[[], Awaitable[None]]) -> None:
    """Refresh periodically and after errors. Never ends."""
    logged = ""
    while True:
        problem = ""
        try:
            await refresh()
        except ApiError as error:
            if error.is_conflict:
                # Another replica was faster. Read what it wrote.
                _log.debug("conflict on the webhook's certificate: %s", error)
                await asyncio.sleep(_CONFLICT_SECONDS)
                continue
            problem = str(error)
        except (CertificateError, OSError) as error:
            problem = str(error)
        if problem and problem != logged:
            _log.warning("cannot refresh the webhook's certificate, retrying: %s", problem)
        logged = problem
        await asyncio.sleep(REFRESH_SECONDS)
