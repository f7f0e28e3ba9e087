"""The manifest of the plugin: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from hack.krew.platforms import PYTHONS, Platform

PLUGIN = "telemetry"
PROGRAM = f"kubectl-{PLUGIN}"
HOMEPAGE = "https://github.com/fleet-telemetry/operator"
RELEASES = f"{HOMEPAGE}/releases/download"

_DESCRIPTION = """\
Finds out which of the vendors' products in a cluster, or in manifests, send telemetry, and says how
to turn it off. It reads only, installs nothing in the cluster, and contacts nothing but the API
server.
"""
_CAVEATS = f"""\
It needs python3 on PATH: CPython {PYTHONS[0]} to {PYTHONS[-1]}, on Linux with glibc. It has its
packages with it. `kubectl telemetry webhook` and `controller` run in the operator's image only.
"""


def archive_name(platform: Platform) -> str:
    """The file name of a platform's archive."""
    return f"{PROGRAM}-{platform.os}-{platform.arch}.tar.gz"


def manifest(
    version: str, digests: Mapping[Platform, str], releases: str = RELEASES
) -> dict[str, Any]:
    """The manifest of a version. ``digests`` has the SHA-256 of each archive in hexadecimal."""
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": PLUGIN},
        "spec": {
            "version": f"v{version}",
            "homepage": HOMEPAGE,
            "shortDescription": "Find out what phones home, and prove it",
            "description": _DESCRIPTION,
            "caveats": _CAVEATS,
            "platforms": [
                {
                    "selector": {"matchLabels": {"os": platform.os, "arch": platform.arch}},
                    "uri": f"{releases}/v{version}/{archive_name(platform)}",
                    "sha256": digest,
                    "bin": PROGRAM,
                }
                for platform, digest in digests.items()
            ],
        },
    }


def render(content: Mapping[str, Any]) -> str:
    """The manifest as YAML, texts of several lines as such."""
    return yaml.dump(dict(content), Dumper=_Readable, sort_keys=False)


class _Readable(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _text)
