"""Where a channel stands: a state and a reason for every situation, and every reason has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName, Policy, Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import SeedRecord, State
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.decision import Plan, decide
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.evidence.verdict import Verdict, worst_state
from fleet_telemetry.switches.edits import Trigger
from fleet_telemetry.workloads.workload import PodPhase
from tests.support.argument_products import GO, RUN, with_product
from tests.support.builders import (
    DIGEST,
    DTRACK_4,
    DTRACK_5,
    DTRACK_OLD,
    EMQX,
    EMQX_6,
    EMQX_ENTERPRISE,
    EMQX_SWITCH,
    FROM_SECRET,
    FRONTEND,
    FRONTEND_7,
    LATER,
    LONG_AGO,
    NOW,
    OWNER,
    SONAR_SWITCH,
    SONARQUBE,
    V4_SWITCH,
    V5_CRON,
    V5_OFF,
    V5_SWITCH,
    WORKER,
    WORKER_6,
    WORKER_SWITCH,
    Manifest,
    catalogue,
    claimed,
    container,
    manifest,
    own_product,
    pod_of,
    policy,
    product,
    under,
)
from tests.support.decision_strategies import manifests, policy_sets
from tests.support.depth import examples
from tests.support.every import every

USAGE = ChannelName.USAGE
COMPLIANT, NON_COMPLIANT, PENDING, UNKNOWN, NOT_ENFORCEABLE, EXEMPT = State
DATA = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
EMPTY = {"volumes": [{"name": "data", "emptyDir": {}}]}
CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "it-data"}}]}
FROM_MAP = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
FROM_ALL_OF_A_SECRET = {"envFrom": [{"secretRef": {"name": "settings"}}]}
JUST_CREATED = {"generation": 1, "created": NOW - timedelta(days=1)}


SAYS_NOTHING = Reported()
SAYS_ENABLED = Reported(Setting.ENABLED)
SAYS_DISABLED = Reported(Setting.DISABLED)


@dataclass(frozen=True)
class Case:
    """A situation. Its author claims every variable but those that are ``ours``."""

    state: State
    reason: Reason
    image: str = SONARQUBE
    env: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = field(default_factory=dict)
    others: tuple[Policy, ...] = ()
    shape: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    ours: tuple[str, ...] = ()
    pods: tuple[Mapping[str, Any] | None, ...] = (None,)
    """The variables of each pod where they differ from those of the template."""
    pod_image: str = ""
    phase: PodPhase = PodPhase.RUNNING
    pod_container: Mapping[str, Any] | None = None
    """More of the pods' containers, where that differs from the template's."""
    reported: Reported = SAYS_NOTHING
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    seeds: tuple[SeedRecord, ...] = ()
    catalogue: Catalogue = field(default_factory=builtin)
    excluded: bool = False
    unread: bool = False
    says: str = ""
    seeded: tuple[str, ...] = ()

    def plan(self) -> Plan:
        def shown(env: Mapping[str, Any], image: str, more: Mapping[str, Any]) -> Manifest:
            given = manifest(container(image, env=env, **more), **self.shape)
            return claimed(given, but=self.ours)

        present = shown(self.env, self.image, self.container)
        of_pods = self.container if self.pod_container is None else self.pod_container
        started = [
            shown(self.env if env is None else env, self.pod_image or self.image, of_pods)
            for env in self.pods
        ]
        policies = () if self.policy is None else (policy(**{"asked": True, **self.policy}),)
        cluster = under(*policies, *self.others, catalogue=self.catalogue)
        found = decide(cluster.input(present, Trigger.RECONCILE)).targets[0].product.name
        return decide(
            cluster.input(
                present,
                Trigger.RECONCILE,
                pods=tuple(
                    pod_of(pod, f"it-{index}", phase=self.phase)
                    for index, pod in enumerate(started)
                ),
                reported={(found, USAGE): self.reported},
                claims=self.claims,
                seeds=self.seeds,
                excluded=self.excluded,
                pods_unread=self.unread,
            )
        )

    def verdict(self) -> Verdict:
        """Of the channel Usage; by the case's own policy, whoever decides."""
        plan = self.plan()
        own = next((found for found in plan.by_policy if found.policy.name == "opt-out"), None)
        verdicts = plan.verdicts if own is None else own.verdicts
        return next(verdict for verdict in verdicts if verdict.channel is USAGE)


def of(state: State, reason: Reason, image: str = SONARQUBE, **more: Any) -> Case:
    return Case(state, reason, image, **more)


OFF, ON = {SONAR_SWITCH: "false"}, {SONAR_SWITCH: "true"}
KEEP = {"injection": {"onConflict": "Keep"}}
ALWAYS = {"injection": {"when": "Always"}}
NEVER = {"injection": {"when": "Never"}}
LEFT_OUT = {"fleettelemetry.io/inject": "disabled"}
IMMEDIATE = {"injection": {"rollout": "Immediate"}}
AUDIT = {"mode": "Audit"}
SHELL = {"command": ["sh", "-c", "unset SONAR_TELEMETRY_ENABLE; exec /opt/run.sh"]}
OPT_IN = {"submission": "Enabled"}
FRESH = {"it-data": VolumeClaimFacts("uid-1", NOW - timedelta(days=1), began_empty=True)}
OLD = {"it-data": VolumeClaimFacts("uid-1", LONG_AGO, began_empty=True)}


def seed(desired: Submission = Submission.DISABLED, **changes: Any) -> tuple[SeedRecord, ...]:
    given = {
        "product": "dependency-track",
        "channel": USAGE,
        "desired": desired,
        "volumes": ("uid-1",),
    }
    return (SeedRecord(**(given | changes)),)


def exception(**more: Any) -> dict[str, Any]:
    workload = {"kind": "Deployment", "name": "it"}
    return {"exceptions": [{"workload": workload, "reason": "until spring", **more}]}


ACME_API = {"api": {"adapter": "EMQX", "port": 80}}
ACME_ASKED = {"runtime": {"credentials": [{"product": "acme", "secretRef": {"name": "key"}}]}}


def acme(**rule: Any) -> Catalogue:
    """A product of the user's own, image acme/acme."""
    rules = [{"default": "On", **rule}]
    return catalogue(product("acme", channels=[{"name": "Usage", "rules": rules}], **ACME_API))


def own_acme(
    created: datetime = LONG_AGO, changed: datetime | None = None, **env: Any
) -> Catalogue:
    """The same from a TelemetryProduct."""
    switch = {"semantics": "Start", "env": {"name": "ACME", "disabled": "no", **env}}
    channels = [{"name": "Usage", "rules": [{"default": "On", "switches": [switch]}]}]
    return catalogue(own_product("acme", created=created, changed=changed, channels=channels))


ACME = "acme/acme:1.0"
ON_CLAIM: dict[str, Any] = {"image": DTRACK_4, "container": DATA, "shape": {"pod": CLAIM}}
BORN_ON_CLAIM: dict[str, Any] = ON_CLAIM | {"shape": {"pod": CLAIM, **JUST_CREATED}}
V4_OFF, V4_ON = {V4_SWITCH: "false"}, {V4_SWITCH: "true"}

ORPHAN: dict[str, Any] = {"kind": "ReplicaSet", "labels": {"pod-template-hash": "5d4f8c7b9"}}


WIDGET = {"name": "WIDGET", "disabled": "no", "enabled": "yes"}


def widget(**env: Any) -> dict[str, Any]:
    """The product acme with a switch that every start reads."""
    switch = {"semantics": "Start", "env": {**WIDGET, **env}}
    return {"image": ACME, "catalogue": acme(switches=[switch])}


_SHARED_RULES = [{"default": "On", "switches": [{"semantics": "Start", "env": WIDGET}]}]
SHARED: dict[str, Any] = {
    "image": ACME,
    "catalogue": catalogue(
        product(
            "acme",
            channels=[{"name": name, "rules": _SHARED_RULES} for name in ("ErrorReport", "Usage")],
            **ACME_API,
        )
    ),
}
REPORTS_WANTED = policy(name="reports", channels=["ErrorReport"], submission="Enabled")
REPORTS_UNWANTED = policy(name="reports", channels=["ErrorReport"])
EXCLUSIVE = widget(exclusiveWith=["WIDGET__FILE"])
KEEPS_OPT_OUT: dict[str, Any] = {
    "image": ACME,
    "catalogue": acme(
        remedy="Remove the file.",
        switches=[
            {"semantics": "Start", "env": {"name": "WIDGET", "disabled": "no", "persists": True}}
        ],
    ),
}
LEAVES: dict[str, Any] = {
    "image": ACME,
    "catalogue": acme(switches=[{"semantics": "Start", "env": WIDGET}], leaves="one event"),
}


