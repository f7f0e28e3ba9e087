"""Versions come from go.mod files."""

from __future__ import annotations

import pytest

from dev.cluster import gomod, toolchain
from dev.cluster.errors import DevclusterError

TEXT = """\
// a comment with require example.com/commented v9.9.9
module devcluster/tools/some

go 1.26.0

tool example.com/tool/v2/cmd/tool

require example.com/single v0.1.0 // indirect

require (
\texample.com/tool v1.0.0
\texample.com/tool/v2 v2.3.4-rc.1 // indirect
)

replace (
\texample.com/single => example.com/single v7.7.7
)
"""


def test_reads_go_and_requirements_of_both_forms() -> None:
    found = gomod.parse(TEXT)
    assert found.go == "1.26.0"
    assert found.requirements == {
        "example.com/single": "v0.1.0",
        "example.com/tool": "v1.0.0",
        "example.com/tool/v2": "v2.3.4-rc.1",
    }


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("example.com/tool/v2/cmd/tool", "v2.3.4-rc.1"),
        ("example.com/tool/cmd/tool", "v1.0.0"),
        ("example.com/single", "v0.1.0"),
    ],
)
def test_the_longest_module_path_owns_a_package(package: str, version: str) -> None:
    assert gomod.parse(TEXT).version_of(package) == version


@pytest.mark.parametrize("package", ["example.com/toolbox", "example.com/other"])
def test_a_package_of_no_module_is_an_error(package: str) -> None:
    with pytest.raises(DevclusterError, match=package):
        gomod.parse(TEXT).version_of(package)


def test_a_file_without_go_is_an_error() -> None:
    with pytest.raises(DevclusterError, match="`go` line"):
        gomod.parse("module x\n")


@pytest.mark.parametrize("tool", toolchain.TOOLS, ids=lambda tool: tool.name)
def test_every_tool_of_the_table_is_pinned(tool: toolchain.BuiltTool) -> None:
    assert tool.version.startswith("v")
    assert tool.package in (tool.folder / "go.mod").read_text()
    assert tool.pinned in (tool.folder / "go.mod").read_text()
    assert (tool.folder / "go.sum").exists()


def test_kubernetes_binaries_are_told_their_version() -> None:
    tool = toolchain.tool("kube-apiserver")
    _, minor, _ = tool.version.split(".")
    assert f"-X k8s.io/component-base/version.gitVersion={tool.version}" in tool.ldflags
    assert f"-X k8s.io/component-base/version.gitMinor={minor}" in tool.ldflags


def test_an_unknown_tool_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(DevclusterError, match=r"'kubelet'.*kube-apiserver"):
        toolchain.tool("kubelet")
