"""YAML: the same as JSON, for people and programs."""

from __future__ import annotations

import yaml

from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.plain import encodable
from fleet_telemetry.audit.result import Audit

try:
    from yaml import CSafeDumper as _Dumper
except ImportError:  # a build of PyYAML without libyaml
    from yaml import SafeDumper as _Dumper  # type: ignore[assignment]


class YamlFormat:
    """The result as it is, in ASCII."""

    name = "yaml"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        text: str = yaml.dump(
            encodable(audit),
            Dumper=_WithoutAliases,
            sort_keys=False,
            allow_unicode=False,
            width=10**6,
        )
        return text


class _WithoutAliases(_Dumper):
    """Equal parts are written out."""

    def ignore_aliases(self, data: object) -> bool:
        """See Dumper."""
        del data
        return True
