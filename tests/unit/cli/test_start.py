"""What a start of the command imports: each of these packages costs between 50 ms and 1 s. And what
a process of the operator imports: it stays in memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dev.harness.operator import ROOT

HEAVY = {
    "aiohttp",
    "asyncio",
    "cryptography",
    "dns",
    "dnstap_pb",
    "google",
    "http.client",
    "httpx",
    "importlib.metadata",
    "kopf",
    "kubernetes",
    "prometheus_client",
    "pydantic",
    "pythonjsonlogger",
    "ssl",
    "uvloop",
}
_IMPORTED = """
import json, sys
from fleet_telemetry.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (None, 0, 2, 3), end.code  # an audit finds something
json.dump(sorted(sys.modules), sys.stderr)
"""
PRODUCT = "operator/fleet_telemetry/catalogue/products/emqx.yaml"


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    return set(json.loads(done.stderr))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["audit", "--help"],
        ["audit", "examples/workloads/emqx.yaml"],
        ["explain", "sts/emqx", "-n", "iot", "-f", "examples/workloads/emqx.yaml"],
        ["hosts", "examples/workloads/emqx.yaml"],
        ["test", "examples/policy-tests"],
        ["--version"],
        ["catalogue", "list", "emqx"],
        ["catalogue", "lint", "--help"],
        ["controller", "--help"],
        ["revert", "--help"],
    ],
    ids=" ".join,
)
def test_no_heavy_package_is_imported(arguments: list[str]) -> None:
    assert imported(*arguments) & HEAVY == set()


def test_a_command_does_not_import_the_others() -> None:
    modules = imported("catalogue", "list", "emqx")
    assert {name for name in modules if name.startswith("fleet_telemetry.cli.")} == {
        "fleet_telemetry.cli.catalogue",
        "fleet_telemetry.cli.completing",
        "fleet_telemetry.cli.lazy",
        "fleet_telemetry.cli.main",
    }


UNUSED = {
    *("annotated_types", "dateutil", "jinja2", "oauthlib", "pkg_resources", "pydantic"),
    *("requests", "unittest", "urllib3", "xml"),
    *("dnstap_pb", "google"),  # only an observer decodes
    *("fleet_telemetry.audit", "fleet_telemetry.linting", "fleet_telemetry.policy_tests"),
}
"""Packages of which a process holds a few MB for nothing."""
UNUSED_BY = {
    "webhook": {"dns", "fleet_telemetry.controllers", "fleet_telemetry.vendors", "httpx"},
    "controller": {"cryptography", "fleet_telemetry.admission.server"},
}
_ROLE = """
import importlib, json, sys
sys.modules["kubernetes"] = None  # kopf imports it where it is installed
for name in ("build", "process", sys.argv[1]):
    importlib.import_module(f"fleet_telemetry.app.{name}")
json.dump(sorted(name for name, module in sys.modules.items() if module), sys.stdout)
"""


@pytest.mark.parametrize("role", sorted(UNUSED_BY))
def test_a_process_imports_nothing_that_its_role_does_not_use(role: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ROLE, role],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    found = set(json.loads(done.stdout))
    assert found & (UNUSED | UNUSED_BY[role]) == set()


def test_no_package_brings_the_official_client_back() -> None:
    # Where it is installed, kopf imports it, with 100 modules of its requirements.
    for lock in ROOT.glob("requirements*.lock"):
        assert "\nkubernetes==" not in lock.read_text(), lock.name
