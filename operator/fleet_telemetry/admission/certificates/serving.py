"""The certificate that the webhook serves with, exchanged without closing the listener."""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from fleet_telemetry.admission.certificates.material import MaterialError, Pair, check_key, problems
from fleet_telemetry.kube.client import ApiError

_log = logging.getLogger(__name__)

REFRESH_SECONDS = 10.0
_CONFLICT_SECONDS = 0.5


class ServingCertificate:
    """A TLS context whose certificate can be exchanged; connections that stand keep the old one."""

    def __init__(
        self, host: str, now: Callable[[], datetime], told: Callable[[datetime], None]
    ) -> None:
        self.context = _context()
        self._host = host
        self._now = now
        self._told = told
        self._loaded: Pair | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether there is a certificate to serve with."""
        return self._loaded is not None

    def load(self, pair: Pair) -> None:
        """Serve new connections with it, if it is not what is served already.

        Raises MaterialError where that cannot be done, and then serves on with the old one.
        """
        if pair == self._loaded:
            return
        certificate = check_key(pair)
        with tempfile.TemporaryDirectory() as directory:
            # The standard library reads certificates from files only.
            chain, key = Path(directory, "chain"), Path(directory, "key")
            key.touch(mode=0o600)
            chain.write_text(pair.certificate)
            key.write_text(pair.key)
            try:
                # A load that fails leaves a context without any certificate: not ours, then.
                _context().load_cert_chain(chain, key)
            except ssl.SSLError as error:
                raise MaterialError(f"OpenSSL does not take it: {error.reason}") from error
            self.context.load_cert_chain(chain, key)
        self._loaded = pair
        self._told(certificate.not_valid_after_utc)
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        _log.info(
            "serving with the certificate %x, valid until %s", certificate.serial_number, until
        )
        for problem in problems(certificate, self._host, self._now()):
            _log.warning("the API server will not trust the webhook's certificate: %s", problem)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def keep_fresh(refresh: Callable[[], Awaitable[None]]) -> None:
    """Refresh again and again, whatever comes. Never ends."""
    told = ""
    while True:
        problem = ""
        try:
            await refresh()
        except ApiError as error:
            if error.is_conflict:
                # Another replica was faster: what it wrote is there now.
                _log.debug("the webhook's certificate: %s", error)
                await asyncio.sleep(_CONFLICT_SECONDS)
                continue
            problem = str(error)
        except (MaterialError, OSError) as error:
            problem = str(error)
        if problem and problem != told:
            _log.warning("the webhook's certificate: %s; trying again", problem)
        told = problem
        await asyncio.sleep(REFRESH_SECONDS)
