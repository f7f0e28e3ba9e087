"""From a document's bytes to the Kubernetes objects in it.

Most documents are plain: no anchors, no tags, no key twice. Those are read event by event, which
needs little time, and memory for one object of a List. Whatever is odd, or wrong, goes to the
linter's loader, which has limits for all of it and says what is wrong and where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import yaml

from fleet_telemetry.audit.documents import Chunk
from fleet_telemetry.audit.kubernetes_yaml import LOADER
from fleet_telemetry.audit.plain_yaml import (
    DEEPEST,
    DEEPEST_LIST,
    Events,
    Found,
    NotWantedError,
    OddError,
)
from fleet_telemetry.linting.document import Document, DocumentLimits, check_depth, yaml_problem
from fleet_telemetry.linting.document import Path as Steps
from fleet_telemetry.linting.problem import FileError, FileProblem
from fleet_telemetry.objects.manifest import Manifest, dig, text_at

_LARGEST_OBJECT = 2 << 20
"""Bytes. The API server stores at most 1.5 MiB."""
_MOST_BRACKETS = 2000
"""Nested so deeply they cost nothing yet; libyaml takes time by the square of their number."""
_KIND_LINE = re.compile(rb"^[\"']?kind[\"']?[ \t]*:", re.MULTILINE)
_KIND_IN_BRACES = re.compile(
    rb"^[ \t]*\{(?:[^{}\n]{0,512},)?[ \t]*[\"']?kind[\"']?[ \t]*:", re.MULTILINE
)
_KIND_WORD = re.compile(rb"kind|apiVersion")
_TEMPLATE = re.compile(rb"\{\{|\{%")
_BYTE = re.compile(r"\(byte (?P<at>\d{1,12})\)")
_TEMPLATE_ADVICE = (
    "render it, and audit what comes out: helm template CHART | fleet-telemetry audit -"
)


LIMITS = DocumentLimits(size=_LARGEST_OBJECT, depth=DEEPEST, loader=LOADER)


class Tree:
    """A document with the line of everything in it. It is parsed once, when first asked for."""

    def __init__(self, file: str, chunk: Chunk) -> None:
        self.file = file
        self._chunk = chunk
        self._parsed: Document | FileError | None = None

    def whole(self) -> Document:
        """Raises FileError."""
        if self._parsed is None:
            try:
                self._parsed = Document.parse(self.file, self._chunk.text, self._chunk.line, LIMITS)
            except FileError as error:
                self._parsed = FileError(*error.problems)
        if isinstance(self._parsed, FileError):
            raise FileError(*self._parsed.problems)
        return self._parsed


class Decoder:
    """Decodes documents of one file.

    ``wanted`` says by the kind and the bytes of the document whether the object is wanted;
    ``may_have`` whether the document may have such an object at all.
    """

    def __init__(
        self, file: str, wanted: Callable[[str, bytes], bool], may_have: Callable[[bytes], bool]
    ) -> None:
        self._file = file
        self._wanted = wanted
        self._may_have = may_have

    def decode(self, chunk: Chunk) -> Iterator[Found | FileProblem]:
        """What is in the document, and what is wrong with it."""
        text = chunk.text
        if b"\n\xef\xbb\xbf" in text:  # of a file that was appended
            text = text.replace(b"\n\xef\xbb\xbf", b"\n")
            chunk = replace(chunk, text=text)
        start = _start(text)
        if start is None:
            return
        try:
            found = self._json(chunk, start) if text[start : start + 1] in (b"{", b"[") else None
            yield from self._yaml(chunk) if found is None else found
        except FileError as error:
            yield from self._faults(chunk, error)

    def _faults(self, chunk: Chunk, error: FileError) -> Iterator[FileProblem]:
        """What the problems of a document are to a person."""
        template = _TEMPLATE.search(chunk.text)
        if template is not None:
            line = chunk.line + chunk.text.count(b"\n", 0, template.start())
            yield FileProblem(
                self._file, line, "this is a template, not a manifest", _TEMPLATE_ADVICE
            )
            return
        for one in error.problems:
            if one.what.startswith(("'apiVersion' stands twice", "'kind' stands twice")):
                what = "one document has two objects"
                yield replace(one, what=what, advice="write a line --- between them")
                return
            if one.what != "the file is empty":
                yield one

    # YAML

    def _yaml(self, chunk: Chunk) -> Iterator[Found]:
        """Raises FileError."""
        text = chunk.text
        if not self._may_have(text):
            self._check(chunk)
            is_object = (_KIND_LINE.search(text) or _KIND_IN_BRACES.search(text)) is not None
            yield Found(chunk.line, None, is_object=is_object)
            return
        is_large = len(text) > _LARGEST_OBJECT
        reader = Events(text, chunk.line, self._is_wanted_kind(text))
        given = 0
        try:
            if is_large:  # a List: what was read of it is kept
                for found in reader.read():
                    given += 1
                    yield found
            else:
                yield from list(reader.read())
        except NotWantedError:
            self._check(chunk)
            yield Found(chunk.line, None)
        except OddError as odd:
            if is_large:
                line = chunk.line + reader.line - 1
                what = f"{odd} in a document of more than {_LARGEST_OBJECT >> 20} MiB"
                raise FileError(FileProblem(self._file, line, what, "split it")) from None
            yield from self._carefully(chunk)
        except yaml.YAMLError as error:
            problem = yaml_problem(self._file, text, error)
            line = problem.line + chunk.line - 1
            raise FileError(replace(problem, line=line)) from None
        finally:
            reader.close()

    def _is_wanted_kind(self, text: bytes) -> Callable[[str], bool]:
        # An object with two kinds is odd; whoever reads it has to see both.
        if len(_KIND_LINE.findall(text)) > 1:
            return lambda _: True
        return lambda kind: self._wanted(kind, text)

    def _check(self, chunk: Chunk) -> None:
        """Whether it is YAML at all: what stands behind the end of a truncated document is lost.
        Raises FileError."""
        if not hasattr(LOADER, "raw_parse"):
            return  # without libyaml, which alone is fast enough
        loader = LOADER(chunk.text)
        try:
            if chunk.text.count(b"[") + chunk.text.count(b"{") > _MOST_BRACKETS:
                check_depth(self._file, chunk.text, LIMITS)
            loader.raw_parse()
        except FileError as error:
            moved = (replace(one, line=one.line + chunk.line - 1) for one in error.problems)
            raise FileError(*moved) from None
        except yaml.YAMLError as error:
            problem = yaml_problem(self._file, chunk.text, error)
            raise FileError(replace(problem, line=problem.line + chunk.line - 1)) from None
        finally:
            loader.dispose()

    def _carefully(self, chunk: Chunk) -> Iterator[Found]:
        """By the linter's loader. Raises FileError."""
        document = Document.parse(self._file, chunk.text, chunk.line, LIMITS)
        yield from _objects(document.data, (), lambda steps: document.line(*steps))

    # JSON

    def _json(self, chunk: Chunk, start: int) -> Iterable[Found | FileProblem] | None:
        """The objects of JSON documents, one after the other; None if it is no JSON."""
        text, line = chunk.text, chunk.line + chunk.text.count(b"\n", 0, start)
        heads: list[tuple[int, _Head, int, int]] = []
        while True:
            rest = memoryview(text)[start:]
            try:
                head = _HEAD.decode(rest)
                end = len(text)
            except msgspec.ValidationError:  # a list, or a value
                return [*self._of_heads(text, heads), Found(line, None, is_object=False)]
            except msgspec.DecodeError as error:
                place = _BYTE.search(str(error))
                if place is None or "trailing" not in str(error):
                    return self._malformed(chunk, start, error)
                end = start + int(place["at"]) - 1  # it has been read
                try:
                    head = _HEAD.decode(memoryview(text)[start:end])
                except msgspec.DecodeError:
                    return None
            except RecursionError:
                return [self._no_json(line, "it is nested too deeply")]
            heads.append((line, head, start, end))
            if end >= len(text):
                break
            line += text.count(b"\n", start, end)
            start = end
        return self._of_heads(text, heads)

    def _malformed(
        self, chunk: Chunk, start: int, error: msgspec.DecodeError
    ) -> list[Found | FileProblem] | None:
        """A document in braces is YAML, too, if it does not look like JSON."""
        rest = chunk.text[start + 1 : start + 64].lstrip()
        if not rest.startswith((b'"', b"}")) or _TEMPLATE.search(chunk.text) is not None:
            return None
        try:
            return list(self._yaml(chunk))
        except FileError:
            place = _BYTE.search(str(error))
            at = start + int(place["at"]) if place else len(chunk.text)
            line = chunk.line + chunk.text.count(b"\n", 0, at)
            return [self._no_json(line, str(error))]

    def _no_json(self, line: int, why: str) -> FileProblem:
        return FileProblem(self._file, line, f"no JSON: {why}", "correct it")

    def _of_heads(
        self, text: bytes, heads: list[tuple[int, _Head, int, int]]
    ) -> Iterator[Found | FileProblem]:
        for line, head, start, end in heads:
            kind = head.kind if isinstance(head.kind, str) else ""
            if head.items is not msgspec.UNSET and kind.endswith("List"):
                yield from self._json_items(text[start:end], line, head, kind, 0)
            elif not kind:
                yield Found(line, None, is_object=False)
            else:
                yield from self._json_object(text[start:end], line, {})

    def _json_items(
        self, text: bytes, line: int, head: _Head, kind: str, depth: int
    ) -> Iterator[Found | FileProblem]:
        try:
            items = _ITEMS.decode(head.items or b"[]")
        except msgspec.DecodeError:
            yield Found(line, None)
            return
        common = {"kind": kind.removesuffix("List"), "apiVersion": head.api_version}
        at, counted = max(text.find(b'"items"'), 0), 0
        for item in items:
            raw = bytes(item)
            # They are in this order: the first place after the last item is the right one.
            place = text.find(raw, at)
            line += text.count(b"\n", counted, place)
            at = counted = place
            inner = _try_head(raw)
            inner_kind = inner.kind if inner is not None and isinstance(inner.kind, str) else ""
            is_list = inner is not None and inner.items is not msgspec.UNSET
            if inner is not None and is_list and inner_kind.endswith("List"):
                if depth < DEEPEST_LIST:
                    yield from self._json_items(raw, line, inner, inner_kind, depth + 1)
                else:
                    yield FileProblem(
                        self._file, line, "Lists in Lists, too many", "write one List"
                    )
            else:
                yield from self._json_object(raw, line, {} if inner_kind else common)

    def _json_object(
        self, raw: bytes, line: int, common: Manifest
    ) -> Iterator[Found | FileProblem]:
        if not self._may_have(raw) and not common:
            yield Found(line, None)
            return
        try:
            loaded = json.loads(raw, object_pairs_hook=_unique, parse_constant=_refuse)
            if b"\\u" in raw:
                json.dumps(loaded, ensure_ascii=False).encode()
        except OddError:
            try:
                Document.parse(self._file, raw, line, LIMITS)
                yield self._no_json(line, "a key stands twice in one object")
            except FileError as error:
                yield from error.problems
            return
        except (ValueError, RecursionError) as error:
            yield self._no_json(line, str(error))
            return
        if isinstance(loaded, dict):
            manifest = {**common, **loaded}
            kind = text_at(manifest, "kind")
            is_wanted = self._wanted(kind, raw)
            yield Found(line, manifest if is_wanted else None, is_object=bool(kind))


