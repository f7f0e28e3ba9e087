"""Lists of a cluster, as far as they can be read.

A list that is forbidden in all namespaces is read in each one. What cannot be read is a problem of
the result, and everything else is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from fleet_telemetry.audit.cluster.failures import Failure, failure_of
from fleet_telemetry.audit.cluster.progress import GatheringProgress
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, Page
from fleet_telemetry.kube.connecting import Connection
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, text_at
from fleet_telemetry.objects.text import printable

PAGE = 500
"""Objects in one page. A page of each of some kinds is in memory at the same time."""
_AT_ONCE = 6
"""Lists that are read at the same time."""
_PAUSES = (0.5, 2.0)
"""Seconds before a request is repeated, if that may help."""
_NAMED = 5
_LONGEST_NAME = 100

Take = Callable[[Manifest], None]
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Gap:
    """A list that is not complete."""

    kind: Kind
    namespace: str
    """Empty for all namespaces."""
    failure: Failure
    read: int
    """The objects that were read before."""


class _GoneError(Exception):
    """Nothing more of the cluster can be read."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.what)


@dataclass
class Lister:
    """Reads the lists of one cluster, and remembers what it could not read."""

    connection: Connection
    namespaces: tuple[str, ...]
    """Those to read; empty for all."""
    progress: GatheringProgress
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _gaps: list[_Gap] = field(default_factory=list)
    _narrowed: str = ""
    """The only namespace that is read, because namespaces cannot be listed."""
    _found_namespaces: tuple[str, ...] | None = None
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _finding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _lost: Failure | None = None

    async def read(self, kind: Kind, take: Take) -> None:
        """Give all objects of a kind to ``take``. An optional kind that is not served has none."""
        if not kind.namespaced or not self.namespaces:
            failure, read = await self._list(kind, "", take)
            if failure is None:
                return
            if not failure.is_forbidden or not kind.namespaced:
                self._gaps.append(_Gap(kind, "", failure, read))
                return
        namespaces = self.namespaces or await self._known_namespaces()
        await asyncio.gather(*(self._in_namespace(kind, one, take) for one in namespaces))

    async def try_all(self, kind: Kind, take: Take) -> Failure | None:
        """The same in the whole cluster, for what is of use and not needed: why it failed."""
        failure, _ = await self._list(kind, "", take)
        return failure

    async def _in_namespace(self, kind: Kind, namespace: str, take: Take) -> None:
        failure, read = await self._list(kind, namespace, take)
        if failure is not None:
            self._gaps.append(_Gap(kind, namespace, failure, read))

    def is_complete(self, kind: Kind, namespace: str) -> bool:
        """Whether all objects of a kind in a namespace were read, if it was asked for."""
        return not any(gap.kind == kind and gap.namespace in ("", namespace) for gap in self._gaps)

    def problems(self, place: Place) -> Iterator[Problem]:
        """What could not be read, in few words: kinds with the same gaps are named together."""
        if self._narrowed:
            yield Problem(
                place=place,
                what=f"not all namespaces may be read, and they may not be listed: only the "
                f"namespace {printable(self._narrowed, _LONGEST_NAME)} of the context was read",
                advice="name others with -n, or ask for the rights in docs/audit-clusters.md",
            )
        by_kind: dict[tuple[Kind, Failure], list[_Gap]] = {}
        for gap in self._gaps:
            by_kind.setdefault((gap.kind, gap.failure), []).append(gap)
        alike: dict[tuple[Failure, tuple[str, ...], bool], list[Kind]] = {}
        for (kind, failure), gaps in by_kind.items():
            where = tuple(sorted({gap.namespace for gap in gaps}))
            alike.setdefault((failure, where, any(gap.read for gap in gaps)), []).append(kind)
        for (failure, where, partly), found in alike.items():
            rest = "not all of " if partly else "no "
            names = ", ".join(sorted(kind.plural for kind in found))
            at = "" if where == ("",) else f" in {_enumerate(where, 'namespace')}"
            yield Problem(
                place=place, what=f"{rest}{names} read{at}: {failure.what}", advice=failure.advice
            )

    async def _known_namespaces(self) -> tuple[str, ...]:
        """The namespaces of the cluster; that of the context if they may not be listed."""
        async with self._finding:
            if self._found_namespaces is None:
                names: list[str] = []
                failure, _ = await self._list(
                    kinds.NAMESPACE, "", lambda one: names.append(text_at(one, "metadata", "name"))
                )
                if failure is not None:
                    self._narrowed = self.connection.namespace
                    names = [self._narrowed]
                self._found_namespaces = tuple(names)
        return self._found_namespaces

    async def _list(self, kind: Kind, namespace: str, take: Take) -> tuple[Failure | None, int]:
        """Why a list is not complete, and how many objects were read."""
        read, token = 0, ""
        async with self._slots:
            while True:
                try:
                    page = await self._page(kind, namespace, token)
                except _GoneError as gone:
                    return gone.failure, read
                except ApiError as error:
                    failure = failure_of(error, self.connection.server)
                    is_empty = failure.is_absent and kind in kinds.OPTIONAL
                    return None if is_empty else failure, read
                for item in page.items:
                    take(item)
                read += len(page.items)
                self.progress.page(len(page.items), first=not token, left=page.left)
                token = page.token
                if not token:
                    return None, read

    async def _page(self, kind: Kind, namespace: str, token: str) -> Page:
        """Raises ApiError, and _GoneError if the cluster is gone."""

        async def page() -> Page:
            if self._lost is not None:
                raise _GoneError(self._lost)
            return await self.connection.client.page(kind, namespace, token, size=PAGE)

        try:
            return await self.ask(page)
        except ApiError as error:
            failure = failure_of(error, self.connection.server)
            if failure.is_final or error.status == 0:
                # Every other list would wait as long, and fail, too.
                self._lost = failure
            raise

    async def ask(self, question: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer to a request, which is repeated while its failure may pass. Raises what it
        raised at last."""
        for pause in _PAUSES:
            try:
                return await question()
            except ApiError as error:
                if not failure_of(error, self.connection.server).may_pass:
                    raise
            await self.sleep(pause)
        return await question()


def _enumerate(names: Iterable[str], noun: str) -> str:
    """``namespace a`` or ``namespaces a, b and 3 more``."""
    every = [printable(name, _LONGEST_NAME) for name in names]
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{noun}{'s' if len(every) > 1 else ''} {', '.join(every[:_NAMED])}{more}"