def by_argument(state: State, reason: Reason, product: Mapping[str, Any] = GO, **more: Any) -> Case:
    """A situation of a product that is switched by an argument."""
    words = {key: more.pop(key) for key in ("args", "command") if key in more}
    mounts = [{"name": "v", "mountPath": path} for path in more.pop("mounts", ())]
    words |= {"volumeMounts": mounts} if mounts else {}
    allowed = {"arguments": more.pop("allowed", True), **more.pop("injection", {})}
    asked = {"additionalProducts": ["acme"], "submission": "Disabled", "injection": allowed}
    return Case(
        state,
        reason,
        image="acme/acme:1.2.3",
        container=words,
        catalogue=with_product(dict(product)),
        policy=asked,
        **more,
    )


def by_suspension(state: State, reason: Reason, **more: Any) -> Case:
    """A situation of a product that is switched by suspending its CronJob."""
    image = {"pattern": "acme/acme", "onlyContainers": ["app"]}
    rule = {"default": "On", "switches": [{"semantics": "Start", "suspend": True}]}
    channels = [{"name": "Usage", "rules": [rule]}]
    wish = {"additionalProducts": ["acme"], "submission": "Disabled", **more.pop("policy", {})}
    shape = {"kind": "CronJob", **more.pop("shape", {})}
    found = catalogue(product("acme", images=[image], channels=channels))
    given = {"image": "acme/acme:1", "pods": (), "policy": wish, "shape": shape, **more}
    return Case(state, reason, catalogue=found, **given)


SUSPENDED = {"suspend": True}
BESIDE = {"initContainers": [{**container(EMQX, name="beside"), "restartPolicy": "Always"}]}

