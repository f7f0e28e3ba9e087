"""Reading clusters for a command, with its progress on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime

from fleet_telemetry.audit.cluster.gathering import GatheringRequest, gather_clusters
from fleet_telemetry.audit.cluster.progress import GatheringProgress, progress_on
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.cli.cluster_options import ClusterChoice
from fleet_telemetry.kube.client import find_kubeconfig


def read_clusters(choice: ClusterChoice, definitions: Definitions, now: datetime) -> list[Gathered]:
    """Each cluster as a source. ``definitions`` are what the command applies over what a cluster
    has."""
    request = GatheringRequest(
        kubeconfig=find_kubeconfig(choice.kubeconfig),
        contexts=choice.contexts,
        namespaces=choice.namespaces,
        names=choice.names,
        definitions=definitions,
        now=now,
    )
    return gather_clusters(request, progress_here())


def progress_here() -> GatheringProgress:
    """A bar if standard error is a terminal."""
    columns = shutil.get_terminal_size().columns
    is_dumb = os.environ.get("TERM", "dumb") == "dumb"
    return progress_on(sys.stderr, columns, dumb=is_dumb)
