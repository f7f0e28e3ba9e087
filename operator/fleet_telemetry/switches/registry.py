"""The switch mechanisms. To add one: a file with its class, and a line here."""

from __future__ import annotations

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.switches.argument import ArgumentMechanism
from fleet_telemetry.switches.env import EnvMechanism
from fleet_telemetry.switches.mechanism import SwitchMechanism
from fleet_telemetry.switches.resource import ResourceMechanism
from fleet_telemetry.switches.suspend import SuspendMechanism

MECHANISMS: tuple[SwitchMechanism, ...] = (
    EnvMechanism(),
    ArgumentMechanism(),
    SuspendMechanism(),
    ResourceMechanism(),
)


def mechanism_of(switch: Switch) -> SwitchMechanism | None:
    """The switch's mechanism; None if nothing in a workload is the switch."""
    return next((one for one in MECHANISMS if one.handles(switch)), None)


def label_of(switch: Switch) -> str:
    """What the switch is called in its mechanism; empty if nothing in a workload is the switch."""
    mechanism = mechanism_of(switch)
    return mechanism.label(switch) if mechanism is not None else ""


def mechanism_named(name: str) -> SwitchMechanism:
    """The mechanism of an edit. Raises KeyError."""
    return {one.name: one for one in MECHANISMS}[name]
