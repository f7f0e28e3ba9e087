"""ConfigMaps in files: what containers of the same input take variables from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet_telemetry.audit.definitions import ESCAPE
from fleet_telemetry.evidence.config_maps import ConfigMapFacts, ConfigMaps, read_config_map
from fleet_telemetry.objects.manifest import Manifest, text_at

KIND = "ConfigMap"
_MOST_KEPT = 64 << 20
"""Characters of all of them. Those that come after are not read."""
_REFERS = re.compile(rb"configMap(?:Key)?Ref" + ESCAPE)
_WORDS = re.compile(KIND.encode() + ESCAPE)


def may_refer(text: bytes) -> bool:
    """Whether a document may have a container that takes variables from a ConfigMap."""
    return _REFERS.search(text) is not None


def may_be_config_map(text: bytes) -> bool:
    """Whether a document may be a ConfigMap, or have some."""
    return _WORDS.search(text) is not None


def is_config_map(kind: str, _: bytes) -> bool:
    """Whether it is the kind."""
    return kind == KIND


@dataclass
class ConfigMapFiles:
    """The ConfigMaps of an input. One that it has twice, with different values, as in the overlays
    of a folder, is not known."""

    default_namespace: str
    _found: dict[str, dict[str, ConfigMapFacts]] = field(default_factory=dict)
    _kept: int = 0
    _doubtful: set[tuple[str, str]] = field(default_factory=set)

    def add(self, manifest: Manifest) -> None:
        """Take a manifest, if it is a ConfigMap."""
        if (text_at(manifest, "apiVersion"), text_at(manifest, "kind")) != ("v1", KIND):
            return
        name = text_at(manifest, "metadata", "name")
        namespace = text_at(manifest, "metadata", "namespace") or self.default_namespace
        if not name or (namespace, name) in self._doubtful:
            return
        facts = read_config_map(manifest, is_in_file=True)
        own = self._found.setdefault(namespace, {})
        before = own.get(name)
        if before is None:
            self._kept += sum(len(key) + len(value) for key, value in facts.data.items())
            if self._kept <= _MOST_KEPT:
                own[name] = facts
        elif (before.data, before.too_long) != (facts.data, facts.too_long):
            self._doubtful.add((namespace, name))
            del own[name]

    def of_namespace(self, namespace: str) -> ConfigMaps:
        """Those of a namespace, by name."""
        found: Mapping[str, ConfigMapFacts] = self._found.get(namespace, {})
        return found