class _Head(msgspec.Struct, rename={"api_version": "apiVersion"}):
    kind: Any = None
    api_version: Any = None
    items: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_HEAD = msgspec.json.Decoder(_Head)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def _try_head(raw: bytes) -> _Head | None:
    try:
        return _HEAD.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise OddError("a key twice")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no value")


def _start(text: bytes) -> int | None:
    """Where the content begins, after comments, the mark and directives; None if there is none."""
    at, size = 0, len(text)
    while at < size:
        end = text.find(b"\n", at)
        end = size if end < 0 else end
        line = text[at : min(end, at + 4096)]
        content = line.lstrip(b" \t\r")
        if content.startswith(b"---") and content[3:4].strip() == b"":
            content = content[3:].lstrip(b" \t\r")
        if content.strip() and not content.startswith((b"#", b"%")) and content.strip() != b"...":
            return at + len(line) - len(content)
        at = end + 1
    return None


def _objects(
    data: Any, steps: Steps, line: Callable[[Steps], int], depth: int = 0
) -> Iterator[Found]:
    """The object, or those of a List."""
    kind = text_at(data, "kind")
    items = dig(data, "items")
    if isinstance(items, list) and kind.endswith("List") and depth < DEEPEST_LIST:
        common = {"kind": kind.removesuffix("List"), "apiVersion": data.get("apiVersion")}
        for place, item in enumerate(items):
            if isinstance(item, dict):
                whole = item if "kind" in item else {**common, **item}
                yield from _objects(whole, (*steps, "items", place), line, depth + 1)
    elif data is not None:
        manifest = data if isinstance(data, dict) else None
        yield Found(line(steps), manifest, is_object=bool(kind), steps=steps)


def has_kind_word(text: bytes) -> bool:
    """Whether a document that cannot be read may be a Kubernetes object."""
    return _KIND_WORD.search(text) is not None
