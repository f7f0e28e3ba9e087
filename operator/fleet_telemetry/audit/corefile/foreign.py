"""Reads the Corefile of a cluster: its server blocks, with what they import.

Source: github.com/coredns/caddy v1.1.4, caddyfile/parse.go. Imports are bounded, so time and memory
are linear in the length of all texts times the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from fleet_telemetry.audit.corefile.words import CorefileError, Word, words_of
from fleet_telemetry.objects.text import printable

_MOST_IMPORTS = 200
_MOST_WORDS = 200_000
_LONGEST_PATTERN = 200
_TRANSPORTS = ("dns", "tls", "quic", "https", "https3", "grpc")
DNS_PORT = "53"


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of a server block, with the block that may follow it."""

    words: tuple[Word, ...]

    @property
    def name(self) -> str:
        """The plug-in."""
        return self.words[0].text

    @property
    def arguments(self) -> tuple[str, ...]:
        """The rest of the line."""
        found = []
        for word in self.words[1:]:
            if word.starts_line or word.text == "{":
                break
            found.append(word.text)
        return tuple(found)

    @property
    def properties(self) -> tuple[tuple[str, ...], ...]:
        """The lines of its block."""
        lines: list[list[str]] = []
        for word in self.words[1:]:
            if word.starts_line:
                lines.append([])
            if lines:
                lines[-1].append(word.text)
        return tuple(tuple(line) for line in lines if line != ["}"])


@dataclass(frozen=True, slots=True)
class Zone:
    """What a server block is for."""

    name: str
    """In lower case, without a dot at its end; empty for all names."""
    port: str = DNS_PORT
    has_port: bool = False
    transport: str = "dns"

    @property
    def covers_all(self) -> bool:
        """Whether it is for all names."""
        return not self.name


@dataclass(frozen=True, slots=True)
class Block:
    """One server block."""

    zones: tuple[Zone, ...]
    directives: tuple[Directive, ...]

    def all_of(self, name: str) -> tuple[Directive, ...]:
        """The directives of a plug-in."""
        return tuple(one for one in self.directives if one.name == name)


