"""What a word without quotes means in YAML that Kubernetes reads.

kubectl and the API server turn YAML into JSON by sigs.k8s.io/yaml (go.yaml.in/yaml/v2@v2.4.3:
resolve.go). Unlike for PyYAML, ``y`` and ``n`` are booleans, ``08``, ``0o14`` and ``-.5`` are
numbers, and ``2026-01-01``, ``1:30``, ``=`` and ``1e400`` are text.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

Meaning = str | int | float | bool | None

_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}null": (type(None),),
    f"{_TAG}str": (str,),
}
_TAGS = {types[0]: tag for tag, types in _TYPES.items()}


def _in_cases(*words: str) -> set[str]:
    """Each in small letters, in capitals, and with a capital first."""
    return {form for word in words for form in (word, word.capitalize(), word.upper())}


_WORDS: dict[str, Meaning] = {
    **dict.fromkeys(_in_cases("y", "yes", "true", "on"), True),
    **dict.fromkeys(_in_cases("n", "no", "false", "off"), False),
    **dict.fromkeys(("", "~", *_in_cases("null")), None),
    **{
        f"{sign}.{word}": float(f"{sign}inf")
        for sign in ("", "+", "-")
        for word in _in_cases("inf")
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INT = re.compile(
    r"[-+]?(?:0[bB](?P<two>[01]+)|0[xX](?P<sixteen>[0-9a-fA-F]+)|0[oO]?(?P<eight>[0-7]+)"
    r"|(?P<ten>0|[1-9][0-9]*))"
)
_BASES = {"two": 2, "eight": 8, "ten": 10, "sixteen": 16}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_LONGEST_INT = 80
"""Characters. 64 bits in binary digits have fewer."""


def meaning_of(word: str) -> Meaning:
    """What it means as a value. A key is always text here."""
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in "+-.0123456789":
        return word
    plain = _BETWEEN_DIGITS.sub("", word) if word[0] == "." else word.replace("_", "")
    whole = _read_int(plain)
    number = _read_float(plain) if whole is None else whole
    return word if number is None else number


def _read_int(word: str) -> int | None:
    found = _INT.fullmatch(word) if len(word) <= _LONGEST_INT else None
    if found is None or found.lastgroup is None:
        return None
    number = int(found[found.lastgroup], _BASES[found.lastgroup])
    number = -number if word[0] == "-" else number
    return number if -(1 << 63) <= number < 1 << 64 else None


def _read_float(word: str) -> float | None:
    number = float(word) if _FLOAT.fullmatch(word) else math.inf
    return number if math.isfinite(number) else None


def _as_kubernetes_reads(base: Any) -> Any:
    """A loader whose words have these meanings, and whose keys are text."""

    class Loader(base):  # type: ignore[misc]  # its base is one of two
        def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
            if kind is yaml.ScalarNode and implicit[0] and value is not None and value != _MERGE:
                return _TAGS[type(meaning_of(value))]
            tag: str = super().resolve(kind, value, implicit)
            return tag

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            for key, _ in node.value:
                if key.tag in _TYPES:
                    key.tag = _TAGS[str]

    def construct(loader: Any, node: yaml.ScalarNode) -> Meaning:
        meaning = meaning_of(loader.construct_scalar(node))
        if type(meaning) not in _TYPES[node.tag]:
            raise ValueError(f"{node.value[:_LONGEST_INT]!r} under {node.tag}")
        return meaning

    for kind in (bool, int, float):
        Loader.add_constructor(_TAGS[kind], construct)
    return Loader


LOADER: Any = _as_kubernetes_reads(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
