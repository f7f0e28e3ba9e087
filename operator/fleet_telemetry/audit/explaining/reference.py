"""Workloads as kubectl names them: ``deploy/web``, ``deployment.apps/web``, ``statefulsets/db``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.text import printable
from fleet_telemetry.workloads.registry import WorkloadKind

POD = Kind("", "v1", "pods", "Pod")
_SHORT = {
    "deploy": "Deployment",
    "sts": "StatefulSet",
    "ds": "DaemonSet",
    "cj": "CronJob",
    "rs": "ReplicaSet",
    "rc": "ReplicationController",
    "ro": "Rollout",
    "po": "Pod",
}
# RFC 1123, as the API server checks names. Anything else must not become a part of a URL.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_LONGEST = 100


class ReferenceProblem(ValueError):  # noqa: N818  # it is what is said of what was typed
    """What was typed names no workload; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A workload, a part of one, or a pod."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.name}"


def parse_reference(text: str) -> Reference:
    """A reference as typed. Raises ReferenceProblem."""
    kind_text, slash, name = text.partition("/")
    if not slash or not kind_text or not name:
        raise ReferenceProblem(
            f"{printable(text, _LONGEST)!r} is not KIND/NAME; write, for example, deploy/web"
        )
    kind = _kind(kind_text)
    if kind is None:
        known = ", ".join([*(one.kind.lower() for one in _kinds())])
        raise ReferenceProblem(
            f"{printable(kind_text, _LONGEST)!r} is no kind of workload; these are: {known}"
        )
    if not _NAME.fullmatch(name):
        raise ReferenceProblem(f"{printable(name, _LONGEST)!r} is no name of an object")
    return Reference(kind, name)


def _kinds() -> tuple[Kind, ...]:
    return (*(one.type.api for one in WorkloadKind), POD)


def _kind(text: str) -> Kind | None:
    word, _, group = text.lower().partition(".")
    for kind in _kinds():
        short = next((key for key, value in _SHORT.items() if value == kind.kind), "")
        if word not in (kind.kind.lower(), kind.plural, short):
            continue
        # kubectl takes deployment.apps and deployment.v1.apps.
        if group in ("", kind.group, f"{kind.version}.{kind.group}".rstrip(".")):
            return kind
    return None
