"""What is added to a Corefile: which names are tapped, which are refused to whom, and the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from fleet_telemetry.api.policy import HOST_NAME
from fleet_telemetry.audit.corefile.refusing import By, RefusalRule, Refusals
from fleet_telemetry.audit.corefile.surroundings import CorefileSurroundings
from fleet_telemetry.objects.text import printable
from fleet_telemetry.observed.canary import CANARY_ADDRESS, CANARY_ZONE, LAST_DIGITS

_INDENT = "    "
_MOST_PRODUCTS = 4
_LONGEST_NOTE = 400
_HOST = re.compile(HOST_NAME.expression)
_LONGEST_HOST = 253
_NEGATIVE = "ns.fleettelemetry.invalid. hostmaster.fleettelemetry.invalid. 1 3600 600 86400 60"
"""Of the SOA record of a refusal: it may be cached for a minute."""
_SHARED_CANARIES = f"^[0-9a-f]*{LAST_DIGITS[1]}[.]{CANARY_ZONE.replace('.', '[.]')}[.]$"
"""Each server block has a connection of its own to the operator. So every other canary goes through
the block that refuses, or nobody would notice that its connection is broken."""
_LIMITS = (
    "A pod that asks another name server, by DNS over HTTPS, or that connects to an address that "
    "it knows, is not kept from anything. Names that are cached in a pod stay there."
)
_BY_ADDRESSES = (
    "These are the pods' addresses of now. Each new pod has another one, and an old one may go to "
    "a pod that is not meant: print and apply this again after every rollout, or use --by "
    "namespaces."
)
_BY_NAMESPACES = (
    "All pods of these namespaces are refused, whatever they run. CoreDNS watches all pods once "
    "more for it, and its service account has to be allowed to."
)


@dataclass(frozen=True, slots=True)
class Tap:
    """Where lookups are reported to: the operator's Service."""

    address: str
    port: int
    tls: bool = False
    skip_verify: bool = False

    @property
    def endpoint(self) -> str:
        """As the plug-in dnstap takes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What is added."""

    tap: Tap | None
    """None: nothing is reported."""
    hosts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Those to be tapped, each with the products that use it."""
    surroundings: CorefileSurroundings
    refusals: Refusals
    everything: bool = False
    """All lookups are reported, by a line in the main server block."""
    warnings: tuple[str, ...] = ()
    """More of them."""

    @property
    def zones(self) -> Mapping[str, frozenset[str]]:
        """The hosts that get a place in the block that taps, in order."""
        if self.tap is None:
            return {}
        return {host: self.hosts[host] for host in sorted(self.hosts) if self._is_taken(host)}

    @property
    def rules(self) -> tuple[RefusalRule, ...]:
        """The refusals that a block can be made for."""
        if self.everything:
            return ()
        found = (
            (rule.clients, tuple(host for host in rule.hosts if self._is_taken(host)))
            for rule in self.refusals.rules
        )
        return tuple(RefusalRule(clients, hosts) for clients, hosts in found if hosts)

    def _is_taken(self, host: str) -> bool:
        return host not in dict(self.surroundings.left_out) and is_plain_host(host)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know, a sentence or two each."""
        return tuple(printable(one, _LONGEST_NOTE) for one in dict.fromkeys(self._notes()))

    def _notes(self) -> Iterator[str]:
        if self.tap is not None:
            yield from self._about_tap(self.tap)
        yield from self._left_out()
        if self.everything and self.refusals.rules:
            yield "Nothing is refused with --everything: print the refusals without it, too."
        if not self.everything:
            yield from self.surroundings.warnings
        yield from self.warnings
        yield from self.refusals.warnings
        if self.rules:
            yield _BY_ADDRESSES if self.refusals.by is By.ADDRESSES else _BY_NAMESPACES
            yield _LIMITS

    def _about_tap(self, tap: Tap) -> Iterator[str]:
        if not self.everything and not self.zones:
            yield "No telemetry host is known of what runs, so only canaries are reported."
        if tap.skip_verify:
            yield (
                "skipverify: whoever can take the operator's place on the network reads the "
                "lookups, and the operator sees nothing."
            )
        elif tap.tls:
            yield (
                "tls: CoreDNS trusts the CAs of its own image alone, and the certificate has to be "
                "for the IP address. Otherwise it reports nothing; see docs/corefile.md."
            )

    def _left_out(self) -> Iterator[str]:
        if self.everything:
            return
        wanted = {*(self.hosts if self.tap is not None else ()), *self.refusals.hosts}
        for host in sorted(wanted):
            if not is_plain_host(host):
                yield f"Left out: {host} is not a host name that the API accepts."
        for host, why in self.surroundings.left_out:
            if host in wanted:
                yield f"Left out: {host}: {why}."


def is_plain_host(host: str) -> bool:
    """Whether a name is one that the API accepts: nothing else becomes a part of a Corefile."""
    return len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) is not None and "\n" not in host


