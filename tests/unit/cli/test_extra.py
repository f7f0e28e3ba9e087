"""A command that needs the operator's packages, where they are not installed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from dev.harness.operator import ROOT
from fleet_telemetry.cli.extra import MODULES, _advice, operator_packages
from tests.support.fresh_python import Ended, run_each

# None in sys.modules is how an import fails as if nothing were installed.
_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
main(sys.argv[2:])
"""
_FIRST = "from fleet_telemetry.cli.main import main"  # which imports none of them


Found = dict[tuple[str, str], Ended]
ROLES = ("controller", "webhook", "all")
SOME = ("kopf", "uvloop", "prometheus_client", "kopf,dns,uvloop")
ALL = "kopf,uvloop,prometheus_client,dns,dnstap_pb,google,httpx,cryptography,pythonjsonlogger"


PERSONAL: list[tuple[str, set[int]]] = [
    ("audit examples/audit/shop.yaml", {0}),
    ("audit --fix examples/audit/monitoring.yaml", {2}),
    ("audit -o html examples/audit/messaging.yaml", {2}),
    ("audit --kubeconfig=/nothing/there", {1}),
    ("hosts --product emqx", {0}),
    ("explain statefulset/emqx --namespace iot --filename examples/audit/messaging.yaml", {0}),
    ("explain statefulset/emqx --kubeconfig=/nothing/there", {1}),
    ("allowlist --kubeconfig=/nothing/there", {1}),
    ("revert --kubeconfig=/nothing/there", {1}),
    ("revert --kubeconfig=README.md", {1}),
    ("revert --kubeconfig=/", {1}),
    ("catalogue lint examples/policies/product.yaml", {0}),
]


@pytest.fixture(scope="module")
def ended() -> Found:
    """How each command ended, by what is missing."""
    runs = [(missing, f"{command} --namespace=x") for missing in SOME for command in ROLES]
    runs += [(ALL, command) for command, _ in PERSONAL]
    words = [[missing, *command.split()] for missing, command in runs]
    return dict(zip(runs, run_each(_WITHOUT, words, first=_FIRST), strict=True))


@pytest.mark.parametrize("missing", SOME)
@pytest.mark.parametrize("command", ROLES)
def test_the_operators_commands_say_what_is_missing(
    ended: Found, command: str, missing: str
) -> None:
    done = ended[missing, f"{command} --namespace=x"]
    assert (done.code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"fleet-telemetry: `{command}` needs the packages of the operator, and "
        f"{', '.join(sorted(missing.split(',')))} {'are' if ',' in missing else 'is'} not "
        "installed; install them with: "
    )
    assert "[operator]" in line


@pytest.mark.parametrize(("command", "codes"), PERSONAL)
def test_a_persons_commands_do_without(ended: Found, command: str, codes: set[int]) -> None:
    done = ended[ALL, command]
    assert done.code in codes, done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_advice() -> None:
    with pytest.raises(ModuleNotFoundError), operator_packages("controller"):
        raise ModuleNotFoundError("no", name="fleet_telemetry.nothing")


@pytest.mark.parametrize(
    ("made_by", "command"),
    [
        ("pipx_metadata.json", "pipx install --force"),
        ("uv-receipt.toml", "uv tool install --force"),
        ("pyvenv.cfg", "'{prefix}/bin/python' -m pip install"),
    ],
)
@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (
            {"url": "file:///src/a%20b", "dir_info": {}},
            "'fleet-telemetry-operator[operator] @ file:///src/a%20b'",
        ),
        (
            {"url": "file:///src/a%20b", "dir_info": {"editable": True}},
            "--editable '/src/a b[operator]'",
        ),
        (
            {"url": "https://example.com/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "'fleet-telemetry-operator[operator] @ git+https://example.com/x.git@abc'",
        ),
        (
            {"url": "https://example.com/x.zip", "archive_info": {}, "subdirectory": "operator"},
            "'fleet-telemetry-operator[operator] @ https://example.com/x.zip#subdirectory=operator'",
        ),
    ],
)
def test_the_advice_installs_the_same_again(
    tmp_path: Path,
    made_by: str,
    command: str,
    origin: Mapping[str, Any],
    requirement: str,
) -> None:
    prefix = tmp_path / "with space"
    prefix.mkdir()
    (prefix / made_by).touch()
    expected = f"install them with: {command.format(prefix=prefix)} {requirement}"
    assert _advice(prefix, origin) == expected


def test_no_command_is_given_that_a_stranger_could_answer(tmp_path: Path) -> None:
    """Without an origin, an installer would look for the name in a registry."""
    advice = _advice(tmp_path, None)
    assert "pip" not in advice
    assert "fleet-telemetry-operator[operator]" in advice


def test_every_package_of_the_extra_is_looked_for() -> None:
    """What is not there is named at once, and not one after the other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {
        re.split(r"[^a-z0-9-]", one)[0]
        for one in project["project"]["optional-dependencies"]["operator"]
    }
    by_module = packages_distributions()
    assert {by_module[name][0].lower().replace("_", "-") for name in MODULES} == wanted
