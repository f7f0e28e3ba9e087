"""Runs promtool as the tests need it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import ensure
from observability.rules import rules_file

Series = dict[str, str]
"""Values by series, in promtool's notation, such as ``1x10``."""


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """promtool; what it said."""
    program = ensure(["promtool"])["promtool"]
    return subprocess.run(
        [str(program), *arguments], input=stdin, capture_output=True, text=True, check=False
    )


def test_rules(folder: Path, *tests: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """promtool test rules, with all of the rules."""
    rules, file = folder / "rules.yaml", folder / "tests.yaml"
    rules.write_text(rules_file())
    content = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": list(tests)}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return run("test", "rules", str(file))


test_rules.__test__ = False  # type: ignore[attr-defined]  # it is no test itself
