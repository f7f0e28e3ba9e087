"""Options of the processes that are refused before anything starts."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from fleet_telemetry.cli.main import main

OWN = ["--namespace=fleet-telemetry", "--dns-server=127.0.0.1"]


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--namespace-selector=stage=prod", "no LabelSelector in JSON"),
        ('--namespace-selector={"matchLables": {}}', "matchLables: there is no such field"),
        ("--cluster-name=prod eu", "letters, digits"),
        ("--cluster-name=-prod", "letters, digits"),
        ("--cluster-name=" + "x" * 129, "letters, digits"),
        ("--cluster-name=prod\n", "letters, digits"),
        ("--team-label=a b", "'a b' is no key of a label"),
        ("--team-label=Example.com/team", "is no key of a label"),
        ("--team-label=" + "x" * 64, "is no key of a label"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_wrong(option: str, problem: str) -> None:
    done = CliRunner().invoke(main, ["controller", *OWN, option])
    assert done.exit_code == 2
    assert option.partition("=")[0] in done.output
    assert problem in re.sub(r"\s+", " ", done.output)
