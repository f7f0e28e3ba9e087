"""Reads who owns which field of a workload: its managed fields, and the manifest of its last apply.

Nothing here raises for a missing or misshapen field: it reads as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from fleet_telemetry.objects.manifest import Manifest, dig, items_at, mapping_at, text_at
from fleet_telemetry.workloads.template_reading import read_words, running_containers
from fleet_telemetry.workloads.workload import (
    FIELD_MANAGER,
    AppliedArguments,
    FieldOwners,
    OwnedField,
)
from fleet_telemetry.workloads.workload_type import TemplatePath


def read_field_owners(metadata: Manifest, template_path: TemplatePath) -> FieldOwners:
    """Who owns which variable, from the object's managed fields.

    A manager may own a list as a whole, as in CRDs that declare their lists atomic. Then nobody can
    say who wrote an entry, and the field owners count as unknown.
    """
    managed = items_at(metadata, "managedFields")
    if not managed:
        return FieldOwners()
    entries: set[OwnedField] = set()
    declared: set[OwnedField] = set()
    lists: set[str] = set()
    edited: set[str] = set()
    known = True
    interrupted = False
    suspension = False
    path = tuple(f"f:{key}" for key in (*template_path, "spec"))
    for entry in managed:
        if entry.get("manager") == FIELD_MANAGER:
            interrupted |= entry.get("operation") == "Update"
            continue
        suspension |= "f:suspend" in mapping_at(entry, "fieldsV1", "f:spec")
        fields = mapping_at(entry, "fieldsV1", *path)
        # A list cannot be empty here, so the manager owns the list and not its entries.
        known &= all(fields.get(key) != {} for key in _CONTAINER_FIELDS)
        containers = [
            keyed for key in _CONTAINER_FIELDS for keyed in _keyed(mapping_at(fields, key))
        ]
        found = {
            (container, variable)
            for container, container_fields in containers
            for variable, _ in _keyed(mapping_at(container_fields, "f:env"))
        }
        with_args = {
            container for container, container_fields in containers if "f:args" in container_fields
        }
        lists |= with_args
        if text_at(entry, "manager") not in _CLIENT_SIDE_APPLY:
            edited |= with_args
        entries |= found
        if not _writes_back(entry):
            declared |= found
    restored = entries - declared
    if restored:
        restored -= _last_applied(metadata, template_path, restored)
    applied = _applied_arguments(metadata, template_path) if lists else None
    return FieldOwners(
        known=known,
        entries=frozenset(entries),
        restored=frozenset(restored),
        interrupted=interrupted,
        argument_lists=frozenset(lists),
        applied_arguments=applied,
        applied_alone=frozenset(name for name, _ in applied or ()) - edited,
        suspension=suspension,
    )


# A container's name is unique in both lists.
_CONTAINER_FIELDS = ("f:containers", "f:initContainers")


_WRITE_BACK = frozenset(
    {
        # `kubectl rollout undo` sends the template of an earlier revision and names no manager, so
        # it gets the one of its user agent (kubernetes/kubectl@v0.36.0: pkg/polymorphichelpers/
        # rollback.go). kubectl before 1.19 applies under this name too; see _last_applied.
        "kubectl",
        "kubectl-rollout",
        "kubectl-argo-rollouts",
        # They read an object, and write all of it.
        "kubectl-edit",
        "kubectl-replace",
        "velero",
        "velero-server",
        # What stood in an object before its first server-side apply, if nobody's fields were
        # known (kubernetes/apimachinery: pkg/util/managedfields/internal/skipnonapplied.go).
        "before-first-apply",
    }
)


def _writes_back(managed: Manifest) -> bool:
    """Whether the manager is a tool that writes back what stood in the object before."""
    return managed.get("operation") == "Update" and text_at(managed, "manager") in _WRITE_BACK


# They write the manifest that they apply into an annotation of the object.
_CLIENT_SIDE_APPLY = frozenset(
    {"kubectl-client-side-apply", "argocd-controller", "argocd-application-controller"}
)


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _last_applied(
    metadata: Manifest, template_path: TemplatePath, wanted: set[OwnedField]
) -> set[OwnedField]:
    """Which variables the manifest of the last client-side apply has; all if it cannot be read."""
    text = mapping_at(metadata, "annotations").get(_LAST_APPLIED)
    if not text:
        return set()
    try:
        applied = json.loads(str(text))
    except (ValueError, RecursionError):
        return wanted
    return {
        (text_at(container, "name"), text_at(entry, "name"))
        for _, container in running_containers(mapping_at(applied, *template_path, "spec"))
        for entry in items_at(container, "env")
    }


def _applied_arguments(
    metadata: Manifest, template_path: TemplatePath
) -> tuple[AppliedArguments, ...] | None:
    """The ``args`` in the manifest of the last client-side apply; None if there is none, or if it
    cannot be read."""
    text = mapping_at(metadata, "annotations").get(_LAST_APPLIED)
    if not text:
        return None
    try:
        applied = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return tuple(
        (text_at(container, "name"), tuple(read_words(container, "args")))
        for _, container in running_containers(mapping_at(applied, *template_path, "spec"))
    )


def _keyed(fields: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Entries such as ``k:{"name":"web"}``, by that name."""
    for key, value in fields.items():
        plain = _PLAIN_NAME.fullmatch(str(key))
        name = plain[1] if plain is not None else _decoded_name(str(key))
        if name is not None:
            yield name, value if isinstance(value, Mapping) else {}


# The usual form, without anything that JSON would write in another way.
_PLAIN_NAME = re.compile(r'k:\{"name":"([^"\\\x00-\x1f]*)"\}')


def _decoded_name(key: str) -> str | None:
    if not key.startswith("k:"):
        return None
    try:
        name = dig(json.loads(key[2:]), "name")
    # A user may write managed fields, and nest them deeply.
    except (ValueError, RecursionError):
        return None
    return name if isinstance(name, str) else None
