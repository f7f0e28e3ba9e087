"""Every case of the tables, as the real API server judges it."""

from __future__ import annotations

import pytest

from tests.support.crd_cases import Case, Kind
from tests.support.crd_kinds import CASES, KINDS
from tests.support.crd_server import Server

pytestmark = pytest.mark.cluster

OF_EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.short_name)


@pytest.mark.parametrize("case", [case for case in CASES if case.is_accepted], ids=lambda c: c.id)
def test_accepted(server: Server, case: Case) -> None:
    answer = server.try_case(case)

    assert answer.complaints == []
    assert answer.accepted
    if case.stored is not None:
        root = case.root or "spec"
        assert answer.body.get(root) == case.stored.get(root)


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.is_accepted], ids=lambda c: c.id
)
def test_rejected(server: Server, case: Case) -> None:
    complaints = server.try_case(case).complaints

    said = [message for field, message in complaints if field == case.field]
    assert any(case.attempt.says in message for message in said), complaints
    elsewhere = [field for field, _ in complaints if not field.startswith(case.field)]
    assert elsewhere == []


@OF_EACH_KIND
def test_bare_object_is_accepted(server: Server, kind: Kind) -> None:
    assert server.create(kind, "a", kind.bare, dryRun="All").complaints == []
    assert server.try_status(kind, {}).complaints == []


@OF_EACH_KIND
def test_status_is_written_apart(server: Server, kind: Kind) -> None:
    created = server.create(kind, "status", kind.full).body
    assert "status" not in created

    changed = {**created, **kind.bare, "status": kind.full["status"]}
    stored = server.replace_status(kind, "status", changed).body
    assert stored["status"] == kind.full["status"]
    assert stored.get("spec") == created.get("spec")
