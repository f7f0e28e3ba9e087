"""Nothing that the API server enforces goes untested: a new rule fails here until it has cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.crd_cases import Kind, Manifest, keywords, nodes, schema_path
from tests.support.crd_kinds import CASES, KINDS

CRDS = Path(__file__).resolve().parents[3] / "crds"

# The full object shows that they accept.
_ONLY_REJECT = ("type", "required: ")
# There is nothing that they would reject; what atomic means is shown in test_merges.py.
_ONLY_ACCEPT = ("default", "list: atomic", "x-kubernetes-map-type")


def _schema(kind: Kind) -> Manifest:
    definition = yaml.safe_load((CRDS / f"{kind.resource.plural}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    schema: Manifest = version["schema"]["openAPIV3Schema"]
    return schema


def _shown(kind: Kind, *, accepted: bool) -> set[tuple[str, str]]:
    return {
        (schema_path(case.path), case.attempt.keyword)
        for case in CASES
        if case.kind is kind and case.is_accepted is accepted
    }


OF_EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.short_name)


def test_every_definition_has_a_table() -> None:
    assert {kind.resource.plural for kind in KINDS} == {path.stem for path in CRDS.iterdir()}


@pytest.mark.thorough
@OF_EACH_KIND
def test_every_field_has_a_check(kind: Kind) -> None:
    assert sorted(path for path, _ in nodes(_schema(kind))) == sorted(kind.checks)


@pytest.mark.thorough
@OF_EACH_KIND
def test_every_constraint_is_seen_to_accept_and_to_reject(kind: Kind) -> None:
    accepting, rejecting = _shown(kind, accepted=True), _shown(kind, accepted=False)

    constraints = {
        (path, keyword)
        for path, schema in nodes(_schema(kind))
        for keyword in keywords(schema)
        if path or keyword != "type"
    }

    never_accept = {
        shown for shown in constraints - accepting if not shown[1].startswith(_ONLY_REJECT)
    }
    never_reject = {
        shown for shown in constraints - rejecting if not shown[1].startswith(_ONLY_ACCEPT)
    }
    assert sorted(never_accept) == []
    assert sorted(never_reject) == []
