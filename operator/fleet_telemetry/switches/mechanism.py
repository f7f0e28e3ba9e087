"""What the operator needs to know of a way in which products are switched.

A mechanism is one file beside this one and one line in ``registry.py``. Everything else (what is
injected, what is declared, what is ours, what is reverted) asks the mechanism of a switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.reading import SwitchReading, is_expanded, setting_of
from fleet_telemetry.workloads.workload import Container, EnvVar

Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


class SwitchMechanism(Protocol):
    """One way in which a product is switched in a container of a pod template.

    An entry is what stands in the container for the switch: a name and a value.
    """

    name: str
    """The field of ``Switch`` that holds its data, such as ``env``."""

    def handles(self, switch: Switch) -> bool:
        """Whether the switch is of this mechanism. All other methods require it."""

    def label(self, switch: Switch) -> str:
        """What the switch is called in messages. A switch keeps it from version to version."""

    def is_named(self, switch: Switch, name: str) -> bool:
        """Whether an entry of this name is the switch, in any spelling that the product accepts."""

    def find(self, container: Container, switch: Switch) -> EnvVar | None:
        """The entry that takes effect, or None if the container has none."""

    def read(self, container: Container, switch: Switch) -> SwitchReading:
        """What the container declares by the switch itself, without what overrides it."""

    def setting_of(self, switch: Switch, value: str) -> Setting:
        """What the product makes of a value."""

    def value_for(self, switch: Switch, desired: Submission) -> str | None:
        """The desired value; None if the entry has to be absent."""

    def may_have_written(self, switch: Switch, entry: EnvVar) -> bool:
        """Whether the entry is one that the operator would write, in either direction."""

    def is_met(self, container: Container, switch: Switch, desired: Submission) -> bool:
        """Whether the container has the desired setting, in any form that the product accepts."""

    def obstacle(
        self, target: MatchedContainer, switch: Switch, desired: Submission
    ) -> Reason | None:
        """Why the switch cannot be written; None if it can be."""

    def patch(
        self, pointer: str, container: Manifest, edits: Sequence[Edit]
    ) -> Iterator[Operation]:
        """The operations that make the edits; ``pointer`` is the container's JSON pointer."""


def has_desired_value(
    mechanism: SwitchMechanism, switch: Switch, entry: EnvVar | None, desired: Submission
) -> bool:
    """Whether an entry has the desired setting, in any spelling that the product accepts; without
    an entry, whether it has to be absent."""
    value = mechanism.value_for(switch, desired)
    if entry is None:
        return value is None
    if entry.by_reference:
        return False
    if entry.value == value:
        return True
    return not is_expanded(entry.value) and (
        mechanism.setting_of(switch, entry.value) is setting_of(desired)
    )
