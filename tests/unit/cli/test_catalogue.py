"""``fleet-telemetry catalogue`` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.cli.main import main
from hack.generate import ROOT
from tests.support.lint_files import PRODUCT, TABLE


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["catalogue", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme.yaml").write_text(PRODUCT)
    (tmp_path / "acme.test.yaml").write_text(TABLE)
    return tmp_path


def test_files_without_a_fault_say_nothing(folder: Path) -> None:
    for given in (folder, folder / "acme.yaml", folder / "acme.test.yaml"):
        result = _run("lint", given)
        assert (result.exit_code, result.output) == (0, "")


def test_a_fault_is_told_with_file_and_line(folder: Path) -> None:
    product = folder / "acme.yaml"
    product.write_text(PRODUCT.replace('disabled: "false"', 'disabled: "off"'))
    result = _run("lint", product)
    assert result.exit_code == 1
    assert (
        f"{product}:30: channel Usage, rule 2, ACME_TELEMETRY: disabled is 'off'" in result.output
    )
    (folder / "acme.test.yaml").write_text(TABLE.replace("=false", "=no"))
    result = _run("lint", product)
    assert f"{folder / 'acme.test.yaml'}:8: disabled: acme/server:2.0.0" in result.output


def test_files_of_the_built_in_catalogue_meet_its_rules(folder: Path) -> None:
    (folder / "acme.yaml").write_text(PRODUCT.replace("    summary: Reports.\n", ""))
    assert _run("lint", folder).exit_code == 0
    result = _run("lint", "--built-in", folder)
    assert result.exit_code == 1
    assert "it has no summary" in result.output


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = _run("lint", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "No such file or directory" in result.output


def test_the_example_of_the_documentation_has_no_fault() -> None:
    result = _run("lint", ROOT / "examples" / "policies" / "product.yaml")
    assert (result.exit_code, result.output) == (0, "")


def test_products_are_listed_by_name_switch_and_host() -> None:
    everything = _run("list").output
    for name, product in builtin().products.items():
        assert f"{name}: {product.spec.title}, verified up to " in everything
    for word in ("SONARQUBE", "sonar_telemetry", "telemetry.sonarsource.com"):
        result = _run("list", word)
        assert result.exit_code == 0
        assert "sonarqube: SonarQube Server and Community Build, verified up to 10" in result.output
        assert "emqx" not in result.output
    assert _run("list", "nobody has this").exit_code == 1


def test_without_a_command_it_lists_every_product() -> None:
    assert _run().output == _run("list").output
    named = [line.partition(":")[0] for line in _run().output.splitlines() if line[0] != " "]
    assert named == sorted(builtin().products)
