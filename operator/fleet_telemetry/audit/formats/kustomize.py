"""The fixes as a kustomize component: a folder with this file is added by ``components``.

Source: https://github.com/kubernetes-sigs/kustomize/blob/master/examples/components.md
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.audit.fixing.commands import kustomize_patch, to_yaml
from fleet_telemetry.audit.formats.fix_text import where
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.result import Audit
from fleet_telemetry.objects.text import printable

_LONGEST = 1000


class KustomizeFormat:
    """One patch for each workload; what no patch changes is a comment."""

    name = "kustomize"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        return "\n".join(_lines(audit)) + "\n"


def _lines(audit: Audit) -> Iterator[str]:
    patches = []
    for fix in audit.fixes:
        name = f"{fix.kind} {fix.namespace}/{fix.name} ({where(fix.place)})"
        patch = kustomize_patch(fix)
        if patch is None:
            yield f"# No patch: {printable(name, _LONGEST)}"
        elif patch not in patches:
            patches.append(patch)
        for text in (*fix.notes, *(one.message for one in fix.obstacles)):
            yield f"# {printable(f'{fix.kind} {fix.name}: {text}', _LONGEST)}"
    yield "apiVersion: kustomize.config.k8s.io/v1alpha1"
    yield "kind: Component"
    yield to_yaml({"patches": patches}).rstrip("\n")
