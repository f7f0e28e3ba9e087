"""Objects that are new, created without kubectl and exactly as ``kubectl apply`` creates them.

Each start of kubectl takes a tenth of a second of a core, and most objects of tests are new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dev.cluster.api import ApiServer, ApiServerError

Manifest = dict[str, Any]

_QUERY = urlencode({"fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_WARNING = re.compile(r'^299 \S+ "(.*)"$')
_SECONDS = 75


@dataclass
class Creator:
    """Creates objects as the administrator."""

    kubeconfig: Path
    _plurals: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    """By apiVersion and kind: the plural, and whether objects are in namespaces."""

    def __post_init__(self) -> None:
        self._api = ApiServer.of(self.kubeconfig)

    def create(self, manifests: Sequence[Manifest]) -> tuple[str, Sequence[Manifest]]:
        """Create objects up to the first that exists, or that is not granted.

        What kubectl would say, and the objects that are left for it. Raises OSError if nobody
        answers.
        """
        said = ""
        for number, manifest in enumerate(manifests):
            try:
                answer = self._api.ask("POST", self._path(manifest), _applied(manifest), _SECONDS)
            except ApiServerError:
                return said, manifests[number:]
            said += f"{_kind(manifest)}/{manifest['metadata']['name']} created\n"
            for warning in answer.warnings:
                if matched := _WARNING.match(warning):
                    said += f"Warning: {matched[1]}\n"
        return said, ()

    def _path(self, manifest: Manifest) -> str:
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            for one in self._api.json("GET", root)["resources"]:
                if "/" not in one["name"]:
                    self._plurals[version, one["kind"]] = (one["name"], one["namespaced"])
        if (version, kind) not in self._plurals:
            raise ApiServerError(f"{version} has no {kind}", 404)
        plural, namespaced = self._plurals[version, kind]
        namespace = manifest["metadata"].get("namespace", "default")
        where = f"/namespaces/{namespace}" if namespaced else ""
        return f"{root}{where}/{plural}?{_QUERY}"


def _kind(manifest: Manifest) -> str:
    group = manifest["apiVersion"].rpartition("/")[0]
    return ".".join(filter(None, [manifest["kind"].lower(), group]))


def _applied(manifest: Manifest) -> Manifest:
    """With the annotation by which the next ``kubectl apply`` knows what this one applied."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations", {})
    kept = {**manifest, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(kept, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {**annotations, _LAST_APPLIED: text}},
    }
