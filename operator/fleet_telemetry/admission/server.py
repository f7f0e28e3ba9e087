"""The admission server. It decides from the cache within milliseconds and never denies a workload.

After an internal error it allows the request unchanged. Anybody may connect, so bodies, connections
and memory are limited; beyond the limits the API server admits the workload without an answer.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from fleet_telemetry.admission.client_names import check_client
from fleet_telemetry.admission.request_body import (
    BodyReader,
    NotAReviewError,
    UnreadableError,
    read_request,
)
from fleet_telemetry.admission.review import (
    NOTHING,
    AdmissionResult,
    review_pod,
    review_workload,
)
from fleet_telemetry.admission.trace import AdmissionTrace
from fleet_telemetry.admission.validation import Validation, validate
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.objects.manifest import Manifest, dig, mapping_at, text_at
from fleet_telemetry.policy.advice.surroundings import Surroundings
from fleet_telemetry.reporting.connections import MOST_CONNECTIONS, Connections, new_runner
from fleet_telemetry.reporting.decisions import log_admission
from fleet_telemetry.reporting.metrics import AdmissionMetrics
from fleet_telemetry.workloads.owner import read_controller

_log = logging.getLogger(__name__)

_OWNER_SECONDS = 0.4
"""How long the review of a pod waits for its workload, which may have been created just before."""
_MOST_WAITING_BYTES = 2 * 2**20
"""Of all pods that wait. A pod's request has a few kilobytes."""
_SMALL_BYTES = 256 * 1024
"""Larger requests are answered one at a time: each takes up to 90 MB of memory."""
_TURN_SECONDS = 1.5
_READ_BUFFER_BYTES = 64 * 1024
_UNREADABLE = "fleet-telemetry: {name} is admitted unchanged, because it cannot be read: {why}"
_REFUSED_UNREADABLE = "the object cannot be read: {why}"
_encoder = msgspec.json.Encoder()


