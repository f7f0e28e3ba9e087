"""From sources to the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.audit.advising import Advisor, merged
from fleet_telemetry.audit.fixing.fix import fix_of
from fleet_telemetry.audit.images import count_unknown
from fleet_telemetry.audit.judging import decide_on, findings_of
from fleet_telemetry.audit.result import (
    Audit,
    Coverage,
    Finding,
    Fix,
    Place,
    PolicyAdvice,
    Problem,
    UnknownImage,
    Unmanaged,
    fixes_in_order,
    in_order,
)
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.workloads.workload import PodTemplate, Workload, WorkloadRef

MOST_UNKNOWN_IMAGES = 200
"""Listed; the rest is counted."""
_MOST_PROBLEMS = 1000
_MOST_ADVICE = 1000
_POD_ADVICE = (
    "a pod without a workload is not managed; run it by a Deployment, or see for yourself whether "
    "it sends"
)
_OTHER_ADVICE = (
    "audit the objects that its controller creates: fleet-telemetry audit, in the cluster"
)


def audit(
    sources: Iterable[Gathered],
    now: datetime,
    definitions: Definitions,
    *,
    with_fixes: bool = False,
) -> Audit:
    """The audit of sources, one after the other.

    ``definitions`` count as applied to each of them, over what it has itself. ``with_fixes``: say
    what would switch telemetry off in each workload, too.
    """
    found = _Found(with_fixes)
    judged = False
    unjudged: set[str] = set()
    advice: list[tuple[PolicyAdvice, ...]] = []
    for source in sources:
        in_effect = definitions.over(source.definitions)
        catalogue = _catalogue(in_effect, found)
        before = len(found.findings)
        workloads: dict[WorkloadRef, Workload] = {}
        for subject in source.subjects:
            runs_product = found.add(subject, in_effect.policies, catalogue, now)
            if runs_product and in_effect.files and isinstance(subject, Subject):
                workloads[subject.workload.ref] = subject.workload
        if source.scope is not None:
            advisor = Advisor(in_effect, catalogue, now)
            advice.append(tuple(advisor.advise(in_effect.files, workloads, source.scope)))
        if in_effect.policies:
            judged = True
        else:
            unjudged |= {one.place.cluster for one in found.findings[before:]}
        found.problems += source.problems
        found.files += source.read.files
        found.objects += source.read.objects
        found.not_objects += source.read.not_objects
        found.workloads += source.read.workloads
        found.containers += source.read.containers
        found.unknown.update(source.read.images)
    found.advice += merged(advice)
    return found.result(now, judged=judged, unjudged=unjudged)


def _catalogue(definitions: Definitions, found: _Found) -> Catalogue:
    """The built-in products and those of the source, by the rules of the cluster."""
    if not definitions.products:
        return builtin()
    combined = combine(builtin(), (product for _, product in definitions.products))
    for place, product in definitions.products:
        rejection = combined.rejected.get(product.name)
        if rejection is not None:
            what = f"the TelemetryProduct {product.name} is not in effect: {rejection.message}"
            found.problems.append(Problem(place=place, what=what, advice="correct it"))
    return combined.catalogue


@dataclass
class _Found:
    """What was found so far."""

    with_fixes: bool
    findings: list[Finding] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    unmanaged: list[Unmanaged] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    advice: list[PolicyAdvice] = field(default_factory=list)
    workloads: int = 0
    workloads_with_product: int = 0
    containers: int = 0
    containers_with_product: int = 0
    files: int = 0
    objects: int = 0
    not_objects: int = 0

    def add(
        self,
        subject: Subject | Other,
        policies: tuple[Policy, ...],
        catalogue: Catalogue,
        now: datetime,
    ) -> bool:
        """Judge one object, or list it if it cannot be judged. Whether it runs a product."""
        if isinstance(subject, Other):
            targets = match_containers(subject.template, catalogue)
            self._list(subject, targets)
            return bool(targets)
        plan = decide_on(subject, policies, catalogue, now)
        targets = plan.targets
        self.workloads += 1
        self._count(subject.workload.template, targets)
        if targets:
            self.workloads_with_product += 1
            findings = list(findings_of(subject, plan))
            self.findings += findings
            fix = fix_of(subject, targets, findings, catalogue, now) if self.with_fixes else None
            if fix is not None:
                self.fixes.append(fix)
        return bool(targets)

    def _list(self, other: Other, targets: tuple[MatchedContainer, ...]) -> None:
        self._count(other.template, targets)
        if targets:
            self.unmanaged.append(
                Unmanaged(
                    place=other.place,
                    namespace=other.namespace,
                    kind=other.kind,
                    name=other.name,
                    products=tuple(dict.fromkeys(one.product.name for one in targets)),
                    images=tuple(dict.fromkeys(one.reference for one in targets)),
                    advice=_POD_ADVICE if other.kind == "Pod" else _OTHER_ADVICE,
                )
            )

    def _count(self, template: PodTemplate, targets: tuple[MatchedContainer, ...]) -> None:
        known = {one.container.index for one in targets}
        self.containers += len(template.containers)
        self.containers_with_product += len(known)
        rest = (one.image for one in template.containers if one.index not in known)
        count_unknown(self.unknown, rest)

    def result(self, now: datetime, *, judged: bool, unjudged: Iterable[str]) -> Audit:
        """All of it."""
        return Audit(
            time=now,
            judged=judged,
            unjudged_clusters=tuple(sorted(unjudged)) if judged else (),
            coverage=Coverage(
                files=self.files,
                objects=self.objects,
                not_objects=self.not_objects,
                workloads=self.workloads,
                workloads_with_product=self.workloads_with_product,
                containers=self.containers,
                containers_with_product=self.containers_with_product,
                unknown_images=len(self.unknown),
            ),
            findings=in_order(self.findings),
            fixes=fixes_in_order(self.fixes),
            unmanaged=tuple(self.unmanaged),
            unknown_images=tuple(
                UnknownImage(image=image, containers=containers)
                for image, containers in sorted(
                    self.unknown.items(), key=lambda one: (-one[1], one[0])
                )[:MOST_UNKNOWN_IMAGES]
            ),
            policy_advice=tuple(self.advice[:_MOST_ADVICE]),
            problems=tuple(_bounded(self.problems)),
        )


def _bounded(problems: list[Problem]) -> Iterator[Problem]:
    distinct = list(dict.fromkeys(problems))
    yield from distinct[:_MOST_PROBLEMS]
    more = len(distinct) - _MOST_PROBLEMS
    if more > 0:
        yield Problem(
            place=Place(), what=f"{more} more problems are not listed", advice="correct these first"
        )
