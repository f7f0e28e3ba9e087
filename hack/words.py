"""Keeps words out that a reader of the Kubernetes documentation would not know.

``python -m hack.words [PATH...]`` scans what ships and what a contributor reads: identifiers,
comments, docstrings, messages and prose. It prints each place with the word to use, and exits with
1 if there is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCANNED = (
    "operator",
    "docs",
    "charts",
    "crds",
    "dev",
    "examples",
    "observability",
    "README.md",
    "CONTRIBUTING.md",
)
_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".tpl", ".txt", ".json", ".go"}


@dataclass(frozen=True)
class Word:
    """A word or phrase that the project does not use."""

    pattern: str
    """A regular expression, matched without regard to case. Identifiers are split into words first,
    so ``wish`` also matches ``WishList`` and ``a_wish``."""
    instead: str
    """What to write."""


@dataclass(frozen=True)
class Allowed:
    """A genuine use of a forbidden word."""

    text: str
    """A regular expression for the words around it, matched as a `Word` is."""
    reason: str
    path: str = ""
    """A regular expression for the path, relative to the repository; empty for every file."""


@dataclass(frozen=True)
class Finding:
    """A forbidden word in a line of a file."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        """As an editor understands it."""
        return f"{self.path}:{self.line}: {self.found!r}: use {self.instead}"


WORDS: Sequence[Word] = (
    Word(r"\b(told|tells?|telling)\b", "reported, says, `enqueue`, `on_change`, configured"),
    Word(r"\bwish(es|ed|ing)?\b", "desired (value, variable), requires"),
    Word(r"\bmirror(s|ed|ing)?\b", "cache"),
    Word(r"\bshel(f|ves)\b", "store"),
    Word(r"\bnudg(e|es|ed|ing)\b", "no-op patch"),
    Word(r"\bsignatures?\b", "field owner, hash"),
    Word(r"\b(take|takes|took|taken|taking) (it |them |this |that )?back\b", "revert"),
    Word(r"\bput(s|ting)? (it |them |this |that )?right\b", "remediate, revert, correct"),
    Word(r"\b(fought|fights?|fighting) (over|for)\b", "remediation conflict"),
    Word(r"\bgovern(s|ed|ing|ance|ances)?\b", "effective policy, resolve, apply to"),
    Word(r"\blift(s|ed|ing)?\b", "exempt"),
    Word(r"\bremarks?\b", "skipped edit, note"),
    Word(r"\boccasions?\b", "injection context"),
    Word(r"\b(a|an|the|its|of|check|host) standings?\b|\bstandings\b", "check state, state"),
    Word(r"\b(hearings?|heard|unheard|hears?)\b", "summary, response, unresolved"),
    Word(r"\bsavings?\b", "status codec"),
    Word(r"\badvance[sd]?\b", "step"),
    Word(r"\bwitness(es|ed)?\b", "responder, name server"),
    Word(r"\bviews?\b", "name server"),
    Word(r"\bexchanges?\b", "DNS client, request"),
    Word(r"\bspoil(t|ed|s)?\b", "malformed"),
    Word(r"\binherit(s|ed)\b", "previously denied"),
    Word(r"\bkeepers?\b", "reconciler, resolver"),
    Word(r"\bcontainment\b", "egress reconciler"),
    Word(r"\b(beats?|beaten)\b", "overrides, overridden by, takes precedence over"),
    Word(r"\bout of (its |their )?reach\b", "blocked, unreachable"),
    Word(r"\bbe it that\b", "if, unless"),
    Word(r"\bwho (fails|ever fails)\b", "subject first: 'A host that fails ...'"),
    Word(r"\bnothing follows from\b", "has no effect"),
    Word(r"\bstand ins?\b", "fake"),
)

ALLOWED: Sequence[Allowed] = (
    Allowed(
        r"registry mirrors?|mirrors? (of|are|and) (a |the )?registr",
        "a mirror of an image registry",
    ),
    Allowed(
        r"mirror(\.| )?example|mirrors?, proxies",
        "a mirror of an image registry or of Maven Central",
    ),
    Allowed(r"a mirror in Maven", "a mirror of Maven Central"),
    Allowed(
        r"\bviews?\b",
        "the role `view` of Kubernetes",
        r"^charts/|docs/(install|audit-clusters|explain)\.md$",
    ),
    Allowed(
        r"\bviews?\b",
        "the plug-in `view` of CoreDNS",
        r"^dev/cluster/tools/coredns/|^operator/.*/audit/corefile/|^docs/corefile\.md$",
    ),
    Allowed(r"kubectl config view|aggregate to view", "terms of Kubernetes"),
    Allowed(r"\binherit(s|ed)\b", "of a process or of a class", r"^dev/|^operator/.*/app/"),
    Allowed(r"in advance", "ordinary English"),
    Allowed(
        r"advanced cluster security",
        "a product",
        r"^docs/products/|^operator/.*/catalogue/products/",
    ),
    Allowed(r"digital signature", "a usage of a certificate"),
    Allowed(r"mirroring controller", "the name of a Kubernetes controller"),
    Allowed(r"view of the internet", "a DNS view: split-horizon DNS"),
    Allowed(r"registry and mirror prefixes", "a mirror of an image registry"),
    Allowed(r"\bmirrors?\b", "a mirror of an image registry", r"/catalogue/"),
    Allowed(r"rancher/mirrored \w+", "names of images"),
    Allowed(r"signatures?\b", "of a certificate", r"/certificates/"),
    Allowed(r"signature of the lookup", "the types of a call"),
    Allowed(r"\b(told|tells?) (\w+ ){0,3}apart", "ordinary English: to distinguish"),
    Allowed(r"fleet telemetry nudge", "a former name, in the changelog", r"/Chart\.yaml$"),
    Allowed(r"HTTP exchange", "a request and its response"),
    Allowed(r"Host View", "an entry of the field `views` of TelemetryHost"),
    Allowed(
        r"\bviews\b",
        "a field of TelemetryHost",
        r"^crds/|^docs/api\.md$|/(telemetry_host|host_status_codec)\.py$|/files/crds/",
    ),
    Allowed(
        r"Telemetry (Put Right|Fought Over)", "former names, in the changelog", r"/Chart\.yaml$"
    ),
    Allowed(r"\.views\b", "a field of TelemetryHost"),
    Allowed(r"\bview ?box\b", "an attribute of SVG"),
    Allowed(r"disable Heart Beat", "a Helm value of Linkerd"),
    Allowed(r"setting fought over", "a reason of the API, which does not change"),
)


_ANY = re.compile("|".join(f"(?:{word.pattern})" for word in WORDS), re.IGNORECASE)


def findings(text: str, path: str) -> Iterator[Finding]:
    """Each forbidden word in the text of a file, unless it is allowed there."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = _plain(line)
        if not _ANY.search(plain):  # nearly all lines
            continue
        allowed = [
            found.span()
            for entry in ALLOWED
            if re.search(entry.path, path)
            for found in re.finditer(entry.text, plain, re.IGNORECASE)
        ]
        for word in WORDS:
            for found in re.finditer(word.pattern, plain, re.IGNORECASE):
                if not any(start <= found.start() < end for start, end in allowed):
                    yield Finding(path, number, found[0], word.instead)


def _plain(line: str) -> str:
    """The line with its identifiers split into words: ``WishList`` becomes two."""
    line = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", line)
    return re.sub(r"[_-]+", " ", line)


def files(paths: Iterable[str] = SCANNED, root: Path = ROOT) -> Iterator[Path]:
    """The files to scan, in alphabetical order."""
    for name in paths:
        path = root / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in found if file.is_file() and file.suffix in _SUFFIXES)


def main(arguments: Sequence[str]) -> int:
    """Print what is found in the paths (default: all), and return the exit code."""
    count = 0
    for file in files(arguments or SCANNED):
        path = file.relative_to(ROOT).as_posix()
        for finding in findings(file.read_text(), path):
            print(finding)
            count += 1
    if count:
        print(f"{count} words to replace; genuine uses belong into ALLOWED of hack/words.py")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
