"""The Python types judge as the API server does, wherever a type can know the rule."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from fleet_telemetry.api.schema import ApiType
from tests.support.crd_cases import Case, Kind, Manifest
from tests.support.crd_kinds import FIELDS, Field
from tests.support.every import every

# The API server knows more than the types: rules in CEL and the keys of lists.
_BEYOND_TYPES = ("rule: ", "list: ")


@every("field", [field for field in FIELDS if field.path], ids=lambda field: field.id)
def test_every_value_is_judged_as_its_case_says(field: Field) -> None:
    wrong = {case.id: problem for case in field.cases if (problem := _problem(case))}
    assert wrong == {}


def _problem(case: Case) -> str:
    """How the types judge the case otherwise; empty if they do not."""
    keyword = case.attempt.keyword
    if keyword.startswith(_BEYOND_TYPES) and not case.is_accepted:
        return ""
    if case.is_accepted and case.attempt.value is None:
        return ""  # only the API server takes null for an absent field
    try:
        decoded = _decode(case.kind, case.root, case.manifest)
    except msgspec.ValidationError as error:
        return _problem_of_error(case, str(error))
    expected: Any = decoded
    if keyword == "unknown field":
        # A newer version's field is ignored.
        expected = _decode(case.kind, case.root, case.kind.full)
    elif not case.is_accepted:
        return f"accepted as {decoded}"
    elif case.stored is not None:
        expected = _decode(case.kind, case.root, case.stored)
    return "" if decoded == expected else f"decoded as {decoded}"


def _problem_of_error(case: Case, error: str) -> str:
    if case.is_accepted or case.attempt.keyword == "unknown field":
        return f"rejected: {error}"
    if case.path != case.root and _where(case) not in error:  # of the whole msgspec says no path
        return f"rejected elsewhere: {error}"
    return ""


def _decode(kind: Kind, root: str, manifest: Manifest) -> ApiType:
    type_ = kind.resource.spec if root == "spec" else kind.resource.status
    assert type_
    return msgspec.convert(manifest.get(root, {}), type_)


def _where(case: Case) -> str:
    """The path as msgspec writes it."""
    path = re.sub(r"\{[^}]*\}", "[...]", case.path)
    return path.replace(case.root, "$", 1)
