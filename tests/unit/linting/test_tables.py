"""The table of a product, compared with what the operator does."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.linting.lint import lint
from fleet_telemetry.linting.problem import FileProblem

_FOLDER = Path(str(resources.files("fleet_telemetry.catalogue") / "products"))
_FILES = sorted(path for path in _FOLDER.glob("*.yaml") if not path.name.endswith(".test.yaml"))

PRODUCT = """\
apiVersion: fleettelemetry.io/v1alpha1
kind: TelemetryProduct
metadata:
  name: acme
spec:
  title: Acme
  homepage: https://acme.example
  images:
  - pattern: acme/acme
    excludeTags: ["*-tools"]
  versions:
    lines:
    - {lowest: 1.0.0, verified: "2.4", highest: "2.9"}
  channels:
  - name: Usage
    summary: Reports.
    hosts:
    - host: usage.acme.example
    rules:
    - versions: ["<2.0.0"]
      default: "On"
      remedy: Deny the host.
      sources: [acme/acme@v1.0.0:main.go]
    - versions: [">=2.0.0"]
      default: "On"
      switches:
      - semantics: Start
        env: {name: ACME_TELEMETRY, disabled: "false", enabled: "true"}
      sources: [acme/acme@v2.0.0:main.go]
"""
TABLE = """\
matches:
- {image: "acme/acme:2.1.0", version: "2.1.0"}
- {image: "mirror.example/hub/acme/acme:v2.1.0-alpine", version: "2.1.0"}
- {image: "acme/acme:latest", version: ""}
rejects:
- acme/acme:2.1.0-tools
- {image: "acme/other:1.0.0", container: main}
channels:
- channel: Usage
  images: ["acme/acme:2.0.0", "acme/acme:2.4.9"]
  disabled: ["ACME_TELEMETRY=false"]
  enabled: ["ACME_TELEMETRY=true"]
- channel: Usage
  images: ["acme/acme:2.5.0"]
  disabled: ["ACME_TELEMETRY=false"]
  enabled: ["ACME_TELEMETRY=true"]
  state: Unknown
  reason: VersionNotVerified
- channel: Usage
  images: ["acme/acme:1.9.9"]
  disabled: []
  enabled: []
  state: NotEnforceable
- channel: Usage
  images: ["acme/acme:latest"]
  disabled: []
  enabled: []
  state: Unknown
  reason: VersionUnreadable
"""


def check(
    product: str = PRODUCT, table: str = TABLE, *, built_in: bool = True
) -> list[FileProblem]:
    files = {"acme.yaml": product.encode(), "acme.test.yaml": table.encode()}
    return lint(files, built_in=built_in)


@pytest.mark.thorough
@pytest.mark.parametrize("path", _FILES, ids=[path.name for path in _FILES])
def test_a_file_of_our_own_and_its_table_agree(path: Path) -> None:
    table = path.with_suffix(".test.yaml")
    files = {one.name: one.read_bytes() for one in (path, table) if one.exists()}
    assert [str(problem) for problem in lint(files, built_in=True)] == []


def test_a_table_is_no_product() -> None:
    assert {path.stem for path in _FILES} == set(builtin().products)


def test_a_table_that_agrees_has_no_problem() -> None:
    assert check() == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ('version: "2.1.0"}\n- {image: "mi', 'version: "2.1"}\n- {image: "mi', 2, "not '2.1'"),
        ('latest", version: ""', 'latest", version: "1"', 4, "(VersionUnreadable), not '1'"),
        ('acme/acme:2.1.0", v', 'acme/none:2.1.0", v', 2, "not recognised"),
        ('acme/acme:2.1.0", v', 'emqx/emqx:5.8.9", v', 2, "taken for emqx"),
        ('version: ""}', 'version: "", edition: pro}', 4, "edition standard, not pro"),
        ('version: ""}', 'version: "", component: ui}', 4, "component server, not ui"),
        ("2.1.0-tools", "2.1.0-slim", 6, "is taken for acme, by the pattern acme/acme"),
        ("acme/other:", "acme/acme:", 7, "is taken for acme"),
        ('["acme/acme:2.0.0"', '["acme/none:2.0.0"', 10, "acme/none:2.0.0 is not recognised"),
        ('["acme/acme:2.0.0"', '["emqx:5.8.9"', 10, "emqx:5.8.9 is taken for emqx"),
        ('["acme/acme:2.0.0"', '["acme/acme:1.9.0"', 11, "nothing is set"),
        ('disabled: ["ACME_TELEMETRY=false"]', "disabled: []", 11, "=false] is set, not nothing"),
        ('enabled: ["ACME_TELEMETRY=true"]', 'enabled: ["ACME=true"]', 12, "not [ACME=true]"),
        ("  state: Unknown\n  reason: VersionNotV", "  reason: VersionNotV", 13, "not Compliant"),
        ("reason: VersionUnreadable", "reason: VersionNotKnown", 29, "reason is VersionUnreadable"),
        ('channel: Usage\n  images: ["acme/acme:1', 'channel: UpdateCheck\n  images: ["acme/acme:1',
         19, "no channel UpdateCheck"),
        ("rejects:", "reject:", 5, "unknown field `reject`"),
        ("state: NotEnforceable", "state: Fine", 23, "Fine"),
        ("  state: NotEnforceable", "  stat: NotEnforceable", 23, "unknown field `stat`"),
        ('version: ""}', "version: 2.1}", 4, "Expected `str`, got `float`"),
        ('channel: Usage\n  images: ["acme/acme:1', 'images: ["acme/acme:1', 19, "`channel`"),
        ('["acme/acme:1.9.9"]', "[]", 20, "length >= 1"),
    ],
)  # fmt: skip
def test_a_row_that_says_something_else_is_found(old: str, new: str, line: int, what: str) -> None:
    assert old in TABLE
    problems = check(table=TABLE.replace(old, new, 1))
    assert problems
    assert any(what in problem.what for problem in problems), problems
    assert any(problem.line == line for problem in problems), problems
    assert all(problem.file == "acme.test.yaml" for problem in problems)
    assert all(problem.advice for problem in problems)


def test_rows_have_variables_commands_and_arguments_of_the_container() -> None:
    row = """\
- channel: Usage
  images: ["acme/acme:2.0.0"]
  env: {ACME_TELEMETRY: "true", OTHER: "1"}
  disabled: ["ACME_TELEMETRY=false", "- ACME_TELEMETRY=true"]
  enabled: []
- channel: Usage
  images: ["acme/acme:2.0.0"]
  command: [/bin/sh, -c, run]
  disabled: ["ACME_TELEMETRY=false"]
  enabled: ["ACME_TELEMETRY=true"]
  state: Unknown
  reason: CommandOverridden
"""
    assert [str(problem) for problem in check(table=TABLE + row)] == []


def test_the_product_of_a_user_is_judged_as_theirs() -> None:
    assert check(built_in=False) == []
