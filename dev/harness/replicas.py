"""Several webhooks behind their Service, as in a cluster: only ready replicas get connections.

A balancer replaces kube-proxy: it listens on the Service's address and spreads connections
over the replicas that are ready. A change reaches it late, as it would reach kube-proxy.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count

from dev.harness.operator import LocalOperator

Address = tuple[str, int]

NEWS_SECONDS = 1.0
"""Seconds until kube-proxy sees that a replica became ready or stops."""
_CHUNK = 65536


class Balancer:
    """Spreads TCP connections over the backends; existing connections are not changed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._backends: tuple[Address, ...] = ()
        self._turn = count()
        self._stopping = asyncio.Event()
        self._listening: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._loop = self._listening.result()

    def use(self, backends: Sequence[Address]) -> None:
        """Set the backends of new connections."""
        self._backends = tuple(backends)

    def close(self) -> None:
        """Close every connection."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        try:
            server = await asyncio.start_server(self._serve, *self._address)
        except OSError as error:
            self._listening.set_exception(error)
            return
        self._listening.set_result(asyncio.get_running_loop())
        await self._stopping.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backends = self._backends
        writers = [writer]
        with suppress(OSError, asyncio.CancelledError):
            if backends:
                host, port = backends[next(self._turn) % len(backends)]
                there, back = await asyncio.open_connection(host, port)
                writers.append(back)
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
        for one in writers:
            # Close the connection, so that no client waits for a backend that is gone.
            one.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction until its end."""
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


class Replicas:
    """The webhooks of an installed operator."""

    def __init__(self, operator: LocalOperator, number: int) -> None:
        self._operator = operator
        self._numbers = count(1)
        self._addresses: dict[str, Address] = {}
        self._balancer = Balancer((operator.webhook_address, operator.webhook_port))
        names = [self._start() for _ in range(number)]
        operator.wait_until_ready(*names)
        self._balancer.use(tuple(self._addresses.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """The running replicas, the oldest first."""
        return tuple(self._addresses)

    def roll(self) -> None:
        """Replace each replica as the Deployment's strategy does: one more, then one less."""
        for old in self.names:
            new = self._start()
            self._operator.wait_until_ready(new)
            time.sleep(NEWS_SECONDS)
            self._balancer.use(tuple(self._addresses.values()))
            self.stop(old)

    def stop(self, name: str) -> None:
        """Stop one gracefully; the balancer sees that with its delay."""
        ending = threading.Thread(target=self._operator.stop, args=(name,))
        ending.start()
        time.sleep(NEWS_SECONDS)
        self._forget(name)
        ending.join()

    def kill(self, name: str) -> None:
        """Kill one."""
        self._operator.kill(name)
        time.sleep(NEWS_SECONDS)
        self._forget(name)

    def add(self) -> str:
        """Start one more."""
        name = self._start()
        self._operator.wait_until_ready(name)
        self._balancer.use(tuple(self._addresses.values()))
        return name

    def close(self) -> None:
        """Stop the balancer; the webhooks are the operator's."""
        self._balancer.close()

    def _start(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address: Address = listener.getsockname()
        name = f"webhook-{next(self._numbers)}"
        self._operator.start(
            "webhook",
            name=name,
            extra=[
                f"--webhook-host={address[0]}",
                f"--webhook-port={address[1]}",
                f"--drain-seconds={self._operator.drain_seconds}",
            ],
        )
        self._addresses[name] = address
        return name

    def _forget(self, name: str) -> None:
        del self._addresses[name]
        self._balancer.use(tuple(self._addresses.values()))
