"""The patch of a fix as others take it: a kubectl command, or YAML for kustomize.

What others named is quoted: no name in a manifest or a kubeconfig becomes a word of its own, a line
of its own, or a control character on a terminal.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from fleet_telemetry.audit.kubernetes_yaml import meaning_of
from fleet_telemetry.audit.result import Fix, PatchForm
from fleet_telemetry.workloads.registry import WorkloadKind

_GENERATION = "/metadata/generation"
"""Only what a cluster holds has one."""
_WIDE = 1 << 20


def kubectl_command(fix: Fix) -> str:
    """The command for a POSIX shell; empty if there is no patch, or if the name of the context has
    characters that cannot be shown."""
    place = fix.place
    context = place.cluster if place.context is None else place.context
    if fix.patch_form is None or not context.isprintable():
        return ""
    resource = WorkloadKind(fix.kind).type.api
    group = f".{resource.group}" if resource.group else ""
    words = ["kubectl"]
    if context:
        words.append(f"--context={context}")
    words += [
        f"--namespace={fix.namespace}",
        "patch",
        f"{resource.plural}{group}/{fix.name}",
        f"--type={fix.patch_form}",
        f"--patch={_json(fix.patch)}",
    ]
    return shlex.join(words)


def kustomize_patch(fix: Fix) -> dict[str, Any] | None:
    """The entry of ``patches`` in a kustomization; None if there is no patch."""
    if fix.patch_form is None:
        return None
    if fix.patch_form is PatchForm.STRATEGIC:
        # Without a target, the patch's own name and kind are compared as they are.
        metadata = {"name": fix.name, "namespace": fix.namespace}
        whole = {
            "apiVersion": fix.api_version,
            "kind": fix.kind,
            "metadata": metadata,
            **fix.patch,
        }
        return {"patch": to_yaml(whole)}
    group, _, version = fix.api_version.rpartition("/")
    # The fields of a target are regular expressions.
    target = {
        **({"group": group} if group else {}),
        "version": version,
        "kind": fix.kind,
        "name": re.escape(fix.name),
        "namespace": re.escape(fix.namespace),
    }
    return {"target": target, "patch": to_yaml(list(_without_generation(fix)))}


def patch_yaml(fix: Fix) -> str:
    """The patch alone; empty if there is none."""
    if fix.patch_form is None:
        return ""
    content = fix.patch
    if fix.patch_form is PatchForm.JSON:
        content = list(_without_generation(fix))
    return to_yaml(content)


def to_yaml(data: object) -> str:
    """YAML in ASCII. A text of several lines is a block."""
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=_WIDE, indent=2
    )


def _without_generation(fix: Fix) -> Iterator[Any]:
    yield from (one for one in fix.patch if one["path"] != _GENERATION)


def _json(data: object) -> str:
    # DEL is the one control character that JSON does not escape.
    return json.dumps(data, separators=(",", ":")).replace("\x7f", "\\u007f")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and what Kubernetes would not read as text in
    quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nobody wants to read anchors in a patch."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if not isinstance(meaning_of(text), str):
        style = "'"  # such as n, which PyYAML writes as it is
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
