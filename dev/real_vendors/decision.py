"""What the operator makes of a SonarQube: the environment that its pods get, and the verdict.

The operator's own code throughout: its catalogue, its reading of manifests, its decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from dev.real_vendors.sonarqube import RELEASE
from fleet_telemetry.api.policy import ChannelName, Policy, PolicyKind, TelemetryPolicySpec
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.decision import Input, decide, plan_injection
from fleet_telemetry.evidence.combining import InstanceAnswer, combine
from fleet_telemetry.evidence.report import InstanceReport
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.reading import read_workload
from fleet_telemetry.workloads.workload import EnvVar, Pod, PodPhase, Workload

_PRODUCT = "sonarqube"
_NAMESPACE = "quality"


_ASKED: Manifest = {"credentials": [{"product": _PRODUCT, "secretRef": {"name": "sonarqube"}}]}
"""What a product reports counts where it is asked."""


@dataclass(frozen=True)
class Admitted:
    """A SonarQube Deployment as it is after the webhook has seen it."""

    workload: Workload
    policy: Policy

    @property
    def environment(self) -> dict[str, str]:
        """What the container is started with."""
        (container,) = self.workload.template.containers
        return {entry.name: entry.value for entry in container.env}

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the vendor's entrypoint hands on to SonarQube."""
        (container,) = self.workload.template.containers
        return container.arguments


def admit(policy: Manifest, *, env: dict[str, str], args: tuple[str, ...] = ()) -> Admitted:
    """Create a Deployment with these variables and arguments of its author's under a policy, given
    by its spec."""
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sonarqube", "namespace": _NAMESPACE},
        "spec": {
            "replicas": 1,
            "template": {
                "metadata": {"labels": {"app": "sonarqube"}},
                "spec": {
                    "containers": [
                        {
                            "name": "sonarqube",
                            "image": f"sonarqube:{RELEASE.version}-community",
                            "args": list(args),
                            "env": [{"name": k, "value": v} for k, v in env.items()],
                        }
                    ]
                },
            },
        },
    }
    workload = read_workload(manifest)
    assert workload is not None
    made = Policy(
        kind=PolicyKind.NAMESPACED,
        namespace=_NAMESPACE,
        name="opt-out",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        spec=msgspec.convert({"runtime": _ASKED, **policy}, TelemetryPolicySpec),
    )
    plan = plan_injection(_input(workload, made, trigger=Trigger.CREATE))
    (container,) = workload.template.containers
    entries = {entry.name: entry for entry in container.env}
    for edit in plan.edits:
        if edit.value is None:
            del entries[edit.name]
        else:
            entries[edit.name] = EnvVar(edit.name, edit.value)
    container = replace(container, env=tuple(entries.values()))
    template = replace(workload.template, containers=(container,))
    return Admitted(replace(workload, template=template), made)


def verdict_on_usage(admitted: Admitted, reading: InstanceReport | None) -> Verdict:
    """Where the Usage channel stands, with one pod of the admitted template, by what the server
    itself reports; None if it is not asked."""
    pod = Pod("sonarqube-0", admitted.workload.template, phase=PodPhase.RUNNING)
    reported = {}
    if reading is not None:
        said = combine([InstanceAnswer("", reading)], admitted.policy.spec.submission)
        reported[_PRODUCT, ChannelName.USAGE] = said
    given = replace(
        _input(admitted.workload, admitted.policy, trigger=Trigger.RECONCILE),
        pods=(pod,),
        reported=reported,
    )
    (verdict,) = (v for v in decide(given).verdicts if v.channel is ChannelName.USAGE)
    return verdict


def _input(workload: Workload, policy: Policy, *, trigger: Trigger) -> Input:
    return Input(
        workload=workload,
        policies=(policy,),
        catalogue=builtin(),
        now=datetime.now(UTC),
        trigger=trigger,
    )
