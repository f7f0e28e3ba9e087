"""Other policies that take precedence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.policy.advice.surroundings import Scene, shown
from fleet_telemetry.policy.precedence import (
    EffectivePolicy,
    covers_channel,
    live_exception,
    resolve_effective,
    select_policies,
)
from fleet_telemetry.workloads.workload import Workload

MOST_WORKLOADS = 100
"""How many workloads are looked at: the first example is enough."""


def advise_on_conflicts(scene: Scene) -> Iterator[str]:
    """The policies that overrule this one, or whose sections are used in the place of its own, each
    with one workload as the example."""
    others = tuple(scene.others())
    if not others:
        return
    said: set[str] = set()
    for workload in islice(scene.selected, MOST_WORKLOADS):
        if live_exception(scene.policy, workload.ref, scene.around.now) is not None:
            continue
        for product in scene.products_of(workload) or ():
            for kind, sentence in _on_product(scene, others, workload, product):
                if kind not in said:
                    said.add(kind)
                    yield sentence


def _on_product(
    scene: Scene, others: tuple[Policy, ...], workload: Workload, product: Product
) -> Iterator[tuple[str, str]]:
    """What is overruled, and the sentence."""
    mine, built_in = scene.policy, product.has_builtin_name
    labels = scene.around.namespaces.get(workload.ref.namespace, {})
    covering = (mine, *select_policies(others, workload, labels))
    for channel in product.spec.channels:
        if not covers_channel(mine, product.name, channel.name, built_in=built_in):
            continue
        found = resolve_effective(
            covering,
            workload.ref,
            product.name,
            channel.name,
            scene.around.now,
            built_in=built_in,
        )
        if found is None or found.policy is mine:
            continue
        where = shown(workload.ref, mine)
        if found.desired is not mine.spec.submission:
            yield (
                "submission",
                f"submission: {mine.spec.submission} is overruled for {where} by {found.policy}",
            )
        elif found.policy.spec.mode is mine.spec.mode:
            for section, winner in _sections(mine, found):
                sentence = f"spec.{section} is not used for {where}: that of {winner} is"
                yield section, sentence


def _sections(mine: Policy, found: EffectivePolicy) -> Iterator[tuple[str, Policy]]:
    """The sections that the policy has and that are taken from another."""
    taken = {
        "injection": found.injection_policy or found.policy,
        "runtime": found.runtime_policy,
        "egress": found.egress.policy if found.egress is not None else None,
    }
    for section, winner in taken.items():
        wanted = getattr(mine.spec, section)
        used = getattr(winner.spec, section) if winner is not None else None
        if winner is not None and None not in (wanted, used) and used != wanted:
            yield section, winner
