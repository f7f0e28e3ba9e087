"""Options for observing DNS that are refused before anything starts."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import fields
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleet_telemetry.app.observed import observer_options
from fleet_telemetry.app.options import ObservedSettings, Options, Role
from fleet_telemetry.cli.main import main
from fleet_telemetry.controllers.observed.options import ObserverOptions
from tests.support.every import every

OWN = ["--namespace=fleet-telemetry", "--dns-server=127.0.0.1"]
ON = ["--observe", "--dnstap-service=fto-dnstap", "--dnstap-address=10.1.2.3"]


def options(role: Role = Role.CONTROLLER, **observed: object) -> Options:
    given = {"observe": True, "dnstap_service": "fto-dnstap", "dnstap_address": "10.1.2.3"}
    settings = ObservedSettings(**{**given, **observed})  # type: ignore[arg-type]
    return Options(
        role=role,
        namespace="fleet-telemetry",
        identity="one",
        lease="it",
        kubeconfig=None,
        http_host="0.0.0.0",
        http_port=8080,
        webhook_host="127.0.0.1",
        webhook_port=9443,
        loopback_pods=True,
        observed=settings,
    )


def refused(*given: str, command: str = "controller") -> str:
    tls = ["--tls-secret=it"] if command == "all" else []
    done = CliRunner().invoke(main, [command, *OWN, *tls, *given])
    assert done.exit_code == 2, done.output
    return re.sub(r"[\s│╭╮╰╯─]+", " ", done.output)


@every("command", ["controller", "all"])
@every(
    ("given", "problem"),
    [
        (["--observe", ON[2]], "--observe needs --dnstap-service"),
        (["--observe", ON[1]], "--observe needs --dnstap-address"),
        ([*ON, "--dnstap-service=a/b"], "'a/b' is no name of a Service"),
        ([*ON, "--dnstap-service=Dnstap"], "no name of a Service"),
        ([*ON, "--dnstap-address=pod"], "--dnstap-address: 'pod' is not an IP address"),
        ([*ON, "--dnstap-address=$(POD_IP)"], "is not an IP address"),
        ([*ON, "--dnstap-address=127.0.0.1"], "an EndpointSlice cannot have it"),
        ([*ON, "--dnstap-address=::1"], "an EndpointSlice cannot have it"),
        ([*ON, "--dnstap-address=fe80::1"], "an EndpointSlice cannot have it"),
        ([*ON, "--dnstap-address=fe80::1%eth0"], "has a zone"),
        ([*ON, "--dnstap-address=0.0.0.0"], "an EndpointSlice cannot have it"),
        ([*ON, "--dnstap-host=localhost"], "--dnstap-host: 'localhost' is not an IP address"),
        ([*ON, "--dnstap-port=0"], "--dnstap-port"),
        ([*ON, "--dnstap-port=65536"], "--dnstap-port"),
        ([*ON, "--dnstap-port=six"], "--dnstap-port"),
        ([*ON, "--dnstap-port=8080"], "--dnstap-port 8080 is --http-port, too"),
        (["--dns-service=kube-dns"], "'kube-dns' is not NAMESPACE/NAME of a Service"),
        (["--dns-service=a/b/c"], "is not NAMESPACE/NAME"),
        (["--dns-service=/kube-dns"], "is not NAMESPACE/NAME"),
        (["--dns-service=kube-system/Kube_DNS"], "is not NAMESPACE/NAME"),
        (["--dnstap-source=10.0.0.1/8"], "'10.0.0.1/8' is no range of addresses"),
        (["--dnstap-source=here"], "is no range of addresses"),
        (["--dnstap-source=10.0.0.0/33"], "is no range of addresses"),
        (["--dnstap-source=0.0.0.0/0"], "admits everybody"),
        (["--dnstap-source=::/0"], "admits everybody"),
        (["--dnstap-source=::ffff:10.0.0.0/104"], "write the IPv4 range, 10.0.0.0/8"),
        (["--cluster-domain=cluster.local."], "is no domain"),
        (["--cluster-domain="], "is no domain"),
        (["--cluster-domain=Cluster.local"], "is no domain"),
        (["--cluster-domain=" + "a." * 100 + "b"], "is no domain"),
        ([*ON, "--dnstap-tls-cert=/nowhere"], "give both --dnstap-tls-cert and --dnstap-tls-key"),
        ([*ON, "--dnstap-tls-key=/nowhere"], "give both --dnstap-tls-cert and --dnstap-tls-key"),
        (
            [*ON, "--dnstap-tls-cert=/nowhere", "--dnstap-tls-key=/nowhere"],
            "/nowhere cannot be read: No such file or directory",
        ),
    ],
)
def test_what_is_wrong_is_said(command: str, given: list[str], problem: str) -> None:
    assert problem in refused(*given, command=command)


def test_a_port_of_the_webhook_counts_where_the_process_serves_it() -> None:
    # Different addresses are different ports.
    assert observer_options(options(Role.ALL, dnstap_port=9443))
    with pytest.raises(ValueError, match="--dnstap-port 9443 is --webhook-port, too"):
        observer_options(options(Role.ALL, dnstap_port=9443, dnstap_host="127.0.0.1"))
    assert observer_options(options(dnstap_port=9443, dnstap_host="127.0.0.1"))


def test_what_the_observer_is_told() -> None:
    given = options(
        dnstap_sources=("192.0.2.0/24", "2001:db8::/64"),
        dns_service="openshift-dns/dns-default",
        dnstap_port=6001,
        cluster_domain="k8s.example",
    )
    assert observer_options(given) == ObserverOptions(
        namespace="fleet-telemetry",
        service="fto-dnstap",
        address=ip_address("10.1.2.3"),
        host="10.1.2.3",
        port=6001,
        dns_namespace="openshift-dns",
        dns_service="dns-default",
        sources=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")),
        cluster_domain="k8s.example",
    )


def test_a_mapped_address_is_an_ipv4_address() -> None:
    found = observer_options(options(dnstap_address="::ffff:10.1.2.3"))
    assert found is not None
    assert (str(found.address), found.host) == ("10.1.2.3", "10.1.2.3")


def test_it_is_off_by_default() -> None:
    assert observer_options(options(observe=False)) is None
    assert all(
        getattr(ObservedSettings(), one.name) is not True for one in fields(ObservedSettings)
    )


def pair(directory: Path, name: str, *, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate and its key, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    files = directory / f"{name}.crt", directory / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    cipher: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    )
    return files


def test_a_certificate_and_its_key_are_accepted(tmp_path: Path) -> None:
    certificate, key = pair(tmp_path, "good")
    found = observer_options(options(dnstap_tls_cert=certificate, dnstap_tls_key=key))
    assert found is not None
    assert (found.certificate, found.key) == (certificate, key)


@pytest.mark.parametrize("wrong", ["another key", "no key", "a passphrase", "a folder"])
def test_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path, wrong: str) -> None:
    certificate, key = pair(
        tmp_path, "one", password=b"secret" if wrong == "a passphrase" else None
    )
    if wrong == "another key":
        _, key = pair(tmp_path, "two")
    elif wrong == "no key":
        key.write_text("no key")
    elif wrong == "a folder":
        key.unlink()
        key.mkdir()
    said = refused(*ON, f"--dnstap-tls-cert={certificate}", f"--dnstap-tls-key={key}")
    expected = "Is a directory" if wrong == "a folder" else "cannot be used for TLS"
    assert expected in said
