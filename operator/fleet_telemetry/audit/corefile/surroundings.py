"""What a cluster's own Corefile means for the server blocks that are added to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.audit.corefile.foreign import (
    DNS_PORT,
    Block,
    Corefile,
    Directive,
    Zone,
    zone_of,
)
from fleet_telemetry.audit.corefile.words import CorefileError, words_of, written
from fleet_telemetry.objects.text import printable
from fleet_telemetry.observed.canary import CANARY_ZONE

_COPIED = frozenset({"bind", "log", "acl", "cache", "template", "hosts", "dns64", "forward"})
"""What decides how a name outside of the cluster is answered, and works in any server block."""
_INDIFFERENT = frozenset(
    (
        "any",
        "bufsize",
        "cancel",
        "chaos",
        "debug",
        "dnstap",
        "errors",
        "health",
        "kubernetes",
        "loadbalance",
        "local",
        "loop",
        "metadata",
        "minimal",
        "multisocket",
        "nsid",
        "pprof",
        "prometheus",
        "ready",
        "reload",
        "root",
        "shed",
        "startup",
        "timeouts",
        "trace",
        "whoami",
    )
)
"""What makes no difference to the answers for such a name."""
_OWN_WARNING = frozenset({"autopath", "rewrite"})
_ZONES = frozenset(
    (
        "auto",
        "azure",
        "clouddns",
        "etcd",
        "file",
        "k8s_external",
        "kubernetes",
        "nomad",
        "route53",
        "secondary",
    )
)
"""Plug-ins whose arguments are the zones that they answer for."""
_WIDE_REWRITES = frozenset({"prefix", "regex", "substring", "suffix"})
_TAKES_AWAY = (
    "the main server block answers names of the cluster above or below it, and a block of its own "
    "would take them away"
)
_ADD = "add the line dnstap to that block to see its lookups"
_CONNECTION = frozenset({"endpoint", "kubeconfig", "tls"})
"""Options of the plug-in kubernetes that say where the API server is."""
_NAMED = 3
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CorefileSurroundings:
    """What added server blocks take over, and what stands in their way."""

    port: str = DNS_PORT
    has_port: bool = True
    """The main server block names its port."""
    copied: tuple[tuple[str, ...], ...] = ()
    """Directives of the main server block: the lines of each, with the blocks in them."""
    has_forward: bool = False
    has_cache: bool = False
    kubernetes: tuple[str, ...] = ("cluster.local",)
    """The zones of the cluster's own names."""
    connection: tuple[str, ...] = ()
    """How the main server block reaches the API server; empty for the usual way."""
    verifies_pods: bool = False
    """The name servers know the cluster's pods already."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Hosts that no block may be added for, and why."""
    warnings: tuple[str, ...] = ()


UNKNOWN = CorefileSurroundings(
    warnings=(
        (
            "The cluster's Corefile is not read, so names are forwarded to /etc/resolv.conf: "
            "compare it with the line forward of your main server block."
        ),
    )
)
"""Where the Corefile could not be read."""


def survey(found: Corefile, hosts: Collection[str], endpoint: str) -> CorefileSurroundings:
    """What a Corefile means for blocks of these hosts. ``endpoint`` is where the lookups go, such
    as ``tcp://10.96.0.7:6000``; empty if nowhere."""
    others = [block for block in found.blocks if not _is_ours(block)]
    main = next((one for one in others if _main_zone(one) is not None), None)
    zone = _main_zone(main) if main is not None else None
    if main is None or zone is None:
        warnings = (
            "It has no server block for all names, so names are forwarded to /etc/resolv.conf.",
        )
        return CorefileSurroundings(
            warnings=(*found.problems, *warnings, *_outdated(found, endpoint))
        )
    cluster = tuple(_zones_of(main.all_of("kubernetes"))) or ("cluster.local",)
    left_out = dict(_left_out(main, [one for one in others if one is not main], hosts, zone.port))
    copied, uncopied = _copies(main)
    return CorefileSurroundings(
        port=zone.port,
        has_port=zone.has_port,
        copied=copied,
        has_forward=bool(main.all_of("forward")),
        has_cache=bool(main.all_of("cache")),
        kubernetes=tuple(one for one in cluster if not one.endswith(".arpa")) or cluster,
        connection=tuple(line for one in main.all_of("kubernetes") for line in _connection_of(one)),
        verifies_pods=any(
            line[:2] == ("pods", "verified")
            for one in main.all_of("kubernetes")
            for line in one.properties
        ),
        left_out=tuple(sorted(left_out.items())),
        warnings=(
            *found.problems,
            *_forwarding(main),
            *uncopied,
            *_autopath(main),
            *_rewrites(found, hosts),
            *_outdated(found, endpoint),
        ),
    )


def _is_ours(block: Block) -> bool:
    return any(zone.name == CANARY_ZONE for zone in block.zones)


