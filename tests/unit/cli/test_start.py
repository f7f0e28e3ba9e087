"""What a start of the command imports. Each of these packages costs between 50 ms and 1 s."""

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
