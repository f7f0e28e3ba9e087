"""The served certificate is always trusted, in any order of replicas' steps and after any loss."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet_telemetry.admission.certificates.material import (
    LEAF_LIFETIME,
    CertificateError,
    KeyPair,
    is_signed_by,
    new_authority,
    new_leaf,
    parse,
    split,
)
from fleet_telemetry.admission.certificates.rotation import (
    AUTHORITY_RENEWED_AFTER,
    BUNDLE,
    LEAF_RENEWED_AFTER,
    TRUST_DELAY,
    next_authorities,
    next_leaf,
    read_authorities,
    read_leaf,
    write_authorities,
    write_leaf,
)
from tests.support.depth import scaled

HOST = "fleet-telemetry-webhook.fleet-telemetry.svc"
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def is_trusted(leaf: KeyPair, bundle: str, now: datetime, host: str = HOST) -> bool:
    """Whether a strict client accepts the leaf."""
    store = Store(x509.load_pem_x509_certificates(bundle.encode()))
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(host))
    try:
        verifier.verify(parse(leaf.certificate), [])
    except VerificationError:
        return False
    return True


@dataclass
class Secrets:
    """The two Secrets, and a clock."""

    now: datetime = START
    authority: dict[str, str] = field(default_factory=dict)
    leaf: dict[str, str] = field(default_factory=dict)

    def refresh(self, host: str = HOST) -> None:
        """The steps of a replica's refresh."""
        leaf = read_leaf(self.leaf)
        found = read_authorities(self.authority)
        authorities = next_authorities(found, leaf, self.leaf.get(BUNDLE, ""), self.now)
        self.authority = write_authorities(authorities)
        self.leaf = write_leaf(next_leaf(leaf, authorities, host, self.now), authorities)

    def after(self, time: timedelta) -> Secrets:
        """A refreshed copy at a later time."""
        later = Secrets(self.now + time, dict(self.authority), dict(self.leaf))
        later.refresh()
        return later

    @property
    def served(self) -> KeyPair:
        found = read_leaf(self.leaf)
        assert found is not None
        return found

    @property
    def bundle(self) -> str:
        return self.leaf[BUNDLE]

    @property
    def authorities(self) -> int:
        return len(split(self.bundle))


@pytest.fixture
def fresh() -> Secrets:
    secrets = Secrets()
    secrets.refresh()
    return secrets


def test_the_first_replica_creates_a_ca_and_a_leaf_that_is_trusted_at_once(fresh: Secrets) -> None:
    assert is_trusted(fresh.served, fresh.bundle, START)
    assert not is_trusted(fresh.served, fresh.bundle, START, "another.host.svc")
    assert fresh.authorities == 1


def test_a_client_with_a_slow_clock_trusts_it_too(fresh: Secrets) -> None:
    assert is_trusted(fresh.served, fresh.bundle, START - 59 * MINUTE)


def test_a_certificate_from_a_clock_hours_ahead_is_replaced_once(fresh: Secrets) -> None:
    right = fresh.after(-180 * MINUTE)
    assert not is_trusted(fresh.served, fresh.bundle, right.now)
    assert is_trusted(right.served, right.bundle, right.now)
    # The replica whose clock is ahead keeps it.
    ahead = right.after(180 * MINUTE)
    assert (ahead.authority, ahead.leaf) == (right.authority, right.leaf)


def test_nothing_changes_until_it_is_due(fresh: Secrets) -> None:
    for time in (timedelta(0), MINUTE, LEAF_RENEWED_AFTER - MINUTE):
        later = fresh.after(time)
        assert (later.authority, later.leaf) == (fresh.authority, fresh.leaf)


def test_a_leaf_is_renewed_a_month_before_the_old_one_expires(fresh: Secrets) -> None:
    later = fresh.after(LEAF_RENEWED_AFTER)
    assert later.served != fresh.served
    assert later.served.key != fresh.served.key
    assert later.authority == fresh.authority
    assert later.bundle == fresh.bundle
    assert is_trusted(fresh.served, later.bundle, later.now + 29 * DAY)
    assert is_trusted(later.served, fresh.bundle, later.now)


def test_a_ca_is_trusted_before_it_signs_and_until_all_it_signed_has_expired(
    fresh: Secrets,
) -> None:
    old = parse(split(fresh.bundle)[0])

    def is_from_old(secrets: Secrets) -> bool:
        return is_signed_by(parse(secrets.served.certificate), old)

    created = fresh.after(AUTHORITY_RENEWED_AFTER)
    assert created.authorities == 2
    # The leaf was due, too. The old CA signs it, because API servers may not know the new CA yet.
    assert is_from_old(created)
    assert "previous.key" in created.authority

    early = created.after(TRUST_DELAY - MINUTE)
    assert early.authority == created.authority

    signing = created.after(TRUST_DELAY)
    assert "previous.key" not in signing.authority
    assert signing.authorities == 2
    assert is_from_old(signing), "a valid leaf is kept"

    renewed = signing.after(LEAF_RENEWED_AFTER)
    assert not is_from_old(renewed)
    assert renewed.authorities == 2

    last = created.after(TRUST_DELAY + LEAF_LIFETIME - MINUTE)
    assert last.authorities == 2
    over = created.after(TRUST_DELAY + LEAF_LIFETIME)
    assert over.authorities == 1
    assert not is_from_old(over)
    assert "previous.crt" not in over.authority


