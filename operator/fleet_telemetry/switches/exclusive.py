"""Variables beside which a product does not start if the switch is set, too.

Grafana's image is one: it ends if both GF_X and GF_X__FILE are set. Neither counts more than the
other, so what is safe is never to make such a pair: the switch is not written beside what is there,
nor beside an ``envFrom``, which may hold it and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.workloads.workload import Container, EnvVar


def entries_beside(container: Container, switch: Switch) -> Iterator[EnvVar]:
    """The container's entries that exclude the switch; of one name, the last."""
    env = switch.env
    if env is not None and env.exclusive_with:
        yield from {one.name: one for one in container.env if env.excludes(one.name)}.values()


def may_be_beside(container: Container, switch: Switch) -> str:
    """The names that an ``envFrom`` may hold and that exclude the switch; empty if it may not."""
    if switch.env is None or not container.has_env_from:
        return ""
    return " or ".join(switch.env.exclusive_with)


def own_entries(container: Container, switch: Switch) -> Iterator[EnvVar]:
    """The container's entries that are the switch, in any spelling; of one name, the last."""
    mechanism = mechanism_of(switch)
    if mechanism is not None:
        named = (one for one in container.env if mechanism.is_named(switch, one.name))
        yield from {one.name: one for one in named}.values()


def pairs(container: Container, switches: Iterable[Switch]) -> Iterator[tuple[EnvVar, EnvVar]]:
    """The entries that exclude each other: that of a switch first."""
    for switch in switches:
        for beside in entries_beside(container, switch):
            for own in own_entries(container, switch):
                yield own, beside


def exclusive_switches(target: MatchedContainer) -> Iterator[Switch]:
    """The switches with such variables, of all versions that the image may have."""
    for channel in target.product.spec.channels:
        for rule in target.product.possible_rules(channel.name, target.image, target.version):
            for switch in rule.switches:
                if switch.env is not None and switch.env.exclusive_with:
                    yield switch
