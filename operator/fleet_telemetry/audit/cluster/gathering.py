"""Reads clusters, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from fleet_telemetry.api.policy import Policy, PolicyKind
from fleet_telemetry.api.resources import GROUP, VERSION
from fleet_telemetry.audit.cluster.contents import Contents
from fleet_telemetry.audit.cluster.failures import failure_of
from fleet_telemetry.audit.cluster.listing import Lister
from fleet_telemetry.audit.cluster.operators import InstalledOperator
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.cluster.records import Operator, is_live_lease
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.audit.sources import Definitions, Gathered, Scope
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.evidence.config_maps import ABSENT, read_config_map
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError
from fleet_telemetry.kube.connecting import IN_CLUSTER, Connection, connect, context_names
from fleet_telemetry.kube.entries import decode_labels, decode_policy, decode_product
from fleet_telemetry.kube.kubeconfig import KubeconfigError, read_kubeconfig
from fleet_telemetry.kube.resource_reading import get_field, unreachable
from fleet_telemetry.kube.store import ObjectKey, object_key
from fleet_telemetry.kube.volume_claims import read_volume_claim_facts
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.objects.text import printable
from fleet_telemetry.policy.precedence import namespace_selector_of
from fleet_telemetry.workloads.resource_fields import FieldRef

_CLUSTERS_AT_ONCE = 4
_CLAIMS_AT_ONCE = 8
_FIELDS_AT_ONCE = 8
_MOST_FIELDS = 1000
_CONFIG_MAPS_AT_ONCE = 8
_MOST_CONFIG_MAPS = 5000
_MOST_LEASES = 20
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheringRequest:
    """Which clusters to read, and what of them."""

    kubeconfig: str | None = None
    """A list of paths; None for the service account of the pod."""
    contexts: tuple[str, ...] = ()
    """None: the current one."""
    namespaces: tuple[str, ...] = ()
    """None: all."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Those that are shown for clusters, by context; the empty key is the current context."""
    definitions: Definitions = field(default_factory=Definitions)
    """What the audit applies over what the cluster has: its products have to be recognized."""
    now: datetime

    def place(self, context: str) -> Place:
        """A cluster, as the result names it."""
        shown = printable(context, _LONGEST_NAME)
        name = self.names.get(context if self.contexts else "", shown)
        own = "" if context == IN_CLUSTER else shown
        return Place(cluster=name, context=None if name == own else own)


def gather_clusters(request: GatheringRequest, progress: GatheringProgress) -> list[Gathered]:
    """Read the clusters. Nothing is raised: what cannot be read is a problem of the result."""
    try:
        return asyncio.run(_gather(request, progress))
    finally:
        progress.clear()


async def connect_first(request: GatheringRequest) -> Connection | Problem:
    """Connect to the first context of a request, by default the current one; else what is wrong."""
    context = ""
    try:
        kubeconfig = read_kubeconfig(request.kubeconfig) if request.kubeconfig else None
        context = context_names(kubeconfig, request.contexts[:1])[0]
        return await connect(kubeconfig, context)
    except KubeconfigError as error:
        return _problem(request.place(context), error)


async def _gather(request: GatheringRequest, progress: GatheringProgress) -> list[Gathered]:
    try:
        # Once: it may be a pipe.
        kubeconfig = read_kubeconfig(request.kubeconfig) if request.kubeconfig else None
        contexts = context_names(kubeconfig, request.contexts)
    except KubeconfigError as error:
        return [_nothing(request.place(""), error)]
    slots = asyncio.Semaphore(_CLUSTERS_AT_ONCE)
    # A plug-in may ask a person to log in, one at a time.
    login = asyncio.Lock()

    async def one(context: str) -> Gathered:
        async with slots:
            try:
                async with login:
                    connection = await connect(kubeconfig, context)
            except KubeconfigError as error:
                return _nothing(request.place(context), error)
            try:
                return await ClusterReader(connection, request, progress).read()
            finally:
                await connection.client.close()

    return list(await asyncio.gather(*map(one, contexts)))


def _nothing(place: Place, error: KubeconfigError) -> Gathered:
    return Gathered((), problems=[_problem(place, error)])


def _problem(place: Place, error: KubeconfigError) -> Problem:
    return Problem(place=place, what=error.what, advice=error.advice)


