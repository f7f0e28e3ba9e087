"""The admission server: answers within milliseconds, from what it knows, and never denies a
workload. An error of our own lets the request through as it came."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from fleet_telemetry.cluster.mirror import Mirror
from fleet_telemetry.model.manifest import Manifest, dig
from fleet_telemetry.report.metrics import AdmissionMetrics
from fleet_telemetry.webhook.review import (
    NOTHING,
    Answer,
    owner_of_pod,
    review_pod,
    review_workload,
)
from fleet_telemetry.webhook.validation import Validation, validate

_log = logging.getLogger(__name__)

_LARGEST_REQUEST_BYTES = 16 * 2**20
"""Two objects of the largest size that etcd takes, and their managed fields, with room."""
_OWNER_SECONDS = 0.4
"""How long a pod waits for its workload, which may have been created a moment before."""
_CERTIFICATE_SECONDS = 10.0
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class AdmissionServer:
    """Serves ``/mutate`` and ``/validate`` over TLS."""

    def __init__(
        self,
        mirror: Mirror,
        metrics: AdmissionMetrics,
        now: Callable[[], datetime],
        *,
        certificate: Path,
        key: Path,
    ) -> None:
        self._mirror = mirror
        self._metrics = metrics
        self._now = now
        self._files = (certificate, key)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._runner: web.AppRunner | None = None
        self._reloading: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError if the address is taken or a certificate file is not there."""
        self._load_certificate()
        app = web.Application(client_max_size=_LARGEST_REQUEST_BYTES)
        app.router.add_post("/mutate", self._mutate)
        app.router.add_post("/validate", self._validate)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=self._tls).start()
        self._reloading = asyncio.create_task(self._reload_certificate())

    async def stop(self) -> None:
        """Stop listening, finish what is under way."""
        if self._reloading is not None:
            self._reloading.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    def _load_certificate(self) -> None:
        certificate, key = self._files
        self._tls.load_cert_chain(certificate, key)

    async def _reload_certificate(self) -> None:
        """Take up a renewed certificate; connections that stand keep the old one."""
        loaded = self._modified()
        while True:
            await asyncio.sleep(_CERTIFICATE_SECONDS)
            modified = self._modified()
            if modified == loaded:
                continue
            try:
                self._load_certificate()
            except (OSError, ssl.SSLError) as error:
                _log.warning("the renewed certificate cannot be loaded yet: %s", error)
            else:
                loaded = modified
                _log.info("loaded the renewed certificate")

    def _modified(self) -> tuple[int, ...]:
        try:
            return tuple(path.stat().st_mtime_ns for path in self._files)
        except OSError:
            return ()

    async def _mutate(self, http: web.Request) -> web.Response:
        started = time.perf_counter()
        request = await _read(http)
        result = "error"
        answer = NOTHING
        try:
            answer = await self._review(request)
            result = "patched" if answer.patch else "unchanged"
        except Exception:  # noqa: BLE001  # as said below, and it is logged
            # Whatever is wrong with us must not stop a deploy.
            _log.exception("admission review failed; the request goes through as it came")
        self._metrics.observe("mutate", _kind(request), result, time.perf_counter() - started)
        return _respond(request, _mutation(answer))

    async def _review(self, request: Manifest) -> Answer:
        if not self._mirror.synced.is_set():
            return NOTHING
        if dig(request, "kind", "kind") != "Pod":
            return review_workload(request, self._mirror, self._now())
        ref = owner_of_pod(request)
        if ref is None:
            return NOTHING
        owner = await self._mirror.fleet.wait_for(ref, _OWNER_SECONDS)
        if owner is None or owner.controller is None:
            return NOTHING
        return review_pod(request, owner, self._mirror, self._now())

    async def _validate(self, http: web.Request) -> web.Response:
        started = time.perf_counter()
        request = await _read(http)
        verdict = validate(request, self._mirror.catalogue)
        result = "refused" if verdict.refusal else "accepted"
        self._metrics.observe("validate", _kind(request), result, time.perf_counter() - started)
        return _respond(request, _validation(verdict))


async def _read(http: web.Request) -> Manifest:
    try:
        request = dig(_decoder.decode(await http.read()), "request")
    except msgspec.DecodeError:
        request = None
    if not isinstance(request, dict):
        raise web.HTTPBadRequest(text="not an AdmissionReview\n")
    return request


def _kind(request: Manifest) -> str:
    return str(dig(request, "kind", "kind") or "")


def _mutation(answer: Answer) -> dict[str, Any]:
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


def _respond(request: Manifest, response: Mapping[str, Any]) -> web.Response:
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": request.get("uid", ""), **response},
    }
    return web.Response(body=_encoder.encode(review), content_type="application/json")
