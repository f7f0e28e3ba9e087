"""The quickstart of docs/install.md names what exists, and the values that the chart knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import yaml

from dev.harness.operator import CHART, ROOT

PAGE = (ROOT / "docs" / "install.md").read_text()


def commands(title: str) -> Iterator[list[str]]:
    """The indented commands of a section, as words."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    for line in re.findall(r"(?m)^    (\S.*)$", section):
        yield shlex.split(line, comments=True)


KIND = list(commands("Try it on kind"))


def test_the_section_has_commands() -> None:
    assert [command[0] for command in KIND].count("kubectl") == 3
    assert {"kind", "make", "helm", "docker"} <= {command[0] for command in KIND}
    assert ["pipx", "install", "."] in list(commands("The command on your machine"))


@pytest.mark.parametrize("command", KIND, ids=" ".join)
def test_every_file_that_is_named_exists(command: list[str]) -> None:
    for word in command:
        if word.startswith(("examples/", "charts/")):
            assert (ROOT / word).exists(), word


def test_the_image_is_the_one_that_is_built() -> None:
    (built,) = re.findall(r"(?m)^IMAGE \?= (\S+)$", (ROOT / "Makefile").read_text())
    (loaded,) = [command[-1] for command in KIND if command[:2] == ["kind", "load"]]
    (install,) = [command for command in KIND if command[0] == "helm"]
    values = dict(pair.split("=") for pair in install[install.index("--set") + 1].split(","))
    assert loaded == built == f"{values['image.repository']}:{values['image.tag']}"
    known = yaml.safe_load((CHART / "values.yaml").read_text())["image"]
    assert {name.removeprefix("image.") for name in values} <= known.keys()


def test_the_base_is_the_one_of_the_dockerfile() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (tag,) = re.findall(r"(?m)^ARG PYTHON_TAG=(\S+)$", text)
    (pulled,) = [command[-1] for command in KIND if command[:2] == ["docker", "pull"]]
    assert pulled == f"docker.io/library/python:{tag}"