CASES: dict[str, Case] = {
    "a suspended CronJob": by_suspension(COMPLIANT, Reason.CRON_JOB_SUSPENDED, shape=SUSPENDED),
    "a suspended CronJob whose last pod has finished": by_suspension(
        COMPLIANT,
        Reason.CRON_JOB_SUSPENDED,
        shape=SUSPENDED,
        pods=(None,),
        phase=PodPhase.SUCCEEDED,
    ),
    "a suspended CronJob that another controller has": by_suspension(
        COMPLIANT, Reason.CRON_JOB_SUSPENDED, shape={**SUSPENDED, "owner": OWNER}
    ),
    "a suspended CronJob that runs more": by_suspension(
        COMPLIANT, Reason.CRON_JOB_SUSPENDED, shape={**SUSPENDED, "pod": BESIDE}
    ),
    "a suspended CronJob with a pod": by_suspension(
        PENDING, Reason.JOB_STILL_RUNS, shape=SUSPENDED, pods=(None,)
    ),
    "a suspended CronJob with a pod that waits": by_suspension(
        PENDING, Reason.JOB_STILL_RUNS, shape=SUSPENDED, pods=(None,), phase=PodPhase.PENDING
    ),
    "a CronJob that runs more": by_suspension(
        NON_COMPLIANT, Reason.CRON_JOB_RUNS_MORE, shape={"pod": BESIDE}
    ),
    "a CronJob that is to be suspended": by_suspension(PENDING, Reason.ROLLOUT_QUEUED),
    "a CronJob that is only watched": by_suspension(
        NON_COMPLIANT, Reason.AUDIT_ONLY, policy={"mode": "Audit"}
    ),
    "a CronJob that nobody may suspend": by_suspension(
        NON_COMPLIANT, Reason.INJECTION_OFF, policy=NEVER
    ),
    "a CronJob in an excluded namespace": by_suspension(
        NON_COMPLIANT, Reason.NAMESPACE_EXCLUDED, excluded=True
    ),
    "a CronJob that a label leaves out": by_suspension(
        NON_COMPLIANT, Reason.LEFT_OUT_BY_LABEL, shape={"labels": LEFT_OUT}
    ),
    "a CronJob that another controller has": by_suspension(
        NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, shape={"owner": OWNER}
    ),
    **{
        f"what would be a CronJob in a {kind}": by_suspension(
            NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, shape={"kind": kind}
        )
        for kind in ("Deployment", "Job", "StatefulSet", "DaemonSet")
    },
    "a CronJob that the user suspended is to run": by_suspension(
        NON_COMPLIANT, Reason.VALUE_MAY_HOLD_MORE, shape=SUSPENDED, policy=OPT_IN
    ),
    "a CronJob that the user suspended is to run, and values are kept": by_suspension(
        NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT, shape=SUSPENDED, policy={**OPT_IN, **KEEP}
    ),
    "a CronJob runs as desired": by_suspension(
        COMPLIANT, Reason.DEFAULT_APPLIES, policy=OPT_IN, pods=(None,)
    ),
    "an argument": by_argument(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, args=["-telemetry=false"]),
    "an argument where none is written": by_argument(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, args=["-telemetry=false"], allowed=False
    ),
    "a policy that writes no arguments": by_argument(
        NON_COMPLIANT, Reason.ARGUMENTS_OFF, args=["-a=1"], allowed=False
    ),
    "the opposite argument": by_argument(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, args=["-telemetry=true"]
    ),
    "an argument that pods lack": by_argument(
        PENDING,
        Reason.PODS_OUTDATED,
        args=["-telemetry=false"],
        pod_container={"args": ["-a=1"]},
    ),
    "a pod of a shell": by_argument(
        PENDING,
        Reason.PODS_OUTDATED,
        args=["-telemetry=false"],
        pod_container={"command": ["sh", "-c", "acme -telemetry=false"]},
    ),
    "a shell that runs the product": by_argument(
        UNKNOWN, Reason.COMMAND_IS_SHELL, command=["/bin/sh", "-c"], args=["exec acme"]
    ),
    "a shell where no arguments are written": by_argument(
        UNKNOWN, Reason.COMMAND_IS_SHELL, command=["sh", "-c", "acme"], allowed=False
    ),
    "a program that is not known": by_argument(
        UNKNOWN, Reason.PROGRAM_UNKNOWN, command=["other"], args=["-telemetry=false"]
    ),
    "arguments of an image that are not known": by_argument(
        UNKNOWN, Reason.IMAGE_ARGUMENTS_UNKNOWN, RUN
    ),
    "an argument that may be a value": by_argument(
        UNKNOWN, Reason.ARGUMENTS_AMBIGUOUS, args=["-a", "-telemetry=false"], allowed=False
    ),
    "a flag that a command has behind a word": by_argument(
        NON_COMPLIANT, Reason.ARGUMENTS_AMBIGUOUS, command=["acme", "-a", "word"]
    ),
    "an argument of a program from a volume": by_argument(
        UNKNOWN,
        Reason.COMMAND_OVERRIDDEN,
        args=["-telemetry=false"],
        mounts=["/opt/acme"],
    ),
    "an argument beside another volume": by_argument(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, args=["-telemetry=false"], mounts=["/data"]
    ),
    "an argument that the product reads after a library of one's own": by_argument(
        UNKNOWN,
        Reason.COMMAND_OVERRIDDEN,
        args=["-telemetry=false"],
        env={"LD_PRELOAD": "/x.so"},
        ours=("LD_PRELOAD",),
    ),
    "something is sent in spite of the switch": of(
        NOT_ENFORCEABLE,
        Reason.PARTLY_DISABLED,
        env={"WIDGET": "no"},
        says="What is left: one event.",
        **LEAVES,
    ),
    # The product stores the value of each start.
    "nothing is set, and an earlier start may have stored an opt-out": of(
        UNKNOWN,
        Reason.SETTING_PERSISTS,
        policy={**OPT_IN, **AUDIT},
        **widget(persists=True),
    ),
    "nothing is set, and an earlier start may have stored an opt-in": of(
        UNKNOWN,
        Reason.SETTING_PERSISTS,
        policy=NEVER,
        image=ACME,
        catalogue=acme(
            default="Off", switches=[{"semantics": "Start", "env": {**WIDGET, "persists": True}}]
        ),
    ),
    "the word that enables is written at the next change": of(
        PENDING,
        Reason.AWAITING_ROLLOUT,
        policy={**OPT_IN, **ALWAYS},
        **widget(persists=True),
    ),
    "the word that enables runs in every pod": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        env={"WIDGET": "yes"},
        policy=OPT_IN,
        **widget(persists=True),
    ),
    "the word that enables is not in an older pod, whose data may have an opt-out": of(
        PENDING,
        Reason.PODS_OUTDATED,
        env={"WIDGET": "yes"},
        pods=({},),
        policy=OPT_IN,
        **widget(persists=True),
    ),
    "an opt-out that persists runs in every pod": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env={"WIDGET": "no"}, **KEEPS_OPT_OUT
    ),
    "no value takes a stored opt-out back": of(
        NOT_ENFORCEABLE,
        Reason.OPT_OUT_PERSISTS,
        policy=OPT_IN,
        says="Remove the file.",
        **KEEPS_OPT_OUT,
    ),
    "no value takes our own opt-out back": of(
        NOT_ENFORCEABLE,
        Reason.OPT_OUT_PERSISTS,
        env={"WIDGET": "no"},
        ours=("WIDGET",),
        policy={**OPT_IN, **ALWAYS},
        **KEEPS_OPT_OUT,
    ),
    "the user keeps an opt-out that persists": of(
        NON_COMPLIANT,
        Reason.CONTRARY_VALUE_KEPT,
        env={"WIDGET": "no"},
        policy={**OPT_IN, **KEEP},
        **KEEPS_OPT_OUT,
    ),
    "the product says that no opt-out is stored": of(
        COMPLIANT,
        Reason.REPORTED,
        policy={**OPT_IN, **ACME_ASKED},
        reported=SAYS_ENABLED,
        **KEEPS_OPT_OUT,
    ),
    # Two channels have the same switch.
    "the policy of a channel before it wants the opposite": of(
        NON_COMPLIANT,
        Reason.SWITCH_CONTESTED,
        env={"WIDGET": "yes"},
        ours=("WIDGET",),
        policy={**IMMEDIATE, "channels": ["Usage"]},
        others=(REPORTS_WANTED,),
        **SHARED,
    ),
    "the policy of a channel before it wants what disables both": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        env={"WIDGET": "no"},
        ours=("WIDGET",),
        policy={**IMMEDIATE, "channels": ["Usage"]},
        others=(REPORTS_UNWANTED,),
        **SHARED,
    ),
    # Variables beside which the product does not start.
    "the other variable is set alone": of(
        UNKNOWN,
        Reason.EXCLUSIVE_VARIABLE,
        env={"WIDGET__FILE": "/run/it"},
        says="(WIDGET__FILE)",
        **EXCLUSIVE,
    ),
    "the other variable is set alone, by reference, for an opt-in": of(
        UNKNOWN,
        Reason.EXCLUSIVE_VARIABLE,
        env={"WIDGET__FILE": FROM_SECRET},
        policy=OPT_IN,
        **EXCLUSIVE,
    ),
    "both variables are set": of(
        NON_COMPLIANT,
        Reason.EXCLUSIVE_VARIABLE,
        env={"WIDGET": "no", "WIDGET__FILE": "/run/it"},
        says="WIDGET and WIDGET__FILE are both set.",
        **EXCLUSIVE,
    ),
    "both variables are set, and a product of earlier says no": of(
        NON_COMPLIANT,
        Reason.EXCLUSIVE_VARIABLE,
        env={"WIDGET": "no", "WIDGET__FILE": "/run/it"},
        reported=SAYS_DISABLED,
        policy=ACME_ASKED,
        **EXCLUSIVE,
    ),
    "the other variable is set, and the product says no": of(
        COMPLIANT,
        Reason.REPORTED,
        env={"WIDGET__FILE": "/run/it"},
        reported=SAYS_DISABLED,
        policy=ACME_ASKED,
        **EXCLUSIVE,
    ),
    "an envFrom may hold the other variable": of(
        UNKNOWN,
        Reason.EXCLUSIVE_VARIABLE,
        container=FROM_MAP,
        says="The envFrom may hold WIDGET__FILE.",
        **EXCLUSIVE,
    ),
    "an envFrom, and the manifest has the switch": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        env={"WIDGET": "no"},
        container=FROM_MAP,
        **EXCLUSIVE,
    ),
    "an older pod has the other variable": of(
        PENDING,
        Reason.PODS_OUTDATED,
        env={"WIDGET": "no"},
        pods=({"WIDGET__FILE": "/run/it"},),
        **EXCLUSIVE,
    ),
    "the default is off, and the other variable may turn it on": of(
        UNKNOWN,
        Reason.EXCLUSIVE_VARIABLE,
        env={"WIDGET__FILE": "/run/it"},
        image=ACME,
        catalogue=acme(
            default="Off",
            switches=[{"semantics": "Start", "env": {**WIDGET, "exclusiveWith": ["WIDGET__FILE"]}}],
        ),
    ),
    # A switch that every start reads.
    "it runs in every pod": of(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, pods=(None, None)),
    "an opt-in runs in every pod": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=ON, policy=OPT_IN
    ),
    "an argument says so": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        container={"args": ["-Dsonar.telemetry.enable=false"]},
    ),
    "one pod has it and one does not": of(
        PENDING, Reason.PODS_OUTDATED, env=OFF, pods=(None, {}), says="1 of 2 pods."
    ),
    "pods of a version that cannot be read": of(
        UNKNOWN,
        Reason.VERSION_UNREADABLE,
        EMQX,
        env={EMQX_SWITCH: "false"},
        pod_image="emqx/emqx:5",
        says="Image: emqx/emqx:5, 1 of 1 pods.",
    ),
    "pods with a digest that nothing speaks for": of(
        UNKNOWN,
        Reason.VERSION_UNREADABLE,
        EMQX,
        env={EMQX_SWITCH: "false"},
        pod_image=f"emqx/emqx{DIGEST}",
    ),
    "pods with a digest of a foreign template": of(
        UNKNOWN,
        Reason.VERSION_UNREADABLE,
        EMQX,
        shape={"owner": OWNER},
        pods=({EMQX_SWITCH: "false"},),
        pod_image=f"emqx/emqx{DIGEST}",
    ),
    "scaled to zero": of(COMPLIANT, Reason.SCALED_TO_ZERO, env=OFF, pods=(), shape={"replicas": 0}),
    "scaled to zero, of a foreign template": of(
        COMPLIANT, Reason.SCALED_TO_ZERO, pods=(), shape={"replicas": 0, "owner": OWNER}
    ),
    "scaled to zero, of a foreign template, audited": of(
        NON_COMPLIANT,
        Reason.AUDIT_ONLY,
        pods=(),
        shape={"replicas": 0, "owner": OWNER},
        policy=AUDIT,
    ),
    "scaled to zero, with the contrary value": of(
        NON_COMPLIANT,
        Reason.CONTRARY_VALUE_KEPT,
        env=ON,
        pods=(),
        shape={"replicas": 0},
        policy=KEEP,
    ),
    "scaled to zero, and a pod still runs": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, shape={"replicas": 0}
    ),
    "suspended before its first run": of(
        COMPLIANT,
        Reason.SCALED_TO_ZERO,
        env=OFF,
        pods=(),
        shape={"kind": "CronJob", "suspend": True},
    ),
    "never run": of(PENDING, Reason.NO_PODS, env=OFF, pods=(), shape={"kind": "CronJob"}),
    "a run that goes on": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, shape={"kind": "CronJob"}
    ),
    "a run that is over": of(
        COMPLIANT,
        Reason.LAST_RUN_COMPLIANT,
        env=OFF,
        shape={"kind": "CronJob"},
        phase=PodPhase.SUCCEEDED,
    ),
    "a run that is over, of an older template": of(
        PENDING,
        Reason.PODS_OUTDATED,
        env=OFF,
        pods=({},),
        shape={"kind": "CronJob"},
        phase=PodPhase.FAILED,
    ),
    "pods that cannot all be read": of(UNKNOWN, Reason.PODS_NOT_READABLE, env=OFF, unread=True),
    "no pod that can be read": of(
        UNKNOWN, Reason.PODS_NOT_READABLE, env=OFF, pods=(), unread=True, shape={"replicas": 0}
    ),
    "pods that cannot be read, of a version that sends nothing": of(
        UNKNOWN, Reason.PODS_NOT_READABLE, image=DTRACK_OLD, unread=True
    ),
    "pods that cannot be read, of a template without the setting": of(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, unread=True
    ),
    "a report beside pods that cannot be read": of(
        COMPLIANT,
        Reason.REPORTED,
        image=DTRACK_4,
        env=V4_OFF,
        policy={"asked": True},
        reported=SAYS_DISABLED,
        unread=True,
    ),
    "no pod runs": of(PENDING, Reason.NO_PODS, env=OFF, pods=()),
    "nothing is set and the default is as wished": of(
        COMPLIANT, Reason.DEFAULT_APPLIES, policy=OPT_IN
    ),
    "an empty value and the default": of(
        COMPLIANT, Reason.DEFAULT_APPLIES, env={SONAR_SWITCH: ""}, policy=OPT_IN
    ),
    "some are set and some have the default": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=ON, policy=OPT_IN, pods=(None, {})
    ),
    "nothing is set and the default depends on the licence": of(
        UNKNOWN, Reason.DEFAULT_UNKNOWN, EMQX_6, policy=AUDIT
    ),
    "an opt-in where the default depends on the licence": of(
        UNKNOWN, Reason.DEFAULT_UNKNOWN, EMQX_6, policy=OPT_IN
    ),
    "a pod of a version without telemetry": of(
        COMPLIANT,
        Reason.DEFAULT_APPLIES,
        DTRACK_4,
        env=V4_OFF,
        pod_image=DTRACK_OLD,
    ),
    "a pod of a version without a switch, which has the variable": of(
        PENDING,
        Reason.PODS_OUTDATED,
        "docker.io/sourcegraph/worker:5.9.0",
        env={"TELEMETRY_GATEWAY_EXPORTER_EXPORT_ADDR": ""},
        pod_image="docker.io/sourcegraph/worker:7.0.0",
    ),
    # Not set: will it be, and when?
    "older than the policy": of(NON_COMPLIANT, Reason.AWAITING_UPGRADE),
    "older than the policy, and contrary": of(NON_COMPLIANT, Reason.AWAITING_UPGRADE, env=ON),
    "the policy adds at any change": of(PENDING, Reason.AWAITING_ROLLOUT, policy=ALWAYS),
    "the policy overrides at any change": of(
        PENDING, Reason.AWAITING_ROLLOUT, env={SONAR_SWITCH: "$(X)"}, policy=ALWAYS
    ),
    "a value of ours whose policy turned": of(
        PENDING, Reason.AWAITING_ROLLOUT, env=OFF, ours=(SONAR_SWITCH,), policy=OPT_IN
    ),
    "a value of ours whose policy turned and adds nothing": of(
        PENDING,
        Reason.AWAITING_ROLLOUT,
        env=OFF,
        ours=(SONAR_SWITCH,),
        policy=OPT_IN | {"injection": {"when": "Never", "onConflict": "Keep"}},
    ),
    "the policy rolls out": of(PENDING, Reason.ROLLOUT_QUEUED, policy=IMMEDIATE),
    "nothing would restart": of(PENDING, Reason.ROLLOUT_QUEUED, shape={"replicas": 0}, pods=()),
    "younger than the policy": of(PENDING, Reason.MISSED_ADMISSION, shape={"created": NOW}),
    "older than the product": of(
        PENDING,
        Reason.PRODUCT_ADDED_LATER,
        ACME,
        shape={"created": NOW - timedelta(days=5)},
        policy={"additionalProducts": ["acme"]},
        catalogue=own_acme(created=NOW - timedelta(days=1)),
    ),
    "older than the last change of the product": of(
        PENDING,
        Reason.PRODUCT_ADDED_LATER,
        ACME,
        shape={"created": NOW - timedelta(days=5)},
        policy={"additionalProducts": ["acme"]},
        catalogue=own_acme(changed=NOW - timedelta(days=1)),
    ),
    "younger than the product and the policy": of(
        PENDING,
        Reason.MISSED_ADMISSION,
        ACME,
        shape={"created": NOW - timedelta(days=5)},
        policy={"additionalProducts": ["acme"]},
        catalogue=own_acme(),
    ),
    "older than the policy and the product": of(
        NON_COMPLIANT,
        Reason.AWAITING_UPGRADE,
        ACME,
        policy={"additionalProducts": ["acme"]},
        catalogue=own_acme(created=NOW - timedelta(days=1)),
    ),
    "a value that holds more": of(
        UNKNOWN, Reason.VALUE_MAY_HOLD_MORE, EMQX, env={EMQX_SWITCH: "a=b"}, policy=IMMEDIATE
    ),
    "a value that holds more and enables": of(
        NON_COMPLIANT,
        Reason.VALUE_MAY_HOLD_MORE,
        ACME,
        env={"ACME": "-Xmx4g"},
        policy=ALWAYS | {"additionalProducts": ["acme"]},
        catalogue=own_acme(reading={"otherwise": "Enabled"}),
    ),
    "a word that is not understood, of a product that nobody reviewed": of(
        UNKNOWN,
        Reason.VALUE_MAY_HOLD_MORE,
        ACME,
        env={"ACME": "maybe"},
        policy=ALWAYS | {"additionalProducts": ["acme"]},
        catalogue=own_acme(),
    ),
    "as old as the policy": of(
        PENDING, Reason.MISSED_ADMISSION, shape={"created": LONG_AGO}, policy={"created": LONG_AGO}
    ),
    "a job": of(NON_COMPLIANT, Reason.TEMPLATE_IMMUTABLE, shape={"kind": "Job"}, policy=ALWAYS),
    "the policy only audits": of(NON_COMPLIANT, Reason.AUDIT_ONLY, policy=AUDIT | ALWAYS),
    "an audit of what is as wished": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, policy=AUDIT
    ),
    "an excluded namespace": of(
        NON_COMPLIANT, Reason.NAMESPACE_EXCLUDED, policy=IMMEDIATE, excluded=True
    ),
    "an excluded namespace that opts out by itself": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, excluded=True
    ),
    "an excluded namespace with the setting in the template only": of(
        PENDING, Reason.PODS_OUTDATED, env=OFF, pods=(ON,), excluded=True
    ),
    "an excluded namespace with a foreign template": of(
        NON_COMPLIANT, Reason.NAMESPACE_EXCLUDED, shape={"owner": OWNER}, excluded=True
    ),
    "a label leaves it out": of(
        NON_COMPLIANT, Reason.LEFT_OUT_BY_LABEL, policy=IMMEDIATE, shape={"labels": LEFT_OUT}
    ),
    "a label leaves it out, and it has a foreign template": of(
        NON_COMPLIANT, Reason.LEFT_OUT_BY_LABEL, shape={"labels": LEFT_OUT, "owner": OWNER}
    ),
    "the policy adds nothing": of(NON_COMPLIANT, Reason.INJECTION_OFF, policy=NEVER),
    "the policy adds nothing, not even at once": of(
        NON_COMPLIANT,
        Reason.INJECTION_OFF,
        policy={"injection": {"when": "Never", "rollout": "Immediate"}},
    ),
    "the policy lets the contrary stand": of(
        NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT, env=ON, policy=KEEP
    ),
    "keep, and nothing to keep": of(NON_COMPLIANT, Reason.AWAITING_UPGRADE, policy=KEEP),
    "keep, and the value is ours": of(
        PENDING,
        Reason.AWAITING_ROLLOUT,
        env=ON,
        ours=(SONAR_SWITCH,),
        policy=KEEP,
    ),
    # Something else speaks.
    "an argument says the contrary": of(
        NON_COMPLIANT,
        Reason.SWITCH_OVERRIDDEN,
        env=OFF,
        container={"args": ["-Dsonar.telemetry.enable=true"]},
        says="(-Dsonar.telemetry.enable=true)",
    ),
    "an argument beats what a rollout would add": of(
        NON_COMPLIANT,
        Reason.SWITCH_OVERRIDDEN,
        container={"args": ["-Dsonar.telemetry.enable=true"]},
        policy=IMMEDIATE,
    ),
    "an argument that is expanded": of(
        UNKNOWN,
        Reason.SWITCH_OVERRIDDEN,
        env=OFF,
        container={"args": ["-Dsonar.telemetry.enable=$(X)"]},
    ),
    "a variable for one program only": of(
        NON_COMPLIANT,
        Reason.SWITCH_OVERRIDDEN,
        WORKER,
        env={WORKER_SWITCH: None, "SRC_TELEMETRY_EVENTS_EXPORT_ALL": "true"},
    ),
    # Something else starts the product.
    "a shell in front": of(
        UNKNOWN,
        Reason.COMMAND_OVERRIDDEN,
        env=OFF,
        container=SHELL,
        says="spec.runtime",
    ),
    "a shell in front, and the value is ours": of(
        UNKNOWN, Reason.COMMAND_OVERRIDDEN, env=OFF, ours=(SONAR_SWITCH,), container=SHELL
    ),
    "a shell in front of an opt-in": of(
        UNKNOWN, Reason.COMMAND_OVERRIDDEN, env=ON, container=SHELL, policy=OPT_IN
    ),
    "a shell in front of a default that is as wished": of(
        UNKNOWN, Reason.COMMAND_OVERRIDDEN, container=SHELL, policy=OPT_IN
    ),
    "a shell in front of what nobody sets": of(UNKNOWN, Reason.COMMAND_OVERRIDDEN, container=SHELL),
    "a shell in front of what will be set": of(
        PENDING, Reason.AWAITING_ROLLOUT, container=SHELL, policy=ALWAYS
    ),
    "a shell in front of the contrary": of(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, env=ON, container=SHELL
    ),
    "a shell in front, without pods": of(
        UNKNOWN, Reason.COMMAND_OVERRIDDEN, env=OFF, container=SHELL, pods=()
    ),
    "a shell in front of a seed": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, DTRACK_4, env=V4_OFF, container=SHELL
    ),
    "a hook beside a seed": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        DTRACK_4,
        env=V4_OFF,
        container={"lifecycle": {"postStart": {"exec": {"command": ["/x"]}}}},
    ),
    "a shell in front, and the product confirms": of(
        COMPLIANT, Reason.REPORTED, env=OFF, container=SHELL, reported=SAYS_DISABLED
    ),
    "a shell in front, and the product says the contrary": of(
        NON_COMPLIANT, Reason.REPORTED_CONTRARY, env=OFF, container=SHELL, reported=SAYS_ENABLED
    ),
    "another webhook puts a program in front of every pod": of(
        UNKNOWN,
        Reason.COMMAND_OVERRIDDEN,
        env=OFF,
        pods=(None, None),
        pod_container={"command": ["/vault/vault-env"], "args": ["/opt/entrypoint.sh"]},
        says="(command) 2 of 2 pods.",
    ),
    "another webhook puts a program in front of pods that are old as well": of(
        PENDING,
        Reason.PODS_OUTDATED,
        env=OFF,
        pods=(None, ON),
        pod_container={"command": ["/vault/vault-env"]},
    ),
    "a foreign template whose pods have a program in front": of(
        UNKNOWN,
        Reason.COMMAND_OVERRIDDEN,
        shape={"owner": OWNER},
        pods=(OFF,),
        pod_container={"command": ["/vault/vault-env"]},
    ),
    "a command of the product itself": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        EMQX,
        env={EMQX_SWITCH: "false"},
        container={"command": ["/opt/emqx/bin/emqx", "foreground"]},
    ),
    "a reference": of(
        UNKNOWN, Reason.SET_BY_REFERENCE, env={SONAR_SWITCH: FROM_SECRET}, policy=IMMEDIATE
    ),
    "a whole config map": of(
        UNKNOWN, Reason.CONFIG_MAP_NOT_READ, EMQX, container=FROM_MAP, policy=AUDIT
    ),
    "a config map where only absence is as wished": of(
        UNKNOWN,
        Reason.CONFIG_MAP_NOT_READ,
        WORKER,
        container=FROM_MAP,
        policy=OPT_IN | IMMEDIATE,
    ),
    "a whole Secret": of(
        UNKNOWN, Reason.MAY_BE_SET_BY_ENV_FROM, EMQX, container=FROM_ALL_OF_A_SECRET, policy=AUDIT
    ),
    "a config map that will be shadowed": of(
        PENDING, Reason.AWAITING_ROLLOUT, EMQX, container=FROM_MAP, policy=ALWAYS
    ),
    "a value that may mean anything": of(
        UNKNOWN, Reason.VALUE_NOT_UNDERSTOOD, EMQX, env={EMQX_SWITCH: "off"}, policy=KEEP
    ),
    "the same setting in a form that is not read": of(
        UNKNOWN, Reason.VALUE_NOT_UNDERSTOOD, EMQX, env={"EMQX_TELEMETRY": "{}"}, policy=AUDIT
    ),
    "two spellings": of(
        UNKNOWN,
        Reason.AMBIGUOUS_VARIABLE,
        EMQX,
        env={EMQX_SWITCH: "false", "EMQX_telemetry__enable": "true"},
        policy=IMMEDIATE,
        says=f"({EMQX_SWITCH}, EMQX_telemetry__enable)",
    ),
    "a name that people take for the switch": of(
        NON_COMPLIANT,
        Reason.AWAITING_UPGRADE,
        env={"SONAR_TELEMETRY_ENABLED": "false"},
        says="SONAR_TELEMETRY_ENABLED is set and has no effect.",
    ),
    "a variable that the version refuses": of(
        NON_COMPLIANT,
        Reason.REFUSED_VARIABLE,
        DTRACK_5,
        env={V4_SWITCH: "false", V5_SWITCH: "false"},
        policy=KEEP,
        says=f"{V4_SWITCH}: version 5 refuses to start",
    ),
    # What the product itself says.
    "the product says the contrary": of(
        NON_COMPLIANT, Reason.REPORTED_CONTRARY, env=OFF, reported=SAYS_ENABLED
    ),
    "the product says the contrary of an opt-in": of(
        NON_COMPLIANT,
        Reason.REPORTED_CONTRARY,
        env=ON,
        reported=SAYS_DISABLED,
        policy=OPT_IN,
    ),
    "the product of an unreadable version says the contrary": of(
        NON_COMPLIANT, Reason.REPORTED_CONTRARY, "sonarqube:latest", reported=SAYS_ENABLED
    ),
    "the product without a switch says the contrary": of(
        NON_COMPLIANT, Reason.REPORTED_CONTRARY, FRONTEND_7, reported=SAYS_ENABLED
    ),
    "the product confirms a seed": of(COMPLIANT, Reason.REPORTED, DTRACK_5, reported=SAYS_DISABLED),
    "the product confirms what is switched in it": of(
        COMPLIANT, Reason.REPORTED, FRONTEND, reported=SAYS_DISABLED
    ),
    "a start switch that only runs says nothing of the next start": of(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, reported=SAYS_DISABLED
    ),
    "the product of an unreadable version confirms": of(
        COMPLIANT, Reason.REPORTED, "sonarqube:latest", env=OFF, reported=SAYS_DISABLED
    ),
    "the product of an unreadable version confirms, and its next start may undo it": of(
        UNKNOWN,
        Reason.VERSION_UNREADABLE,
        "sonarqube:latest",
        reported=SAYS_DISABLED,
        says="the workload does not set the switch",
    ),
    "a version that is not verified": of(
        UNKNOWN,
        Reason.VERSION_NOT_VERIFIED,
        "emqx/emqx:6.9.0",
        env={EMQX_SWITCH: "false"},
        says="emqx/emqx:6.9.0",
    ),
    "a version that is not verified, and its product confirms": of(
        COMPLIANT,
        Reason.REPORTED,
        "emqx/emqx:6.9.0",
        env={EMQX_SWITCH: "false"},
        reported=SAYS_DISABLED,
    ),
    "a version that is not verified, and its product cannot be asked": of(
        UNKNOWN,
        Reason.UNREACHABLE,
        "emqx/emqx:6.9.0",
        env={EMQX_SWITCH: "false"},
        reported=Reported(fault=Reason.UNREACHABLE),
    ),
    "a version that is not verified, where the switch is not set": of(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, "sonarqube:27.1.0-community"
    ),
    "a verified version in the template, and another in a pod": of(
        UNKNOWN,
        Reason.VERSION_NOT_VERIFIED,
        EMQX_6,
        env={EMQX_SWITCH: "false"},
        pod_image="emqx/emqx:6.9.0",
        says="emqx/emqx:6.9.0",
    ),
    "the product without a verified switch confirms": of(
        COMPLIANT, Reason.REPORTED, FRONTEND_7, reported=SAYS_DISABLED
    ),
    "the product without a switch that works says the contrary and says so": of(
        NOT_ENFORCEABLE,
        Reason.NO_EFFECTIVE_SWITCH,
        FRONTEND_7,
        reported=Reported(Setting.ENABLED, message="Ask for a licence.", enforceable=False),
        says="Ask for a licence.",
    ),
    "a start switch that runs, confirmed": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, reported=SAYS_DISABLED
    ),
    "set in the product and read at its next start": of(
        PENDING,
        Reason.RESTART_NEEDED,
        env=OFF,
        reported=Reported(Setting.ENABLED, restart_needed=True),
    ),
    "the product has not been restarted yet": of(
        PENDING, Reason.RESTART_NEEDED, env=OFF, pods=(None, {}), reported=SAYS_ENABLED
    ),
    "not to be set by its API": of(
        NON_COMPLIANT,
        Reason.NOT_SETTABLE,
        FRONTEND,
        reported=Reported(Setting.ENABLED, fault=Reason.NOT_SETTABLE),
    ),
    "turned back again and again": of(
        NON_COMPLIANT,
        Reason.SETTING_FOUGHT_OVER,
        FRONTEND,
        reported=Reported(Setting.ENABLED, remediation_conflict=True),
    ),
    "a seed whose product rejects the credentials": of(
        UNKNOWN,
        Reason.CREDENTIALS_REJECTED,
        DTRACK_5,
        env={V5_SWITCH: "false"},
        reported=Reported(fault=Reason.CREDENTIALS_REJECTED, message="It answered 401."),
        says="It answered 401.",
    ),
    "a start switch that runs needs no report": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        env=OFF,
        reported=Reported(fault=Reason.UNREACHABLE),
    ),
    "nobody gave credentials": of(
        UNKNOWN,
        Reason.NOT_REPORTED,
        FRONTEND,
        policy={"asked": False},
        reported=SAYS_DISABLED,
        says="names no credentials",
    ),
    "what is switched in the product, which was not asked": of(
        UNKNOWN, Reason.NOT_REPORTED, FRONTEND, says="update.channel"
    ),
    # The version.
    "a version without telemetry": of(COMPLIANT, Reason.NO_TELEMETRY_IN_VERSION, DTRACK_OLD),
    "an edition without telemetry": of(COMPLIANT, Reason.NO_TELEMETRY_IN_VERSION, EMQX_ENTERPRISE),
    "an opt-in to a version without telemetry": of(
        NOT_ENFORCEABLE, Reason.NO_TELEMETRY_IN_VERSION, DTRACK_OLD, policy=OPT_IN
    ),
    "a version without a switch that works": of(
        NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, WORKER_6, says="allow-air-gapped"
    ),
    "a setting that does nothing": of(
        NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, WORKER_6, env={WORKER_SWITCH: None}
    ),
    "a switch of no effect": of(
        NOT_ENFORCEABLE,
        Reason.NO_EFFECTIVE_SWITCH,
        ACME,
        catalogue=acme(switches=[{"semantics": "None"}], remedy="Ask Acme."),
        says="Ask Acme.",
    ),
    "latest": of(UNKNOWN, Reason.VERSION_UNREADABLE, "sonarqube:latest", env=OFF),
    "a digest only": of(
        UNKNOWN, Reason.VERSION_UNREADABLE, "sonarqube" + DIGEST, says=f"sonarqube{DIGEST}"
    ),
    "a floating tag": of(UNKNOWN, Reason.VERSION_UNREADABLE, "emqx/emqx:5.0"),
    "a number that may be a build's": of(
        UNKNOWN, Reason.VERSION_NOT_KNOWN, "dependencytrack/apiserver:4"
    ),
    "a version that the catalogue is silent of": of(
        UNKNOWN, Reason.VERSION_NOT_COVERED, "emqx/emqx:4.4.19"
    ),
    # A switch that only seeds.
    "a seed in each pod": of(
        COMPLIANT,
        Reason.SEED_PROVEN,
        DTRACK_4,
        env=V4_OFF,
        container=DATA,
        shape={"pod": EMPTY},
    ),
    "a seed in the container's own layer": of(COMPLIANT, Reason.SEED_PROVEN, DTRACK_4, env=V4_OFF),
    "a seed in each pod, not set": of(NON_COMPLIANT, Reason.AWAITING_UPGRADE, DTRACK_4),
    "a seed in each pod, set by now": of(
        PENDING, Reason.PODS_OUTDATED, DTRACK_4, env=V4_OFF, pods=({},)
    ),
    "a seed on a claim of unknown age": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, env=V4_OFF, **BORN_ON_CLAIM
    ),
    "a seed on an older claim": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, env=V4_OFF, claims=OLD, **BORN_ON_CLAIM
    ),
    "a seed on a claim that began with it": of(
        COMPLIANT,
        Reason.SEED_PROVEN,
        env=V4_OFF,
        claims=FRESH,
        seeded=("uid-1",),
        **BORN_ON_CLAIM,
    ),
    "a seed on a claim that began with an opt-in by default": of(
        COMPLIANT,
        Reason.DEFAULT_APPLIES,
        policy=OPT_IN,
        claims=FRESH,
        seeded=("uid-1",),
        **BORN_ON_CLAIM,
    ),
    "a seed on a claim that began without it": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, claims=FRESH, **BORN_ON_CLAIM
    ),
    "a seed that was proven before": of(
        COMPLIANT,
        Reason.SEED_PROVEN,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(),
        seeded=("uid-1",),
        **ON_CLAIM,
    ),
    "a seed that was proven before, of a stopped workload": of(
        PENDING,
        Reason.NO_PODS,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(),
        pods=(),
        **ON_CLAIM,
    ),
    "a seed that was proven for the contrary": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(Submission.ENABLED),
        **ON_CLAIM,
    ),
    "a seed that was proven of another product": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(product="emqx"),
        **ON_CLAIM,
    ),
    "a seed that was proven of another channel": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(channel=ChannelName.LICENSE),
        **ON_CLAIM,
    ),
    "a seed that was proven of another volume": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        env=V4_OFF,
        claims=OLD,
        seeds=seed(volumes=("uid-2",)),
        **ON_CLAIM,
    ),
    "a contrary seed": of(NON_COMPLIANT, Reason.AWAITING_UPGRADE, env=V4_ON, **ON_CLAIM),
    "a contrary seed that is kept": of(
        NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT, env=V4_ON, policy=KEEP, **ON_CLAIM
    ),
    # No next start turns data that is there.
    "a contrary seed that will be overridden": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, env=V4_ON, policy=ALWAYS, **ON_CLAIM
    ),
    "a contrary seed that is about to be overridden": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, env=V4_ON, policy=IMMEDIATE, **ON_CLAIM
    ),
    # A switch that is sufficient alone, beside a seed.
    "a task that never runs": of(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, DTRACK_5, env=V5_OFF),
    "a task that never runs, and the seed is missing": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, DTRACK_5, env={V5_CRON: "-"}
    ),
    "a task that never runs, and the product's own setting is on": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        DTRACK_5,
        env=V5_OFF,
        reported=SAYS_ENABLED,
        says="has no effect while the switch is set",
    ),
    "a task that never runs in one of two pods, and the product's own setting is on": of(
        PENDING,
        Reason.RESTART_NEEDED,
        DTRACK_5,
        env=V5_OFF,
        pods=(None, {}),
        reported=SAYS_ENABLED,
    ),
    "a task that never runs in one of two pods": of(
        PENDING, Reason.PODS_OUTDATED, DTRACK_5, env=V5_OFF, pods=(None, {})
    ),
    "a task that never runs, and an ordinal makes the environment count for nothing": of(
        NON_COMPLIANT, Reason.SWITCH_OVERRIDDEN, DTRACK_5, env=V5_OFF | {"CONFIG_ORDINAL": "100"}
    ),
    "a task that runs, and the product's own setting is off": of(
        COMPLIANT, Reason.REPORTED, DTRACK_5, env={V5_CRON: "0 3 * * *"}, reported=SAYS_DISABLED
    ),
    "a task that never runs, for an opt-in": of(
        PENDING,
        Reason.AWAITING_ROLLOUT,
        DTRACK_5,
        env={V5_CRON: "-"},
        ours=[V5_CRON],
        policy=OPT_IN,
        reported=SAYS_ENABLED,
    ),
    "an opt-in of a seed whose task runs": of(
        UNKNOWN, Reason.SEED_NOT_PROVEN, DTRACK_5, env={V5_SWITCH: "true"}, policy=OPT_IN
    ),
    "a pod of version 4 has no such task": of(
        PENDING,
        Reason.PODS_OUTDATED,
        DTRACK_5,
        env=V5_OFF,
        pods=({V4_SWITCH: "false"},),
        pod_image=DTRACK_4,
    ),
    "a refused property among the arguments": of(
        NON_COMPLIANT,
        Reason.REFUSED_VARIABLE,
        DTRACK_5,
        env=V5_OFF | {"JAVA_OPTIONS": "-Dtelemetry.submission.enabled.default"},
        says="-Dtelemetry.submission.enabled.default: version 5 refuses",
    ),
    "a refused variable in another spelling": of(
        NON_COMPLIANT,
        Reason.REFUSED_VARIABLE,
        DTRACK_5,
        env=V5_OFF | {"telemetry.submission.enabled_default": ""},
        says="telemetry.submission.enabled_default: version 5 refuses",
    ),
    "a seed in a database of its own": of(
        UNKNOWN,
        Reason.SEED_NOT_PROVEN,
        DTRACK_5,
        env={V5_SWITCH: "false"},
        says=f"{V5_CRON} alone would suffice: AwaitingUpgrade.",
    ),
    # Policies.
    "exempt": of(
        EXEMPT,
        Reason.EXEMPT_BY_POLICY,
        env=ON,
        policy=exception(expiresAt=LATER),
        reported=SAYS_ENABLED,
        says=f"(until spring, until {LATER.isoformat()})",
    ),
    "exempt without an end": of(
        EXEMPT, Reason.EXEMPT_BY_POLICY, policy=exception(), says="(until spring)"
    ),
    "exempt no longer": of(
        NON_COMPLIANT, Reason.AWAITING_UPGRADE, policy=exception(expiresAt=LONG_AGO)
    ),
    # Pods are injected where somebody else's controller owns the template.
    "a foreign template whose pods have it": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        shape={"owner": OWNER},
        pods=(OFF, OFF),
    ),
    "a foreign template with a pod without it": of(
        PENDING, Reason.PODS_OUTDATED, shape={"owner": OWNER}, pods=(OFF, {})
    ),
    "a foreign template that says the contrary": of(
        COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=ON, shape={"owner": OWNER}, pods=(OFF,)
    ),
    "the pods of an orphan are the evidence, and not its template": of(
        PENDING, Reason.PODS_OUTDATED, env=OFF, shape=ORPHAN, pods=(OFF, {})
    ),
    "a foreign template without pods": of(PENDING, Reason.NO_PODS, shape={"owner": OWNER}, pods=()),
    "a foreign template without pods, audited, as wished": of(
        PENDING, Reason.NO_PODS, env=OFF, shape={"owner": OWNER}, pods=(), policy=AUDIT
    ),
    "a foreign template without pods, audited, not as wished": of(
        NON_COMPLIANT, Reason.AUDIT_ONLY, shape={"owner": OWNER}, pods=(), policy=AUDIT
    ),
    "a foreign template whose pods say the contrary, kept": of(
        NON_COMPLIANT,
        Reason.CONTRARY_VALUE_KEPT,
        env=ON,
        shape={"owner": OWNER},
        policy=KEEP,
    ),
    "a foreign template with an unclaimed contrary value, kept": of(
        NON_COMPLIANT,
        Reason.CONTRARY_VALUE_KEPT,
        env=ON,
        ours=(SONAR_SWITCH,),
        shape={"owner": OWNER},
        policy=KEEP,
    ),
    "a foreign template that is as wished, with an older pod, kept": of(
        PENDING,
        Reason.PODS_OUTDATED,
        env=OFF,
        shape={"owner": OWNER},
        pods=(ON,),
        policy=KEEP,
    ),
    "a foreign template with a pod that cannot be read and one that says the contrary": of(
        NON_COMPLIANT,
        Reason.INJECTION_OFF,
        shape={"owner": OWNER},
        pods=({SONAR_SWITCH: FROM_SECRET}, ON),
        policy=NEVER,
    ),
    # Another policy wishes the contrary and wins; this is what the loser makes of it.
    "overruled": of(
        NON_COMPLIANT, Reason.OVERRULED, env=OFF, policy=OPT_IN, others=(policy("other"),)
    ),
    "overruled, and kept": of(
        NON_COMPLIANT,
        Reason.OVERRULED,
        env=OFF,
        policy=OPT_IN | KEEP,
        others=(policy("other"),),
    ),
    "overruled in an audit": of(
        NON_COMPLIANT, Reason.OVERRULED, policy=AUDIT, others=(policy("other", **OPT_IN),)
    ),
    "overruled, but as wished": of(
        COMPLIANT,
        Reason.RUNNING_IN_EVERY_POD,
        env=ON,
        policy=OPT_IN,
        others=(policy("other"),),
    ),
    "exempt from this policy, not from the other": of(
        EXEMPT,
        Reason.EXEMPT_BY_POLICY,
        env=OFF,
        policy=OPT_IN | exception(),
        others=(policy("other"),),
        says="(until spring)",
    ),
    "another policy wishes the same and lets the contrary stand": of(
        NON_COMPLIANT,
        Reason.CONTRARY_VALUE_KEPT,
        env=ON,
        others=(policy("other", cluster=True, **KEEP),),
    ),
}
FAULTS = {
    Reason.CREDENTIAL_SCOPE_MISSING,
    Reason.CREDENTIAL_NOT_FOR_NAMESPACE,
    Reason.CREDENTIAL_NOT_FOR_IMAGE,
    Reason.TLS_REQUIRED,
    Reason.SECRET_NOT_LABELED,
    Reason.SECRET_TYPE_REFUSED,
    Reason.SECRET_NOT_READABLE,
    Reason.SECRET_INCOMPLETE,
    Reason.ENDPOINT_NOT_FOUND,
    Reason.NO_VERIFIED_POD,
    Reason.CREDENTIALS_REJECTED,
    Reason.PERMISSION_MISSING,
    Reason.API_NOT_FOUND,
    Reason.UNREACHABLE,
    Reason.TLS_NOT_TRUSTED,
    Reason.RATE_LIMITED,
    Reason.REPORT_STALE,
    Reason.LEASE_NOT_READABLE,
    Reason.VENDOR_ERROR,
    Reason.UNEXPECTED_ANSWER,
}
"""Why a product did not tell."""
"""Reasons that nothing can have yet, and the feature that will bring them."""