def _main_zone(block: Block) -> Zone | None:
    """The key by which a block is for all names; None if it is not."""
    return next((one for one in block.zones if one.covers_all and one.transport == "dns"), None)


def _left_out(
    main: Block, others: Iterable[Block], hosts: Collection[str], port: str
) -> Iterator[tuple[str, str]]:
    zones = {
        zone.name: "a server block"
        for block in others
        for zone in block.zones
        if zone.transport == "dns" and zone.port == port and zone.name
    }
    for host in hosts:
        above = next((one for one in _upwards(host) if one in zones), None)
        if above is not None:
            yield host, f"the Corefile has a server block for {above}, which answers it; {_ADD}"
    answered = set(_zones_of(one for one in main.directives if one.name in _ZONES))
    below = {above for name in answered for above in _upwards(name)}
    for host in hosts:
        if host in below or any(one in answered for one in _upwards(host)):
            yield host, _TAKES_AWAY


def _upwards(name: str) -> Iterator[str]:
    """A name, and all that are above it."""
    while name:
        yield name
        name = name.partition(".")[2]


def _zones_of(directives: Iterable[Directive]) -> Iterator[str]:
    for one in directives:
        for argument in one.arguments:
            name = zone_of(argument).name
            if name and "/" not in name:
                yield name


def _connection_of(one: Directive) -> Iterator[str]:
    lines = written(one.words, indent="")
    if _is_faithful(one, lines):
        yield from (line for line in lines if line.split(" ", 1)[0] in _CONNECTION)


def _copies(main: Block) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The directives that are copied, and warnings about what is not."""
    copies: list[tuple[str, ...]] = []
    warnings: list[str] = []
    strange: dict[str, None] = {}
    for one in main.directives:
        if one.name in _COPIED and CANARY_ZONE not in one.arguments:
            copy = written(one.words)
            if _is_faithful(one, copy):
                copies.append(tuple(copy))
            else:
                warnings.append(
                    f"The line {one.words[0].shown} of the main server block is not copied, "
                    "because it has control characters or cannot be written again: copy it by hand."
                )
        elif one.name not in _COPIED | _INDIFFERENT | _OWN_WARNING:
            strange[one.words[0].shown] = None
    if strange:
        names = list(strange)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        warnings.append(
            f"The main server block has {', '.join(names[:_NAMED])}{more}, which the added blocks "
            "do not have: if it matters for these names, copy it by hand."
        )
    return tuple(copies), tuple(warnings)


def _is_faithful(one: Directive, copy: Iterable[str]) -> bool:
    """Whether the copy has the same words, and nothing that would change a terminal."""
    lines = list(copy)
    if not all(
        part.isprintable() for line in lines for part in line.replace("\t", " ").split("\n")
    ):
        return False
    try:
        again = words_of("\n".join(lines))
    except CorefileError:
        return False
    return [(word.text, word.quoted) for word in again] == [
        (word.text, word.quoted) for word in one.words
    ]


def _forwarding(main: Block) -> Iterator[str]:
    if not main.all_of("forward"):
        yield (
            "The main server block has no line forward, so names are forwarded to "
            "/etc/resolv.conf: correct that if it finds names elsewhere."
        )


def _autopath(main: Block) -> Iterator[str]:
    if main.all_of("autopath"):
        yield (
            "The main server block has autopath: a pod's first question, with a search domain, is "
            "answered at once, so the added blocks see and refuse nothing of such pods. Remove "
            "autopath, or tap all lookups with --everything."
        )


def _rewrites(found: Corefile, hosts: Collection[str]) -> Iterator[str]:
    known = set(hosts)
    for block in found.blocks:
        for one in block.all_of("rewrite"):
            words = {word.text.lower().rstrip(".") for word in one.words}
            host = min(known & words, default="")
            if host:
                yield (
                    f"A line rewrite of the Corefile names {host}: who asks for a rewritten name "
                    "is answered without the added blocks, or otherwise than before."
                )
            elif words & _WIDE_REWRITES:
                yield (
                    "A line rewrite of the Corefile is about many names: what it rewrites to a "
                    "telemetry host is answered without the added blocks. See: "
                    + printable(" ".join(word.text for word in one.words), _LONGEST)
                )


def _outdated(found: Corefile, endpoint: str) -> Iterator[str]:
    """Taps that lead somewhere else than they should."""
    if not endpoint:
        return
    for block in found.blocks:
        for one in block.all_of("dnstap"):
            target = next(iter(one.arguments), "")
            if target == endpoint:
                continue
            shown = printable(target, _LONGEST)
            if _is_ours(block):
                yield (
                    f"The blocks that are there now report to {shown}, and the operator is at "
                    f"{endpoint}: replace them."
                )
            else:
                yield (
                    f"The Corefile has a dnstap of its own, to {shown}. It stays; lookups that the "
                    "added blocks answer are no longer reported there."
                )
