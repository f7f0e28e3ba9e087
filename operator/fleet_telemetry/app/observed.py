"""The observer from the command line's options, which are checked here and nowhere else."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from fleet_telemetry.app.options import Options
from fleet_telemetry.controllers.observed.certificate import CertificateFiles
from fleet_telemetry.controllers.observed.options import ObserverOptions
from fleet_telemetry.egress.addresses import read_address
from fleet_telemetry.egress.dns.name_servers import NameServer, read_name_servers
from fleet_telemetry.egress.model import Address, Network

_RESOLV_CONF = Path("/etc/resolv.conf")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(_LABEL)
_DOMAIN = re.compile(rf"(?=.{{1,130}}\Z){_LABEL}(\.{_LABEL})*")
_MAPPED = IPv6Network("::ffff:0:0/96")


def observer_options(options: Options) -> ObserverOptions | None:
    """What the observer needs; None if DNS is not observed.

    Raises ValueError with a sentence for a person.
    """
    given = options.observed
    sources = tuple(map(_source, given.dnstap_sources))
    namespace, service = _dns_service(given.dns_service)
    if not _DOMAIN.fullmatch(given.cluster_domain):
        raise ValueError(
            f"--cluster-domain {given.cluster_domain!r} is no domain: write it in lower case and "
            "without a dot at the end, such as cluster.local"
        )
    if not given.observe:
        return None
    if not given.dnstap_service:
        raise ValueError(
            "--observe needs --dnstap-service, the Service that name servers report to"
        )
    if not _NAME.fullmatch(given.dnstap_service):
        raise ValueError(f"--dnstap-service {given.dnstap_service!r} is no name of a Service")
    if not given.dnstap_address:
        raise ValueError("--observe needs --dnstap-address, this pod's own IP address (env POD_IP)")
    address = _own_address(given.dnstap_address)
    host = _host(given.dnstap_host) if given.dnstap_host else str(address)
    _check_port(options, host)
    if bool(given.dnstap_tls_cert) != bool(given.dnstap_tls_key):
        raise ValueError("give both --dnstap-tls-cert and --dnstap-tls-key, or neither")
    if given.dnstap_tls_cert and given.dnstap_tls_key:
        CertificateFiles(given.dnstap_tls_cert, given.dnstap_tls_key)
    return ObserverOptions(
        namespace=options.namespace,
        service=given.dnstap_service,
        address=address,
        host=host,
        port=given.dnstap_port,
        dns_namespace=namespace,
        dns_service=service,
        sources=sources,
        cluster_domain=given.cluster_domain,
        certificate=given.dnstap_tls_cert,
        key=given.dnstap_tls_key,
        # On a local cluster, processes ask the machine's own name servers.
        path=None if options.loopback_pods else _path(),
    )


def _path() -> NameServer:
    """The name server that this pod asks first, as others do."""
    try:
        return read_name_servers(_RESOLV_CONF.read_text())[0]
    except OSError as error:
        why = f"{_RESOLV_CONF} cannot be read: {error.strerror or error}"
    except ValueError as error:
        why = str(error)
    raise ValueError(f"--observe: it is not known which name server pods ask, since {why}")


def _dns_service(text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise ValueError(
            f"--dns-service {text!r} is not NAMESPACE/NAME of a Service, such as "
            "kube-system/kube-dns"
        )
    return namespace, name


def _source(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"--dnstap-source {text!r} is no range of addresses, such as 10.0.0.0/24 or "
            "2001:db8::/64, without bits set behind the prefix"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(
            f"--dnstap-source {text} admits everybody, and whoever is admitted can report lookups "
            "that never were: name the addresses that name servers connect from"
        )
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        inner = IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
        raise ValueError(f"--dnstap-source {text}: write the IPv4 range, {inner}")
    return network


def _own_address(text: str) -> Address:
    try:
        address = read_address(text)
    except ValueError as error:
        raise ValueError(f"--dnstap-address: {error}") from None
    # What the API server refuses in an EndpointSlice.
    special = (
        address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
    )
    if special:
        raise ValueError(
            f"--dnstap-address {text}: an EndpointSlice cannot have it; give the address by which "
            "name servers reach this pod"
        )
    return address


def _host(text: str) -> str:
    try:
        return str(read_address(text))
    except ValueError as error:
        raise ValueError(f"--dnstap-host: {error}") from None


def _check_port(options: Options, host: str) -> None:
    """Raises ValueError if another server of this process has the port at the same address."""
    others = [("--http-port", options.http_host, options.http_port)]
    if options.role.serves_webhook:
        others.append(("--webhook-port", options.webhook_host, options.webhook_port))
    for name, other, port in others:
        everywhere = {"0.0.0.0", "::", ""}  # noqa: S104  # compared with, not listened on
        if port == options.observed.dnstap_port and (other == host or {other, host} & everywhere):
            raise ValueError(f"--dnstap-port {port} is {name}, too: give another one")
