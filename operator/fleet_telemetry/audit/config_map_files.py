"""ConfigMaps in files: what containers of the same input take variables from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleet_telemetry.audit.definitions import ESCAPE
from fleet_telemetry.audit.manifest_faults import ManifestFault, faults_of_config_map
from fleet_telemetry.evidence.config_maps import ConfigMapFacts, ConfigMaps, read_config_map
from fleet_telemetry.objects.manifest import Manifest, mapping_at, text_at

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
    """The ConfigMaps of an input. Not known is one that the API server would refuse, and one that
    the input has twice, with different values, as in the overlays of a folder."""

    default_namespace: str
    _found: dict[str, dict[str, ConfigMapFacts]] = field(default_factory=dict)
    _kept: int = 0
    _doubtful: set[tuple[str, str]] = field(default_factory=set)

    def add(self, manifest: Manifest) -> ManifestFault | None:
        """Take a manifest, if it is a ConfigMap. Returns why it would be refused."""
        if (text_at(manifest, "apiVersion"), text_at(manifest, "kind")) != ("v1", KIND):
            return None
        fault = next(faults_of_config_map(manifest), None)
        name = text_at(manifest, "metadata", "name")
        namespace = text_at(manifest, "metadata", "namespace") or self.default_namespace
        if name and (namespace, name) not in self._doubtful:
            self._keep(namespace, name, None if fault else _read(manifest))
        return fault

    def _keep(self, namespace: str, name: str, facts: ConfigMapFacts | None) -> None:
        own = self._found.setdefault(namespace, {})
        before = own.get(name)
        if facts is None or (
            before is not None and (before.data, before.too_long) != (facts.data, facts.too_long)
        ):
            self._doubtful.add((namespace, name))
            own.pop(name, None)
        elif before is None:
            self._kept += sum(len(key) + len(value) for key, value in facts.data.items())
            if self._kept <= _MOST_KEPT:
                own[name] = facts

    def of_namespace(self, namespace: str) -> ConfigMaps:
        """Those of a namespace, by name."""
        found: Mapping[str, ConfigMapFacts] = self._found.get(namespace, {})
        return found


def _read(manifest: Manifest) -> ConfigMapFacts:
    """What a ConfigMap holds. An empty value becomes an empty text or no key, by how it is applied,
    and !!binary some text: they are not known."""
    facts = read_config_map(manifest, is_in_file=True)
    data = mapping_at(manifest, "data")
    unknown = {key for key, value in data.items() if value is None or isinstance(value, bytes)}
    return replace(facts, too_long=facts.too_long | unknown) if unknown else facts
