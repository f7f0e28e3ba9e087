"""How a network plug-in is recognised that changes what network policies do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NetworkPlugin:
    """A network plug-in, and the signs of it in a cluster. One sign is enough."""

    name: str
    api_group: str
    """Its API group. If the cluster serves it in any version, it has the plug-in ..."""
    other_resources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """... except for resources of other projects in the same group, by version."""
    daemon_selector: str = ""
    """A label selector of the DaemonSet of its agent."""
    needs: str = ""
    """What the dialect needs of it, for people: the kinds and its least version."""

    def is_served(self, plurals: Mapping[str, Collection[str] | None]) -> bool:
        """Whether the resources of the group show the plug-in.

        ``plurals`` are those of each version that the cluster serves; None if they cannot be read.
        """
        return any(
            found is None or not self.other_resources.get(version, frozenset()).issuperset(found)
            for version, found in plurals.items()
        )
