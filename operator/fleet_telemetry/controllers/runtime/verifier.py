"""Schedules the checks of all products, and remediates settings that a policy wants remediated.

Namespaces take turns, and every check has a deadline, so that slow products of one namespace cannot
keep the products of others from being checked.
"""

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
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.controllers.runtime.check_state import REMEDIATIONS_PER_DAY, CheckState
from fleet_telemetry.controllers.runtime.fair_queue import FairQueue
from fleet_telemetry.controllers.runtime.host_gate import HostGate
from fleet_telemetry.controllers.runtime.requests import InstanceClient, without_text
from fleet_telemetry.evidence.checks import Check, result_without_check
from fleet_telemetry.evidence.combining import InstanceAnswer, combine
from fleet_telemetry.evidence.credentials import (
    CredentialDestination,
    CredentialWithheldError,
    images_of,
    why_withheld,
    why_withheld_from,
)
from fleet_telemetry.evidence.pod_versions import gather_pod_facts
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.cache import ClusterCache
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.events import EventRecorder, regarding_workload
from fleet_telemetry.kube.secrets import SecretError, read_secret
from fleet_telemetry.objects.manifest import mapping_at
from fleet_telemetry.reporting.fleet_metrics import LastCheck
from fleet_telemetry.reporting.metrics import VerificationMetrics
from fleet_telemetry.switches.reading import setting_of
from fleet_telemetry.vendors.adapters import ADAPTERS
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.endpoints import EndpointError, find_endpoints, unreached
from fleet_telemetry.vendors.http import VendorClient
from fleet_telemetry.vendors.instances import Instance, Unasked, find_instances
from fleet_telemetry.vendors.service import Endpoint, Service, read_service
from fleet_telemetry.workloads.workload import WorkloadRef

_log = logging.getLogger(__name__)

_WORKERS = 32
_CHECKS_PER_NAMESPACE = 4
"""At the same time."""
_CHECK_SECONDS = 120.0
"""For a whole check: two rounds of requests, and what the API server is asked."""
_SOON_SECONDS = 2.0
"""The delay after a change: a product that has just started needs some time to answer."""
_SLACK_SECONDS = 1.0
"""A timer may fire a moment early; an answer must have expired when it is decided on."""
_SERVICES_SECONDS = 15.0
"""How long one list of a namespace's Services is used, by several checks."""


@dataclass
class _Job:
    """The repeated check of one product of one workload."""

    ref: WorkloadRef
    uid: str
    """Of the workload. Another one of the same name has given no answer yet."""
    check: Check
    pods: object
    """The pods that are checked; a change of them means to check soon."""
    state: CheckState
    breaker: Breaker = field(default_factory=Breaker)
    timer: asyncio.TimerHandle | None = None
    """Of the next check."""
    expiry: asyncio.TimerHandle | None = None
    """Of the answer that counts."""
    checked_at: datetime | None = None
    outcome: str = ""
    """Of the last check: ``ok`` or a reason."""


