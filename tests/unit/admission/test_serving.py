"""A certificate is replaced while the listener stays open."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from fleet_telemetry.admission.certificates.material import (
    CertificateError,
    KeyPair,
    new_authority,
    new_leaf,
    parse,
)
from fleet_telemetry.admission.certificates.metrics import CertificateMetrics
from fleet_telemetry.admission.certificates.options import CertificateOptions
from fleet_telemetry.admission.certificates.serving import ServingCertificate
from fleet_telemetry.admission.certificates.sources import FileSource
from tests.support.loops import run_and_close

HOST = "fleet-telemetry-webhook.fleet-telemetry.svc"
NOW = datetime.now(UTC)
AUTHORITY = new_authority(NOW)
NO_CHAIN = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def leaf() -> KeyPair:
    return new_leaf(AUTHORITY, HOST, NOW)


def serving(registry: CollectorRegistry | None = None) -> ServingCertificate:
    metrics = CertificateMetrics(registry or CollectorRegistry())
    return ServingCertificate(HOST, lambda: NOW, metrics.observe)


@asynccontextmanager
async def echo(certificate: ServingCertificate) -> AsyncIterator[int]:
    """An echo server; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=certificate.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def connect(
    port: int, trusted: KeyPair = AUTHORITY
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection of a client that trusts the CA, and the certificate of the server."""
    context = ssl.create_default_context(cadata=trusted.certificate)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=HOST
    )
    return reader, writer, writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


def der(pair: KeyPair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate)


def test_new_connections_get_the_new_certificate_and_old_ones_stay_open() -> None:
    async def check() -> None:
        certificate, first, second = serving(), leaf(), leaf()
        certificate.load(first)
        async with echo(certificate) as port:
            reader, writer, shown = await connect(port)
            assert shown == der(first)
            certificate.load(second)
            writer.write(b"still there\n")
            assert await reader.readline() == b"still there\n"
            writer.close()
            _, newer, shown = await connect(port)
            assert shown == der(second)
            newer.close()

    run_and_close(check())


def test_a_strict_client_accepts_our_certificates() -> None:
    """The strict mode of OpenSSL requires key identifiers and usages."""

    async def check() -> None:
        certificate = serving()
        certificate.load(leaf())
        context = ssl.create_default_context(cadata=AUTHORITY.certificate)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        async with echo(certificate) as port:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname=HOST
            )
            writer.close()
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(port, new_authority(NOW))

    run_and_close(check())


@pytest.mark.parametrize("broken", ["", "no PEM", pytest.param(AUTHORITY.key, id="a key")])
def test_a_certificate_that_cannot_be_loaded_does_not_replace_the_old_one(broken: str) -> None:
    async def check() -> None:
        certificate, first = serving(), leaf()
        certificate.load(first)
        with pytest.raises(CertificateError):
            certificate.load(KeyPair(leaf().certificate, broken))
        with pytest.raises(CertificateError):
            certificate.load(KeyPair(broken, leaf().key))
        other = leaf()
        with pytest.raises(CertificateError):
            certificate.load(KeyPair(other.certificate + NO_CHAIN, other.key))
        async with echo(certificate) as port:
            _, writer, shown = await connect(port)
            assert shown == der(first)
            writer.close()

    run_and_close(check())


def test_nothing_is_loaded_before_the_first_certificate() -> None:
    certificate = serving()
    assert not certificate.is_loaded
    with pytest.raises(CertificateError):
        certificate.load(KeyPair("", ""))
    assert not certificate.is_loaded
    certificate.load(leaf())
    assert certificate.is_loaded


def test_the_metric_is_the_expiry() -> None:
    registry = CollectorRegistry()
    certificate, pair = serving(registry), leaf()
    certificate.load(pair)
    expiry = registry.get_sample_value(
        "fleet_telemetry_webhook_certificate_expiry_timestamp_seconds"
    )
    assert expiry == parse(pair.certificate).not_valid_after_utc.timestamp()


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (new_leaf(AUTHORITY, "other.ns.svc", NOW), f"it is not valid for {HOST}"),
        (new_leaf(AUTHORITY, HOST, NOW - timedelta(days=100)), "it expired on"),
        (new_leaf(AUTHORITY, HOST, NOW + timedelta(days=1)), "it is not valid before"),
        (AUTHORITY, f"it is not valid for {HOST}"),
    ],
)
def test_an_untrusted_certificate_is_served_with_a_warning(
    pair: KeyPair, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        serving().load(pair)
    assert problem in caplog.text
    assert pair.key not in caplog.text


def test_files_are_loaded_when_they_change(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    options = CertificateOptions(namespace="n", host=HOST, certificate=certificate, key=key)
    serves = serving()
    assert options.certificate is not None
    assert options.key is not None
    source = FileSource(serves, options.certificate, options.key)

    def write(pair: KeyPair) -> None:
        certificate.write_text(pair.certificate)
        key.write_text(pair.key)

    async def check() -> None:
        with pytest.raises(FileNotFoundError):
            await source.refresh()
        first, second = leaf(), leaf()
        write(first)
        await source.refresh()
        async with echo(serves) as port:
            write(KeyPair(second.certificate, first.key))
            with pytest.raises(CertificateError, match=r"tls\.crt.*belongs to another"):
                await source.refresh()
            _, writer, shown = await connect(port)
            assert shown == der(first)
            writer.close()
            write(second)
            await source.refresh()
            _, writer, shown = await connect(port)
            assert shown == der(second)
            writer.close()

    run_and_close(check())
