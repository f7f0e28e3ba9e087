"""HTTP to one API server, by the official client's transport.

Only its transport is used. Its models drop unknown fields, so no foreign object may pass through
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aiohttp
from kubernetes.aio import client as api
from kubernetes.aio.config import ConfigException
from multidict import CIMultiDict

from fleet_telemetry import __version__
from fleet_telemetry.workloads.workload import FIELD_MANAGER

_READ_BUFFER_BYTES = 2**16
"""Twice that of a response waits at most in memory until somebody reads it. The client's own 2 MiB
are for readers of lines."""


class Transport:
    """Sends requests to one API server, over connections that stay open. It belongs to one event
    loop."""

    def __init__(
        self, configuration: api.Configuration, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """``headers`` go with each request. Raises OSError and ValueError for certificates that
        cannot be used."""
        configuration.client_session_kwargs = {"read_bufsize": _READ_BUFFER_BYTES}
        self._client = api.ApiClient(configuration)
        self._client.user_agent = f"{FIELD_MANAGER}/{__version__}"
        self._headers = tuple(headers)

    @classmethod
    def to(cls, server: str) -> Transport:
        """To a server that asks for no credentials."""
        return cls(api.Configuration(host=server))

    @property
    def server(self) -> str:
        """The URL, without a slash at its end."""
        host: str = self._client.configuration.host
        return host

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | Sequence[Any] | None,
        content_type: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own, for a call
    ) -> aiohttp.ClientResponse:
        """The response; its body has not been read. Raises aiohttp.ClientError, TimeoutError,
        OSError."""
        try:
            method, url, headers, body, _ = await self._client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
        except ConfigException as error:  # a pod's token is read again each minute
            raise OSError(str(error)) from error
        sent = CIMultiDict([*headers.items(), *self._headers])  # a name may come again
        answer = await self._client.call_api(method, url, sent, body, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
