"""Every case of the tables, as the real API server judges it: one test per field."""

from __future__ import annotations

import pytest

from tests.support.crd_cases import Case, Kind
from tests.support.crd_kinds import FIELDS, KINDS, Field
from tests.support.crd_server import Answer, Server

pytestmark = pytest.mark.cluster

OF_EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.short_name)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_every_value_is_accepted_or_rejected_as_its_case_says(server: Server, field: Field) -> None:
    answers = server.try_cases(field.cases)

    wrong = {
        case.id: problem
        for case, answer in zip(field.cases, answers, strict=True)
        if (problem := _problem(case, answer))
    }
    assert wrong == {}


def _problem(case: Case, answer: Answer) -> str:
    """What is wrong with the answer; empty if nothing is."""
    if case.is_accepted:
        if answer.complaints or not answer.accepted:
            return f"rejected with {answer.code}: {answer.complaints}"
        root = case.root or "spec"
        if case.stored is not None and answer.body.get(root) != case.stored.get(root):
            return f"stored as {answer.body.get(root)}"
        return ""
    messages = [message for field, message in answer.complaints if field == case.field]
    if not any(case.attempt.says in message for message in messages):
        return f"not rejected with {case.attempt.says!r} at {case.field}: {answer.complaints}"
    if any(not field.startswith(case.field) for field, _ in answer.complaints):
        return f"rejected elsewhere, too: {answer.complaints}"
    return ""


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