@dataclass(frozen=True)
class _Instances:
    """The running instances of a product, and the client for them."""

    client: InstanceClient
    endpoints: tuple[Endpoint, ...]
    unasked: tuple[Unasked, ...] = ()
    """Pods with a setting of their own that cannot be asked for it."""

    async def read(self) -> list[InstanceAnswer]:
        """The answers of all instances. Raises CredentialWithheldError."""
        return [
            *await self.client.read(self.endpoints),
            *(
                InstanceAnswer(one.pod, None, Reason.NO_VERIFIED_POD, f"A pod {one.why}.")
                for one in self.unasked
            ),
        ]


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
        vendors: VendorClient | None = None,
        loopback: bool = False,
    ) -> None:
        """``enqueue`` is called with a workload when an accepted answer changed."""
        self._cache = cache
        self._client = client
        self._metrics = metrics
        self._now = now
        self._enqueue = enqueue
        self._events = EventRecorder(client, now)
        self._vendors = vendors or VendorClient()
        self._loopback = loopback
        self._random = random.Random()  # noqa: S311  # spreads load, hides nothing
        self._jobs: dict[WorkloadRef, dict[str, _Job]] = {}
        """By workload and product."""
        self._due: FairQueue[Key] = FairQueue(_CHECKS_PER_NAMESPACE)
        self._gate = HostGate()
        self._services: dict[str, tuple[float, tuple[Service, ...]]] = {}

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
                job = jobs[product] = _Job(ref, uid, check, pods, state)
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

    def _schedule(self, job: _Job, seconds: float) -> None:
        if job.timer is not None:
            job.timer.cancel()
        key = job.ref, job.check.product
        loop = asyncio.get_running_loop()
        job.timer = loop.call_later(seconds, self._due.add, job.ref.namespace, key)

    def _watch_age(self, job: _Job) -> None:
        """Have the workload decided on again when the answer that counts is too old."""
        if job.expiry is not None:
            job.expiry.cancel()
        loop = asyncio.get_running_loop()
        job.expiry = loop.call_at(job.state.expires() + _SLACK_SECONDS, self._enqueue, job.ref)

    def _forget(self, job: _Job) -> None:
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

    async def _run_check(self, job: _Job) -> None:
        check = job.check
        try:
            delay = await self._verify(job)
        except Exception as error:  # noqa: BLE001  # a bug with one product must not stop the others
            _log.error("%s: check of %s failed: %s", job.ref, check.product, without_text(error))
            delay = check.interval
        if self._is_current(job, check):
            self._schedule(job, delay)

    def _is_current(self, job: _Job, check: Check) -> bool:
        """Whether the check was not replaced since it began. If it was, the next one is scheduled
        already, and the result of this one is outdated."""
        return self._job(job.ref, check.product) is job and job.check is check

    def _job(self, ref: WorkloadRef, product: str) -> _Job | None:
        return self._jobs.get(ref, {}).get(product)

    async def _verify(self, job: _Job) -> float:
        """Check once; return the seconds until the next check."""
        check = job.check
        started, as_of = _clock(), self._now()
        retry_after = 0.0
        reported: list[Reported] = []
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                result, retry_after = await self._check(job, reported)
        except TimeoutError:
            message = f"The check took longer than {_CHECK_SECONDS:g} s."
            result = Reported(fault=Reason.UNREACHABLE, message=message)
        except CredentialWithheldError as withheld:
            result = withheld.result
        except SecretError as error:
            result = Reported(fault=error.reason, message=str(error))
        except EndpointError as error:
            result = Reported(fault=error.reason, message=str(error))
        except ApiError as error:
            _log.warning("%s: check of %s: %s", job.ref, check.product, error)
            message = "The API server did not answer."
            result = Reported(fault=Reason.UNREACHABLE, message=message)
        if (
            result.setting is Setting.UNKNOWN
            and reported
            and reported[0].setting is not Setting.UNKNOWN
        ):
            # Whatever fails after an answer, the answer counts.
            message = f"{reported[0].message} {result.message}".strip()
            result = replace(reported[0], fault=result.fault, message=message)
        result = replace(result, as_of=as_of)
        job.checked_at, job.outcome = self._now(), result.fault or "ok"
        self._metrics.observe(check.product, job.outcome, _clock() - started)
        if self._is_current(job, check):
            if job.state.record_answer(result, _clock()):
                self._enqueue(job.ref)
            self._watch_age(job)
        return job.state.delay(retry_after, self._random.uniform)

    async def _check(self, job: _Job, reported: list[Reported]) -> tuple[Reported, float]:
        """The answer, and the seconds for which the product asks to get no request. What the
        product says before a remediation is added to ``reported``.

        Raises CredentialWithheldError, SecretError, EndpointError, ApiError.
        """
        check = job.check
        known = result_without_check(check)
        if known is not None:
            return known, check.interval
        instances = await self._gather(job)
        answers = await instances.read()
        found = combine(answers, check.desired)
        reported.append(found)
        await self._report_drift(job, found)
        if not self._needs_remediation(job, check, found):
            return found, max((answer.retry_after for answer in answers), default=0.0)
        return await self._remediate(job, found, instances), 0.0

    async def _gather(self, job: _Job) -> _Instances:
        """Read the credentials and find the endpoints. Raises as ``_check`` does."""
        check = job.check
        assert check.grant is not None, "a check without credentials sends no request"
        adapter = ADAPTERS[check.api.adapter]
        labels = self._cache.labels_of(job.ref.namespace)
        if check.grant.namespace_selector is not None:
            # The cache may be behind; whoever took the label away wants nothing to be sent.
            labels = await self._read_namespace_labels(job.ref.namespace)
        self._check_destination(job, labels)
        credentials = await read_secret(
            self._client, check.grant.secret, adapter.keys, check.product
        )
        services = await self._services_of(job.ref.namespace)
        instances, unasked = self._find_instances(job)
        if not instances:
            raise _no_instance(unasked)
        endpoints = find_endpoints(
            check.api,
            namespace=job.ref.namespace,
            instances=instances,
            services=services,
            named=check.service,
            per_pod=adapter.per_pod,
        )
        schemes = [endpoint.scheme for endpoint in endpoints]
        withheld = why_withheld_from(check.grant, schemes, ", ".join(map(str, endpoints[:1])))
        if withheld is not None:
            raise CredentialWithheldError(withheld)
        client = InstanceClient(
            self._vendors,
            job.breaker,
            self._gate,
            adapter,
            credentials,
            confirm=lambda endpoint: self._confirm(job, check, endpoint),
        )
        unasked += unreached(instances, endpoints)
        return _Instances(client, endpoints, unasked if adapter.per_pod else ())

    def _find_instances(
        self, job: _Job, name: str | None = None
    ) -> tuple[tuple[Instance, ...], tuple[Unasked, ...]]:
        """The pods to ask, as they are now, and those that cannot be asked; of all pods, or of the
        one with a name."""
        fleet = self._cache.fleet
        return find_instances(
            (pod for pod in fleet.pods_of(job.ref) if name in (None, pod.name)),
            job.check.product,
            job.check.api,
            self._cache.catalogue,
            is_shared=fleet.is_address_shared,
            loopback=self._loopback,
        )

    def _check_destination(self, job: _Job, namespace_labels: Mapping[str, str]) -> None:
        """Raise CredentialWithheldError if the credential may not be sent to the workload now."""
        check, workload = job.check, self._cache.fleet.workloads.get(job.ref)
        catalogue = self._cache.catalogue
        product = catalogue.products.get(check.product)
        assert check.grant is not None
        if workload is None or product is None:
            raise CredentialWithheldError(Reported(fault=Reason.ENDPOINT_NOT_FOUND))
        pods = gather_pod_facts(self._cache.fleet.pods_of(job.ref), catalogue)
        images = images_of(product, match_containers(workload.template, catalogue), pods)
        to = CredentialDestination(job.ref.namespace, namespace_labels, images)
        withheld = why_withheld(check.grant, to)
        if withheld is not None:
            raise CredentialWithheldError(withheld)

    def _confirm(self, job: _Job, check: Check, endpoint: Endpoint) -> None:
        """Raise CredentialWithheldError if a request that had to wait may no longer be sent."""
        instances, _ = self._find_instances(job, endpoint.instance)
        if [one.pod.address for one in instances] != [endpoint.address]:
            # Its address may be another pod's by now.
            message = f"The pod {endpoint.instance} changed before the request was sent."
            raise CredentialWithheldError(Reported(fault=Reason.NO_VERIFIED_POD, message=message))
        if not self._is_current(job, check):
            message = "The policy or the workload changed before the request was sent."
            raise CredentialWithheldError(Reported(fault=Reason.UNREACHABLE, message=message))
        self._check_destination(job, self._cache.labels_of(job.ref.namespace))

    async def _read_namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels that a namespace has now. Raises ApiError."""
        manifest = await self._client.get(kinds.NAMESPACE, namespace)
        return {str(k): str(v) for k, v in mapping_at(manifest, "metadata", "labels").items()}

    def _needs_remediation(self, job: _Job, check: Check, found: Reported) -> bool:
        """Whether the setting differs from the desired one and may be written."""
        return (
            found.setting not in (Setting.UNKNOWN, setting_of(check.desired))
            and check.action is RuntimeAction.REMEDIATE
            and ADAPTERS[check.api.adapter].settable
            and found.enforceable
            and self._is_current(job, check)
        )

    async def _remediate(self, job: _Job, found: Reported, instances: _Instances) -> Reported:
        """Write the setting and read it back, unless the limit of a day is reached."""
        check = job.check
        now = _clock()
        if not job.state.may_remediate(now):
            return replace(found, remediation_conflict=True)
        failure = await instances.client.write(instances.endpoints, check.desired)
        result = combine(await instances.read(), check.desired)
        if result.setting is Setting.UNKNOWN:
            fault = failure.reason if failure else result.fault
            message = str(failure or result.message)
            return Reported(fault=fault or Reason.UNEXPECTED_ANSWER, message=message)
        if failure is not None and result.setting is found.setting:
            message = f"{result.message} {failure}"
            return replace(result, fault=failure.reason, message=message)
        is_last = job.state.count_remediation(now)
        if result.setting is setting_of(check.desired):
            self._metrics.count_remediation(check.product)
            note = f"{check.product}: telemetry was set to {check.desired} by the product's API"
            await self._event(job, "TelemetryRemediated", note)
        if is_last:
            note = (
                f"{check.product}: telemetry had to be set {REMEDIATIONS_PER_DAY} times within a "
                "day, because something sets it back. The operator does not set it again until "
                "the day is over or the policy changes"
            )
            await self._event(job, "TelemetryRemediationConflict", note, warning=True)
        return result

    async def _report_drift(self, job: _Job, found: Reported) -> None:
        """Count and report a setting that was the desired one and no longer is."""
        if job.state.has_drifted(found, job.check.desired):
            self._metrics.count_drift(job.check.product)
            note = f"{job.check.product}: {found.message}"
            await self._event(job, "TelemetryDrift", note, warning=True)

    async def _event(self, job: _Job, reason: str, note: str, *, warning: bool = False) -> None:
        workload = self._cache.fleet.workloads.get(job.ref)
        regarding = regarding_workload(job.ref, workload.uid if workload else "")
        await self._events.event(regarding, reason, note, warning=warning)

    async def _services_of(self, namespace: str) -> tuple[Service, ...]:
        until, found = self._services.get(namespace, (0.0, ()))
        if _clock() >= until:
            manifests = self._client.list(kinds.SERVICE, namespace)
            found = tuple([read_service(manifest) async for manifest in manifests])
            now = _clock()
            kept = {name: held for name, held in self._services.items() if held[0] > now}
            self._services = {**kept, namespace: (now + _SERVICES_SECONDS, found)}
        return found


def _no_instance(unasked: tuple[Unasked, ...]) -> EndpointError:
    if not unasked:
        return EndpointError("no pod of the workload has an address yet")
    more = f" (and {len(unasked) - 1} more pods)" if len(unasked) > 1 else ""
    return EndpointError(f"No pod can be asked: {unasked[0]}{more}.", Reason.NO_VERIFIED_POD)


def _clock() -> float:
    return asyncio.get_running_loop().time()
