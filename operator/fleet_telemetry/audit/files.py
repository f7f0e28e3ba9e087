"""Manifests in files, folders and standard input.

All is read twice, one document in memory at a time: first for policies, products and namespaces,
which may stand behind the workloads that they are about, then for the workloads; and once between
for ConfigMaps, if anything takes variables from one, and for custom resources, if there may be one.
What can be read only once, such as standard input, is written to a temporary file that has no name.
"""

from __future__ import annotations

import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from errno import EFBIG
from typing import BinaryIO, cast

from fleet_telemetry.audit.any_containers import may_have_containers
from fleet_telemetry.audit.config_map_files import (
    ConfigMapFiles,
    is_config_map,
    may_be_config_map,
    may_refer,
)
from fleet_telemetry.audit.decoding import Decoder, Tree, has_kind_word
from fleet_telemetry.audit.definitions import (
    ESCAPE,
    Collector,
    is_definition,
    may_define,
    objects_of,
)
from fleet_telemetry.audit.documents import Chunk, split
from fleet_telemetry.audit.folders import InputFile, find_inputs, unreadable
from fleet_telemetry.audit.manifest_faults import ManifestFault
from fleet_telemetry.audit.manifests import GROUPS, PartOf, read_manifest
from fleet_telemetry.audit.plain_yaml import Found
from fleet_telemetry.audit.resource_files import ResourceFiles
from fleet_telemetry.audit.result import Place, Problem
from fleet_telemetry.audit.sources import Definitions, Gathered, Read, Scope
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.objects.manifest import list_at, text_at
from fleet_telemetry.objects.text import printable

_IN_MEMORY = 8 << 20
"""Bytes of a stream that are kept in memory."""
_LARGEST_STREAM = 2 << 30
_BLOCK = 256 << 10
_LONGEST_TEXT = 1000
_LONGEST_LIST_OF_PARTS = 100_000
_WORDS = re.compile(
    b"|".join(re.escape(kind.encode()) for kind in GROUPS)
    + rb"|kind[\"']?[ \t]*:[ \t]*[\"']?[{$<]"
    + ESCAPE
)
# They have the words without having any that run by them.
_WITHOUT_CONTAINERS = frozenset(
    {
        "ConfigMap",
        "ControllerRevision",
        "CustomResourceDefinition",
        "HorizontalPodAutoscaler",
        "Secret",
    }
)
_Key = tuple[str, str, str]
"""Namespace, kind and name."""


def gather_files(
    named: Iterable[str], stdin: BinaryIO, default_namespace: str, now: datetime
) -> Gathered:
    """What files, folders and standard input (``-``) hold. Objects without a namespace count as
    objects of the default one."""
    return _Gatherer(stdin, default_namespace, now).gather(named)


def read_definitions(
    named: Iterable[str], stdin: BinaryIO, default_namespace: str, now: datetime
) -> tuple[Definitions, list[Problem]]:
    """The policies and products of files, with all that is wrong with those files."""
    gatherer = _Gatherer(stdin, default_namespace, now)
    collector = Collector(default_namespace, now)
    for source in gatherer.sources(named):
        before = collector.found, len(gatherer.problems), len(collector.problems)
        for chunk in gatherer.chunks(source):
            decoder = Decoder(source.name, _is_wanted_definition, may_define)
            tree = Tree(source.name, chunk)
            for one in decoder.decode(chunk):
                if isinstance(one, FileProblem):
                    gatherer.report(one)
                elif one.manifest is not None:
                    collector.add(tree, one)
        if source.is_named and before == (
            collector.found,
            len(gatherer.problems),
            len(collector.problems),
        ):
            gatherer.report(
                FileProblem(source.name, 1, "it has no policy and no product", "name another file")
            )
    definitions = collector.finish()
    for problem in collector.problems:
        gatherer.report(problem)
    return definitions, gatherer.problems


def _is_wanted_definition(kind: str, _: bytes) -> bool:
    return is_definition(kind)


def _is_wanted(kind: str, text: bytes) -> bool:
    return kind in GROUPS or (
        kind not in _WITHOUT_CONTAINERS and not is_definition(kind) and may_have_containers(text)
    )


def _may_have_pods(text: bytes) -> bool:
    return _WORDS.search(text) is not None or may_have_containers(text)


@dataclass
class _OfFile:
    """What was found in one file so far."""

    source: InputFile
    places: dict[_Key, int] = field(default_factory=dict)
    objects: int = 0
    has_template: bool = False


