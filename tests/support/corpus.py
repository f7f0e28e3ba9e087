"""Workloads that the decision is compared on: the examples, and one of each image of the catalogue
in several versions. The API server accepts them. What the vendors' charts render comes beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.workloads.registry import WorkloadKind

_ROOT = Path(__file__).parents[2]
_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job")

Manifest = dict[str, Any]


def corpus() -> list[Manifest]:
    """The workloads, and the ConfigMaps that they refer to. A namespace and a name may stand for
    several."""
    found = [*_examples(), *_products()]
    return [one for one in found if one.get("kind") in (*WorkloadKind, "ConfigMap")]


def workloads_in(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Without the other objects."""
    return [one for one in manifests if one.get("kind") in list(WorkloadKind)]


def _examples() -> Iterator[Manifest]:
    for file in sorted((_ROOT / "examples" / "audit").glob("*.yaml")):
        yield from filter(None, yaml.safe_load_all(file.read_text()))


def _products() -> Iterator[Manifest]:
    """A workload of every image of the catalogue."""
    for number, product in enumerate(builtin().products.values()):
        for image in product.spec.images[:1]:
            for row, version in enumerate(("", ":1.0.0", ":99")):
                name = image.pattern.replace("*", "x").replace("?", "x")
                container = {"name": "main", "image": f"{name}{version}"}
                yield _workload(_KINDS[number % len(_KINDS)], f"w-{number}-{row}", container)


def _workload(kind: str, name: str, container: Manifest) -> Manifest:
    labels = {"app": name}
    is_batch = kind in ("CronJob", "Job")
    pod: Manifest = {"containers": [container]}
    if is_batch:
        pod["restartPolicy"] = "Never"
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec: Manifest = {"template": template}
    if not is_batch:
        spec["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind == "CronJob":
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
    api = "batch/v1" if is_batch else "apps/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}