@pytest.mark.thorough
@every("case", CASES.values(), ids=list(CASES))
def test_a_situation(case: Case) -> None:
    _assert_it_is_judged(case)


def _assert_it_is_judged(case: Case) -> None:
    verdict = case.verdict()
    assert (verdict.state, verdict.reason) == (case.state, case.reason)
    assert verdict.message.startswith(case.reason.meaning)
    assert case.says in verdict.message
    assert verdict.seeded == case.seeded
    assert verdict.policy is not None
    assert verdict.desired is verdict.policy.spec.submission
    if not case.others:
        assert replace(case.plan().verdicts[0], sends=None) == verdict


def test_every_reason_has_a_situation() -> None:
    # RestDenied needs the network: test_leaves.py; ObservedContact a lookup: test_lookups.py; what
    # is read in a ConfigMap: test_reference_verdicts.py. No verdict of a policy has the others,
    # which say whether something is sent: test_sends.py.
    of_sends = {Reason.HOSTS_DENIED, Reason.NEXT_PODS_SEND, Reason.RESTART_MAY_UNDO}
    elsewhere = {
        Reason.REST_DENIED,
        Reason.OBSERVED_CONTACT,
        Reason.CONFIG_MAP_MISSING,
        Reason.CONFIG_MAP_CHANGED,
        Reason.CONFIG_MAP_CONTRARY,
    }
    # Custom resources: tests/unit/switches/test_resource.py.
    elsewhere |= {one for one in Reason if one.startswith("Resource")}
    found = {case.reason for case in CASES.values()} | elsewhere | of_sends
    assert found | FAULTS == set(Reason) - {Reason.SETTING_NOT_REPORTED, Reason.CREDENTIALS_MISSING}


