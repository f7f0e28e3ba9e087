"""Schedules the checks of all products, and remediates settings that a policy wants remediated.

Namespaces take turns, and every check has a deadline, so that slow products of one namespace cannot
keep the products of others from being checked.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.controllers.runtime.check_job import CheckJob
from fleet_telemetry.controllers.runtime.check_state import CheckState
from fleet_telemetry.controllers.runtime.checker import ProductChecker
from fleet_telemetry.controllers.runtime.fair_queue import FairQueue
from fleet_telemetry.controllers.runtime.gathering import InstanceGatherer
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from fleet_telemetry.controllers.runtime.remediation import Remediator
from fleet_telemetry.controllers.runtime.requests import without_text
from fleet_telemetry.controllers.runtime.service_lists import ServiceLists
from fleet_telemetry.evidence.checks import Check
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import KubernetesClient
from fleet_telemetry.kube.events import EventRecorder
from fleet_telemetry.reporting.fleet_metrics import LastCheck
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_WORKERS = 32
_CHECKS_PER_NAMESPACE = 4
"""At the same time."""
_SOON_SECONDS = 2.0
"""The delay after a change: a product that has just started needs some time to answer."""
_SLACK_SECONDS = 1.0
"""A timer may fire a moment early; an answer must have expired when it is decided on."""


Key = tuple[WorkloadRef, str]
Results = Mapping[tuple[str, ChannelName], Reported]


class Verifier:
    """Keeps the accepted answers of all products. ``run`` does the checks."""

    def __init__(
        self,
        cache: ClusterCache,
        client: KubernetesClient,
        metrics: VerificationMetrics,
        *,
        now: Callable[[], datetime],
        enqueue: Callable[[WorkloadRef], None],
        is_asked: Callable[[WorkloadRef, Check], bool],
        vendors: VendorClient | None = None,
        loopback: bool = False,
    ) -> None:
        """``enqueue`` is called with a workload when an accepted answer changed. ``is_asked`` says
        whether policies still ask for a check; nothing is sent otherwise."""
        self._cache = cache
        self._metrics = metrics
        self._now = now
        self._enqueue = enqueue
        self._vendors = vendors or VendorClient()
        self._random = random.Random()  # noqa: S311  # spreads load, hides nothing
        self._jobs: dict[WorkloadRef, dict[str, CheckJob]] = {}
        """By workload and product."""
        self._due: FairQueue[Key] = FairQueue(_CHECKS_PER_NAMESPACE)
        self._gate = HostGate()
        self._services = ServiceLists(client)
        gatherer = InstanceGatherer(
            cache,
            client,
            self._vendors,
            self._services,
            self._gate,
            is_current=self._is_current,
            is_asked=is_asked,
            loopback=loopback,
        )
        events = EventRecorder(client, now)
        remediator = Remediator(cache, metrics, events, is_current=self._is_current)
        self._checker = ProductChecker(gatherer, remediator)

    async def run(self) -> None:
        """Check until cancelled; then forget everything."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_WORKERS):
                    group.create_task(self._work())
        finally:
            for ref in list(self._jobs):
                self.plan(ref, (), None)
            self._due = FairQueue(_CHECKS_PER_NAMESPACE)
            self._services.clear()
            await self._vendors.close()

    def plan(self, ref: WorkloadRef, checks: tuple[Check, ...], pods: object) -> None:
        """Replace the checks of a workload. ``pods`` identifies the pods that they are of."""
        workload = self._cache.fleet.workloads.get(ref)
        uid = workload.uid if workload is not None else ""
        jobs = self._jobs.setdefault(ref, {})
        wanted = {check.product: check for check in checks}
        for product in [one for one, job in jobs.items() if one not in wanted or job.uid != uid]:
            self._forget(jobs.pop(product))
        if not wanted:
            del self._jobs[ref]
        for product, check in wanted.items():
            job = jobs.get(product)
            if job is None:
                state = CheckState(check.interval, planned=_clock())
                job = jobs[product] = CheckJob(ref, uid, check, pods, state)
                self._schedule(job, 0)
                self._watch_age(job)
            elif (job.check, job.pods) != (check, pods):
                job.state.reset(check_changed=job.check != check)
                job.check, job.pods = check, pods
                job.state.interval = check.interval
                self._schedule(job, _SOON_SECONDS)
                self._watch_age(job)

    def results(self, ref: WorkloadRef) -> Results:
        """The accepted answers of a workload's products; those not checked yet are missing. An
        answer that is too old is unknown."""
        found = {
            (product, ChannelName.USAGE): job.state.current(_clock())
            for product, job in self._jobs.get(ref, {}).items()
        }
        return {key: result for key, result in found.items() if result is not None}

    def sizes(self) -> Mapping[str, int]:
        """How much is remembered: of checks, and of namespaces and hosts in use."""
        return {
            "checks": sum(map(len, self._jobs.values())),
            "queue": len(self._due),
            "namespaces": self._due.namespaces,
            "hosts": len(self._gate),
        }

    def last_checks(self) -> Iterator[LastCheck]:
        """The last check of each product that has been checked."""
        # A scrape calls this from its own thread: the copies make that safe.
        for ref, jobs in list(self._jobs.items()):
            for product, job in list(jobs.items()):
                if job.checked_at is not None:
                    yield LastCheck(ref, product, job.outcome, job.checked_at)

    def _schedule(self, job: CheckJob, seconds: float) -> None:
        if job.timer is not None:
            job.timer.cancel()
        key = job.ref, job.check.product
        loop = asyncio.get_running_loop()
        job.timer = loop.call_later(seconds, self._due.add, job.ref.namespace, key)

    def _watch_age(self, job: CheckJob) -> None:
        """Have the workload decided on again when the answer that counts is too old."""
        if job.expiry is not None:
            job.expiry.cancel()
        loop = asyncio.get_running_loop()
        job.expiry = loop.call_at(job.state.expires() + _SLACK_SECONDS, self._enqueue, job.ref)

    def _forget(self, job: CheckJob) -> None:
        for timer in (job.timer, job.expiry):
            if timer is not None:
                timer.cancel()
        self._due.discard(job.ref.namespace, (job.ref, job.check.product))

    async def _work(self) -> None:
        while True:
            # Another one replaces it when this replica no longer leads.
            due = self._due
            namespace, key = await due.get()
            try:
                job = self._job(*key)
                if job is not None:
                    await self._run_check(job)
            finally:
                due.done(namespace, key)

    async def _run_check(self, job: CheckJob) -> None:
        check = job.check
        try:
            delay = await self._verify(job)
        except Exception as error:  # noqa: BLE001  # a bug with one product must not stop the others
            _log.error("%s: check of %s failed: %s", job.ref, check.product, without_text(error))
            delay = check.interval
        if self._is_current(job, check):
            self._schedule(job, delay)

    def _is_current(self, job: CheckJob, check: Check) -> bool:
        """Whether the check was not replaced since it began. If it was, the next one is scheduled
        already, and the result of this one is outdated."""
        return self._job(job.ref, check.product) is job and job.check is check

    def _job(self, ref: WorkloadRef, product: str) -> CheckJob | None:
        return self._jobs.get(ref, {}).get(product)

    async def _verify(self, job: CheckJob) -> float:
        """Check once; return the seconds until the next check."""
        check = job.check
        started, as_of = _clock(), self._now()
        result, retry_after = await self._checker.check(job)
        result = replace(result, as_of=as_of)
        job.checked_at, job.outcome = self._now(), result.fault or "ok"
        self._metrics.observe(check.product, job.outcome, _clock() - started)
        if self._is_current(job, check):
            if job.state.record_answer(result, _clock()):
                self._enqueue(job.ref)
            self._watch_age(job)
        return job.state.delay(retry_after, self._random.uniform)


def _clock() -> float:
    return asyncio.get_running_loop().time()
