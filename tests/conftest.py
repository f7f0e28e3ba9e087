"""How deep property tests look, and which tests stay together on one worker."""

from __future__ import annotations

import pytest
from hypothesis import settings

# `make unit` looks less deep, with `--hypothesis-profile=fast`; `make test` looks as deep as is
# said at each test. `examples` in tests/support/depth.py scales by it.
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.register_profile("fast", settings.get_profile("thorough"), max_examples=10)
settings.load_profile("thorough")

SHARED = (
    "tests/integration/chart/",
    "tests/integration/controllers/test_egress_reconciler.py",
    "tests/integration/crds/",
    "tests/integration/dev_cluster/test_devcluster_cluster.py",
    "tests/integration/egress/test_allowlist_command.py",
    "tests/integration/egress/test_dialects_on_a_server.py",
    "tests/integration/egress/test_resolver.py",
    "tests/integration/kube/test_reflector.py",
    "tests/e2e/test_certificates.py",
    "tests/e2e/test_dialects.py",
    "tests/e2e/test_observed.py",
    "tests/e2e/test_prometheus.py",
    "tests/e2e/test_reports.py",
    "tests/e2e/test_rights.py",
)
"""The tests of each of these share a cluster, which is to be started once and not once a worker.
What is not listed goes to whichever worker is free. So do the tests of `world` in tests/e2e: they
take half of the time, so both workers have one."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `--dist=loadgroup`."""
    for item in items:
        for shared in SHARED:
            if item.nodeid.startswith(shared):
                item.add_marker(pytest.mark.xdist_group(shared))
