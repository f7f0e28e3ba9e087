from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

_MANIFEST = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: emqx}
spec:
  template: {spec: {containers: [{name: emqx, image: "emqx/emqx:5.8.9"}]}}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "emqx.yaml"
    file.write_text(_MANIFEST)
    return file


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "fleet_telemetry.cli.main", "audit", *map(str, arguments)]


def _on_a_terminal(manifest: Path, **environment: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        _command(manifest),
        stdout=theirs,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "70", "TERM": "xterm", **environment},
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:  # Linux says so at the end.
            pass
        os.close(ours)
        assert process.wait() == 2
    return said.decode()


def test_a_terminal_gets_a_table_in_colour_that_fits(manifest: Path) -> None:
    text = _on_a_terminal(manifest)
    assert "\x1b[31;1mYes" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 70
    assert "Why: " in plain


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(environment: dict[str, str], manifest: Path) -> None:
    text = _on_a_terminal(manifest, **environment)
    assert "\x1b" not in text
    assert "Yes" in text


def test_elsewhere_there_are_no_colours_and_nothing_is_cut(manifest: Path) -> None:
    run = subprocess.run(_command(manifest), capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "\x1b" not in run.stdout
    assert "telemetry.emqx.io:443" in run.stdout


def test_an_encoding_without_a_character_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "é日.yaml"
    file.write_text(_MANIFEST)
    run = subprocess.run(
        _command(file),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert run.returncode == 2
    assert b"\\u65e5.yaml" in run.stdout


def test_the_result_names_the_release_and_the_catalogue(manifest: Path) -> None:
    run = subprocess.run(_command("-o", "json", manifest), capture_output=True, check=False)
    tool = msgspec.json.decode(run.stdout)["tool"]
    assert set(tool) == {"version", "catalogue", "products"}
    assert re.fullmatch(r"[0-9a-f]{12}", tool["catalogue"])
    assert tool["products"] > 100


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["table", "html"])
def test_a_reader_that_goes_away_gets_no_traceback(form: str, manifest: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    run = subprocess.run(
        _command("-o", form, manifest), stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    assert run.stderr == b""
    assert run.returncode == 1
