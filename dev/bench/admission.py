"""The cost of admission: the time to create a Deployment, with and without our webhook.

Two clusters of the same make run side by side, one without the operator and one with its webhook,
so that nothing of the operator can slow down what it is compared with. They have no controllers, so
the API server does nothing but answer us. The variants take turns, a few requests each, in any
order: whatever else this machine does hits all of them alike.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from dev.bench.counting import sum_of
from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.manifests import (
    DEPENDENCY_TRACK,
    NAMESPACES,
    NATIVE_BINDINGS,
    NATIVE_POLICIES,
    NO_PRODUCT,
    POLICIES,
    SWITCH,
    WEBHOOKS,
    deployment,
    deployments,
    idle_webhook,
    namespace,
    native_policy,
    policy,
)
from dev.bench.processes import processor_seconds
from dev.bench.progress import Progress
from dev.bench.server import AT_ONCE, Server, connect, until
from dev.bench.spread import paired_ratios, percentile
from dev.cluster import Cluster
from dev.harness.operator import LocalOperator

_VARIANTS = "Admission: create a Deployment"
_COMPARED = "Admission: comparison, turn by turn"
_INSIDE = "Admission: requests that the webhook changes"
_SLOWEST = Target(2.5)
_LEAST_THROUGHPUT = Target(45, at_least=True)
_AS_NATIVE = Target(90, at_least=True)
_UNNOTICED = Target(1.1)
_NONE = Target(0)
_LEFT_OUT = "kube-system"
"""By the chart's default values."""
_EFFECTIVE_SECONDS = 30.0
_SERIAL = 5
_BURST = 96
_PAUSE_SECONDS = 0.15
"""After many requests, for whoever still handles their events."""
_WEBHOOK = "workloads.fleettelemetry.io"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    serial_turns: int
    """Turns of each variant in a round, a few requests one after the other."""
    burst_turns: int
    """Turns of each variant in a round, many requests by several clients at once."""


@dataclass
class Variant:
    """One way to create a Deployment, and what came of it."""

    name: str
    server: Server
    namespace: str
    image: str
    injected: bool
    """Whether the variable has to be in the answer."""
    seconds: list[list[float]] = field(default_factory=list)
    """Of each request one after the other, turn by turn."""
    rates: list[float] = field(default_factory=list)
    """Requests a second at once, turn by turn."""

    def __post_init__(self) -> None:
        self._path = deployments(self.namespace)
        self._body = json.dumps(deployment(self.image, generateName="dtrack-")).encode()
        self.sent = 0

    @property
    def medians(self) -> list[float]:
        """The median of each turn."""
        return [percentile(seconds, 50) for seconds in self.seconds]

    async def create(self) -> bytes:
        """One request."""
        self.sent += 1
        return await self.server.post(self._path, self._body)

    async def is_effective(self) -> bool:
        """Whether requests are treated as this variant says."""
        return self._is_as_said(await self.create())

    async def take_serial_turn(self) -> None:
        """A few requests one after the other."""
        answers: list[bytes] = []
        seconds: list[float] = []
        for _ in range(_SERIAL):
            started = time.perf_counter()
            answers.append(await self.create())
            seconds.append(time.perf_counter() - started)
        self._check(answers)
        self.seconds.append(seconds)

    async def take_burst_turn(self) -> None:
        """Many requests, several at once."""
        answers: list[bytes] = []
        share = iter(range(_BURST))

        async def client() -> None:
            for _ in share:
                answers.append(await self.create())  # noqa: PERF401  # one iterator for all

        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        self.rates.append(_BURST / (time.perf_counter() - started))
        self._check(answers)

    async def clear_up(self) -> None:
        """Delete what was created."""
        await self.server.delete(self._path)

    def forget(self) -> None:
        """Leave out what was measured so far."""
        self.seconds.clear()
        self.rates.clear()

    def _check(self, answers: Sequence[bytes]) -> None:
        if not all(map(self._is_as_said, answers)):
            wrong = "without" if self.injected else "with"
            raise BenchError(f"{self.name}: a Deployment came back {wrong} {SWITCH}")

    def _is_as_said(self, answer: bytes) -> bool:
        return (SWITCH.encode() in answer) == self.injected

    def figures(self) -> Iterator[Figure]:
        """Its own, compared with nothing."""
        milliseconds = [1000 * second for seconds in self.seconds for second in seconds]
        yield Figure.of(_VARIANTS, f"{self.name}: one by one, p50", "ms", milliseconds)
        p95 = [percentile(milliseconds, 95)]
        yield Figure.of(_VARIANTS, f"{self.name}: one by one, p95", "ms", p95)
        yield Figure.of(_VARIANTS, f"{self.name}: {AT_ONCE} at once", "/s", self.rates)