def server_blocks(added: Addition) -> Iterator[str]:
    """The lines of the server blocks."""
    if added.rules:
        yield from _refusing_block(added)
    if added.tap is not None:
        if added.rules:
            yield ""
        yield from _tapping_block(added)


def main_lines(added: Addition) -> Iterator[str]:
    """The lines that are added to the main server block, to report all lookups."""
    assert added.tap is not None
    yield from _dnstap(added.tap)
    yield from _canaries()


def _refusing_block(added: Addition) -> Iterator[str]:
    hosts = sorted({host for rule in added.rules for host in rule.hosts})
    for policy in added.refusals.policies:
        yield f"# Refused for {printable(policy, _LONGEST_NOTE)}."
    canaries = [CANARY_ZONE] if added.tap is not None else []
    yield from _keys([*hosts, *canaries], added.surroundings)
    body: list[str] = ["view fleet-telemetry-refused {", f'{_INDENT}expr "', *_condition(added)]
    body += [f'{_INDENT}"', "}"]
    if added.refusals.by is By.NAMESPACES:
        zones = " ".join(added.surroundings.kubernetes)
        options = ("pods verified", "noendpoints", *added.surroundings.connection)
        body += ["metadata", f"kubernetes {zones} {{"]
        body += [*(f"{_INDENT}{line}" for line in options), "}"]
    body += ["errors", *_copied(added.surroundings, "bind", "log")]
    if added.tap is not None:
        body += [*_dnstap(added.tap), *_canaries()]
    body += ["template ANY ANY {", f"{_INDENT}rcode NXDOMAIN"]
    body += [f'{_INDENT}authority "{{{{ .Zone }}}} 60 IN SOA {_NEGATIVE}"', "}"]
    yield from (f"{_INDENT}{line}" for line in body)
    yield "}"


def _condition(added: Addition) -> Iterator[str]:
    """The lines of an expression that is true for each lookup that is refused: of the name itself,
    whatever the type, and not of names below it."""
    either = ""
    for rule in added.rules:
        names = ", ".join(f"'{host}.'" for host in rule.hosts)
        yield f"{_INDENT * 2}{either}name() in [{names}]"
        yield f"{_INDENT * 2}   && {_client(rule, added.refusals.by)}"
        either = "|| "
    if added.tap is not None:
        yield f"{_INDENT * 2}{either}name() matches '{_SHARED_CANARIES}'"


def _client(rule: RefusalRule, by: By) -> str:
    if by is By.NAMESPACES:
        found = ", ".join(f"'{one}'" for one in rule.clients)
        return f"metadata('kubernetes/client-namespace') in [{found}]"
    return f"client_ip() in [{', '.join(_addresses(rule.clients))}]"


def _addresses(clients: Iterable[str]) -> Iterator[str]:
    for client in clients:
        yield f"'{client}'"
        if isinstance(ip_address(client), IPv6Address):
            # By its documentation, CoreDNS has them in brackets.
            yield f"'[{client}]'"


def _tapping_block(added: Addition) -> Iterator[str]:
    around = added.surroundings
    yield from _keys([*added.zones, CANARY_ZONE], around, added.zones)
    assert added.tap is not None
    body = ["errors", *_dnstap(added.tap), *_canaries(), *_copied(around)]
    if not around.has_cache:
        body.append("cache 30")
    if not around.has_forward:
        body.append("forward . /etc/resolv.conf")
    yield from (f"{_INDENT}{line}" for line in body)
    yield "}"


def _copied(around: CorefileSurroundings, *names: str) -> list[str]:
    """The lines of the copied directives; of all without ``names``."""
    return [
        line
        for copy in around.copied
        if not names or copy[0].split(" ", 1)[0] in names
        for line in copy
    ]


def _keys(
    names: list[str], around: CorefileSurroundings, uses: Mapping[str, frozenset[str]] | None = None
) -> Iterator[str]:
    port = f":{around.port}" if around.has_port else ""
    for name in names[:-1]:
        yield f"{name}{port},{_products((uses or {}).get(name, frozenset()))}"
    yield f"{names[-1]}{port} {{"


def _products(products: frozenset[str]) -> str:
    if not products:
        return ""
    named = sorted(products)
    more = f" and {len(named) - _MOST_PRODUCTS} more" if len(named) > _MOST_PRODUCTS else ""
    return f"  # {printable(', '.join(named[:_MOST_PRODUCTS]), _LONGEST_NOTE)}{more}"


def _dnstap(tap: Tap) -> list[str]:
    if tap.skip_verify:
        return [f"dnstap {tap.endpoint} full {{", f"{_INDENT}skipverify", "}"]
    return [f"dnstap {tap.endpoint} full"]


def _canaries() -> list[str]:
    """Canaries have an address, and nothing else."""
    return [
        f"template IN A {CANARY_ZONE} {{",
        f'{_INDENT}answer "{{{{ .Name }}}} 0 IN A {CANARY_ADDRESS}"',
        "}",
        f"template ANY ANY {CANARY_ZONE} {{",
        f"{_INDENT}rcode NOERROR",
        "}",
    ]