@every("fault", sorted(FAULTS))
def test_a_product_that_does_not_tell_leaves_what_only_it_can_tell_unknown(fault: Reason) -> None:
    said = Reported(fault=fault, message="What happened.")
    case = of(UNKNOWN, fault, FRONTEND, reported=said, says="What happened.")
    _assert_it_is_judged(case)
    # What every start reads needs no report.
    _assert_it_is_judged(of(COMPLIANT, Reason.RUNNING_IN_EVERY_POD, env=OFF, reported=said))


def test_without_a_policy_there_is_evidence_and_no_state() -> None:
    verdict = of(UNKNOWN, Reason.NO_PODS, env=OFF, policy=None, pods=(ON,)).verdict()
    assert (verdict.state, verdict.reason, verdict.policy, verdict.desired) == (None,) * 4
    assert verdict.message == ""
    assert (verdict.observed("declared").setting, verdict.observed("running").setting) == (
        Setting.DISABLED,
        Setting.ENABLED,
    )


ENABLED, DISABLED, UNSET, NOT_KNOWN = (
    Setting.ENABLED,
    Setting.DISABLED,
    Setting.UNSET,
    Setting.UNKNOWN,
)


@pytest.mark.parametrize(
    ("image", "env", "pods", "plain", "effect"),
    [
        (SONARQUBE, OFF, [OFF, OFF], (DISABLED, DISABLED), (DISABLED, DISABLED)),
        (SONARQUBE, OFF, [OFF, {}], (DISABLED, UNSET), (DISABLED, ENABLED)),
        (SONARQUBE, {}, [], (UNSET, NOT_KNOWN), (ENABLED, NOT_KNOWN)),
        (SONARQUBE, OFF, [OFF, ON, {}], (DISABLED, ENABLED), (DISABLED, ENABLED)),
        (SONARQUBE, {SONAR_SWITCH: FROM_SECRET}, [], (NOT_KNOWN, NOT_KNOWN), (NOT_KNOWN,) * 2),
        # A seed that is unset says nothing of data that may have been there before.
        (DTRACK_4, {}, [{}], (UNSET, UNSET), (UNSET, UNSET)),
        (DTRACK_4, V4_OFF, [V4_OFF], (DISABLED, DISABLED), (DISABLED, DISABLED)),
        (DTRACK_OLD, V4_ON, [{}], (UNSET, UNSET), (DISABLED, DISABLED)),
        (EMQX_6, {}, [{}], (UNSET, UNSET), (NOT_KNOWN, NOT_KNOWN)),
        (WORKER_6, {WORKER_SWITCH: None}, [{}], (UNSET, UNSET), (UNSET, UNSET)),
        (FRONTEND, {}, [{}], (NOT_KNOWN, NOT_KNOWN), (NOT_KNOWN, NOT_KNOWN)),
        ("dependencytrack/apiserver:latest", V4_OFF, [{}], (NOT_KNOWN,) * 2, (NOT_KNOWN,) * 2),
        ("sonarqube:latest", OFF, [ON], (DISABLED, ENABLED), (DISABLED, ENABLED)),
    ],
)
def test_what_is_declared_and_what_runs(
    image: str,
    env: Mapping[str, Any],
    pods: list[Mapping[str, Any]],
    plain: tuple[Setting, Setting],
    effect: tuple[Setting, Setting],
) -> None:
    verdict = of(UNKNOWN, Reason.NO_PODS, image, env=env, pods=tuple(pods)).verdict()
    assert (verdict.observed("declared").setting, verdict.observed("running").setting) == plain
    assert (verdict.observed("declared").effect, verdict.observed("running").effect) == effect


