"""Asks products what they really do, each in its own time, and puts right what it is told to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName, RuntimeAction
from fleet_telemetry.api.product import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.runtime.check_state import ROUNDS, Standing
from fleet_telemetry.controllers.runtime.requests import Asking, host_gates
from fleet_telemetry.evidence.checks import Check, answer_without_asking
from fleet_telemetry.evidence.combining import combine
from fleet_telemetry.evidence.reported import Reported
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.events import EventRecorder
from fleet_telemetry.kube.secrets import SecretError, read_secret
from fleet_telemetry.reporting.fleet_metrics import LastCheck
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.switches.reading import setting_of
from fleet_telemetry.vendors.adapters import ADAPTERS
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.endpoints import EndpointError, find_endpoints
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.vendors.service import Endpoint, Service, read_service
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_WORKERS = 32
_SOON_SECONDS = 2.0
"""After a change: a product that has just been started answers a little later."""
_SERVICES_SECONDS = 15.0
"""A list of a namespace's Services serves several checks."""


@dataclass
class _Job:
    """One product of one workload, to be asked again and again."""

    ref: WorkloadRef
    check: Check
    occasion: object
    """What it depends on besides: another one means asking soon."""
    timer: asyncio.TimerHandle | None = None
    asked: datetime | None = None
    outcome: str = ""
    """Of the last time: ``ok`` or a reason."""
    fakeg: Standing = field(default_factory=Standing)


Key = tuple[WorkloadRef, str]
Results = Mapping[tuple[str, ChannelName], Reported]


