"""The tables of all kinds, and what they come to."""

from __future__ import annotations

from tests.support.crd_cases import Case, Kind
from tests.support.crd_policies import CLUSTER_POLICY, POLICY
from tests.support.crd_products import PRODUCT
from tests.support.crd_statuses import HOST, WORKLOAD

KINDS: tuple[Kind, ...] = (POLICY, CLUSTER_POLICY, PRODUCT, WORKLOAD, HOST)
CASES: tuple[Case, ...] = tuple(case for kind in KINDS for case in kind.cases())
