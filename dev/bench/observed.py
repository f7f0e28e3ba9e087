"""How many reports of name servers are received, and what a flood of them does to reconciling.

``python -m dev.bench.observed PODS HOSTS`` is the process that receives: with the operator's own
receiver and records, and a work queue whose worker decides on workloads. It obeys lines on stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import dns.message
import uvloop
from dnstap_pb import Dnstap

from dev.bench.errors import BenchError
from dev.bench.figures import Figure, Target
from dev.bench.manifests import PRODUCTS, deployment
from dev.bench.processes import NOW, PEAK, figure_on_linux, memory
from dev.bench.progress import Progress
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import Input, decide
from fleet_telemetry.kube.work_queue import WorkQueue
from fleet_telemetry.observed.frame_streams import (
    CONTENT_TYPE,
    Control,
    control_frame,
    data_frame,
)
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate, WorkloadRef

_RATE, _AGE, _MEMORY = Target(20_000, at_least=True), Target(1000), Target(30)
_NONE = Target(0)
_FLOOD = 10
_NAME_SERVERS = 2
_LOOPBACK = "127.0.0.1"
_FIRST_POD = IPv4Address("10.244.0.1")
_BLOCK = 20_000
"""Reports that are made once, and sent again and again."""
_TICKS = 50
"""How often a second a name server sends."""
_KEYS = 100
"""Reconciles a second."""
_PATIENCE = 60.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    hosts: int
    pods: int
    seconds: int


@dataclass(frozen=True)
class _Report:
    """What the process counted since the report before."""

    frames: dict[str, int]
    processor: float
    """Seconds of CPU time."""
    seconds: float
    oldest: float
    """Seconds that a key waited, at most."""
    reconciles: int
    megabytes_before: float | None
    """Before it could receive."""
    megabytes: float | None
    """At most."""


def measure(directory: Path, size: Size, progress: Progress) -> list[Figure]:
    """Start the process, send to it, and end it. Raises BenchError."""
    del directory
    progress.begin("observed: start")
    command = [sys.executable, "-m", "dev.bench.observed", str(size.pods), str(size.hosts)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            return list(_figures(process, size, progress))
        finally:
            process.kill()


def _figures(process: subprocess.Popen[str], size: Size, progress: Progress) -> Iterator[Figure]:
    assert process.stdout is not None
    line = process.stdout.readline().split()
    if len(line) != 2:  # noqa: PLR2004  # a word and the port
        raise BenchError("the process that receives did not start")
    port = int(line[1])
    block = _Block(size)
    sources = [_Source(port) for _ in range(_NAME_SERVERS)]
    _ask(process, "report")
    progress.begin("observed: as many reports as are to be read")
    rate = int(_RATE.limit)
    sent = _send(sources, block, rate, size.seconds)
    steady = _ask(process, f"report {sent}")
    section = f"Observed: {size.hosts} hosts, {size.pods} pods, {rate:,} frames a second"
    read = steady.frames["Lookup"]
    yield Figure.of(section, "frames that one core reads", "/s", [read / steady.processor], _RATE)
    yield Figure.of(section, "frames that were lost", "", [sent - read], _NONE)

    progress.begin("observed: reconciling alone")
    _ask(process, "load")
    time.sleep(size.seconds)
    alone = _ask(process, "report")
    progress.begin("observed: a flood")
    sent = _send(sources, block, rate * _FLOOD, size.seconds)
    flooded = _ask(process, f"report {sent}")
    section = f"Observed: a flood of {rate * _FLOOD:,} frames a second, and {_KEYS} decisions"
    counted = flooded.frames
    yield Figure.of(section, "frames that were sent", "/s", [sent / size.seconds])
    yield Figure.of(section, "  read", "/s", [counted["Lookup"] / size.seconds])
    yield Figure.of(section, "  passed over", "/s", [counted["Skipped"] / size.seconds])
    yield Figure.of(section, "  not counted", "", [sent - sum(counted.values())], _NONE)
    yield Figure.of(section, "decided on", "/s", [flooded.reconciles / flooded.seconds])
    yield Figure.of(section, "longest wait in the queue", "ms", [flooded.oldest * 1000], _AGE)
    yield Figure.of(section, "  the same without the flood", "ms", [alone.oldest * 1000])
    before, most = flooded.megabytes_before, flooded.megabytes
    grown = [most - before] if most is not None and before is not None else []
    name = "peak memory above that without observing"
    yield figure_on_linux(section, name, "MB", grown, _MEMORY)


class _Block:
    """Reports of lookups, each a question and its answer, of random hosts by random pods."""

    def __init__(self, size: Size) -> None:
        chance = random.Random(0)  # noqa: S311  # not secret
        self._second = int(time.time())
        questions = [
            dns.message.make_query(_host(number), "A", id=number) for number in range(size.hosts)
        ]
        messages = [
            (question.to_wire(), dns.message.make_response(question).to_wire())
            for question in questions
        ]
        frames: list[bytes] = []
        for _ in range(_BLOCK // 2):
            asked, answered = chance.choice(messages)
            client = (_FIRST_POD + chance.randrange(size.pods)).packed
            frames += (self._frame(5, client, asked), self._frame(6, client, answered))
        self._frames = frames

    def take(self, count: int) -> bytes:
        """So many frames, of now."""
        now = int(time.time())
        frames = b"".join(self._frames[number % _BLOCK] for number in range(count))
        return frames.replace(_varint(self._second), _varint(now))

    def _frame(self, kind: int, client: bytes, message: bytes) -> bytes:
        report = Dnstap(identity=b"coredns-0", version=b"CoreDNS-1.15.0", type=1)
        inner = report.message
        inner.type, inner.socket_family, inner.socket_protocol = kind, 1, 1
        inner.query_address, inner.query_port = client, 40_000
        inner.query_time_sec, inner.query_time_nsec = self._second, 1
        if kind == 5:  # noqa: PLR2004  # CLIENT_QUERY
            inner.query_message = message
        else:
            inner.response_time_sec, inner.response_time_nsec = self._second, 2
            inner.response_message = message
        return data_frame(report.SerializeToString())


def _varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:  # noqa: PLR2004  # seven bits
        encoded, number = encoded + bytes([number & 0x7F | 0x80]), number >> 7
    return encoded + bytes([number])


class _Source:
    """A name server's connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((_LOOPBACK, port), timeout=_PATIENCE)
        self.socket.sendall(control_frame(Control.READY, CONTENT_TYPE))
        self.socket.recv(1024)
        self.socket.sendall(control_frame(Control.START, CONTENT_TYPE))