class Verifier:
    """Keeps the answers of all products. ``run`` does the asking while this replica leads."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        metrics: VerificationMetrics,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._client = client
        self._metrics = metrics
        self._now = now
        self.told: Callable[[WorkloadRef], None] = lambda _: None
        """Called when a workload's products have told something new."""
        self._events = EventRecorder(client, now)
        self._vendors = VendorClient()
        self._breaker = Breaker()
        self._random = random.Random()  # noqa: S311  # spreads load, hides nothing
        self._jobs: dict[WorkloadRef, dict[str, _Job]] = {}
        """By product."""
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._hosts = host_gates()
        self._services: dict[str, tuple[float, tuple[Service, ...]]] = {}

    async def run(self) -> None:
        """Ask until cancelled; then forget everything."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_WORKERS):
                    group.create_task(self._work())
        finally:
            for ref in list(self._jobs):
                self.plan(ref, (), None)
            self._due = asyncio.Queue()
            await self._vendors.close()

    def plan(self, ref: WorkloadRef, checks: tuple[Check, ...], occasion: object) -> None:
        """Say what a workload is to be asked from now on."""
        jobs = self._jobs.setdefault(ref, {})
        wanted = {check.product: check for check in checks}
        for product in jobs.keys() - wanted:
            self._unschedule(jobs.pop(product))
        if not wanted:
            del self._jobs[ref]
        for product, check in wanted.items():
            job = jobs.get(product)
            if job is None:
                job = jobs[product] = _Job(ref, check, occasion)
                self._schedule(job, 0)
            elif (job.check, job.occasion) != (check, occasion):
                job.fakeg.begin_anew(another_wish=job.check != check)
                job.check, job.occasion = check, occasion
                self._schedule(job, _SOON_SECONDS)

    def results(self, ref: WorkloadRef) -> Results:
        """What a workload's products have told; nothing of those that were not asked yet."""
        return {
            (product, ChannelName.USAGE): job.fakeg.result
            for product, job in self._jobs.get(ref, {}).items()
            if job.fakeg.result is not None
        }

    def last_checks(self) -> Iterator[LastCheck]:
        """What came of asking each product the last time, where it was asked."""
        # Asked from the thread of a scrape: the copies are what makes that safe.
        for ref, jobs in list(self._jobs.items()):
            for product, job in list(jobs.items()):
                if job.asked is not None:
                    yield LastCheck(ref, product, job.outcome, job.asked)

    def _schedule(self, job: _Job, seconds: float) -> None:
        self._unschedule(job)
        key = job.ref, job.check.product
        loop = asyncio.get_running_loop()
        job.timer = loop.call_later(seconds, self._due.put_nowait, key)

    @staticmethod
    def _unschedule(job: _Job) -> None:
        if job.timer is not None:
            job.timer.cancel()

    async def _work(self) -> None:
        while True:
            ref, product = await self._due.get()
            job = self._job(ref, product)
            if job is None:
                continue
            check = job.check
            try:
                delay = await self._verify(job)
            except Exception:  # noqa: BLE001  # a bug with one product must not stop the others
                _log.exception("%s: check of %s failed", job.ref, check.product)
                delay = check.interval
            if self._stands(job, check):
                self._schedule(job, delay)

    def _stands(self, job: _Job, check: Check) -> bool:
        """Whether it is still what is to be asked. Otherwise another check is on its way, and what
        comes of this one is out of date."""
        return self._job(job.ref, check.product) is job and job.check is check

    def _job(self, ref: WorkloadRef, product: str) -> _Job | None:
        return self._jobs.get(ref, {}).get(product)

    async def _verify(self, job: _Job) -> float:
        """Ask once; the seconds until the next time."""
        check = job.check
        clock = asyncio.get_running_loop().time
        started = clock()
        wait = 0.0
        try:
            result, wait = await self._ask(job)
        except SecretError as error:
            result = Reported(fault=error.reason, message=str(error))
        except EndpointError as error:
            result = Reported(fault=Reason.ENDPOINT_NOT_FOUND, message=str(error))
        except ApiError as error:
            _log.warning("%s: %s", job.ref, error)
            result = Reported(fault=Reason.UNREACHABLE, message="The API server did not help.")
        job.asked, job.outcome = self._now(), result.fault or "ok"
        self._metrics.observe(check.product, job.outcome, clock() - started)
        if self._stands(job, check) and job.fakeg.hear(result):
            self.told(job.ref)
        return job.fakeg.delay(check.interval, wait, self._random.uniform)

    async def _ask(self, job: _Job) -> tuple[Reported, float]:
        """The answer, and for how long the product wants to be left alone."""
        check = job.check
        known = answer_without_asking(check)
        if known is not None:
            return known, check.interval
        assert check.secret is not None, "without one, nothing could be asked"
        adapter = ADAPTERS[check.api.adapter]
        credentials = await read_secret(self._client, check.secret, adapter.keys)
        endpoints = find_endpoints(
            check.api,
            namespace=job.ref.namespace,
            pods=self._cache.fleet.pods_of(job.ref),
            services=await self._services_of(job.ref.namespace),
            named=check.service,
            per_pod=adapter.per_pod,
        )
        asking = Asking(self._vendors, self._breaker, self._hosts, adapter, credentials)
        told = await asking.all(endpoints)
        result = combine(told, check.desired)
        await self._tell_drift(job, result)
        if (
            result.setting in (Setting.UNKNOWN, setting_of(check.desired))
            or check.action is not RuntimeAction.REMEDIATE
            or not adapter.settable
            or not result.enforceable
            or not self._stands(job, check)
        ):
            return result, max((one.retry_after for one in told), default=0.0)
        return await self._put_right(job, result, endpoints, asking), 0.0

    async def _put_right(
        self, job: _Job, found: Reported, endpoints: tuple[Endpoint, ...], asking: Asking
    ) -> Reported:
        """Set, and read back. Stops where somebody keeps turning it back."""
        check = job.check
        now = asyncio.get_running_loop().time()
        if not job.fakeg.may_be_put_right(now):
            return replace(found, fought_over=True)
        refusal = await asking.set(endpoints, check.desired)
        result = combine(await asking.all(endpoints), check.desired)
        if refusal is not None and result.setting is found.setting:
            message = f"{result.message} {refusal}"
            return replace(result, fault=refusal.reason, message=message)
        is_last = job.fakeg.count_round(now)
        if result.setting is setting_of(check.desired):
            self._metrics.count_remediation(check.product)
            note = f"{check.product}: telemetry is {check.desired} again, set by its API"
            await self._tell(job, "TelemetryPutRight", note)
        if is_last:
            note = (
                f"{check.product}: telemetry had to be set {ROUNDS} times within a day; it is "
                f"left alone now until the day is over or the policy changes"
            )
            await self._tell(job, "TelemetryFoughtOver", note, warning=True)
        return result

    async def _tell_drift(self, job: _Job, result: Reported) -> None:
        """Say so if a product that was as wished no longer is."""
        if job.fakeg.has_drifted(result, job.check.desired):
            self._metrics.count_drift(job.check.product)
            note = f"{job.check.product}: {result.message}"
            await self._tell(job, "TelemetryDrift", note, warning=True)

    async def _tell(self, job: _Job, reason: str, note: str, *, warning: bool = False) -> None:
        workload = self._cache.fleet.workloads.get(job.ref)
        # `kubectl describe` shows no event that does not name the workload's uid.
        uid = workload.uid if workload else ""
        await self._events.tell(job.ref, reason, note, uid=uid, warning=warning)

    async def _services_of(self, namespace: str) -> tuple[Service, ...]:
        clock = asyncio.get_running_loop().time()
        until, found = self._services.get(namespace, (0.0, ()))
        if clock >= until:
            manifests = self._client.list(kinds.SERVICE, namespace)
            found = tuple([read_service(manifest) async for manifest in manifests])
            self._services[namespace] = clock + _SERVICES_SECONDS, found
        return found
