"""Whether the product's data was initialised with a switch that is read only then."""

from __future__ import annotations

from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.not_set import judge_unset, mistaken_variables
from fleet_telemetry.evidence.pod_checks import judge_pods
from fleet_telemetry.evidence.seed import Data, DataAge, locate_data, prove_volume_claims
from fleet_telemetry.evidence.switch_reading import read_effect
from fleet_telemetry.evidence.verdict import StateFinding
from fleet_telemetry.switches.reading import ReadingSource
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.workloads.workload import PodTemplate


def judge_seed_switch(case: Case, switch: Switch) -> StateFinding:
    """Without a report, a seed is proven only if the data was initialised with it."""
    places = _data(case, switch)
    if case.new_data or all(place.age is DataAge.PER_POD for place in places):
        return judge_pods(case, switch, Reason.SEED_PROVEN)
    declared = read_effect(case, case.target, switch, case.rule)
    is_opposite = declared.setting not in (Setting.UNKNOWN, case.desired)
    if is_opposite and declared.source is not ReadingSource.DEFAULT:
        finding = judge_unset(case, switch, declared)
        if finding.state is State.PENDING:  # existing data ignores the next start
            return StateFinding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, finding.detail)
        return finding
    volumes = _proven_claims(case, places)
    if volumes and declared.setting is case.desired:
        return judge_pods(case, switch, Reason.SEED_PROVEN, volumes)
    return StateFinding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, mistaken_variables(case, switch))


def _data(case: Case, switch: Switch) -> list[Data]:
    """Where the data of each pod is; without pods, where that of the next one will be."""
    return [_locate(found, pod.template, switch) for pod, found in case.counterparts] or [
        _locate(case.target, case.facts.workload.template, switch)
    ]


def _locate(target: MatchedContainer, template: PodTemplate, switch: Switch) -> Data:
    if doubt_of_start(target):
        return Data(DataAge.UNKNOWN)
    return locate_data(target.container, template, switch.seed_proof)


def _proven_claims(case: Case, places: list[Data]) -> tuple[str, ...] | None:
    if any(place.age is not DataAge.CLAIM for place in places):
        return None
    recorded = [
        volume
        for seed in case.facts.seeds
        if (seed.product, seed.channel, seed.desired)
        == (case.target.product.name, case.channel, case.effective.desired)
        for volume in seed.volumes
    ]
    claims = sorted({place.claim for place in places})
    return prove_volume_claims(case.facts.workload, claims, case.facts.claims, recorded)