def _send(sources: list[_Source], block: _Block, rate: int, seconds: int) -> int:
    """Send so many frames a second; return how many. A source that is not read ends it late."""
    each = rate // _TICKS // len(sources)
    data = [block.take(each)] * len(sources)
    sent = 0
    started = time.monotonic()
    for tick in range(seconds * _TICKS):
        if tick % _TICKS == 0:
            data = [block.take(each)] * len(sources)
        for source, piece in zip(sources, data, strict=True):
            source.socket.sendall(piece)
            sent += each
        time.sleep(max(0.0, started + (tick + 1) / _TICKS - time.monotonic()))
    return sent


def _ask(process: subprocess.Popen[str], command: str) -> _Report:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{command}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise BenchError("the process that receives has ended")
    return _Report(**json.loads(line))


def _host(number: int) -> str:
    return f"telemetry-{number}.vendor.example"


# The process that receives


class _Reconciling:
    """A queue to which keys come steadily, and a worker that decides on a workload for each."""

    def __init__(self) -> None:
        self.oldest = 0.0
        self.done = 0
        self._queue: WorkQueue[int] = WorkQueue()
        self._queue.open()
        self._added: dict[int, float] = {}
        manifest = deployment(PRODUCTS[2], name="workload", namespace="fleet", uid="uid")
        workload = read_workload(manifest)
        assert workload is not None
        pod = Pod(name="workload-1", uid="pod", template=workload.template)
        self._input = Input(
            workload=workload, policies=(), catalogue=builtin(), now=datetime.now(UTC), pods=(pod,)
        )

    async def add(self) -> None:
        """Keys, until it is cancelled."""
        for key in range(sys.maxsize):
            self._added[key] = time.monotonic()
            self._queue.add(key)
            await asyncio.sleep(1 / _KEYS)

    async def work(self) -> None:
        """Decide, until it is cancelled."""
        while True:
            key = await self._queue.get()
            self.oldest = max(self.oldest, time.monotonic() - self._added.pop(key))
            decide(self._input)
            self.done += 1
            self._queue.done(key)