@dataclass(frozen=True)
class _Variants:
    bare: Variant
    """Without the operator."""
    aside: Variant
    """With the operator, whose webhook configuration leaves this namespace out."""
    unmatched: Variant
    """With the webhook, whose match conditions leave this workload out."""
    idle: Variant
    """Without the operator, with a webhook whose match condition leaves everything out."""
    ours: Variant
    native: Variant

    def all(self) -> tuple[Variant, ...]:
        """In the order of the table."""
        return (self.bare, self.aside, self.unmatched, self.idle, self.ours, self.native)


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start what is needed, measure, and stop it. Raises BenchError, DevclusterError."""
    with ExitStack() as stack:
        progress.begin("admission: start two clusters, one with the webhook")
        # Clearing up between the rounds would take longer than the rounds.
        arguments = [f"--delete-collection-workers={AT_ONCE}"]
        without, having = (
            stack.enter_context(
                Cluster(directory / name, controller_manager=False, extra_apiserver_args=arguments)
            )
            for name in ("without", "with")
        )
        operator = LocalOperator(having, directory / "operator")
        stack.callback(operator.children.kill_all)
        operator.install()
        operator.start("webhook")
        operator.wait_until_ready()
        return uvloop.run(_measure(without, having, operator, size, progress))


async def _measure(
    without: Cluster, having: Cluster, operator: LocalOperator, size: Size, progress: Progress
) -> list[Figure]:
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(connect(without))
        ours = await stack.enter_async_context(connect(having))
        variants = _Variants(
            bare=Variant("no operator", bare, "bench", DEPENDENCY_TRACK, injected=False),
            aside=Variant("namespace excluded", ours, _LEFT_OUT, NO_PRODUCT, injected=False),
            unmatched=Variant("no product", ours, "other", NO_PRODUCT, injected=False),
            idle=Variant("condition `false`", bare, "idle", NO_PRODUCT, injected=False),
            ours=Variant("our webhook", ours, "bench", DEPENDENCY_TRACK, injected=True),
            native=Variant("native policy", bare, "native", DEPENDENCY_TRACK, injected=True),
        )
        await _prepare(variants)
        begun, sent = await _Inside.read(ours, operator), variants.ours.sent
        await _run_rounds(variants.all(), size, progress)
        done = await _Inside.read(ours, operator)
        strays = done.asked - begun.asked - (variants.ours.sent - sent)
        figures = [
            *(figure for variant in variants.all() for figure in variant.figures()),
            *_compare(variants, strays),
        ]
        for _ in range(size.rounds * size.serial_turns):
            await variants.ours.take_serial_turn()
        serial = await _Inside.read(ours, operator)
        for _ in range(size.rounds):
            await variants.ours.take_burst_turn()
        burst = await _Inside.read(ours, operator)
        return [
            *figures,
            *serial.figures_since(done, "one by one"),
            *burst.figures_since(serial, f"{AT_ONCE} at once"),
        ]


async def _prepare(variants: _Variants) -> None:
    for variant in variants.all():
        if variant.namespace != _LEFT_OUT:
            await variant.server.create(NAMESPACES, namespace(variant.namespace))
    await variants.ours.server.create(POLICIES, policy())
    native, binding = native_policy(variants.native.namespace)
    await variants.native.server.create(NATIVE_POLICIES, native)
    await variants.native.server.create(NATIVE_BINDINGS, binding)
    await variants.idle.server.create(WEBHOOKS, idle_webhook(variants.idle.namespace))
    for variant in variants.all():
        await until(
            f"the webhook or policy of `{variant.name}`", _EFFECTIVE_SECONDS, variant.is_effective
        )


async def _run_rounds(variants: Sequence[Variant], size: Size, progress: Progress) -> None:
    progress.begin("admission: warm up")
    await _run_round(variants, size)
    for variant in variants:
        variant.forget()
    progress.begin("admission: measure")
    for number in range(size.rounds):
        progress.at(f"round {number + 1} of {size.rounds}")
        await _run_round(variants, size)


async def _run_round(variants: Sequence[Variant], size: Size) -> None:
    for _ in range(size.serial_turns):
        for variant in _shuffled(variants):
            await variant.take_serial_turn()
    for _ in range(size.burst_turns):
        for variant in _shuffled(variants):
            await variant.take_burst_turn()
            await asyncio.sleep(_PAUSE_SECONDS)
    for variant in variants:
        await variant.clear_up()
    await asyncio.sleep(_PAUSE_SECONDS)


def _shuffled(variants: Sequence[Variant]) -> list[Variant]:
    """In any order, so that none always comes after the same other one."""
    return random.sample(variants, len(variants))


def _compare(variants: _Variants, strays: float) -> Iterator[Figure]:
    bare, aside = variants.bare, variants.aside
    for variant, base, slowest, least in (
        (variants.ours, bare, _SLOWEST, _LEAST_THROUGHPUT),
        (variants.ours, aside, None, None),
        (variants.unmatched, aside, _UNNOTICED, None),
        (variants.idle, bare, None, None),
        (variants.aside, bare, None, None),
        (variants.native, bare, None, None),
        (variants.ours, variants.native, None, _AS_NATIVE),
    ):
        name = f"{variant.name} / {base.name}"
        times = paired_ratios(variant.medians, base.medians)
        yield Figure.of(_COMPARED, f"{name}: one by one, p50", "x", times, slowest)
        shares = [100 * ratio for ratio in paired_ratios(variant.rates, base.rates)]
        yield Figure.of(_COMPARED, f"{name}: {AT_ONCE} at once", "%", shares, least)
    yield Figure.of(_COMPARED, "no product: requests that reached the webhook", "", [strays], _NONE)


@dataclass(frozen=True)
class _Inside:
    """What the API server and the webhook count themselves."""

    asked: float
    waited: float
    """Seconds that the API server waited for us."""
    handled: float
    """Seconds between a request's arrival in our process and its answer."""
    worked: float | None
    """CPU seconds of the webhook's process; None except on Linux."""

    @classmethod
    async def read(cls, server: Server, operator: LocalOperator) -> _Inside:
        theirs = await server.metrics()
        ours = await asyncio.to_thread(operator.metrics, "webhook")
        wait = "apiserver_admission_webhook_admission_duration_seconds"
        handling = "fleet_telemetry_admission_duration_seconds"
        return cls(
            asked=sum_of(ours, f"{handling}_count", path="mutate"),
            waited=sum_of(theirs, f"{wait}_sum", name=_WEBHOOK),
            handled=sum_of(ours, f"{handling}_sum", path="mutate"),
            worked=processor_seconds(operator.children.identities()["webhook"].pid),
        )

    def figures_since(self, before: _Inside, how: str) -> Iterator[Figure]:
        asked = self.asked - before.asked
        figures = {
            "the API server waits for the webhook, mean": self.waited - before.waited,
            "time in the webhook's process, mean": self.handled - before.handled,
        }
        if self.worked is not None and before.worked is not None:
            figures["CPU time of the webhook's process, mean"] = self.worked - before.worked
        for name, seconds in figures.items():
            yield Figure.of(f"{_INSIDE}, {how}", name, "ms", [1000 * seconds / asked])
