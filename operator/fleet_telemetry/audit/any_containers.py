"""Containers in an object of any kind, wherever its kind has them.

The keys that are known: ``containers``, ``initContainers`` and ``ephemeralContainers`` of pods and
pod templates; ``container``, ``script`` and ``sidecars`` of Argo Workflows; ``steps`` and
``sidecars`` of Tekton. A schema, such as that of a CustomResourceDefinition, has no image there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from fleet_telemetry.audit.definitions import ESCAPE
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.template_reading import is_sidecar

_LISTS = ("containers", "ephemeralContainers", "sidecars", "steps")
_SINGLE = ("container", "script")
_WORDS = re.compile(
    rb"containers|Containers|(?:container|script|sidecars|steps)[\"']?[ \t]*:" + ESCAPE
)
_DEEPEST = 128
"""Levels, as many as a document may have."""


def may_have_containers(text: bytes) -> bool:
    """Whether a document may have some."""
    return _WORDS.search(text) is not None


def containers_in(manifest: Manifest) -> list[Manifest]:
    """All that run: with an image, and no init containers that end. It takes linear time."""
    return [one for mapping in _mappings_in(manifest) for one in _containers_of(mapping)]


def _mappings_in(manifest: Manifest) -> Iterator[Manifest]:
    waiting: deque[tuple[object, int]] = deque([(manifest, 0)])
    while waiting:
        part, depth = waiting.popleft()
        if isinstance(part, dict):
            yield part
        if isinstance(part, dict | list) and depth < _DEEPEST:
            inner = part.values() if isinstance(part, dict) else part
            waiting.extend((one, depth + 1) for one in inner if isinstance(one, dict | list))


def _containers_of(mapping: Manifest) -> Iterator[Manifest]:
    for key in _LISTS:
        listed = mapping.get(key)
        yield from filter(_has_image, listed if isinstance(listed, list) else ())
    started = mapping.get("initContainers")
    for one in started if isinstance(started, list) else ():
        if _has_image(one) and is_sidecar(one):
            yield one
    for key in _SINGLE:
        if _has_image(mapping.get(key)):
            yield mapping[key]


def _has_image(container: object) -> bool:
    image = container.get("image") if isinstance(container, dict) else None
    # With these it is the pattern of a policy.
    return isinstance(image, str) and bool(image) and not any(one in image for one in "*!|")