class _Process:
    def __init__(self, pods: int, hosts: int) -> None:
        self._reconciling = _Reconciling()
        self._before = memory(os.getpid(), NOW)
        # Here, so that their memory counts.
        from fleet_telemetry.observed.ledger import HostClass, ProductUse  # noqa: PLC0415
        from fleet_telemetry.observed.observation import DnsObservation  # noqa: PLC0415
        from fleet_telemetry.observed.receiver import Receiver  # noqa: PLC0415

        self._observation = DnsObservation(lambda: datetime.now(UTC))
        use = (ProductUse("emqx", HostClass.EXCLUSIVE),)
        self._observation.set_hosts({_host(number): use for number in range(hosts)})
        for number in range(pods):
            self._observation.set_pods(
                WorkloadRef("fleet", WorkloadKind.DEPLOYMENT, f"workload-{number}"),
                [_pod(number)],
                ["emqx"],
            )
        self._receiver = Receiver(self._observation, lambda address: address == _LOOPBACK)
        self._frames = dict(self._receiver.figures.frames)
        self._processor = time.process_time()
        self._since = time.monotonic()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        commands: asyncio.Queue[str] = asyncio.Queue()

        def listen() -> None:
            for line in sys.stdin:
                loop.call_soon_threadsafe(commands.put_nowait, line.strip())

        threading.Thread(target=listen, daemon=True).start()
        async with self._receiver.serve(_LOOPBACK, 0) as port, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            print(f"port {port}", flush=True)
            while True:
                command, _, number = (await commands.get()).partition(" ")
                if command == "load":
                    tasks.create_task(self._reconciling.add())
                    tasks.create_task(self._reconciling.work())
                else:
                    await self._settle(int(number or 0))
                print(json.dumps(asdict(self._report())), flush=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._observation.tick()

    async def _settle(self, frames: int) -> None:
        """Wait until so many frames arrived since the report before."""
        expected = frames + sum(self._frames.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while sum(self._receiver.figures.frames.values()) < expected:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

    def _report(self) -> _Report:
        now, processor = dict(self._receiver.figures.frames), time.process_time()
        reconciling = self._reconciling
        report = _Report(
            frames={key.value: now[key] - self._frames[key] for key in now},
            processor=processor - self._processor,
            seconds=time.monotonic() - self._since,
            oldest=reconciling.oldest,
            reconciles=reconciling.done,
            megabytes_before=self._before,
            megabytes=memory(os.getpid(), PEAK),
        )
        self._frames, self._processor, self._since = now, processor, time.monotonic()
        reconciling.oldest, reconciling.done = 0.0, 0
        return report


def _pod(number: int) -> Pod:
    address = str(_FIRST_POD + number)
    return Pod(
        name=f"workload-{number}-0",
        template=PodTemplate(containers=()),
        uid=f"uid-{number}",
        address=address,
        addresses=(address,),
        started=datetime.now(UTC),
        phase=PodPhase.RUNNING,
        ready=True,
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(_Process(int(sys.argv[1]), int(sys.argv[2])).run())
