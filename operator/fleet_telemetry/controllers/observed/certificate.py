"""The certificate for dnstap over TLS: two files, which are read again when they change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import NoReturn

_log = logging.getLogger(__name__)

_SECONDS = 10.0


class CertificateFiles:
    """A TLS context for the receiver. Open connections keep the certificate that they have."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ValueError with a sentence for a person if they cannot be used."""
        self._certificate = certificate
        self._key = key
        self._read = self._contents()
        _load(_new_context(), certificate, key)
        self.context = _new_context()
        """For new connections."""
        _load(self.context, certificate, key)

    def refresh(self) -> bool:
        """Load the files if they changed; whether they did. Blocks for as long as reading takes.

        Raises ValueError if they cannot be used. The certificate before stays in use then.
        """
        contents = self._contents()
        if contents == self._read:
            return False
        # A failed load leaves a context without a certificate, so another one is tried first.
        _load(_new_context(), self._certificate, self._key)
        _load(self.context, self._certificate, self._key)
        self._read = contents
        return True

    async def keep_fresh(self) -> NoReturn:
        """Load the files again and again."""
        problem = ""
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                if await asyncio.to_thread(self.refresh):
                    _log.info("a new certificate for dnstap is in use")
                problem = ""
            except ValueError as error:
                if str(error) != problem:
                    problem = str(error)
                    _log.warning("%s; the certificate before stays in use", problem)

    def _contents(self) -> tuple[bytes, bytes]:
        return _read(self._certificate), _read(self._key)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # Without a password of our own OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", "") or str(error)
        raise ValueError(
            f"the certificate {certificate} and the key {key} cannot be used for TLS ({why}): "
            "give a PEM certificate and its own PEM key, without a passphrase"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