class _Gatherer:
    def __init__(self, stdin: BinaryIO, default_namespace: str, now: datetime) -> None:
        self._stdin = stdin
        self._default = default_namespace
        self._collector = Collector(default_namespace, now)
        self._streams: dict[str, BinaryIO] = {}
        self._parts: list[PartOf] = []
        self._seen: set[_Key] = set()
        self._config_maps = ConfigMapFiles(default_namespace)
        self._resources = ResourceFiles((), default_namespace)
        self.problems: list[Problem] = []
        self.read = Read()

    def gather(self, named: Iterable[str]) -> Gathered:
        sources = list(self.sources(named))
        refers = has_resources = False
        of_builtin = ResourceFiles(builtin().products.values(), self._default)
        for source in sources:
            decoder = Decoder(source.name, _is_wanted_definition, may_define)
            for chunk in self.chunks(source):
                refers = refers or may_refer(chunk.text)
                has_resources = has_resources or of_builtin.may_be_in(chunk.text)
                if may_define(chunk.text):
                    tree = Tree(source.name, chunk)
                    # Whatever is wrong with the document is found in the second turn, too.
                    for one in objects_of(decoder.decode(chunk)):
                        self._collector.add(tree, one)
        if refers:
            self._gather_config_maps(sources)
        definitions = self._collector.finish()
        products = (*builtin().products.values(), *(one for _, one in definitions.products))
        self._resources = ResourceFiles(products, self._default)
        # Products of the files may name other custom resources.
        if has_resources or definitions.products:
            self._gather_resources(sources)
        for problem in self._collector.problems:
            self.report(problem)
        return Gathered(
            self._subjects(sources),
            definitions,
            self.problems,
            self.read,
            Scope(namespaces=self._collector.labels),
        )

    def _gather_config_maps(self, sources: Iterable[InputFile]) -> None:
        """A turn of its own, which most inputs do not need."""
        for source in sources:
            decoder = Decoder(source.name, is_config_map, may_be_config_map)
            for chunk in self.chunks(source):
                if may_be_config_map(chunk.text):
                    tree = Tree(source.name, chunk)
                    for one in objects_of(decoder.decode(chunk)):
                        fault = self._config_maps.add(one.manifest or {})
                        if fault is not None:
                            self._report_fault(fault, "is not read", one, tree)

    def _gather_resources(self, sources: Iterable[InputFile]) -> None:
        """A turn of its own, too: which custom resources matter is known by now."""
        for source in sources:
            decoder = Decoder(source.name, self._resources.is_kind, self._resources.may_be_in)
            for chunk in self.chunks(source):
                if self._resources.may_be_in(chunk.text):
                    for one in objects_of(decoder.decode(chunk)):
                        self._resources.add(one.manifest or {})

    def _with_files(self, read: Subject | Other) -> Subject | Other:
        """A workload with what other documents say of it."""
        if isinstance(read, Other):
            return read
        namespace = read.workload.ref.namespace
        return replace(
            read,
            config_maps=self._config_maps.of_namespace(namespace),
            fields=self._resources.of_namespace(namespace),
        )

    def sources(self, named: Iterable[str]) -> Iterator[InputFile]:
        """The files; what is wrong with their names is reported."""
        for one in find_inputs(named):
            if isinstance(one, Problem):
                self.problems.append(one)
            else:
                yield one

    def chunks(self, source: InputFile) -> Iterator[Chunk]:
        """The documents of a file; those that are none are reported."""
        try:
            with self._open(source) as file:
                for chunk in split(file.read):
                    if chunk.fault:
                        self.report(FileProblem(source.name, chunk.line, chunk.fault, chunk.advice))
                    else:
                        yield chunk
        except OSError as error:
            self.problems.append(unreadable(source.name, error))

    def report(self, problem: FileProblem) -> None:
        """A problem of a file, once."""
        found = Problem(
            place=Place(file=problem.file, line=problem.line),
            what=printable(problem.what, _LONGEST_TEXT),
            advice=printable(problem.advice, _LONGEST_TEXT),
        )
        if found not in self.problems[-100:]:
            self.problems.append(found)

    def _open(self, source: InputFile) -> AbstractContextManager[BinaryIO]:
        """The file at its beginning, also the second time. Raises OSError."""
        if source.path is None:
            return self._kept(source.name, self._stdin)
        if stat.S_ISREG(source.path.stat().st_mode):
            return source.path.open("rb")
        if source.name in self._streams:
            return self._kept(source.name, self._stdin)
        with source.path.open("rb") as stream:
            return self._kept(source.name, stream)

    def _kept(self, name: str, stream: BinaryIO) -> AbstractContextManager[BinaryIO]:
        kept = self._streams.get(name)
        if kept is None:
            kept = self._streams[name] = _copy(stream)
        kept.seek(0)
        return nullcontext(kept)  # it is read again

    def _subjects(self, sources: Iterable[InputFile]) -> Iterator[Subject | Other]:
        for source in sources:
            yield from self._of_file(_OfFile(source))
        for part in self._parts:
            owner = (_namespace_of(part.subject), part.controller.kind, part.controller.name)
            if owner not in self._seen and part.whole not in self._seen:
                self._seen.add(owner)  # one of its parts is enough
                yield self._with_files(part.subject)
        for stream in self._streams.values():
            stream.close()

    def _of_file(self, found: _OfFile) -> Iterator[Subject | Other]:
        source = found.source
        self.read.files += 1
        problems = len(self.problems)
        decoder = Decoder(source.name, _is_wanted, _may_have_pods)
        for chunk in self.chunks(source):
            tree = Tree(source.name, chunk)
            for one in decoder.decode(chunk):
                if isinstance(one, FileProblem):
                    self._of_problem(one, chunk, found)
                elif one.is_object:
                    found.objects += 1
                    self.read.objects += 1
                    if one.manifest is not None:
                        yield from self._of_manifest(one, tree, found)
                else:
                    self.read.not_objects += 1
        if source.is_named and not found.objects and len(self.problems) == problems:
            what = "there is no Kubernetes object in it"
            advice = "name files of manifests"
            if source.path is None:
                advice = "look whether the command before the pipe has failed"
            self.report(FileProblem(source.name, 1, what, advice))

    def _of_problem(self, problem: FileProblem, chunk: Chunk, found: _OfFile) -> None:
        if not found.source.is_named and not has_kind_word(chunk.text):
            self.read.not_objects += 1  # whatever it is, it is no manifest
            return
        is_template = "this is a template" in problem.what
        if not (is_template and found.has_template):
            self.report(problem)
        found.has_template |= is_template

    def _of_manifest(self, one: Found, tree: Tree, found: _OfFile) -> Iterator[Subject | Other]:
        source = found.source
        place = Place(file=source.name, line=one.line)
        manifest = one.manifest or {}
        if list_at(manifest, "items") and text_at(manifest, "kind").endswith("List"):
            problem = FileProblem(
                source.name, one.line, "Lists in Lists, too many", "write one List"
            )
            self.report(problem)
            return
        read = read_manifest(manifest, place, self._default, self._collector.labels)
        match read:
            case None:
                pass
            case ManifestFault():
                self._of_fault(read, one, tree, found)
            case PartOf():
                self._seen.add(_key_of(read.subject))
                if len(self._parts) < _LONGEST_LIST_OF_PARTS:
                    self._parts.append(read)
                else:
                    what = f"more than {_LONGEST_LIST_OF_PARTS} objects have a controller"
                    self.report(FileProblem(source.name, 1, what, "audit the cluster itself"))
            case _:
                key = _key_of(read)
                first = found.places.setdefault(key, one.line)
                if first != one.line and not key[2].endswith("..."):
                    what = (
                        f"{key[1]} {key[2]} in the namespace {key[0]} stands in line {first}, too"
                    )
                    advice = "keep one of them; of two that are applied the last one counts"
                    self.report(FileProblem(source.name, one.line, what, advice))
                self._seen.add(key)
                yield self._with_files(read)

    def _of_fault(self, fault: ManifestFault, one: Found, tree: Tree, found: _OfFile) -> None:
        if fault.is_partial and found.source.beside_kustomization:
            self.read.not_objects += 1  # a patch
            return
        self._report_fault(fault, "is not judged", one, tree)

    def _report_fault(self, fault: ManifestFault, effect: str, one: Found, tree: Tree) -> None:
        kind, name = (one.manifest or {}).get("kind"), _shown_name(one)
        what = f"the {kind} {name} {effect}: {fault.what}"
        line = one.line
        with suppress(FileError):  # of several in JSON, or in a long List: where it begins
            line = tree.whole().line(*one.steps, *fault.steps)
        self.report(FileProblem(tree.file, line, what, fault.advice))


def _copy(stream: BinaryIO) -> BinaryIO:
    """A stream that can be read twice. Raises OSError."""
    kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # it is kept
    size = 0
    try:
        while block := stream.read(_BLOCK):
            size += len(block)
            _check_size(size)
            kept.write(block)
    except OSError:
        kept.close()
        raise
    return cast("BinaryIO", kept)


def _check_size(size: int) -> None:
    if size > _LARGEST_STREAM:
        raise OSError(EFBIG, f"it has more than {_LARGEST_STREAM >> 30} GiB")


def _shown_name(one: Found) -> str:
    metadata = (one.manifest or {}).get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return printable(name, 253) if isinstance(name, str) else "without a name"


def _namespace_of(subject: Subject | Other) -> str:
    return subject.namespace if isinstance(subject, Other) else subject.workload.ref.namespace


def _key_of(subject: Subject | Other) -> _Key:
    if isinstance(subject, Other):
        return subject.namespace, subject.kind, subject.name
    ref = subject.workload.ref
    return ref.namespace, ref.kind, ref.name
