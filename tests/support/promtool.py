"""Runs promtool as the tests need it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import ensure
from observability.rules import rule_groups

Series = dict[str, str]
"""Values by series, in promtool's notation, such as ``1x10``."""


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """promtool; what it said."""
    program = ensure(["promtool"])["promtool"]
    return subprocess.run(
        [str(program), *arguments], input=stdin, capture_output=True, text=True, check=False
    )


def test_rules(folder: Path, *tests: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """promtool test rules, with the recordings and the alerts of these tests: promtool evaluates
    all rules that it is given, and each minute of the days that a test is about."""
    asked = {one["alertname"] for test in tests for one in test.get("alert_rule_test", ())}
    groups = [
        {**group, "rules": [one for one in group["rules"] if one.get("alert") in {None, *asked}]}
        for group in rule_groups()["groups"]
    ]
    rules, file = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups}))
    content = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": list(tests)}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return run("test", "rules", str(file))


test_rules.__test__ = False  # type: ignore[attr-defined]  # it is no test itself
