"""Custom resource definitions of other projects, from inside their Go modules.

Versions are in `tools/crds/go.mod`, checksums in its go.sum. A project more is a line in `SETS`
and `go get <module>@<version> && go mod download <module>` in that folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import golang, paths
from dev.cluster.errors import DevclusterError

FOLDER = paths.TOOLS / "crds"


@dataclass(frozen=True)
class CrdSet:
    """Definitions that belong together."""

    module: str
    """The Go module that they come with."""
    files: tuple[str, ...]
    """Where in it they are."""


_CILIUM = "pkg/k8s/apis/cilium.io/client/crds/v2"
_POLICY_REPORTS = "config/crds/policyreport/wgpolicyk8s.io"
_MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com"
_NETWORK_POLICY_API = "policy.networking.k8s.io_clusternetworkpolicies.yaml"
SETS: Mapping[str, CrdSet] = {
    "cert-manager": CrdSet(
        "github.com/cert-manager/cert-manager",
        (
            "deploy/crds/cert-manager.io_certificates.yaml",
            "deploy/crds/cert-manager.io_issuers.yaml",
        ),
    ),
    "cilium": CrdSet(
        "github.com/cilium/cilium",
        (f"{_CILIUM}/ciliumcidrgroups.yaml", f"{_CILIUM}/ciliumnetworkpolicies.yaml"),
    ),
    "openreports": CrdSet(
        "github.com/openreports/reports-api",
        ("config/crd/openreports.io_reports.yaml", "config/crd/openreports.io_clusterreports.yaml"),
    ),
    "wgpolicyk8s": CrdSet(
        "github.com/kyverno/kyverno",
        (f"{_POLICY_REPORTS}_policyreports.yaml", f"{_POLICY_REPORTS}_clusterpolicyreports.yaml"),
    ),
    "prometheus-operator": CrdSet(
        "github.com/prometheus-operator/prometheus-operator",
        tuple(
            f"{_MONITORING}_{plural}.yaml"
            for plural in ("servicemonitors", "podmonitors", "prometheusrules")
        ),
    ),
    "network-policy-api": CrdSet(
        "sigs.k8s.io/network-policy-api", (f"config/crd/standard/{_NETWORK_POLICY_API}",)
    ),
}


def foreign_crds(name: str, folder: Path = FOLDER) -> tuple[Path, ...]:
    """Return the files of a set, downloading its module where that has not been done yet.

    ``folder`` is where go.mod is. Raises DevclusterError for a set that there is none of, and where
    Go is missing, the module cannot be had, is not the one that go.sum pins, or has other files.
    """
    wanted = SETS.get(name)
    if wanted is None:
        raise DevclusterError(
            f"there are no definitions {name!r}; there are those of {', '.join(sorted(SETS))}"
        )
    root = golang.module(folder, wanted.module)
    files = tuple(root / file for file in wanted.files)
    for file in files:
        if not file.is_file():
            raise DevclusterError(
                f"{wanted.module} as go.mod pins it has no {file.relative_to(root)}:"
                " see SETS in dev/cluster/foreign_crds.py"
            )
    return files
