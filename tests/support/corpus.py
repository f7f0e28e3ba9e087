"""Workloads that the decision is compared on: the examples, the fleet, and one of each image of the
catalogue in several versions. The API server accepts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.workloads.registry import WorkloadKind

_ROOT = Path(__file__).parents[2]
_FLEET = Path(os.environ.get("FLEET_MANIFESTS") or _ROOT.parent / "shared" / "fleet")
_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job")

Manifest = dict[str, Any]


def corpus() -> list[Manifest]:
    """All of them. A namespace and a name may stand for several."""
    return [one for one in (*_in_files(), *_products()) if one.get("kind") in list(WorkloadKind)]


def config_maps() -> list[Manifest]:
    """Those that the workloads refer to. A name may stand for several."""
    return [one for one in _in_files() if one.get("kind") == "ConfigMap"]


def _in_files() -> Iterator[Manifest]:
    for folder in (_ROOT / "examples" / "audit", _FLEET):
        for file in sorted(folder.glob("*.yaml")):
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
