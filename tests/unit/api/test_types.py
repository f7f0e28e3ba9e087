"""The Python types judge as the API server does, wherever a type can know the rule."""

from __future__ import annotations

import re

import msgspec
import pytest

from fleet_telemetry.api.schema import ApiType
from tests.support.crd_cases import Case, Kind, Manifest
from tests.support.crd_kinds import CASES

_TYPED = [case for case in CASES if case.root]
# The API server knows more than the types: rules in CEL and the keys of lists.
_BEYOND_TYPES = ("rule: ", "list: ", "unknown field")


def _decode(kind: Kind, root: str, manifest: Manifest) -> ApiType:
    type_ = kind.resource.spec if root == "spec" else kind.resource.status
    assert type_
    return msgspec.convert(manifest.get(root, {}), type_)


def _where(case: Case) -> str:
    """The path as msgspec writes it."""
    path = re.sub(r"\{[^}]*\}", "[...]", case.path)
    return path.replace(case.root, "$", 1)


@pytest.mark.parametrize(
    "case",
    [case for case in _TYPED if case.is_accepted and case.attempt.value is not None],
    ids=lambda c: c.id,
)
def test_accepted(case: Case) -> None:
    decoded = _decode(case.kind, case.root, case.manifest)

    if case.stored is not None:
        assert decoded == _decode(case.kind, case.root, case.stored)


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in _TYPED
        if not case.is_accepted and not case.attempt.keyword.startswith(_BEYOND_TYPES)
    ],
    ids=lambda c: c.id,
)
def test_rejected(case: Case) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        _decode(case.kind, case.root, case.manifest)

    if case.path != case.root:  # of the whole msgspec says no path
        assert _where(case) in str(error.value)


@pytest.mark.parametrize(
    "case", [case for case in _TYPED if case.attempt.keyword == "unknown field"], ids=lambda c: c.id
)
def test_field_of_a_newer_version_is_ignored(case: Case) -> None:
    assert _decode(case.kind, case.root, case.manifest) == _decode(
        case.kind, case.root, case.kind.full
    )