@dataclass(frozen=True, slots=True)
class Corefile:
    """What was read."""

    blocks: tuple[Block, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read, a sentence each."""
    imports: tuple[str, ...] = ()
    """The files and patterns that it imports."""


def read_corefile(
    text: str, beside: Mapping[str, str], custom: Mapping[str, str] | None
) -> Corefile:
    """Read a Corefile. Nothing is raised: what cannot be read is a problem.

    ``beside`` are the files of the same folder, ``custom`` those of the folder ``custom``; None if
    they could not be read.
    """
    return _Parser(beside, custom).read(text)


@dataclass
class _Parser:
    beside: Mapping[str, str]
    custom: Mapping[str, str] | None
    rest: list[Word] = field(default_factory=list)
    """What is still to be read, the next word at the end."""
    snippets: dict[str, list[Word]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    taken: int = 0

    def read(self, text: str) -> Corefile:
        blocks: list[Block] = []
        try:
            self.rest = words_of(text)[::-1]
            while self.rest:
                block = self._block()
                if block is not None:
                    blocks.append(block)
        except CorefileError as error:
            self.problems.append(f"the Corefile is read only in part: {error}")
        return Corefile(tuple(blocks), tuple(dict.fromkeys(self.problems)), tuple(self.imports))

    def _next(self) -> Word:
        self.taken += 1
        if self.taken > _MOST_WORDS:
            raise CorefileError(f"it has more than {_MOST_WORDS} words")
        return self.rest.pop()

    def _block(self) -> Block | None:
        """The next server block; None for a snippet, and where nothing is left."""
        keys = self._keys()
        has_brace = bool(self.rest) and _is(self.rest[-1], "{")
        if has_brace:
            self._next()
        if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
            self.snippets[keys[0][1:-1]] = self._until_brace()
            return None
        directives = self._directives(has_brace=has_brace)
        if not keys:
            return None
        return Block(tuple(zone_of(key) for key in keys), tuple(directives))

    def _keys(self) -> list[str]:
        keys: list[str] = []
        goes_on = False
        while self.rest:
            word = self.rest[-1]
            if _is(word, "{") or (keys and word.starts_line and not goes_on):
                break
            self._next()
            if word.text == "import" and word.starts_line:
                self._import(word)
                continue
            if word.text in ("", ","):
                continue
            goes_on = word.text.endswith(",")
            keys.append(word.text.removesuffix(","))
        return keys

    def _until_brace(self) -> list[Word]:
        """The words of a snippet, until the brace that closes it."""
        found: list[Word] = []
        depth = 0
        while self.rest:
            word = self._next()
            if _is(word, "}"):
                if depth == 0:
                    return found
                depth -= 1
            elif _is(word, "{"):
                depth += 1
            found.append(word)
        raise CorefileError("a snippet is not closed")

    def _directives(self, *, has_brace: bool) -> list[Directive]:
        found: list[Directive] = []
        while self.rest:
            word = self._next()
            if _is(word, "}"):
                return found
            if word.text == "import":
                self._import(word)
                continue
            found.append(self._directive(word))
        if has_brace:
            raise CorefileError("a server block is not closed")
        return found

    def _directive(self, first: Word) -> Directive:
        words = [first]
        depth = 0
        while self.rest:
            word = self.rest[-1]
            if depth == 0 and (word.starts_line or _is(word, "}")):
                break
            self._next()
            if word.text == "import" and word.starts_line:
                self._import(word)
                continue
            words.append(word)
            depth += _is(word, "{") - _is(word, "}")
        if depth > 0:
            raise CorefileError(f"line {first.line}: the block of {first.shown} is not closed")
        return Directive(tuple(words))

    def _import(self, word: Word) -> None:
        """Put what is imported in the place of the line."""
        if not self.rest or self.rest[-1].starts_line:
            raise CorefileError(f"line {word.line}: import names no file")
        pattern = self._next()
        self.imports.append(pattern.text)
        if len(self.imports) > _MOST_IMPORTS:
            raise CorefileError(f"it imports more than {_MOST_IMPORTS} times")
        if pattern.text in self.snippets:
            self._put(self.snippets[pattern.text])
            return
        files = self._files(pattern.text)
        if files is None:
            self.problems.append(
                f"line {word.line} of the Corefile imports {pattern.shown}, which is not read here"
            )
            return
        for text in reversed(files):
            self._put(words_of(text))

    def _put(self, words: list[Word]) -> None:
        if len(self.rest) + len(words) > _MOST_WORDS:
            raise CorefileError(f"it has more than {_MOST_WORDS} words")
        self.rest += words[::-1]

    def _files(self, pattern: str) -> list[str] | None:
        """The files that a pattern names, in the order of their names; None if not known."""
        folder, _, name = pattern.rpartition("/")
        is_custom = folder.endswith("custom")
        found = self.custom if is_custom else self.beside
        if found is None or len(pattern) > _LONGEST_PATTERN or name.count("*") > 1:
            return None
        names = [one for one in sorted(found) if fnmatchcase(one, name)]
        if not names and not (is_custom and "*" in name):
            return None
        return [found[one] for one in names]


def _is(word: Word, text: str) -> bool:
    # To CoreDNS' parser, a quoted brace is like another one.
    return word.text == text


def zone_of(key: str) -> Zone:
    """What a key of a server block means, such as ``dns://example.com.:53``."""
    transport, found, rest = key.partition("://")
    if not found or transport.lower() not in _TRANSPORTS:
        transport, rest = "dns", key
    name, colon, port = rest.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        name, port = rest, ""
    name = printable(name, 253).lower().rstrip(".")
    return Zone(name, str(int(port[:6])) if port else DNS_PORT, bool(port), transport.lower())
