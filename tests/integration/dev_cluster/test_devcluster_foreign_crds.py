"""Definitions of other projects come from pinned modules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from dev.cluster import gomod
from dev.cluster.errors import DevclusterError
from dev.cluster.foreign_crds import FOLDER, SETS, foreign_crds

KINDS = {
    "openreports": {"Report", "ClusterReport"},
    "wgpolicyk8s": {"PolicyReport", "ClusterPolicyReport"},
    "cert-manager": {"Certificate", "Issuer"},
    "prometheus-operator": {"ServiceMonitor", "PodMonitor", "PrometheusRule"},
    "cilium": {"CiliumNetworkPolicy", "CiliumCIDRGroup"},
    "network-policy-api": {"ClusterNetworkPolicy"},
}
MODULE = "sigs.k8s.io/network-policy-api"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(FOLDER, tmp_path / "crds"))


@pytest.mark.parametrize("name", SETS)
def test_the_files_are_definitions_of_the_expected_kinds(name: str) -> None:
    manifests = [yaml.safe_load(path.read_text()) for path in foreign_crds(name)]
    assert {manifest["kind"] for manifest in manifests} == {"CustomResourceDefinition"}
    assert {manifest["spec"]["names"]["kind"] for manifest in manifests} == KINDS[name]


@pytest.mark.parametrize("name", SETS)
def test_they_are_of_the_pinned_version(name: str) -> None:
    module = SETS[name].module
    version = gomod.read(FOLDER).version_of(module)
    assert all(f"{module}@{version}/" in str(path) for path in foreign_crds(name))


def test_nothing_is_downloaded_that_no_set_needs() -> None:
    modules = {wanted.module for wanted in SETS.values()}
    assert set(gomod.read(FOLDER).requirements) == modules


def test_an_unknown_set_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(DevclusterError, match=r"'clium'.*cilium, network-policy-api"):
        foreign_crds("clium")


def test_a_module_that_is_not_pinned_is_refused_and_go_sum_stays(folder: Path) -> None:
    text = (folder / "go.sum").read_text()
    without = "".join(line for line in text.splitlines(keepends=True) if MODULE not in line)
    (folder / "go.sum").write_text(without)
    with pytest.raises(DevclusterError, match=rf"does not pin {MODULE} v.*go mod download"):
        foreign_crds("network-policy-api", folder)
    assert (folder / "go.sum").read_text() == without


def test_another_checksum_is_refused(folder: Path) -> None:
    lines = (folder / "go.sum").read_text().splitlines()
    spoilt = [
        f"{line[:-9]}AAAAAAAA=" if line.startswith(MODULE) and "/go.mod" not in line else line
        for line in lines
    ]
    (folder / "go.sum").write_text("\n".join([*spoilt, ""]))
    with pytest.raises(DevclusterError, match=r"not those that go\.sum pins"):
        foreign_crds("network-policy-api", folder)


def test_a_machine_without_go_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DevclusterError, match="Go is not installed"):
        foreign_crds("cilium")


def test_a_file_that_moved_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {"moved": type(SETS["cilium"])(MODULE, ("config/crd/nowhere.yaml",))}
    monkeypatch.setattr("dev.cluster.foreign_crds.SETS", moved)
    with pytest.raises(DevclusterError, match=r"has no config/crd/nowhere\.yaml"):
        foreign_crds("moved")
