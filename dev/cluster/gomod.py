"""Reads what we need from a go.mod file, the only place that names a tool's version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.errors import DevclusterError

_REQUIREMENT = re.compile(r"(?P<module>\S+)\s+(?P<version>v\S+)$")


@dataclass(frozen=True)
class GoMod:
    """A go.mod file."""

    go: str
    """The Go release it needs, such as `1.26.0`."""
    requirements: Mapping[str, str]
    """Module path to version, such as `k8s.io/kubernetes` to `v1.36.3`."""

    def version_of(self, package: str) -> str:
        """Return the version of the module that holds a Go package: the longest path leading to it.

        Raises DevclusterError where no required module does.
        """
        owners = [path for path in self.requirements if f"{package}/".startswith(f"{path}/")]
        if not owners:
            raise DevclusterError(f"no module in go.mod provides the Go package {package}")
        return self.requirements[max(owners, key=len)]


def parse(text: str) -> GoMod:
    """Read the text of a go.mod; raises DevclusterError where it has no `go` line."""
    go = ""
    requirements: dict[str, str] = {}
    block = ""
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if line == ")":
            block = ""
        elif line.endswith("("):
            block = line[:-1].strip()
        else:
            directive, _, rest = f"{block} {line}".strip().partition(" ")
            if directive == "go":
                go = rest
            elif directive == "require" and (found := _REQUIREMENT.match(rest)):
                requirements[found["module"]] = found["version"]
    if not go:
        raise DevclusterError("a go.mod without a `go` line says nothing about the Go it needs")
    return GoMod(go, requirements)


def read(folder: Path) -> GoMod:
    """Read the go.mod of a folder; raises OSError where there is none."""
    return parse((folder / "go.mod").read_text())
