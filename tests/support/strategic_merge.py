"""The part of strategic merge patches that the operator prints: maps, lists merged by ``name``, and
``$patch: delete``. Read from the Kubernetes API conventions, not from the operator."""

from __future__ import annotations

import copy
from typing import Any


def merge(document: Any, patch: Any) -> Any:
    """The document with the patch; the one given stays as it is."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            merged[key] = _merge_lists(merged.get(key) or [], value)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _merge_lists(items: list[Any], patch: list[Any]) -> list[Any]:
    merged = copy.deepcopy(items)
    for one in patch:
        places = [place for place, item in enumerate(merged) if item["name"] == one["name"]]
        if one.get("$patch") == "delete":
            merged = [item for item in merged if item["name"] != one["name"]]
        elif places:
            merged[places[0]] = merge(merged[places[0]], one)
        else:
            merged.append(copy.deepcopy(one))
    return merged
