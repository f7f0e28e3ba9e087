"""The explanation of a workload in files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from fleet_telemetry.audit.explaining.explain import explain
from fleet_telemetry.audit.explaining.explanation import ExplainedWorkload, Explanation
from fleet_telemetry.audit.explaining.reference import Reference
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.audit.subject import Other, Subject, workloads_in
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.catalogue.combining import combine

_NAMED = 10


def explain_in_files(
    source: Gathered,
    reference: Reference,
    namespace: str,
    now: datetime,
    applied: Definitions | None = None,
) -> Explanation:
    """The first workload of that name in the files; in any namespace if none is given. What could
    not be read is a problem of the explanation. ``applied``: policies and products that count as
    applied over those of the files."""
    subjects = list(source.subjects)  # problems are complete only then
    subject = next((one for one in subjects if _is(one, reference, namespace)), None)
    if subject is None:
        known = ", ".join(_names(subjects))
        problem = Problem(
            place=Place(),
            what=f"the files have no {reference}" + (f" in {namespace}" if namespace else ""),
            advice=f"they have: {known}" if known else "they have no workload",
        )
        name = ExplainedWorkload(namespace=namespace, kind=reference.kind.kind, name=reference.name)
        return Explanation(
            time=now, place=Place(), workload=name, problems=(problem, *source.problems)
        )
    definitions = (applied or Definitions()).over(source.definitions)
    catalogue = combine(builtin(), (one for _, one in definitions.products)).catalogue
    return explain(
        subject,
        definitions,
        catalogue,
        now,
        scope=source.scope,
        workloads=workloads_in(subjects),
        problems=source.problems,
    )


def _is(one: Subject | Other, reference: Reference, namespace: str) -> bool:
    kind, name, own = _key(one)
    return (kind, name) == (reference.kind.kind, reference.name) and namespace in ("", own)


def _key(one: Subject | Other) -> tuple[str, str, str]:
    if isinstance(one, Other):
        return one.kind, one.name, one.namespace
    ref = one.workload.ref
    return ref.kind, ref.name, ref.namespace


def _names(subjects: Iterable[Subject | Other]) -> list[str]:
    names = [f"{kind}/{name}" for kind, name, _ in map(_key, subjects)]
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return [*dict.fromkeys(names[:_NAMED]), *more]
