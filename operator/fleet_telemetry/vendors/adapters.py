"""The adapters by their names in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from fleet_telemetry.api.product.spec import AdapterName
from fleet_telemetry.vendors.dependency_track import DependencyTrack
from fleet_telemetry.vendors.emqx import Emqx
from fleet_telemetry.vendors.protocol import Adapter
from fleet_telemetry.vendors.sonarqube import SonarQube
from fleet_telemetry.vendors.sourcegraph import Sourcegraph

ADAPTERS: Mapping[AdapterName, Adapter] = {
    AdapterName.DEPENDENCY_TRACK: DependencyTrack(),
    AdapterName.SONARQUBE: SonarQube(),
    AdapterName.EMQX: Emqx(),
    AdapterName.SOURCEGRAPH: Sourcegraph(),
}
