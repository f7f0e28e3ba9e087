"""One field of a custom resource, from an API server that does not answer."""

from __future__ import annotations

import asyncio

import pytest

from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.resource_reading import fetch_field, get_field
from fleet_telemetry.kube.transport import Transport
from fleet_telemetry.workloads.resource_fields import FieldFault, FieldRef

REF = FieldRef("acme.example.com", "v1", "things", "Thing", "it", "spec.telemetry")


def test_who_asks_again_is_given_the_failure_and_others_a_state() -> None:
    async def main() -> None:
        client = KubernetesClient(Transport.to("http://127.0.0.1:9"))
        try:
            assert (await fetch_field(client, REF)).fault is FieldFault.UNREACHABLE
            with pytest.raises(ApiError):
                await get_field(client, REF)
        finally:
            await client.close()

    asyncio.run(main())