def test_two_containers_of_a_product_are_as_bad_as_the_worse() -> None:
    good = container(SONARQUBE, env=OFF)
    bad = container(SONARQUBE, name="side")
    for containers in ([good, bad], [bad, good]):
        given = claimed(manifest(*containers))
        plan = decide(under(policy()).input(given, Trigger.RECONCILE, pods=(pod_of(given),)))
        verdict = plan.verdicts[0]
        assert (verdict.state, verdict.observed("declared").setting) == (
            State.NON_COMPLIANT,
            Setting.UNSET,
        )


def test_components_are_judged_by_pods_of_their_own() -> None:
    """The frontend beside it runs in the same pod and is switched in another way."""
    worker = container(WORKER, env={WORKER_SWITCH: None})
    given = claimed(manifest(worker, container(FRONTEND, name="front")))
    for report, state in (
        (SAYS_NOTHING, State.UNKNOWN),
        (SAYS_DISABLED, State.COMPLIANT),
    ):
        asked = under(policy(asked=True)).input(
            given,
            Trigger.RECONCILE,
            pods=(pod_of(given),),
            reported={("sourcegraph", USAGE): report},
        )
        assert decide(asked).verdicts[0].state is state


def test_all_switches_of_a_rule_have_to_be_set() -> None:
    both = acme(
        switches=[
            {"semantics": "Start", "env": {"name": "ONE", "disabled": "false"}},
            {"semantics": "Start", "env": {"name": "TWO", "disabled": "false"}},
        ]
    )
    for env, state in (
        ({"ONE": "false", "TWO": "false"}, State.COMPLIANT),
        ({"ONE": "false"}, State.NON_COMPLIANT),
        ({"TWO": "false"}, State.NON_COMPLIANT),
    ):
        case = of(UNKNOWN, Reason.NO_PODS, ACME, env=env, catalogue=both)
        assert case.verdict().state is state
        assert case.verdict().observed("declared").setting is (
            Setting.DISABLED if state is State.COMPLIANT else Setting.UNSET
        )


