"""What was read of a cluster. What runs no product is counted, and not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.audit.cluster.records import Record, status_written
from fleet_telemetry.audit.result import Place
from fleet_telemetry.audit.sources import Definitions, Untouched
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import match_containers
from fleet_telemetry.api.product import Semantics
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.kube.entries import decode_workload_telemetry
from fleet_telemetry.kube.store import ObjectKey, object_key
from fleet_telemetry.kube.workload_store import UNPROVEN_SECONDS, Fleet
from fleet_telemetry.objects.manifest import Manifest, mapping_at
from fleet_telemetry.workloads.owner import read_controller
from fleet_telemetry.workloads.reading import read_pod, read_template
from fleet_telemetry.workloads.registry import WorkloadKind, kind_of_owner, whole_of
from fleet_telemetry.workloads.workload import Pod, PodTemplate, VolumeKind, Workload, WorkloadRef
from fleet_telemetry.api.workload_telemetry import workload_telemetry_name
