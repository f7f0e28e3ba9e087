"""RFC 6902, read from the RFC and not from the operator, so that the two can disagree."""

from __future__ import annotations

import copy
import json
from typing import Any


class PatchError(Exception):
    """The patch does not fit the document; nothing of it counts."""


def apply_patch(document: Any, operations: list[dict[str, Any]]) -> Any:
    """The document after the operations; the one given stays as it is."""
    document = json.loads(json.dumps(document))
    for operation in operations:
        tokens = _tokens(operation["path"])
        match operation["op"]:
            case "test":
                if _at(document, tokens) != operation["value"]:
                    raise PatchError(f"{operation['path']} is not as expected")
            case "add":
                _add(document, tokens, copy.deepcopy(operation["value"]))
            case "remove":
                _remove(document, tokens)
            case "replace":
                _at(document, tokens)  # must exist
                parent, last = _at(document, tokens[:-1]), tokens[-1]
                key = _index(parent, last) if isinstance(parent, list) else last
                parent[key] = copy.deepcopy(operation["value"])
            case other:
                raise PatchError(f"{other} is no operation that the operator writes")
    return document


def _tokens(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise PatchError(f"{pointer!r} does not point into the document")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def _at(document: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if isinstance(document, list):
            document = document[_index(document, token)]
        elif isinstance(document, dict) and token in document:
            document = document[token]
        else:
            raise PatchError(f"there is no {token!r}")
    return document


def _index(items: list[Any], token: str) -> int:
    if not token.isdigit() or (token != "0" and token.startswith("0")):
        raise PatchError(f"{token!r} is no place in a list")
    if int(token) >= len(items):
        raise PatchError(f"the list has no place {token}")
    return int(token)


def _add(document: Any, tokens: list[str], value: Any) -> None:
    parent, last = _at(document, tokens[:-1]), tokens[-1]
    if isinstance(parent, list):
        if last == "-" or last == str(len(parent)):
            parent.append(value)
        else:
            parent.insert(_index(parent, last), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchError(f"nothing can be added at {tokens}")


def _remove(document: Any, tokens: list[str]) -> None:
    parent, last = _at(document, tokens[:-1]), tokens[-1]
    _at(document, tokens)  # must exist
    del parent[_index(parent, last) if isinstance(parent, list) else last]
