"""Which files are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet_telemetry.audit.folders import InputFile, find_inputs
from fleet_telemetry.audit.result import Problem


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("kind: x\n")


def _names(*named: str) -> list[str]:
    found = list(find_inputs(named))
    assert all(isinstance(one, InputFile) for one in found), found
    return [one.name for one in found if isinstance(one, InputFile)]


def _problems(*named: str) -> list[Problem]:
    return [one for one in find_inputs(named) if isinstance(one, Problem)]


def test_a_folder_is_read_with_those_in_it_and_without_hidden_and_other_files(folder: Path) -> None:
    _write(
        "m/a.yaml", "m/b/c.yml", "m/b/d/e.json", "m/x.txt", "m/.git/f.yaml", "m/.g.yaml", "m/yaml"
    )
    assert _names("m") == ["m/a.yaml", "m/b/c.yml", "m/b/d/e.json"]
    assert folder


def test_each_file_is_read_once(folder: Path) -> None:
    _write("m/a.yaml", "n/b.yaml")
    os.link("m/a.yaml", "n/c.yaml")
    Path("n/d.yaml").symlink_to("../m/a.yaml")
    assert _names("m", "m/a.yaml", "n", "./m/../n/b.yaml", "-", "-") == [
        "m/a.yaml",
        "n/b.yaml",
        "-",
    ]
    assert folder


def test_links_that_lead_back_end(folder: Path) -> None:
    _write("m/a/x.yaml")
    Path("m/a/up").symlink_to("../../m")
    Path("m/self").symlink_to("self")
    assert _names("m") == ["m/a/x.yaml"]
    assert folder


@pytest.mark.parametrize("target", ["nowhere.yaml", "a.yaml"])
def test_a_link_to_nothing_is_a_problem(folder: Path, target: str) -> None:
    _write("m/b.yaml")
    Path("m/a.yaml").symlink_to(target)
    problem, file = find_inputs(["m"])
    assert isinstance(file, InputFile)
    assert isinstance(problem, Problem)
    assert problem.place.file == "m/a.yaml"
    assert folder


def test_a_file_that_is_named_is_read_whatever_it_is_called(folder: Path) -> None:
    _write(".hidden", "x.txt")
    assert _names(".hidden", "x.txt") == [".hidden", "x.txt"]
    assert folder


def test_a_folder_of_a_mounted_config_map_is_read_once(folder: Path) -> None:
    _write("m/..2026/a.yaml")
    Path("m/..data").symlink_to("..2026")
    Path("m/a.yaml").symlink_to("..data/a.yaml")
    assert _names("m") == ["m/a.yaml"]
    assert folder


@pytest.mark.parametrize("name", ["nowhere", "", "a\0b", "x" * 5000])
def test_a_name_of_nothing_is_a_problem(folder: Path, name: str) -> None:
    (problem,) = _problems(name)
    assert "cannot be read" in problem.what
    assert problem.place.file.isprintable()
    assert folder


def test_a_folder_without_manifests_is_a_problem(folder: Path) -> None:
    Path("m/n").mkdir(parents=True)
    (problem,) = _problems("m")
    assert ".yaml" in problem.what
    _write("m/a.yaml")
    (problem,) = _problems("m", "m")
    assert "named before" in problem.what
    assert folder


def test_a_chart_is_to_be_rendered(folder: Path) -> None:
    _write("m/c/Chart.yaml", "m/c/templates/a.yaml", "m/c/values.yaml", "m/b.yaml")
    file, chart = find_inputs(["m"])
    assert isinstance(file, InputFile)
    assert isinstance(chart, Problem)
    assert "helm template m/c | fleet-telemetry audit -" in chart.advice
    assert folder


def test_a_kustomization_marks_its_folder_alone(folder: Path) -> None:
    _write("m/kustomization.yaml", "m/a.yaml", "m/b/c.yaml")
    found = [one for one in find_inputs(["m"]) if isinstance(one, InputFile)]
    assert [(one.name, one.beside_kustomization) for one in found] == [
        ("m/a.yaml", True),
        ("m/kustomization.yaml", True),
        ("m/b/c.yaml", False),
    ]
    assert folder


def test_a_name_with_control_characters_is_shown_without(folder: Path) -> None:
    _write("m/a\x1b[2J\n.yaml")
    (name,) = _names("m")
    assert name.isprintable()
    assert folder
