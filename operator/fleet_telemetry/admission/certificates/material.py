"""Certificates and keys: creation, parsing and verification. Pure except for random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED = timedelta(hours=1)
"""Certificates are valid from before their creation, so that a client with a slow clock accepts
them."""
LEAF_LIFETIME = timedelta(days=90)
AUTHORITY_LIFETIME = timedelta(days=3650)


class CertificateError(ValueError):
    """A certificate or key that cannot be used. The message contains nothing of a key."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, followed by its chain if any, and its private key; both PEM.

    The key is empty for a CA that no longer signs.
    """

    certificate: str
    key: str = field(default="", repr=False)


def parse(pem: str) -> x509.Certificate:
    """The first certificate in a PEM text. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise CertificateError("there is no PEM certificate") from error


def split(bundle: str) -> tuple[str, ...]:
    """The certificates of a bundle, each as PEM. Empty if one of them cannot be parsed."""
    try:
        found = x509.load_pem_x509_certificates(bundle.encode())
    except ValueError:
        return ()
    return tuple(_pem(certificate) for certificate in found)


def created(certificate: x509.Certificate) -> datetime:
    """The creation time of a certificate that the operator created."""
    return certificate.not_valid_before_utc + BACKDATED


def check_key(pair: KeyPair) -> x509.Certificate:
    """The certificate, if it belongs to the key. Raises CertificateError."""
    certificate = parse(pair.certificate)
    try:
        key = load_pem_private_key(pair.key.encode(), password=None)
        belongs = key.public_key() == certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError("there is no unencrypted PEM private key") from error
    if not belongs:
        raise CertificateError("the private key belongs to another certificate")
    return certificate


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate may sign others."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether this CA signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def problems(certificate: x509.Certificate, host: str, now: datetime) -> Iterator[str]:
    """Why a client that connects to the host would not accept the certificate now."""
    if host not in _hosts(certificate):
        yield f"it is not valid for {host}"
    if now < certificate.not_valid_before_utc:
        yield f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if now >= certificate.not_valid_after_utc:
        yield f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.value.get_values_for_type(x509.DNSName)


def new_authority(now: datetime) -> KeyPair:
    """A self-signed CA that may sign leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"fleet-telemetry webhook CA {now:%Y-%m-%d}")
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key, now, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(_pem(certificate), _key_pem(key))


def new_leaf(authority: KeyPair, host: str, now: datetime) -> KeyPair:
    """A serving certificate for a host. Raises CertificateError for a CA without a usable key."""
    issuer = check_key(authority)
    signing = load_pem_private_key(authority.key.encode(), password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise CertificateError("the key of the CA is not an elliptic-curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    of_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_issuer)
    certificate = (
        # A common name has at most 64 characters. Clients use the alternative names only.
        _builder(_name("fleet-telemetry webhook"), issuer.subject, key, now, LEAF_LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signing, hashes.SHA256())
    )
    return KeyPair(_pem(certificate), _key_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
