"""One check: what the product reports, or why it reports nothing."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.runtime.check_job import CheckJob
from fleet_telemetry.controllers.runtime.gathering import InstanceGatherer
from fleet_telemetry.controllers.runtime.remediation import Remediator
from fleet_telemetry.evidence.checks import result_without_check
from fleet_telemetry.evidence.combining import combine
from fleet_telemetry.evidence.credentials import CredentialWithheldError
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.kube.client import ApiError
from fleet_telemetry.kube.secrets import SecretError
from fleet_telemetry.vendors.endpoints import EndpointError

_log = logging.getLogger(__name__)

_CHECK_SECONDS = 120.0
"""For a whole check: two rounds of requests, and what the API server is asked."""


class ProductChecker:
    """Asks a product for its setting, and remediates it if the policy wants that."""

    def __init__(self, gatherer: InstanceGatherer, remediator: Remediator) -> None:
        self._gatherer = gatherer
        self._remediator = remediator

    async def check(self, job: CheckJob) -> tuple[Reported, float]:
        """The answer, and the seconds for which the product asks to get no request."""
        check = job.check
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
        return result, retry_after

    async def _check(self, job: CheckJob, reported: list[Reported]) -> tuple[Reported, float]:
        """The answer, and the seconds for which the product asks to get no request. What the
        product says before a remediation is added to ``reported``.

        Raises CredentialWithheldError, SecretError, EndpointError, ApiError.
        """
        check = job.check
        known = result_without_check(check)
        if known is not None:
            return known, check.interval
        instances = await self._gatherer.gather(job)
        answers = await instances.read()
        found = combine(answers, check.desired)
        reported.append(found)
        await self._remediator.report_drift(job, found)
        if not self._remediator.is_needed(job, check, found):
            return found, max((answer.retry_after for answer in answers), default=0.0)
        return await self._remediator.remediate(job, found, instances), 0.0
