"""The table of tools. A new one is a line here and a folder under `tools/` with its go.mod."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import gomod, paths
from dev.cluster.errors import DevclusterError


@dataclass(frozen=True)
class BuiltTool:
    """A program that we build, and how."""

    name: str
    """Of the binary."""
    module: str
    """The folder under `tools/` whose go.mod pins it."""
    package: str
    """The Go package that `go build` builds."""
    seconds: int
    """Seconds of a first build on two cores; printed while it runs."""
    stamps: tuple[str, ...] = ()
    """Linker settings that make the binary print its version, with `{version}` to be filled in, or
    what it was built from, with `{digest}`."""
    tags: tuple[str, ...] = ()
    """Go build tags."""
    version_args: tuple[str, ...] = ("--version",)
    """Arguments that make the binary print its version and exit."""
    pinned: str = ""
    """The Go package whose version counts, where `package` is a main of our own around it."""

    @property
    def folder(self) -> Path:
        """Of its go.mod."""
        return paths.TOOLS / self.module

    @property
    def version(self) -> str:
        """As go.mod has it, such as `v1.36.3`."""
        return gomod.read(self.folder).version_of(self.pinned or self.package)

    @property
    def digest(self) -> str:
        """Of a main of our own: another one is another program of the same version. Else empty."""
        if not self.pinned:
            return ""
        return hashlib.sha256((self.folder / "main.go").read_bytes()).hexdigest()[:12]

    @property
    def ldflags(self) -> str:
        """For the linker: without symbols and debug information, and with the version."""
        version = self.version
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"version": version, "major": major, "minor": minor, "digest": self.digest}
        stamps = (stamp.format(**values) for stamp in self.stamps)
        return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])


# Two packages, as in the project's own release builds: one is what a server says of itself, the
# other what a client says in its User-Agent.
_KUBERNETES = tuple(
    f"k8s.io/{package}/version.{setting}"
    for package in ("component-base", "client-go/pkg")
    for setting in ("gitVersion={version}", "gitMajor={major}", "gitMinor={minor}")
)
# Without gRPC's tracing the linker can drop unused methods: kube-apiserver shrinks by a sixth.
_LEAN = ("grpcnotrace",)
_KWOK = ("sigs.k8s.io/kwok/pkg/consts.Version={version}",)
_PROMETHEUS = ("github.com/prometheus/common/version.Version={version}",)


def _kubernetes(
    name: str, seconds: int, version_args: tuple[str, ...] = ("--version",)
) -> BuiltTool:
    package = f"k8s.io/kubernetes/cmd/{name}"
    return BuiltTool(name, "kubernetes", package, seconds, _KUBERNETES, _LEAN, version_args)


def _helm(name: str, major: int, seconds: int) -> BuiltTool:
    module = f"helm.sh/helm/v{major}"
    stamps = (f"{module}/internal/version.version={{version}}",)
    arguments = ("version", "--short")
    return BuiltTool(name, name, f"{module}/cmd/helm", seconds, stamps, version_args=arguments)


def _prometheus(name: str, seconds: int) -> BuiltTool:
    # Without the clients of a dozen clouds: what is left scrapes static targets and files.
    package = f"github.com/prometheus/prometheus/cmd/{name}"
    return BuiltTool(name, "prometheus", package, seconds, _PROMETHEUS, ("remove_all_sd",))


# In the order in which they are built: the first of a module compiles what the others share.
TOOLS = (
    BuiltTool("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", 40, tags=_LEAN),
    _kubernetes("kube-apiserver", 160),
    _kubernetes("kube-controller-manager", 50),
    _kubernetes("kube-scheduler", 10),
    _kubernetes("kubectl", 20, version_args=("version", "--client")),
    BuiltTool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", 55, _KWOK),
    _helm("helm", 4, 95),
    _helm("helm3", 3, 110),
    BuiltTool(
        "kubeconform",
        "kubeconform",
        "github.com/yannh/kubeconform/cmd/kubeconform",
        10,
        ("main.version={version}",),
        version_args=("-v",),
    ),
    _prometheus("prometheus", 150),
    _prometheus("promtool", 50),
    BuiltTool(
        "cyclonus",
        "cyclonus",
        "github.com/mattfenwick/cyclonus/cmd/cyclonus",
        70,
        ("github.com/mattfenwick/cyclonus/pkg/cli.version={version}",),
        version_args=("version",),
    ),
    BuiltTool(
        "coredns",
        "coredns",
        "devcluster/tools/coredns",
        55,
        ("github.com/coredns/coredns/coremain.GitCommit={digest}",),
        tags=_LEAN,
        version_args=("-version",),
        pinned="github.com/coredns/coredns",
    ),
)


def tool(name: str) -> BuiltTool:
    """Look up a tool; raises DevclusterError for a name that the table does not have."""
    for candidate in TOOLS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in TOOLS)
    raise DevclusterError(f"there is no tool {name!r}; the tools are {known}")