@dataclass
class ClusterReader:
    """Reads one cluster."""

    connection: Connection
    request: GatheringRequest
    progress: GatheringProgress
    problems: list[Problem] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    products: list[tuple[Place, Product]] = field(default_factory=list)
    labels: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.place = self.request.place(self.connection.context)
        self.lister = Lister(self.connection, self.request.namespaces, self.progress)

    async def read(self) -> Gathered:
        """All that an audit needs. What cannot be read is a problem, and the rest is there."""
        contents = await self.read_contents()
        is_complete = self.lister.is_complete
        if contents is None:
            return Gathered((), problems=self.problems)
        operator = Operator.STOPPED
        if contents.needs_live_operator:
            operator = await self._find_operator(contents.operators)
        return Gathered(
            contents.subjects(is_complete, operator),
            self.definitions,
            self.problems,
            contents.read,
            self._scope(),
        )

    def _scope(self) -> Scope:
        is_whole = not (self.request.namespaces or self.problems) and bool(self.labels)
        named: dict[str, Mapping[str, str]] = {key: {} for key in self.request.namespaces}
        return Scope(self.place.cluster, {**named, **self.labels}, is_whole)

    @property
    def definitions(self) -> Definitions:
        """The policies and products of the cluster."""
        return Definitions(tuple(self.policies), tuple(self.products))

    async def read_contents(self) -> Contents | None:
        """The workloads with their pods; None if the cluster gives no answer at all."""
        served = await self._served()
        if served is None:
            return None
        records: list[Manifest] = []
        own = (
            (kinds.POLICY, self._take_policy),
            (kinds.CLUSTER_POLICY, self._take_policy),
            (kinds.PRODUCT, self._take_product),
            (kinds.WORKLOAD_TELEMETRY, records.append),
        )
        is_installed = not served or VERSION in served.get(GROUP, ())
        await asyncio.gather(
            self._read_labels(),
            *(self.lister.read(kind, take) for kind, take in own if is_installed),
        )
        self._check_selectors()
        contents = Contents(self.place, self._catalogue(), labels=self.labels)
        for record in records:
            contents.take_record(record)
        workloads = [
            kind
            for kind in kinds.WORKLOADS
            if kind not in kinds.OPTIONAL
            or not served
            or kind.version in served.get(kind.group, ())
        ]
        await asyncio.gather(
            *(self.lister.read(kind, contents.take_workload) for kind in workloads),
            self.lister.read(kinds.POD, contents.take_pod),
        )
        contents.settle()
        await self._read_claims(contents)
        await self._read_config_maps(contents)
        await self._read_fields(contents)
        self.problems += self.lister.problems(self.place)
        return contents

    async def _served(self) -> Mapping[str, frozenset[str]] | None:
        """The API groups; empty if they may not be seen, None if there is no answer."""
        try:
            return await self.lister.ask(self.connection.client.served_groups)
        except ApiError as error:
            failure = failure_of(error, self.connection.server)
            if failure.is_forbidden:
                return {}
            self._add(failure.what, failure.advice)
            return None

    async def _read_labels(self) -> None:
        """The labels of the namespaces, and whether those that were asked for exist."""
        if not self.request.namespaces:
            await self.lister.try_all(kinds.NAMESPACE, self._take_namespace)
            return
        for name in self.request.namespaces:
            try:
                found = await self._find(kinds.NAMESPACE, name)
            except ApiError:
                continue  # who may not read it may read what is in it
            if found is None:
                self._add(
                    f"there is no namespace {printable(name, _LONGEST_NAME)}",
                    "correct it, or read all namespaces with -A",
                )
            else:
                self._take_namespace(found)

    def _take_namespace(self, manifest: Manifest) -> None:
        key = object_key(manifest)
        self.labels[key[1]] = decode_labels(key, manifest)

    def _take_policy(self, manifest: Manifest) -> None:
        kind = PolicyKind(manifest["kind"])
        entry = decode_policy(kind, object_key(manifest), manifest)
        if entry.policy is not None:
            self.policies.append(entry.policy)
        else:
            self._add_invalid(manifest, entry.problem)

    def _take_product(self, manifest: Manifest) -> None:
        entry = decode_product(object_key(manifest), manifest)
        if entry.product is not None:
            self.products.append((self.place, entry.product))
        else:
            self._add_invalid(manifest, entry.problem)

    def _add_invalid(self, manifest: Manifest, problem: str) -> None:
        namespace, name = object_key(manifest)
        where = f"{namespace}/{name}" if namespace else name
        self._add(
            f"the {manifest['kind']} {where} is not in effect: {printable(problem, 500)}",
            "correct it",
        )

    def _add(self, what: str, advice: str) -> None:
        self.problems.append(Problem(place=self.place, what=what, advice=advice))

    def _check_selectors(self) -> None:
        """Without the labels of namespaces, nobody can say where a policy applies."""
        if not self.labels and self._selecting:
            self._add(
                "the labels of the namespaces cannot be read, so policies with a namespaceSelector "
                f"may apply and are left out: {', '.join(self._selecting[:5])}",
                "ask for the right to get and list namespaces",
            )

    @property
    def _selecting(self) -> list[str]:
        return [one.name for one in self.policies if namespace_selector_of(one) is not None]

    def _catalogue(self) -> Catalogue:
        in_effect = self.request.definitions.over(self.definitions)
        return combine(builtin(), (product for _, product in in_effect.products)).catalogue

    async def _find_operator(self, installed: Iterable[InstalledOperator]) -> Operator:
        """Whether a controller renews its Lease. Who may not list the Leases of the cluster may
        get those that the operator's Deployment names."""
        leases: list[Manifest] = []
        failure = await self.lister.try_all(kinds.LEASE, leases.append)
        is_visible = failure is None
        named = sorted({(one.namespace, one.lease) for one in installed})
        for namespace, name in () if is_visible else named[:_MOST_LEASES]:
            try:
                lease = await self._find(kinds.LEASE, name, namespace)
            except ApiError:
                continue
            is_visible = True
            if lease is not None:
                leases.append(lease)
        if any(is_live_lease(lease, self.request.now) for lease in leases):
            return Operator.RUNS
        return Operator.STOPPED if is_visible else Operator.NOT_VISIBLE

    async def _find(self, kind: Kind, name: str, namespace: str = "") -> Manifest | None:
        """Raises ApiError."""
        return await self.lister.ask(lambda: self.connection.client.find(kind, name, namespace))

    async def _read_config_maps(self, contents: Contents) -> None:
        """What containers take variables from. The reason of each finding that depends on
        it says so where it may not be read."""
        slots = asyncio.Semaphore(_CONFIG_MAPS_AT_ONCE)
        forbidden: set[str] = set()
        failures = set()

        async def one(key: ObjectKey) -> None:
            namespace, name = key
            async with slots:
                if namespace in forbidden:
                    return
                try:
                    found = await self._find(kinds.CONFIG_MAP, name, namespace)
                except ApiError as error:
                    failure = failure_of(error, self.connection.server)
                    if failure.is_forbidden:
                        forbidden.add(namespace)
                    else:
                        failures.add(failure)
                    return
            facts = ABSENT if found is None else read_config_map(found)
            contents.config_maps.setdefault(namespace, {})[name] = facts

        wanted = sorted(contents.wanted_config_maps())
        await asyncio.gather(*map(one, wanted[:_MOST_CONFIG_MAPS]))
        for failure in failures:
            what = f"not all configmaps read, so their values are no evidence: {failure.what}"
            self._add(what, failure.advice)
        if len(wanted) > _MOST_CONFIG_MAPS:
            what = f"{len(wanted) - _MOST_CONFIG_MAPS} of {len(wanted)} configmaps not read"
            self._add(what, "read some namespaces at a time with -n")

    async def _read_fields(self, contents: Contents) -> None:
        """The custom resources that hold switches. Why one cannot be read is the reason of each
        finding that depends on it."""
        slots = asyncio.Semaphore(_FIELDS_AT_ONCE)

        async def one(ref: FieldRef) -> None:
            async with slots:
                try:
                    question = partial(get_field, self.connection.client, ref)
                    contents.fields[ref] = await self.lister.ask(question)
                except ApiError as error:
                    contents.fields[ref] = unreachable(error)

        wanted = sorted(contents.wanted_fields())
        await asyncio.gather(*map(one, wanted[:_MOST_FIELDS]))
        if len(wanted) > _MOST_FIELDS:
            what = f"{len(wanted) - _MOST_FIELDS} of {len(wanted)} custom resources not read"
            self._add(what, "read some namespaces at a time with -n")

    async def _read_claims(self, contents: Contents) -> None:
        """What may prove a seed. Without it, the seed is not proven."""
        slots = asyncio.Semaphore(_CLAIMS_AT_ONCE)
        failures = set()

        async def one(key: ObjectKey) -> None:
            namespace, name = key
            async with slots:
                try:
                    facts = await self.lister.ask(
                        partial(read_volume_claim_facts, self.connection.client, namespace, [name])
                    )
                except ApiError as error:
                    failures.add(failure_of(error, self.connection.server))
                    return
            if name in facts:
                contents.claims[key] = facts[name]

        await asyncio.gather(*map(one, sorted(contents.wanted_claims())))
        for failure in failures:
            self._add(
                "not all persistentvolumeclaims and persistentvolumes read, so they prove no seed: "
                f"{failure.what}",
                failure.advice,
            )
