"""When what is renewed, so that the API server trusts every certificate that is ever served.

A CA is in the bundle that the API server trusts before it signs anything, and until all that it
signed has expired. The steps follow from the certificates' own dates and from nothing else, so any
replica takes them at any time, and two replicas take the same.

    created ............ trusted, signs nothing yet; the CA before it still signs
    + TRUST_DELAY ...... signs; the key of the CA before it is forgotten
    + LEAF_LIFETIME .... the CA before it is no longer trusted, what it signed has expired
    + 5 years .......... the next one is created
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet_telemetry.admission.certificates.material import (
    LEAF_LIFETIME,
    MaterialError,
    Pair,
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
"""From a CA's creation to its first signature: long enough for every API server to hear of it."""

CERTIFICATE = "tls.crt"
KEY = "tls.key"
BUNDLE = "ca.crt"
_PREVIOUS_CERTIFICATE = "previous.crt"
_PREVIOUS_KEY = "previous.key"


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CA, and the one before it while something of it may be in use."""

    current: Pair
    previous: Pair | None = None

    @property
    def bundle(self) -> str:
        """Everything that the API server has to trust, PEM."""
        return self.current.certificate + (self.previous.certificate if self.previous else "")

    def signer(self, now: datetime) -> Pair:
        """The one that signs now."""
        previous = self.previous
        if previous is None or not previous.key or _signs(self.current, now):
            return self.current
        return previous if _is_valid(previous, now) else self.current


def read_authorities(data: Mapping[str, str]) -> Authorities | None:
    """What the CA's Secret holds, decoded; None where it is empty. Raises MaterialError."""
    if not data.get(CERTIFICATE) and not data.get(KEY):
        return None
    current = Pair(data.get(CERTIFICATE, ""), data.get(KEY, ""))
    if not is_authority(check_key(current)):
        raise MaterialError("its certificate is not a CA's")
    if not data.get(_PREVIOUS_CERTIFICATE):
        return Authorities(current)
    previous = Pair(data[_PREVIOUS_CERTIFICATE], data.get(_PREVIOUS_KEY, ""))
    check_key(previous) if previous.key else parse(previous.certificate)
    return Authorities(current, previous)


def write_authorities(authorities: Authorities) -> dict[str, str]:
    """What belongs into the CA's Secret."""
    data = {
        CERTIFICATE: authorities.current.certificate,
        KEY: authorities.current.key,
    }
    if authorities.previous:
        data[_PREVIOUS_CERTIFICATE] = authorities.previous.certificate
        if authorities.previous.key:
            data[_PREVIOUS_KEY] = authorities.previous.key
    return data


def read_leaf(data: Mapping[str, str]) -> Pair | None:
    """What the webhook's Secret holds, decoded; None where it is empty."""
    leaf = Pair(data.get(CERTIFICATE, ""), data.get(KEY, ""))
    return leaf if leaf.certificate or leaf.key else None


def write_leaf(leaf: Pair, authorities: Authorities) -> dict[str, str]:
    """What belongs into the webhook's Secret."""
    return {CERTIFICATE: leaf.certificate, KEY: leaf.key, BUNDLE: authorities.bundle}


def next_authorities(
    found: Authorities | None, leaf: Pair | None, bundle: str, now: datetime
) -> Authorities:
    """The CAs as they should be now.

    Where the CA is lost, the one that signed the leaf stays trusted if the bundle beside the leaf
    still has it, so that replicas may go on with the leaf.
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
        return Authorities(current, Pair(previous.certificate))
    return found


def next_leaf(leaf: Pair | None, authorities: Authorities, host: str, now: datetime) -> Pair:
    """The leaf as it should be now: the same, or a new one."""
    if leaf is not None and _will_do(leaf, authorities, host, now):
        return leaf
    return new_leaf(authorities.signer(now), host, now)


def _will_do(leaf: Pair, authorities: Authorities, host: str, now: datetime) -> bool:
    try:
        certificate = check_key(leaf)
    except MaterialError:
        return False
    if any(problems(certificate, host, now)):
        return False
    if now >= created(certificate) + LEAF_RENEWED_AFTER:
        return False
    trusted = (parse(authority) for authority in split(authorities.bundle))
    return any(is_signed_by(certificate, authority) for authority in trusted)


def _issuer(leaf: Pair | None, bundle: str) -> Pair | None:
    try:
        certificate = parse(leaf.certificate) if leaf else None
    except MaterialError:
        return None
    for authority in split(bundle) if certificate else ():
        assert certificate is not None
        if is_signed_by(certificate, parse(authority)):
            return Pair(authority)
    return None


def _signs(authority: Pair, now: datetime) -> bool:
    return now >= created(parse(authority.certificate)) + TRUST_DELAY


def _is_valid(authority: Pair, now: datetime) -> bool:
    certificate = parse(authority.certificate)
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
