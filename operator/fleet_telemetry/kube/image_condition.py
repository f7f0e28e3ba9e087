"""The CEL expression that finds a product's image in the containers of a request.

It passes a slight superset of the images that the catalogue matches. Most patterns are plain names:
the last parts of an image are looked up in a list, which costs the same for three products and for
three hundred. A regular expression of all patterns made the API server slower with each product.

The API server limits the cost of a condition, and does not call the webhook where a condition
exceeds it: nothing would be injected, and nobody would know. So a pod template whose containers are
too many or whose images are too long to match is passed to the webhook, which decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fleet_telemetry.catalogue.glob import glob_to_regex
from fleet_telemetry.catalogue.image import LONGEST

# k8s.io/apiserver v0.36.3, pkg/apis/cel/config.go: PerCallLimit is 1,000,000, and all conditions of
# a webhook together have 2,500,000. The loops need the rest.
_MATCHING_COST = 600_000
_COST_OF_AN_IMAGE = 11
_MOST_CONTAINERS = 400
"""Old and new. The loops cost up to about 700 for each."""
_MOST_BEGINNINGS = 32
"""Each costs something for every image. More of them are matched by the regular expression, whose
cost is limited."""

_LONGEST_EXPRESSION = 90_000
"""Code points. The API server parses no expression of more than 100,000 (github.com/google/cel-go
v0.26.0, parser/parser.go)."""


def image_regex(patterns: Iterable[str]) -> str:
    """An RE2 expression that matches every image that one of the patterns covers."""
    alternatives = "|".join(glob_to_regex(pattern) for pattern in sorted(set(patterns)))
    return f"(^|/)({alternatives})([:@]|$)"


def runs_one_of(patterns: Iterable[str], lists: Sequence[str]) -> str:
    """Whether a container has an image that one of the patterns covers, or whether that costs too
    much to find out.

    ``lists`` are CEL expressions of lists of containers.
    """
    sorted_out = _Patterns.sort(patterns)
    # Lists of one element, because match conditions cannot name a value: ``a`` are all containers,
    # ``p`` the parts of an image between slashes, without its digest, and ``n`` the last of them
    # without its tag.
    image = f"has(c.image) && size(c.image) <= {LONGEST}"
    parts = "[c.image.split('@')[0].split('/')]"
    name = "[p[size(p) - 1].split(':')[0]]"
    found = " || ".join(sorted_out.conditions()) or "false"
    tests = [
        f"size(a) > {_MOST_CONTAINERS}",
        f"a.exists(c, {image} && {parts}.exists(p, {name}.exists(n, {found})))",
    ]
    if sorted_out.others:
        tests.append(_matches(image_regex(sorted_out.others), image))
    expression = f"[{' + '.join(lists)}].exists(a, {' || '.join(tests)})"
    # With so many products the webhook is asked about every workload.
    return expression if len(expression) <= _LONGEST_EXPRESSION else "true"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Image patterns by how they are looked up."""

    names: dict[int, list[str]]
    """Plain names, by the number of their parts."""
    beginnings: dict[int, list[str]]
    """What stands before a star at the end, the same way."""
    others: list[str]

    @classmethod
    def sort(cls, patterns: Iterable[str]) -> _Patterns:
        names, beginnings, others = defaultdict(list), defaultdict(list), []
        for pattern in sorted(set(patterns)):
            start = pattern.rstrip("*")
            if "*" in start or "?" in start or not all(start.split("/")):
                others.append(pattern)
            elif start == pattern:
                names[pattern.count("/") + 1].append(pattern)
            else:
                beginnings[pattern.count("/") + 1].append(start)
        if sum(map(len, beginnings.values())) > _MOST_BEGINNINGS:
            others += [f"{start}*" for starts in beginnings.values() for start in starts]
            beginnings.clear()
        return cls(dict(names), dict(beginnings), others)

    def conditions(self) -> Iterator[str]:
        """CEL conditions on ``p`` and ``n``, one for each number of parts."""
        for length in sorted({*self.names, *self.beginnings}):
            text = "n" if length == 1 else "t"
            tests = []
            if names := self.names.get(length):
                tests.append(f"{text} in [{', '.join(map(_quote, names))}]")
            tests += [
                f"{text}.startsWith({_quote(one)})" for one in self.beginnings.get(length, ())
            ]
            condition = " || ".join(tests)
            if length > 1:
                parts = " + '/' + ".join(f"p[size(p) - {n}]" for n in range(length, 1, -1))
                condition = f"(size(p) >= {length} && [{parts} + '/' + n].exists(t, {condition}))"
            yield condition


def _matches(regex: str, image: str) -> str:
    """Whether an image matches, or whether that costs too much to find out; ``s`` are all images.

    A match costs a tenth of the text's length plus one, rounded up, times a quarter of the
    expression's length, rounded up (github.com/google/cel-go v0.26.0, interpreter/runtimecost.go).
    """
    most_text = _MATCHING_COST * 10 // -(-len(regex) // 4)
    cost = f"{_COST_OF_AN_IMAGE} * size(s) + s.map(i, size(i)).sum()"
    return (
        f"[a.filter(c, {image}).map(c, c.image)].exists(s, {cost} > {most_text} || "
        f"s.exists(i, i.matches({_quote(regex)})))"
    )


def _quote(text: str) -> str:
    """A raw CEL string literal, because regular expressions contain backslashes."""
    return "r'" + text.replace("'", "[']") + "'"
