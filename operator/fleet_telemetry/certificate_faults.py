"""What is wrong with the certificate of a server."""

from __future__ import annotations

import ssl
from enum import Enum, auto

# X509_V_ERR_... of OpenSSL
_EXPIRED = 10
_WRONG_NAME = (62, 64)


class CertificateFault(Enum):
    """The faults that have different remedies."""

    WRONG_NAME = auto()
    """It is for another name."""
    EXPIRED = auto()
    NOT_TRUSTED = auto()
    """Nobody who is trusted has signed it."""


def certificate_fault(error: ssl.SSLCertVerificationError) -> CertificateFault:
    """What an error of the check of a certificate is about."""
    if error.verify_code in _WRONG_NAME:
        return CertificateFault.WRONG_NAME
    is_expired = error.verify_code == _EXPIRED
    return CertificateFault.EXPIRED if is_expired else CertificateFault.NOT_TRUSTED
