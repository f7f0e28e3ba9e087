"""Why an HTTP exchange came to nothing, in the words that matter to whoever has to mend it."""

from __future__ import annotations

import ssl
from enum import Enum, auto

import httpx

from fleet_telemetry.certificate_faults import certificate_fault

_CUT = ("disconnected", "closed connection")


class HttpFault(Enum):
    """What went wrong."""

    WRONG_NAME = auto()
    """The certificate is for another name."""
    EXPIRED = auto()
    NOT_TRUSTED = auto()
    """Nobody who is trusted has signed the certificate."""
    NO_CONNECTION = auto()
    NO_TLS = auto()
    """What answers does not speak TLS as expected."""
    NO_HTTP = auto()
    """What answers does not speak HTTP as expected."""
    CUT = auto()
    """The connection ended in the middle."""
    PROXY = auto()
    """A proxy lets nothing through."""
    OTHER = auto()


def fault_of(error: Exception) -> HttpFault:
    """What an error of httpx is about; time-outs are told apart by their types already."""
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return HttpFault[certificate_fault(root).name]
    if isinstance(error, httpx.ProxyError):
        return HttpFault.PROXY
    if isinstance(error, httpx.ConnectError):
        return HttpFault.NO_TLS if isinstance(root, ssl.SSLError) else HttpFault.NO_CONNECTION
    if isinstance(error, httpx.RemoteProtocolError):
        return HttpFault.CUT if any(words in str(error) for words in _CUT) else HttpFault.NO_HTTP
    if isinstance(error, (httpx.ReadError, httpx.WriteError)):
        return HttpFault.CUT
    return HttpFault.OTHER


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
