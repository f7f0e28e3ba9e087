"""Reads a page of a list, and leaves its objects as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec

from fleet_telemetry.kube.raw_object import ObjectError, RawObject, decode, read_object
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import text_at

_Metadata = TypedDict("_Metadata", {"resourceVersion": Any, "continue": Any}, total=False)


class _Page(msgspec.Struct):
    metadata: _Metadata
    items: list[msgspec.Raw] | None


_pages = msgspec.json.Decoder(_Page)


@dataclass(frozen=True, slots=True)
class RawPage:
    """A part of a list."""

    found: list[RawObject]
    token: str
    """For the next page; empty if this is the last."""
    version: str
    """The resource version of the whole list."""


def read_page(kind: Kind, data: bytes) -> RawPage:
    """Raises ObjectError for what is no list of this kind: a proxy or a login page has answered."""
    page = decode(_pages.decode, data)
    version = text_at(page.metadata, "resourceVersion")
    if not version:
        raise ObjectError("a list without a resource version")
    return RawPage(
        [read_object(kind, item) for item in page.items or ()],
        text_at(page.metadata, "continue"),
        version,
    )