def test_the_worst_state_is_the_one_that_needs_attention_most() -> None:
    order = [NON_COMPLIANT, NOT_ENFORCEABLE, UNKNOWN, PENDING, COMPLIANT, EXEMPT]
    for index, state in enumerate(order):
        assert worst_state(reversed(order[index:])) is state
    assert worst_state([]) is None


REPORTS = st.sampled_from([Setting.ENABLED, Setting.DISABLED, Setting.UNKNOWN])


@examples(100)
@given(policy_sets(asked=True), manifests(), st.lists(manifests(), max_size=2), REPORTS)
def test_nothing_is_called_compliant_by_guess(
    policies: tuple[Policy, ...], present: Manifest, pods: list[Manifest], report: Setting
) -> None:
    """Compliant only with evidence of what runs, a report, or a version that sends nothing."""
    reported = {
        (name, USAGE): Reported(setting=report)
        for name in ("dependency-track", "sonarqube", "emqx", "sourcegraph")
    }
    plan = decide(
        under(*policies).input(
            present, Trigger.RECONCILE, pods=tuple(map(pod_of, pods)), reported=reported
        )
    )
    for verdict in plan.verdicts:
        assert (verdict.state is None) is (verdict.policy is None)
        if verdict.state is None or verdict.state is State.EXEMPT:
            continue
        wanted = Setting(verdict.desired or "")
        # A product of which no part can be asked has no report: a Sourcegraph worker alone.
        said = verdict.observed("reported").setting
        assert said in (report if verdict.channel is USAGE else Setting.UNKNOWN, Setting.UNKNOWN)
        if said not in (wanted, Setting.UNKNOWN):
            assert verdict.reason in (Reason.REPORTED_CONTRARY, Reason.RESTART_NEEDED)
            assert verdict.state is not State.COMPLIANT
        elif verdict.state is State.COMPLIANT:
            shown = said is wanted or verdict.reason is Reason.NO_TELEMETRY_IN_VERSION
            ran = verdict.observed("running").setting in (wanted, Setting.UNSET)
            assert shown or (pods and ran)


def test_containers_of_one_component_are_compared_with_those_of_their_own_name() -> None:
    """One that cannot be read does not make the pods of the other outdated."""
    present = manifest(container(SONARQUBE), container(SONARQUBE, name="side", **FROM_MAP))
    cluster = under(policy(**OPT_IN, injection={"when": "Never"}))
    pods = (pod_of(present),)
    (verdict, *_) = decide(cluster.input(present, Trigger.RECONCILE, pods=pods)).verdicts
    assert (verdict.state, verdict.reason) == (UNKNOWN, Reason.CONFIG_MAP_NOT_READ)
    renamed = manifest(container(SONARQUBE, name="old"))
    alone = manifest(container(SONARQUBE, env=OFF))
    given_ = under(policy()).input(alone, Trigger.RECONCILE, pods=(pod_of(renamed),))
    assert decide(given_).verdicts[0].reason is Reason.PODS_OUTDATED
