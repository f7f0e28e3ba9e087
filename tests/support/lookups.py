"""Pods with addresses, and lookups, at seconds after a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fleet_telemetry.observed.ledger import HostClass, Hosts, ProductUse
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import Pod, PodPhase, PodTemplate, WorkloadRef

HOST = "telemetry.example.com"
SHARED_HOST = "api.example.com"
HOSTS: Hosts = {
    HOST: (ProductUse("product", HostClass.EXCLUSIVE),),
    SHARED_HOST: (ProductUse("product", HostClass.SHARED),),
}
REF = WorkloadRef("team", WorkloadKind.DEPLOYMENT, "web")
OTHER = WorkloadRef("team", WorkloadKind.DEPLOYMENT, "other")


def at(seconds: float) -> datetime:
    """So long after the start."""
    return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)


@dataclass
class Clock:
    """A clock that stands, in seconds after the start."""

    seconds: float = 0

    def __call__(self) -> datetime:
        """The time."""
        return at(self.seconds)


def a_pod(
    uid: str,
    *addresses: str,
    started: float | None = 0,
    ended: float | None = None,
    phase: PodPhase = PodPhase.RUNNING,
    node: str = "",
    template: PodTemplate | None = None,
) -> Pod:
    """A pod. ``started`` is also when its containers started; None: it is not known."""
    began = None if started is None else at(started)
    return Pod(
        f"pod-{uid}",
        template or PodTemplate(()),
        uid=uid,
        addresses=addresses,
        started=began,
        containers_started=began,
        containers_ended=None if ended is None else at(ended),
        node_address=node,
        phase=phase,
    )


def a_question(client: str, seconds: float, name: str = HOST) -> ReportedLookup:
    """A question of a client."""
    return ReportedLookup(LookupStage.QUESTION, name, client, at(seconds))


def an_answer(
    client: str, seconds: float, name: str = HOST, *, refused: bool = False
) -> ReportedLookup:
    """The answer to a client."""
    return ReportedLookup(LookupStage.ANSWER, name, client, at(seconds), refused=refused)
