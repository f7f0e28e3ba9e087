"""The products that the fault matrix runs over. A new one is one more entry of ``CASES``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dev.fakes import ApiFault, FakeProduct
from dev.fakes import dependency_track as dependency_track_fake
from dev.fakes import emqx as emqx_fake
from dev.fakes import sonarqube as sonarqube_fake
from dev.fakes import sourcegraph as sourcegraph_fake
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.vendors.dependency_track import DependencyTrack
from fleet_telemetry.vendors.emqx import Emqx
from fleet_telemetry.vendors.http import VendorApi, VendorClient
from fleet_telemetry.vendors.protocol import Adapter
from fleet_telemetry.vendors.service import Endpoint
from fleet_telemetry.vendors.sonarqube import SonarQube
from fleet_telemetry.vendors.sourcegraph import Sourcegraph

HOST = "product.apps.svc"
"""What the certificate is for; no name service knows it."""


@dataclass(frozen=True)
class Case:
    """One product: how it is asked, what it runs as here, and what it answers when all is well."""

    adapter: Adapter
    start: Callable[..., FakeProduct]
    """The fake's class; it is given ``names`` and, by some tests, ``tls``."""
    credentials: Mapping[str, str]
    reading: Setting = Setting.ENABLED
    """What a fresh fake says."""
    path: str = ""
    """Where the faults are: requests whose path begins so. Empty: everywhere."""
    differs: Mapping[ApiFault, Reason] = field(default_factory=dict)
    """Where a fault reads otherwise than EXPECTED in test_faults.py; each with a comment why."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen anywhere."""
        return tuple(value for key, value in self.credentials.items() if key != "ca.crt")


CASES: dict[str, Case] = {
    "dependency-track": Case(
        adapter=DependencyTrack(),
        start=dependency_track_fake.FakeDependencyTrack,
        credentials={"apiKey": "odt_Hq7_may_configure"},
    ),
    "sonarqube": Case(
        adapter=SonarQube(),
        start=sonarqube_fake.FakeSonarQube,
        credentials={"token": "squ_9f_of_an_administrator"},
    ),
    # The request before the one that holds the token goes well.
    "sonarqube-info": Case(
        adapter=SonarQube(),
        start=sonarqube_fake.FakeSonarQube,
        credentials={"token": "squ_9f_of_an_administrator"},
        path="/api/system/info",
    ),
    # Where the path is not there, the nodes are asked whether that is right.
    "emqx": Case(
        adapter=Emqx(),
        start=emqx_fake.FakeEmqx,
        credentials={"apiKey": "a3f0_administrator", "apiSecret": "9bQxT_of_the_administrator"},
        path="/api/v5/telemetry",
    ),
    "sourcegraph": Case(
        adapter=Sourcegraph(),
        start=sourcegraph_fake.FakeSourcegraph,
        credentials={"token": "sgp_5e_of_a_site_administrator"},
        # In GraphQL an error of the product's own is a good answer by its status.
        differs={ApiFault.JSON_ERRORS_200: Reason.VENDOR_ERROR},
    ),
}


def endpoint_of(fake: FakeProduct, **changes: Any) -> Endpoint:
    """Where a fake answers."""
    parts = {
        "scheme": fake.scheme,
        "address": fake.address,
        "port": fake.port,
        "host": HOST,
    }
    return Endpoint(**{**parts, **changes})


@asynccontextmanager
async def asking(fake: FakeProduct, **options: Any) -> AsyncIterator[VendorApi]:
    """A fake that runs, and its API. Time-outs are short unless ``options`` say otherwise."""
    quick = {"connect_seconds": 2.0, "total_seconds": 5.0}
    client = VendorClient(**{**quick, **options})
    async with fake:
        try:
            yield client.api(endpoint_of(fake), fake.ca_pem if fake.tls else "")
        finally:
            await client.close()


async def read(case: Case, api: VendorApi) -> InstanceReport:
    """What the product says."""
    return await case.adapter.read(api, case.credentials)


async def write(case: Case, api: VendorApi, wish: Submission) -> None:
    """Set the product."""
    await case.adapter.write(api, case.credentials, wish)
