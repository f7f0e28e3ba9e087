"""A person with the stock role ``edit`` in one namespace, and no other right."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.world import Manifest, Space


@dataclass(frozen=True)
class Tenant:
    """kubectl with the rights of the tenant."""

    space: Space

    def apply(self, *manifests: Manifest) -> str:
        """kubectl apply; what it said."""
        items = [
            {**one, "metadata": {**one["metadata"], "namespace": self.space.name}}
            for one in manifests
        ]
        bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        done = self.kubectl("apply", "-f", "-", stdin=bundle)
        return done.stdout + done.stderr

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl in the tenant's namespace."""
        return self.space.kubectl(*_as_tenant(self.space), *arguments, stdin=stdin, check=check)


def tenant_of(space: Space) -> Tenant:
    """A tenant of a test's namespace."""
    name = f"tenant-of-{space.name}"
    space.kubectl("create", "rolebinding", "tenant", "--clusterrole=edit", f"--user={name}")
    return Tenant(space)


def _as_tenant(space: Space) -> Sequence[str]:
    return (f"--as=tenant-of-{space.name}", "--as-group=system:authenticated")
