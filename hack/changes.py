"""The changes in Chart.yaml for Artifact Hub, from the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
_BLOCK = re.compile(r"(?P<key>  artifacthub\.io/changes: \|\n)(    .*\n)+")


class ChangelogError(ValueError):
    """The changelog does not have the expected form."""


def changes(changelog: str) -> Iterator[dict[str, str]]:
    """The changes of the newest or the unreleased version. Raises ChangelogError."""
    versions = re.split(r"(?m)^## ", changelog)[1:]
    if not versions:
        raise ChangelogError("CHANGELOG.md has no version")
    for section in re.split(r"(?m)^### ", versions[0])[1:]:
        title, _, text = section.partition("\n")
        if title not in _KINDS:
            raise ChangelogError(f"CHANGELOG.md: Artifact Hub knows no changes of kind {title!r}")
        for entry in re.split(r"(?m)^- ", text)[1:]:
            description = " ".join(entry.split()).rstrip(".").replace("`", "")
            yield {"kind": title.lower(), "description": description}


def with_changes(chart: str, changelog: str) -> str:
    """Chart.yaml with the changes. Raises ChangelogError."""
    text = yaml.safe_dump(list(changes(changelog)), sort_keys=False, width=10**6)
    block = "".join(f"    {line}\n" for line in text.splitlines())
    return _BLOCK.sub(lambda found: found["key"] + block, chart)
