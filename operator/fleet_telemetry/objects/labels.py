"""What the API server accepts in labels, and sets itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY_PATTERN = f"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}"
"""Without anchors, in the syntax of Python, Go and JSON Schema."""
VALUE_PATTERN = f"({_NAME})?"
_VALUE = re.compile(VALUE_PATTERN)
_KEY = re.compile(KEY_PATTERN)
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server sets it on every namespace, and nobody can change it."""


def is_label_key(text: str) -> bool:
    """Whether a label may have this key."""
    return _KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether a label may have this value, which may be empty."""
    return _VALUE.fullmatch(text) is not None


def namespace_labels(
    name: str, written: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The labels of a namespace, by those in its manifest."""
    return {**written, NAMESPACE_NAME_LABEL: name}


def as_selector(labels: Mapping[str, str]) -> str:
    """The label selector, as a query and kubectl take it, of objects that have these labels."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
