"""The tables of all kinds."""

from __future__ import annotations

from tests.crds.kit import Kind
from tests.crds.observations import HOST, WORKLOAD
from tests.crds.policies import CLUSTER_POLICY, POLICY
from tests.crds.products import PRODUCT

KINDS: tuple[Kind, ...] = (POLICY, CLUSTER_POLICY, PRODUCT, WORKLOAD, HOST)
