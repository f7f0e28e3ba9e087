"""Waiting for the operator's CRDs."""

from __future__ import annotations

import asyncio
import logging

from fleet_telemetry.api.resources import GROUP, VERSION
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kinds import OWN_PLURALS

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


async def wait_for_crds(client: KubernetesClient) -> None:
    """Return once the API server serves all of the operator's kinds.

    Without them kopf would start all the same, and would not watch kinds that are served later.
    """
    logged = ""
    while True:
        try:
            missing = OWN_PLURALS - await client.served_plurals(GROUP, VERSION)
            problem = f"these CRDs are not installed: {', '.join(sorted(missing))}"
        except ApiError as error:
            missing = OWN_PLURALS
            problem = f"cannot list the served kinds: {error}"
        if not missing:
            return
        if problem != logged:
            _log.warning("waiting for the CRDs, retrying: %s", problem)
            logged = problem
        await asyncio.sleep(_RETRY_SECONDS)
