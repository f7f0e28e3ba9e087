"""A fake kube-proxy, for the one Service whose EndpointSlice the operator writes.

``python -m dev.harness.service_proxy KUBECONFIG NAMESPACE SERVICE`` listens on the
Service's ClusterIP, a loopback address, and forwards each connection to the endpoint of the
moment. As kube-proxy does, it keeps the client's address: a connection of a name server of
``ClusterDns`` leaves from the address of that name server's pod, although the system gave it
another one.

The API server refuses loopback addresses in EndpointSlices. So a controller on this machine has
an address of 192.0.2.0/24 there (TEST-NET-1, RFC 5737) and listens on ``ENDPOINT_HOST``, which is
where connections to such an address go. Nothing is ever sent to 192.0.2.0/24.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from dev.cluster.api import ApiServer, ApiServerError

ENDPOINT_HOST = "127.0.0.1"
_CHUNK = 65536
_ESTABLISHED = "01"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_COREFILE = re.compile(r"/([0-9.]+)/Corefile\Z")


class _ServiceProxy:
    """One Service."""

    def __init__(self, server: ApiServer, namespace: str, service: str) -> None:
        self._server = server
        self._namespace = namespace
        self._service = service

    async def run(self) -> None:
        """Forward until cancelled."""
        service = await self._get("/api/v1", f"services/{self._service}")
        address = service["spec"]["clusterIP"]
        port = int(service["spec"]["ports"][0]["port"])
        server = await asyncio.start_server(self._forward, address, port)
        print(f"listening on {address}:{port}", flush=True)
        async with server:
            await server.serve_forever()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, port = writer.get_extra_info("peername")[:2]
        try:
            client = _name_server_of(port) or peer
            endpoint = await self._endpoint()
            if endpoint is None:
                print(f"{client}: no endpoint", flush=True)
                return
            there = await asyncio.open_connection(*endpoint, local_addr=(client, 0))
            print(f"{client}: to port {endpoint[1]}", flush=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, there[1]))
                group.create_task(_pump(there[0], writer))
        except (OSError, ApiServerError, ExceptionGroup) as error:
            print(f"{peer}: {error!r}", flush=True)
        finally:
            writer.close()

    async def _endpoint(self) -> tuple[str, int] | None:
        """Where a connection goes now; None without an endpoint."""
        what = f"endpointslices?labelSelector=kubernetes.io/service-name={self._service}"
        slices = (await self._get("/apis/discovery.k8s.io/v1", what))["items"]
        for one in slices:
            for endpoint in one.get("endpoints") or ():
                if endpoint["addresses"][0].startswith("192.0.2."):
                    return ENDPOINT_HOST, int(one["ports"][0]["port"])
        return None

    async def _get(self, root: str, what: str) -> Any:
        path = f"{root}/namespaces/{self._namespace}/{what}"
        return await asyncio.to_thread(self._server.json, "GET", path)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends, and then close the other."""
    try:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


def _name_server_of(port: int) -> str:
    """The address of the name server that has a connection from this local port; empty if nobody
    of ours has. Its Corefile is in a folder of that name."""
    inode = _inode_of(port)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            found = next(filter(None, map(_COREFILE.search, command)), None)
            if found and inode in set(_sockets_of(process)):
                return found[1]
    return ""


def _inode_of(port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        is_local = int(fields[1].partition(":")[2], 16) == port
        if is_local and fields[3] == _ESTABLISHED and fields[9] != "0":
            return fields[9]
    return ""


def _sockets_of(process: Path) -> list[str]:
    found = []
    for one in (process / "fd").iterdir():
        with suppress(OSError):
            match = _SOCKET.fullmatch(str(one.readlink()))
            if match:
                found.append(match[1])
    return found


def main() -> None:
    """Run until killed."""
    kubeconfig, namespace, service = sys.argv[1:]
    asyncio.run(_ServiceProxy(ApiServer.of(Path(kubeconfig)), namespace, service).run())


if __name__ == "__main__":
    main()
