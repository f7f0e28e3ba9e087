"""The command ``fleet-telemetry catalogue lint``: which files it reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fleet_telemetry.cli.main import main
from fleet_telemetry.linting.document import LARGEST_FILE
from tests.support.lint_files import PRODUCT, TABLE

_BAD = PRODUCT.replace("  title: Acme", "  title: 12")


def lint(*paths: Path) -> Result:
    return CliRunner().invoke(main, ["catalogue", "lint", *map(str, paths)])


def test_a_good_product_with_its_table_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(PRODUCT)
    (tmp_path / "acme.test.yaml").write_text(TABLE)
    result = lint(tmp_path)
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("name", ["acme.yaml", "acme.yml"])
def test_a_folder_is_searched_for_both_endings(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(_BAD)
    result = lint(tmp_path)
    assert result.exit_code == 1
    assert f"{name}:6:" in result.output


def test_a_folder_without_a_file_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")
    result = lint(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: no file ends in .yaml or .yml" in result.output


@pytest.mark.parametrize("ending", ["yaml", "yml"])
def test_a_table_is_checked_with_the_product_beside_it(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"acme.{ending}").write_text(_BAD)
    (tmp_path / "acme.test.yaml").write_text(TABLE)
    result = lint(tmp_path / "acme.test.yaml")
    assert result.exit_code == 1
    assert f"acme.{ending}:6:" in result.output


def test_what_is_no_file_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    """Reading a pipe would wait for ever."""
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "acme.yaml").write_text(_BAD)
    result = lint(tmp_path)
    assert result.exit_code == 1
    assert "acme.yaml:6:" in result.output


def test_a_file_without_end_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    result = lint(tmp_path / "zero.yaml")
    assert result.exit_code == 1
    assert f"the file has more than {LARGEST_FILE} bytes" in result.output


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = lint(tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml: No such file or directory" in result.output
