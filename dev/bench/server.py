"""The API server as a client with persistent connections sees it: no kubectl in between."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp

from dev.bench.errors import BenchError
from dev.cluster import Cluster
from dev.cluster.api import ApiServer

Manifest = dict[str, Any]

AT_ONCE = 16
_SECONDS = 120.0
_WATCH_SECONDS = 6 * 3600
_BUSY_SECONDS = 60.0
"""So long a watch may be refused because there are too many requests."""
_Item = TypeVar("_Item")


class Server:
    """One API server, as its administrator. Every method raises BenchError where it refuses."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, path: str, body: bytes) -> bytes:
        """Create something from JSON; the answer as it came."""
        return await self._request("POST", path, body)

    async def replace(self, path: str, manifest: Manifest) -> Manifest:
        """Replace an object; the object as it is then."""
        answer = await self._request("PUT", path, json.dumps(manifest).encode())
        found: Manifest = json.loads(answer)
        return found

    async def merge(self, path: str, part: Manifest) -> None:
        """Change an object by a merge patch, which does not depend on what it was read as."""
        body = json.dumps(part).encode()
        await self._request("PATCH", path, body, content="application/merge-patch+json")

    async def create(self, path: str, manifest: Manifest) -> None:
        """Create an object."""
        await self.post(path, json.dumps(manifest).encode())

    async def create_all(self, manifests: Iterable[tuple[str, Manifest]]) -> AsyncIterator[int]:
        """Create objects, several at once; yields how many there are so far."""
        waiting = [(path, json.dumps(manifest).encode()) for path, manifest in manifests]
        for start in range(0, len(waiting), AT_ONCE):
            batch = waiting[start : start + AT_ONCE]
            await asyncio.gather(*(self.post(path, body) for path, body in batch))
            yield start + len(batch)

    async def get(self, path: str) -> Any:
        """Read an object or a list."""
        return json.loads(await self._request("GET", path))

    async def names(self, path: str) -> list[str]:
        """The names in a list, which the API server sends without all else."""
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        found = json.loads(await self._request("GET", path, accept=accept))
        return [item["metadata"]["name"] for item in found["items"] or ()]

    async def serves(self, path: str) -> bool:
        """Whether a kind can be listed and watched: for a moment after its definition is created,
        it cannot."""
        try:
            await self._request("GET", f"{path}?limit=1")
        except BenchError:
            return False
        return True

    async def watch(self, path: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Type and object of each event, beginning with all objects that exist. Does not end.

        While the API server fills its cache of a kind, it asks to try again later."""
        query = f"{path}?watch=true&timeoutSeconds={_WATCH_SECONDS}"
        patient_until = time.monotonic() + _BUSY_SECONDS
        try:
            while True:
                async with self._session.get(
                    self._url + query, timeout=aiohttp.ClientTimeout(total=None)
                ) as response:
                    if response.ok:
                        try:
                            async for event in _events(response.content):
                                yield event
                        finally:
                            _abort(response)
                        raise BenchError(f"watch {path}: the API server ended it")
                    status, headers = response.status, response.headers
                if status != HTTPStatus.TOO_MANY_REQUESTS or time.monotonic() > patient_until:
                    raise BenchError(f"watch {path}: the API server said {status}")
                await asyncio.sleep(float(headers.get("Retry-After", "1")))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchError(f"watch {path}: no answer ({error!r})") from error

    async def delete(self, path: str) -> None:
        """Delete an object, or all in a list."""
        await self._request("DELETE", path)

    async def metrics(self) -> str:
        """The API server's own."""
        return (await self._request("GET", "/metrics", accept="text/plain")).decode()

    async def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> bytes:
        headers = {"Accept": accept, "Content-Type": content}
        try:
            async with self._session.request(
                method, self._url + path, data=body, headers=headers
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchError(f"{method} {path}: no answer ({error!r})") from error
        if not response.ok:
            said = answer.decode(errors="replace")[:300].strip()
            raise BenchError(f"{method} {path}: the API server said {response.status}: {said}")
        return answer


def _abort(response: aiohttp.ClientResponse) -> None:
    """Close a connection without the end of TLS, whose answer may come after the loop."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, Manifest]]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            event = json.loads(line)
            yield event["type"], event["object"]


@asynccontextmanager
async def connect(cluster: Cluster, at_once: int = AT_ONCE) -> AsyncIterator[Server]:
    """Keeps its connections, at most so many, for as long as it is used."""
    access = ApiServer.of(cluster.kubeconfig)
    tls = ssl.create_default_context(cadata=access.authority)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=at_once, keepalive_timeout=300),
        headers={"Authorization": f"Bearer {access.token}"},
        timeout=aiohttp.ClientTimeout(total=_SECONDS),
    ) as session:
        yield Server(session, cluster.url)


async def for_each(
    items: Iterable[_Item],
    work: Callable[[_Item], Awaitable[None]],
    report: Callable[[int], None],
    *,
    at_once: int = AT_ONCE,
) -> None:
    """Do the work for each item, so many at a time; reports how many are done. The first error
    ends it."""
    waiting = iter(items)
    done = 0

    async def take() -> None:
        nonlocal done
        for item in waiting:
            await work(item)
            done += 1
            report(done)

    tasks = [asyncio.ensure_future(take()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(
    what: str, seconds: float, done: Callable[[], Awaitable[bool]], *, every: float = 0.1
) -> None:
    """Poll until the probe returns true. Raises BenchError."""
    deadline = time.monotonic() + seconds
    while not await done():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:.0f} s without success for {what}")
        await asyncio.sleep(every)
