"""The kubeconfig of a person, for commands: several files, and several contexts.

What is wrong with it is said by file and place, and never by its content: a line of a kubeconfig
may be a token.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at
from fleet_telemetry.objects.text import printable

_LARGEST_BYTES = 8 * 2**20
_NAMED = 10
_LONGEST_NAME = 200
_SECTIONS = ("clusters", "contexts", "users")
_FILES_OF_CLUSTER = ("certificate-authority",)
_FILES_OF_USER = ("client-certificate", "client-key", "tokenFile")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubeconfigError(Exception):
    """A cluster cannot be reached by the kubeconfig: ``what`` is wrong, and ``advice``, for a
    person. Neither holds a secret."""

    def __init__(self, what: str, advice: str) -> None:
        self.what = printable(what, 1000)
        self.advice = printable(advice, 1000)
        super().__init__(f"{self.what}; {self.advice}")


@dataclass(frozen=True, slots=True)
class Access:
    """How a context reaches its cluster."""

    cluster: Manifest
    user: Manifest
    """Without its secrets read: tokens, files and plug-ins as they are written."""
    folder: Path
    """Of the file that the user is in. A plug-in with a relative path is looked for there."""
    namespace: str = "default"


@dataclass(frozen=True, slots=True)
class _ConfigEntry:
    body: Manifest
    file: Path


@dataclass(frozen=True)
class Kubeconfig:
    """One or more files, merged as kubectl merges them: the first that says something wins."""

    files: tuple[Path, ...]
    current: str = ""
    _entries: Mapping[str, Mapping[str, _ConfigEntry]] = field(default_factory=dict, repr=False)

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of the contexts."""
        return tuple(self._entries.get("contexts", {}))

    def choose(self, given: str = "") -> str:
        """The name of a context; the current one if none is given. Raises KubeconfigError."""
        name = given or self.current
        if not name:
            raise KubeconfigError(
                f"{self._where} has no current context", f"give one with --context: {self._known}"
            )
        if name not in self._entries.get("contexts", {}):
            which = "context" if given else "current context"
            raise KubeconfigError(
                f"{self._where} has no {which} {name!r}", f"it has these: {self._known}"
            )
        return name

    def access(self, context: str) -> Access:
        """How a context reaches its cluster. Raises KubeconfigError."""
        entry = self._entries["contexts"][self.choose(context)]
        names = mapping_at(entry.body, "context")
        cluster = self._named("cluster", text_at(names, "cluster"), context)
        server = text_at(cluster.body, "cluster", "server")
        if not server.startswith(("https://", "http://")):
            raise KubeconfigError(
                f"{cluster.file}: cluster {text_at(names, 'cluster')!r} has no server that begins "
                "with https://",
                "write its URL there",
            )
        user = _ConfigEntry({}, cluster.file)
        if text_at(names, "user"):
            user = self._named("user", text_at(names, "user"), context)
        return Access(
            _with_files(mapping_at(cluster.body, "cluster"), cluster.file, _FILES_OF_CLUSTER),
            _with_files(mapping_at(user.body, "user"), user.file, _FILES_OF_USER),
            user.file.parent,
            text_at(names, "namespace") or "default",
        )

    def _named(self, kind: str, name: str, context: str) -> _ConfigEntry:
        found = self._entries.get(f"{kind}s", {}).get(name)
        if found is None:
            raise KubeconfigError(
                f"{self._where}: context {context!r} names the {kind} {name!r}, which is not there",
                "correct the context, or choose another one with --context",
            )
        return found

    @property
    def _where(self) -> str:
        return "kubeconfig " + os.pathsep.join(map(str, self.files))

    @property
    def _known(self) -> str:
        names = [printable(name, _LONGEST_NAME) for name in sorted(self.contexts)]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return ", ".join(names[:_NAMED]) + more if names else "none"


def read_kubeconfig(paths: str) -> Kubeconfig:
    """Read the files of a list, as in KUBECONFIG; those that do not exist are ignored if another
    one does. Raises KubeconfigError."""
    # A file name may have the separator of the list in it.
    parts = [paths] if Path(paths).is_file() else [part for part in paths.split(os.pathsep) if part]
    files = [Path(part).expanduser() for part in parts]
    found = [file for file in files if file.exists()]
    if not found:
        raise KubeconfigError(
            f"there is no kubeconfig at {paths}",
            "give one with --kubeconfig or in the variable KUBECONFIG",
        )
    current = ""
    entries: dict[str, dict[str, _ConfigEntry]] = {section: {} for section in _SECTIONS}
    for file in found:
        document = _read(file)
        current = current or text_at(document, "current-context")
        for section in _SECTIONS:
            for name, body in _named_entries(document, section, file):
                entries[section].setdefault(name, _ConfigEntry(body, file))
    return Kubeconfig(tuple(found), current, entries)


def _read(file: Path) -> Manifest:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise KubeconfigError(
            f"the kubeconfig {file} cannot be read: {why}",
            "correct its path or its permissions",
        ) from None
    if len(data) > _LARGEST_BYTES:
        raise KubeconfigError(
            f"the kubeconfig {file} is larger than {_LARGEST_BYTES >> 20} MiB",
            "give another file with --kubeconfig",
        )
    try:
        document = yaml.load(data, _LOADER)  # noqa: S506  # a safe loader, in C where there is one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        # The error's own text quotes the line.
        raise KubeconfigError(
            f"the kubeconfig {file}{place} is not valid YAML", "correct it there"
        ) from None
    except (RecursionError, ValueError):
        raise KubeconfigError(
            f"the kubeconfig {file} is not valid YAML", "give another file with --kubeconfig"
        ) from None
    if document is None:
        raise KubeconfigError(
            f"the kubeconfig {file} is empty", "give another file with --kubeconfig"
        )
    if not isinstance(document, Mapping):
        raise KubeconfigError(
            f"the file {file} is not a kubeconfig: it has no fields such as clusters and contexts",
            "give another file with --kubeconfig",
        )
    return document


def _named_entries(document: Manifest, section: str, file: Path) -> Iterator[tuple[str, Manifest]]:
    listed = document.get(section)
    if listed is not None and not isinstance(listed, list):
        raise KubeconfigError(
            f"the kubeconfig {file}: {section} is not a list", "write it as a list there"
        )
    if len(items_at(document, section)) != len(listed or ()):
        raise KubeconfigError(
            f"the kubeconfig {file}: an entry of {section} has no fields",
            "give it a name and its fields, or remove it",
        )
    for number, entry in enumerate(items_at(document, section), 1):
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            raise KubeconfigError(
                f"the kubeconfig {file}: entry {number} of {section} has no name",
                "give it a name, in quotation marks if it is a number",
            )
        yield name, entry


def _with_files(body: Manifest, file: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """The fields with absolute paths. Raises KubeconfigError if a file or data cannot be used."""
    fields = dict(body)
    for key in keys:
        data = f"{key}-data"
        if fields.get(data):
            fields.pop(key, None)
            try:
                base64.b64decode("".join(str(fields[data]).split()), validate=True)
            except (binascii.Error, ValueError):
                raise KubeconfigError(
                    f"{file}: {data} is not base64", f"correct it, or name a file in {key}"
                ) from None
            continue
        path = fields.get(key)
        if not path:
            fields.pop(key, None)
            continue
        fields[key] = str(file.parent.absolute() / Path(str(path)))
        try:
            with Path(fields[key]).open("rb"):
                pass
        except OSError as error:
            raise KubeconfigError(
                f"{file}: the file in {key} cannot be read: {fields[key]}: {error.strerror}",
                "correct the path, or get new credentials",
            ) from None
    return fields