class AdmissionServer:
    """Serves ``/mutate`` and ``/validate`` over TLS."""

    def __init__(
        self,
        cache: ClusterCache,
        metrics: AdmissionMetrics,
        now: Callable[[], datetime],
        tls: ssl.SSLContext,
        trace: AdmissionTrace,
        *,
        client_names: Collection[str] = (),
        bodies: BodyReader | None = None,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._cache = cache
        self._metrics = metrics
        self._now = now
        self._tls = tls
        self._trace = trace
        self._client_names = client_names
        self._bodies = bodies or BodyReader()
        self._most_connections = most_connections
        self._one_large = asyncio.Lock()
        self._waiting_bytes = 0
        self._runner: web.AppRunner | None = None
        self._connections: Connections | None = None
        self._server: asyncio.Server | None = None
        self._draining = False

    async def start(self, host: str, port: int) -> None:
        """Start to listen. Raises OSError if the address is in use."""
        app = web.Application()
        app.router.add_post("/mutate", self._mutate)
        app.router.add_post("/validate", self._validate)
        self._runner = new_runner(app, read_buffer_bytes=_READ_BUFFER_BYTES)
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = Connections(self._runner.server, most=self._most_connections)
        self._server = await self._connections.listen(host, port, self._tls)

    @property
    def port(self) -> int:
        """The port that it listens on, after start."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def drain(self, seconds: float) -> None:
        """Keep serving until no more requests are routed here.

        Each response asks the API server to close its connection, so that it connects to another
        replica. A request on a connection that the server closes would be lost.
        """
        self._draining = True
        await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """Stop listening, and finish the requests in progress."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _mutate(self, http: web.Request) -> web.Response:
        return await self._answer(http, self._review_body)

    async def _validate(self, http: web.Request) -> web.Response:
        return await self._answer(http, self._validate_body)

    async def _answer(self, http: web.Request, respond: _Respond) -> web.Response:
        """Read the request and respond. Raises HTTPException if it is not read."""
        if self._connections is not None:
            self._connections.used(http)
        try:
            check_client(http, self._client_names)
            async with self._bodies.reading(http) as body:
                return await self._in_turn(body, respond)
        except NotAReviewError:
            self._metrics.refuse("not-a-review")
            raise web.HTTPBadRequest(text="not an AdmissionReview\n") from None
        except web.HTTPException as refusal:
            self._metrics.refuse(_WHY_REFUSED.get(refusal.status, "other"))
            # What is left of the body is not waited for.
            refusal.force_close()
            raise

    async def _in_turn(self, body: bytes, respond: _Respond) -> web.Response:
        if len(body) <= _SMALL_BYTES:
            return await respond(body)
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._one_large.acquire()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="too many large requests at once\n") from None
        try:
            return await respond(body)
        finally:
            self._one_large.release()

    async def _review_body(self, body: bytes) -> web.Response:
        started = time.perf_counter()
        try:
            request = read_request(body)
        except UnreadableError as error:
            _log.warning("an admission request is admitted unchanged: %s", error)
            self._metrics.observe("mutate", "", "unreadable", time.perf_counter() - started)
            warning = _UNREADABLE.format(name=error.name, why=error)
            return self._respond(error.uid, {"allowed": True, "warnings": [warning]})
        result = "error"
        answer = NOTHING
        try:
            if self._cache.synced.is_set():
                answer = await self._review(request, len(body))
                result = "patched" if answer.patch else "unchanged"
                if not request.get("dryRun"):
                    self._trace.expect(answer)
            else:
                result = "unsynced"
        except Exception:  # noqa: BLE001  # see the comment; it is logged
            # An internal error must not block a deployment.
            _log.exception("admission review failed; the request is allowed unchanged")
        seconds = time.perf_counter() - started
        self._metrics.observe("mutate", _kind(request), result, seconds)
        # The API server waits for the response, and nobody for the line.
        asyncio.get_running_loop().call_soon(log_admission, request, answer.changes, seconds)
        return self._respond(text_at(request, "uid"), _mutation(answer))

    async def _review(self, request: Manifest, size: int) -> AdmissionResult:
        if dig(request, "kind", "kind") != "Pod":
            return review_workload(request, self._cache, self._now())
        controller = read_controller(mapping_at(request, "object"))
        namespace = text_at(request, "namespace")
        patience = _OWNER_SECONDS if self._waiting_bytes + size <= _MOST_WAITING_BYTES else 0.0
        self._waiting_bytes += size
        try:
            owner = await self._cache.fleet.wait_for(namespace, controller, patience)
        finally:
            self._waiting_bytes -= size
        if owner is None or not owner.is_injected_by_pod:
            return NOTHING
        return review_pod(request, owner, self._cache, self._now())

    async def _validate_body(self, body: bytes) -> web.Response:
        started = time.perf_counter()
        try:
            request = read_request(body)
        except UnreadableError as error:
            self._metrics.observe("validate", "", "unreadable", time.perf_counter() - started)
            refusal = Validation(refusal=_REFUSED_UNREADABLE.format(why=error))
            return self._respond(error.uid, _validation(refusal))
        try:
            verdict = validate(request, self._cache.catalogue, self._surroundings())
            result = "refused" if verdict.refusal else "accepted"
        except Exception:  # noqa: BLE001  # a bug, which is logged and counted
            _log.exception("validation failed; the object is refused")
            verdict, result = Validation(refusal="the webhook failed; see its log"), "error"
        self._metrics.observe("validate", _kind(request), result, time.perf_counter() - started)
        return self._respond(text_at(request, "uid"), _validation(verdict))

    def _surroundings(self) -> Surroundings | None:
        """What else is in the cluster; None while that is not known."""
        cache = self._cache
        if not cache.synced.is_set():
            return None
        return Surroundings(
            now=self._now(),
            catalogue=cache.catalogue,
            namespaces=cache.namespaces,
            workloads=cache.fleet.workloads,
            policies=cache.policies_in_force(),
        )

    def _respond(self, uid: str, outcome: Mapping[str, Any]) -> web.Response:
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": uid, **outcome},
        }
        response = web.Response(body=_encoder.encode(review), content_type="application/json")
        if self._draining:
            response.force_close()
        return response


_Respond = Callable[[bytes], Awaitable[web.Response]]
_WHY_REFUSED = {
    403: "client",
    408: "slow",
    413: "too-large",
    415: "media-type",
    503: "busy",
}


def _kind(request: Manifest) -> str:
    return text_at(request, "kind", "kind")


def _mutation(answer: AdmissionResult) -> dict[str, Any]:
    response: dict[str, Any] = {"allowed": True}
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(_encoder.encode(answer.patch)).decode()
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    return response


def _validation(verdict: Validation) -> dict[str, Any]:
    response: dict[str, Any] = {"allowed": not verdict.refusal}
    if verdict.refusal:
        response["status"] = {"code": 422, "reason": "Invalid", "message": verdict.refusal}
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    return response
