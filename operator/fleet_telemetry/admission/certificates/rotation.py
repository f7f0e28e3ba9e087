"""The rotation of the CA and the leaf. The API server trusts every certificate that is served.

A CA is in the trusted bundle before it signs anything, and until everything that it signed has
expired. The steps depend on the dates of the certificates only. So any replica can take a step at
any time, and two replicas take the same step.

    created ............ trusted, does not sign yet; the previous CA still signs
    + TRUST_DELAY ...... signs; the key of the previous CA is deleted
    + LEAF_LIFETIME .... the previous CA is no longer trusted; what it signed has expired
    + 5 years .......... the next CA is created
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet_telemetry.admission.certificates.material import (
    LEAF_LIFETIME,
    CertificateError,
    KeyPair,
    check_key,
    created,
    is_authority,
    is_signed_by,
    new_authority,
    new_leaf,
    parse,
    problems,
    split,
)

LEAF_RENEWED_AFTER = LEAF_LIFETIME * 2 / 3
AUTHORITY_RENEWED_AFTER = timedelta(days=1825)
TRUST_DELAY = timedelta(days=1)
"""From the creation of a CA to its first signature. Every API server knows the CA by then."""

CERTIFICATE = "tls.crt"
KEY = "tls.key"
BUNDLE = "ca.crt"
_PREVIOUS_CERTIFICATE = "previous.crt"
_PREVIOUS_KEY = "previous.key"


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CA, and the previous CA while its certificates may be in use."""

    current: KeyPair
    previous: KeyPair | None = None

    @property
    def bundle(self) -> str:
        """The certificates that the API server must trust, as PEM."""
        return self.current.certificate + (self.previous.certificate if self.previous else "")

    def signer(self, now: datetime) -> KeyPair:
        """The CA that signs now."""
        previous = self.previous
        if previous is None or not previous.key or _signs(self.current, now):
            return self.current
        return previous if _is_valid(previous, now) else self.current


def read_authorities(data: Mapping[str, str]) -> Authorities | None:
    """The CAs from the decoded data of the CA Secret; None if it is empty. Raises
    CertificateError."""
    if not data.get(CERTIFICATE) and not data.get(KEY):
        return None
    current = KeyPair(data.get(CERTIFICATE, ""), data.get(KEY, ""))
    if not is_authority(check_key(current)):
        raise CertificateError("its certificate is not a CA certificate")
    if not data.get(_PREVIOUS_CERTIFICATE):
        return Authorities(current)
    previous = KeyPair(data[_PREVIOUS_CERTIFICATE], data.get(_PREVIOUS_KEY, ""))
    check_key(previous) if previous.key else parse(previous.certificate)
    return Authorities(current, previous)


def write_authorities(authorities: Authorities) -> dict[str, str]:
    """The data of the CA Secret, not encoded."""
    data = {
        CERTIFICATE: authorities.current.certificate,
        KEY: authorities.current.key,
    }
    if authorities.previous:
        data[_PREVIOUS_CERTIFICATE] = authorities.previous.certificate
        if authorities.previous.key:
            data[_PREVIOUS_KEY] = authorities.previous.key
    return data


def read_leaf(data: Mapping[str, str]) -> KeyPair | None:
    """The leaf from the decoded data of the webhook's Secret; None if it is empty."""
    leaf = KeyPair(data.get(CERTIFICATE, ""), data.get(KEY, ""))
    return leaf if leaf.certificate or leaf.key else None


def write_leaf(leaf: KeyPair, authorities: Authorities) -> dict[str, str]:
    """The data of the webhook's Secret, not encoded."""
    return {CERTIFICATE: leaf.certificate, KEY: leaf.key, BUNDLE: authorities.bundle}


def next_authorities(
    found: Authorities | None, leaf: KeyPair | None, bundle: str, now: datetime
) -> Authorities:
    """The CAs that should exist now.

    If the CA is lost, the CA that signed the leaf stays trusted as long as the bundle next to the
    leaf contains it. So replicas can keep serving with the leaf.
    """
    if found is None or not _is_valid(found.current, now):
        lost = _issuer(leaf, bundle)
        trusted = lost is not None and _is_valid(lost, now)
        return Authorities(new_authority(now), lost if trusted else None)
    current, previous = found.current, found.previous
    age = now - created(parse(current.certificate))
    if age >= AUTHORITY_RENEWED_AFTER:
        return Authorities(new_authority(now), current)
    if previous is None or age >= TRUST_DELAY + LEAF_LIFETIME or not _is_valid(previous, now):
        return Authorities(current)
    if age >= TRUST_DELAY:
        return Authorities(current, KeyPair(previous.certificate))
    return found


def next_leaf(leaf: KeyPair | None, authorities: Authorities, host: str, now: datetime) -> KeyPair:
    """The leaf that should be served now: the same or a new one."""
    if leaf is not None and _is_usable(leaf, authorities, host, now):
        return leaf
    return new_leaf(authorities.signer(now), host, now)


def _is_usable(leaf: KeyPair, authorities: Authorities, host: str, now: datetime) -> bool:
    try:
        certificate = check_key(leaf)
    except CertificateError:
        return False
    if any(problems(certificate, host, now)):
        return False
    if now >= created(certificate) + LEAF_RENEWED_AFTER:
        return False
    trusted = (parse(authority) for authority in split(authorities.bundle))
    return any(is_signed_by(certificate, authority) for authority in trusted)


def _issuer(leaf: KeyPair | None, bundle: str) -> KeyPair | None:
    try:
        certificate = parse(leaf.certificate) if leaf else None
    except CertificateError:
        return None
    for authority in split(bundle) if certificate else ():
        assert certificate is not None
        if is_signed_by(certificate, parse(authority)):
            return KeyPair(authority)
    return None


def _signs(authority: KeyPair, now: datetime) -> bool:
    return now >= created(parse(authority.certificate)) + TRUST_DELAY


def _is_valid(authority: KeyPair, now: datetime) -> bool:
    certificate = parse(authority.certificate)
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
