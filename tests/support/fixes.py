"""Manifests through an audit with fixes, and through the patch that it prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.auditing import audit
from fleet_telemetry.audit.result import Audit, Fix, PatchForm, Place
from fleet_telemetry.audit.sources import Definitions, Gathered
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.linting.trial import TrialContainer, workload_manifest
from fleet_telemetry.objects.manifest import dig
from fleet_telemetry.workloads.reading import read_pod, read_workload
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from tests.support.json_patch import apply_patch
from tests.support.strategic_merge import merge
from tests.support.table_rows import tables

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def every_row(product: str = "") -> Iterator[TrialContainer]:
    """The container of each row of the built-in products' tables; a row's first image."""
    for name, table in tables().items():
        if (not product or name == product) and builtin().products[name].spec.images:
            for row in table.channels:
                env = tuple(row.env.items())
                yield TrialContainer(
                    row.images[0], row.container, row.command, row.args, env, row.kind
                )


def manifest_of(given: TrialContainer, number: int = 0) -> dict[str, Any]:
    """A manifest as somebody would write it."""
    found = dict(workload_manifest(given, name=f"w{number}", namespace="team"))
    found["metadata"] = {"name": f"w{number}", "namespace": "team"}
    return found


def audited(*manifests: Mapping[str, Any], place: Place | None = None) -> Audit:
    """What an audit says of manifests in a file."""
    subjects = []
    for manifest in manifests:
        workload = read_workload(manifest)
        assert workload is not None
        spec = dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec")
        pod = read_pod(
            {
                "kind": "Pod",
                "metadata": {"name": "p", "uid": "p"},
                "spec": spec,
                "status": {"phase": "Running"},
            }
        )
        pods = () if dig(manifest, "spec", "suspend") else (pod,)
        subjects.append(Subject(place or Place(file="x.yaml", line=1), workload, pods=pods))
    return audit([Gathered(subjects)], NOW, Definitions(), with_fixes=True)


def fix_for(manifest: Mapping[str, Any], place: Place | None = None) -> Fix:
    """The one fix of a manifest."""
    (found,) = audited(manifest, place=place).fixes
    return found


def answers(result: Audit) -> dict[tuple[str, str, ChannelName], Sends]:
    """What is sent, by workload, product and channel."""
    return {(one.name, one.product, one.channel): one.sends for one in result.findings}


def apply_fix(manifest: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    """The manifest with the patch of the fix, by code that knows nothing of the operator."""
    if fix.patch_form is None:
        return dict(manifest)
    apply = apply_patch if fix.patch_form is PatchForm.JSON else merge
    patched: dict[str, Any] = apply(dict(manifest), fix.patch)
    return patched


def changes_between(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """What the second manifest has and the first has not, by container, and the other way round
    with a dash before it. Of a variable that is removed also the value."""
    old, new = _entries(before), _entries(after)
    yield from new - old
    yield from ((container, f"- {entry}") for container, entry in old - new)


def _entries(manifest: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for one in dig(manifest, *TEMPLATE_PATHS[manifest["kind"]], "spec", "containers"):
        found.update(
            (one["name"], f"{e['name']}={e.get('value', '')}") for e in one.get("env") or ()
        )
        found.update((one["name"], word) for word in one.get("args") or ())
        if dig(manifest, "spec", "suspend"):
            found[one["name"], "spec.suspend=true"] += 1
    return found
