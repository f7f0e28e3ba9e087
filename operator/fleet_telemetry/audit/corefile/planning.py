"""From workloads and what is known of the cluster's DNS to what is added to its Corefile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.product.channel import Sender
from fleet_telemetry.audit.corefile.addition import Addition, Tap
from fleet_telemetry.audit.corefile.foreign import Corefile, read_corefile
from fleet_telemetry.audit.corefile.refusing import By, RefusalCollector
from fleet_telemetry.audit.corefile.surroundings import UNKNOWN, survey
from fleet_telemetry.audit.judging import decide_on
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.audit.subject import Other
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.egress.host_use import HostUse, find_uses

_VERSION = re.compile(r"(?<![\d.])v?(\d{1,4})\.(\d{1,4})\.\d{1,4}")
_VIEW_SINCE = (1, 10)
_TLS_SINCE = (1, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsFacts:
    """What was read of the cluster's DNS."""

    corefile: str | None = None
    """The main file; None if it could not be read."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """The other files of its folder."""
    custom: Mapping[str, str] | None = None
    """The files of the ConfigMap coredns-custom; None if it could not be read."""
    image: str = ""
    """The image of CoreDNS; empty if not known."""
    node_local: bool | None = False
    """Whether NodeLocal DNSCache runs; None if that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorefileOptions:
    """What is asked for."""

    tap: Tap | None
    whole_catalogue: bool = False
    everything: bool = False
    custom: bool = False
    """It is to be a key of the ConfigMap coredns-custom."""
    by: By | None = None
    """None: by namespaces if the name servers know the pods anyway, else by addresses."""
    has_pods: bool = True
    """The workloads are a cluster's, with the pods that run."""


def plan_addition(
    gathered: Gathered, facts: DnsFacts, options: CorefileOptions, now: datetime
) -> Addition:
    """What to add. ``gathered`` is iterated once; its problems are complete afterwards."""
    definitions = Definitions().over(gathered.definitions)
    catalogue = _catalogue(definitions)
    found = _parsed(facts)
    collectors = [RefusalCollector(one) for one in ([options.by] if options.by else By)]
    uses: dict[str, set[str]] = {}
    for subject in gathered.subjects:
        if isinstance(subject, Other):
            _note(uses, find_uses(match_containers(subject.template, catalogue), {}))
            for collector in collectors:
                collector.add_other(subject, catalogue)
            continue
        plan = decide_on(subject, definitions.policies, catalogue, now)
        _note(uses, find_uses(plan.targets, plan.effective))
        for collector in collectors:
            collector.add(subject, plan)
    if options.whole_catalogue:
        _note_all(uses, catalogue)
    results = {one.by: one.result() for one in collectors}
    hosts = {*uses, *(host for one in results.values() for host in one.hosts)}
    around = (
        UNKNOWN
        if found is None
        else survey(found, hosts, options.tap.endpoint if options.tap is not None else "")
    )
    by = options.by or (
        By.NAMESPACES if around.verifies_pods or not options.has_pods else By.ADDRESSES
    )
    added = Addition(
        tap=options.tap,
        hosts={host: frozenset(products) for host, products in uses.items()},
        surroundings=around,
        refusals=results[by],
        everything=options.everything,
    )
    warnings = (*_of_imports(found, options), *_of_facts(facts, options, refuses=bool(added.rules)))
    return replace(added, warnings=warnings)


def _catalogue(definitions: Definitions) -> Catalogue:
    return combine(builtin(), (product for _, product in definitions.products)).catalogue


def _parsed(facts: DnsFacts) -> Corefile | None:
    if facts.corefile is None:
        return None
    return read_corefile(facts.corefile, facts.beside, facts.custom)


def _note(uses: dict[str, set[str]], found: Iterable[HostUse]) -> None:
    """Hosts that a tenant's policy names are not tapped for the whole cluster."""
    for use in found:
        if not use.is_tenants:
            uses.setdefault(use.host, set()).add(use.product)


def _note_all(uses: dict[str, set[str]], catalogue: Catalogue) -> None:
    for product in catalogue.products.values():
        for channel in product.spec.channels:
            for host in channel.hosts:
                if host.sent_by is not Sender.BROWSER:
                    uses.setdefault(host.host, set()).add(product.name)


def _of_imports(found: Corefile | None, options: CorefileOptions) -> Iterator[str]:
    ending = ".override" if options.everything else ".server"
    if (
        options.custom
        and found is not None
        and not any(pattern.endswith(f"custom/*{ending}") for pattern in found.imports)
    ):
        yield (
            f"The cluster's Corefile imports no custom/*{ending}, so this ConfigMap has no effect "
            "there: use -o corefile."
        )


def _of_facts(facts: DnsFacts, options: CorefileOptions, *, refuses: bool) -> Iterator[str]:
    if facts.node_local:
        yield (
            "NodeLocal DNSCache runs: CoreDNS sees the address of the node instead of the pod's, "
            "so lookups are not attributed, and answers from its cache are not seen. Refusing by "
            "pod does not work."
        )
    elif facts.node_local is None:
        yield (
            "It is not known whether NodeLocal DNSCache runs. If it does, CoreDNS does not see "
            "which pod asks."
        )
    version = version_of(facts.image)
    if version is None:
        if refuses:
            yield "The refusals need CoreDNS 1.10.0 or later (the plugin view)."
    elif refuses and version < _VIEW_SINCE:
        yield (
            "The cluster's CoreDNS is older than 1.10.0 and has no plugin view: it does not load "
            "this. Update it first."
        )
    if options.tap is not None and options.tap.tls and version is not None and version < _TLS_SINCE:
        yield (
            "The cluster's CoreDNS is older than 1.11.0, and its dnstap has no tls: it reports "
            "nothing. Update it first, or use tcp."
        )


def version_of(image: str) -> tuple[int, int] | None:
    """Major and minor of the version in an image's tag; None if it has none."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = _VERSION.match(tag)
    return (int(found[1]), int(found[2])) if found else None