@settings(max_examples=scaled(60), deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=1500 * 24), min_size=2, max_size=25))
def test_everything_is_trusted_over_decades_with_pauses_of_up_to_four_years(
    pauses: list[int],
) -> None:
    """Pauses in hours. The API server gets the bundle before any replica gets the leaf, and a
    replica may lag by one refresh."""
    before = Secrets()
    before.refresh()
    for hours in pauses:
        after = before.after(timedelta(hours=hours))
        assert is_trusted(after.served, after.bundle, after.now)
        # An API server that does not have the newest bundle yet.
        assert is_trusted(after.served, before.bundle, after.now)
        # A replica that has not read the newest leaf yet.
        if after.now <= parse(before.served.certificate).not_valid_after_utc:
            assert is_trusted(before.served, after.bundle, after.now)
        assert after.authorities <= 2
        assert after.after(timedelta(0)) == after, "a second refresh changes nothing"
        before = after


def test_after_everything_has_expired_a_new_ca_is_created(fresh: Secrets) -> None:
    later = fresh.after(timedelta(days=5000))
    assert is_trusted(later.served, later.bundle, later.now)
    assert later.authorities == 1


def test_an_emptied_ca_secret_gives_a_new_ca_and_loses_no_trust(fresh: Secrets) -> None:
    fresh.authority = {}
    later = fresh.after(DAY)
    assert later.served == fresh.served
    assert is_trusted(later.served, later.bundle, later.now)
    assert later.authorities == 2
    over = later.after(TRUST_DELAY + LEAF_LIFETIME)
    assert over.authorities == 1
    assert is_trusted(over.served, over.bundle, over.now)
    assert is_trusted(over.served, later.bundle, over.now)


def test_an_emptied_leaf_secret_gives_a_new_leaf(fresh: Secrets) -> None:
    fresh.leaf = {}
    later = fresh.after(DAY)
    assert later.authority == fresh.authority
    assert is_trusted(later.served, later.bundle, later.now)


def test_after_both_secrets_were_emptied_the_old_leaf_is_not_trusted(fresh: Secrets) -> None:
    fresh.authority, leaf, fresh.leaf = {}, fresh.served, {}
    later = fresh.after(DAY)
    assert not is_trusted(leaf, later.bundle, later.now)
    assert is_trusted(later.served, later.bundle, later.now)


def test_a_leaf_for_another_host_is_replaced(fresh: Secrets) -> None:
    other = "other-webhook.fleet-telemetry.svc"
    fresh.refresh(other)
    assert is_trusted(fresh.served, fresh.bundle, START, other)


@pytest.mark.parametrize("clock", [-2, 100])
def test_a_leaf_of_another_time_is_replaced(fresh: Secrets, clock: int) -> None:
    later = fresh.after(clock * DAY)
    assert later.served != fresh.served
    assert is_trusted(later.served, later.bundle, later.now)


def test_a_leaf_with_another_ones_key_is_replaced(fresh: Secrets) -> None:
    fresh.leaf["tls.key"] = new_authority(START).key
    later = fresh.after(MINUTE)
    assert is_trusted(later.served, later.bundle, later.now)


@pytest.mark.parametrize("key", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("value", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_a_leaf_that_cannot_be_read_is_replaced(fresh: Secrets, key: str, value: str) -> None:
    fresh.leaf[key] = value
    later = fresh.after(MINUTE)
    assert is_trusted(later.served, later.bundle, later.now)
    assert later.authority == fresh.authority


@pytest.mark.parametrize("key", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("value", ["", "no PEM"])
def test_a_ca_that_cannot_be_read_is_an_error_and_not_a_missing_ca(
    fresh: Secrets, key: str, value: str
) -> None:
    with pytest.raises(CertificateError):
        read_authorities({**fresh.authority, key: value})
    assert read_authorities({}) is None


def test_a_ca_secret_with_a_leaf_in_it_is_refused(fresh: Secrets) -> None:
    with pytest.raises(CertificateError, match="not a CA certificate"):
        read_authorities(fresh.leaf)


def test_a_leaf_of_a_ca_that_is_not_ours_is_replaced(fresh: Secrets) -> None:
    stranger = new_authority(START)
    leaf = new_leaf(stranger, HOST, START)
    fresh.leaf["tls.crt"], fresh.leaf["tls.key"] = leaf.certificate, leaf.key
    assert not is_trusted(leaf, fresh.bundle, START)
    later = fresh.after(MINUTE)
    assert is_trusted(later.served, later.bundle, later.now)


def test_a_key_is_not_in_the_representation() -> None:
    authority = new_authority(START)
    assert "PRIVATE" in authority.key
    assert "PRIVATE" not in repr(authority)


BLOCKS = st.sampled_from(["CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "X"])
GARBAGE = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda label, data: (
            f"-----BEGIN {label}-----\n{b64encode(data).decode()}\n-----END {label}-----\n"
        ),
        BLOCKS,
        st.binary(max_size=60),
    ),
    st.sampled_from([new_authority(START).certificate, new_authority(START).key]),
)
KEYS = st.sampled_from(["tls.crt", "tls.key", "ca.crt", "previous.crt", "previous.key", "more"])


@pytest.mark.thorough
@settings(max_examples=scaled(300), deadline=None)
@given(st.dictionaries(KEYS, GARBAGE), st.dictionaries(KEYS, GARBAGE))
def test_any_content_of_the_secrets_is_replaced_by_a_trusted_certificate(
    authority: dict[str, str], leaf: dict[str, str]
) -> None:
    """As in the webhook, a CA that cannot be read counts as missing."""
    try:
        read_authorities(authority)
    except CertificateError:
        authority = {}
    secrets = Secrets(START, authority, leaf)
    secrets.refresh()
    assert is_trusted(secrets.served, secrets.bundle, START)
    before = dict(secrets.authority), dict(secrets.leaf)
    secrets.refresh()
    assert (secrets.authority, secrets.leaf) == before
