"""The tables of all kinds, and what they come to."""

from __future__ import annotations

from tests.crds.kit import Case, Kind
from tests.crds.observations import HOST, WORKLOAD
from tests.crds.policies import CLUSTER_POLICY, POLICY
from tests.crds.products import PRODUCT

KINDS: tuple[Kind, ...] = (POLICY, CLUSTER_POLICY, PRODUCT, WORKLOAD, HOST)
CASES: tuple[Case, ...] = tuple(case for kind in KINDS for case in kind.cases())
