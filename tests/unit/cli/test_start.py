"""What a start of the command imports: each of these packages costs between 50 ms and 1 s. And what
a process of the operator imports: it stays in memory."""

from __future__ import annotations

import json

import pytest

from tests.support.fresh_python import run_each

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
_FIRST = "from fleet_telemetry.cli.main import main"
_IMPORTED = """
import json, sys
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (None, 0, 2, 3), end.code  # an audit finds something
json.dump(sorted(sys.modules), sys.stderr)
"""
PRODUCT = "operator/fleet_telemetry/catalogue/products/emqx.yaml"


COMMANDS = (
    "--help",
    "audit --help",
    "audit examples/workloads/emqx.yaml",
    "explain sts/emqx -n iot -f examples/workloads/emqx.yaml",
    "hosts examples/workloads/emqx.yaml",
    "test examples/policy-tests",
    "--version",
    "catalogue list emqx",
    "catalogue lint --help",
    "controller --help",
    "revert --help",
)


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The modules after each command."""
    ended = run_each(_IMPORTED, [command.split() for command in COMMANDS], first=_FIRST)
    assert [(one.code, bool(one.stdout)) for one in ended] == [(0, True)] * len(COMMANDS)
    return {
        command: set(json.loads(one.stderr)) for command, one in zip(COMMANDS, ended, strict=True)
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_no_heavy_package_is_imported(imported: dict[str, set[str]], command: str) -> None:
    assert imported[command] & HEAVY == set()


def test_a_command_does_not_import_the_others(imported: dict[str, set[str]]) -> None:
    modules = imported["catalogue list emqx"]
    assert {name for name in modules if name.startswith("fleet_telemetry.cli.")} == {
        "fleet_telemetry.cli.catalogue",
        "fleet_telemetry.cli.completing",
        "fleet_telemetry.cli.lazy",
        "fleet_telemetry.cli.main",
    }


UNUSED = {
    "jinja2",
    *("kubernetes.client", "kubernetes.dynamic", "kubernetes.aio.dynamic", "kubernetes.aio.stream"),
    *("oauthlib", "requests", "urllib3", "websocket"),
    *("dnstap_pb", "google.protobuf"),  # only an observer decodes
    *("fleet_telemetry.audit", "fleet_telemetry.linting", "fleet_telemetry.policy_tests"),
}
"""Packages of which a process holds a few MB for nothing."""
UNUSED_BY = {
    "webhook": {"dns", "fleet_telemetry.controllers", "fleet_telemetry.vendors", "httpx"},
    "controller": {"cryptography", "fleet_telemetry.admission.server"},
}
_ROLE = """
import importlib, json, sys
from fleet_telemetry.kube.official_client import import_only_what_is_asked_for
import_only_what_is_asked_for()
for name in ("build", "process", sys.argv[1]):
    importlib.import_module(f"fleet_telemetry.app.{name}")
json.dump(sorted(name for name, module in sys.modules.items() if module), sys.stdout)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("role", sorted(UNUSED_BY))
def test_a_process_imports_nothing_that_its_role_does_not_use(role: str) -> None:
    (done,) = run_each(_ROLE, [[role]])
    assert done.code == 0, done.stderr
    found = set(json.loads(done.stdout))
    assert found & (UNUSED | UNUSED_BY[role]) == set()


_CALLS = """
import asyncio, base64, sys
from pathlib import Path
if sys.argv[1] == "alone":
    from fleet_telemetry.kube.official_client import import_only_what_is_asked_for
    import_only_what_is_asked_for()
    import_only_what_is_asked_for()
import kopf
import kubernetes.aio.client
assert kubernetes.aio.client.ApiClient, "its own code reads it so"
from fleet_telemetry.kube import kinds
from fleet_telemetry.kube.client import ApiError, KubernetesClient
from fleet_telemetry.kube.kubeconfig import Access
from fleet_telemetry.kube.server_access import open_with

claims = base64.urlsafe_b64encode(b'{"exp": 9999999999}').decode()
oidc = {"auth-provider": {"name": "oidc", "config": {"id-token": f"a.{claims}.c"}}}

async def main():
    for user in ({"token": "t"}, {"username": "me", "password": "pw"}, oidc):
        access = Access({"server": "http://127.0.0.1:1"}, user, Path("/"))
        client = KubernetesClient(await open_with(access, "it"))
        try:
            await client.create(kinds.SECRET, {"a": [1]}, "shop")
        except ApiError as error:
            print(error.reason)
        await client.close()

asyncio.run(main())
"""


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["alone", "whole"])
def test_calls_need_none_of_what_is_left_out_of_the_official_client(how: str) -> None:
    (done,) = run_each(_CALLS, [[how]])
    assert done.code == 0, done.stderr
    assert done.stdout.split() == ["Unreachable"] * 3
