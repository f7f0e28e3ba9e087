"""The tables of all kinds, and the cases that they give, in total and by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from tests.support.crd_cases import Case, Kind
from tests.support.crd_policies import CLUSTER_POLICY, POLICY
from tests.support.crd_products import PRODUCT
from tests.support.crd_statuses import HOST, WORKLOAD


@dataclass(frozen=True, kw_only=True)
class Field:
    """All cases of one field of one kind. The path of the object itself is empty."""

    kind: Kind = field(repr=False)
    path: str
    cases: tuple[Case, ...] = field(repr=False)

    @property
    def id(self) -> str:
        """For the list of tests."""
        return f"{self.kind.resource.short_name}-{self.path or 'object'}"


def _fields(kind: Kind) -> list[Field]:
    cases = sorted(kind.cases(), key=lambda case: case.path)
    return [
        Field(kind=kind, path=path, cases=tuple(found))
        for path, found in groupby(cases, key=lambda case: case.path)
    ]


KINDS: tuple[Kind, ...] = (POLICY, CLUSTER_POLICY, PRODUCT, WORKLOAD, HOST)
FIELDS: tuple[Field, ...] = tuple(field for kind in KINDS for field in _fields(kind))
CASES: tuple[Case, ...] = tuple(case for field in FIELDS for case in field.cases)
