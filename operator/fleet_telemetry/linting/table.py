"""The table beside a catalogue file, ``<name>.test.yaml``: what is done with each image."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.image import Image as _Image
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State

SUFFIX = ".test.yaml"
_IMAGE = _Image(pattern="any")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class TableKind(StrEnum):
    """The kinds of workload that a table describes."""

    DEPLOYMENT = "Deployment"
    CRON_JOB = "CronJob"


class _TableRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a table. A field that is not known is an error."""


class Match(_TableRow, frozen=True, kw_only=True):
    """An image that is the product, and the version that it is."""

    image: _Text
    version: str
    """The version that is read; empty if none can be."""
    edition: str = _IMAGE.edition
    component: str = _IMAGE.component
    container: str = "main"
    """The container's name."""


class Reject(_TableRow, frozen=True, kw_only=True):
    """An image that is not the product, in a container of a certain name."""

    image: _Text
    container: str = "main"


class ChannelRow(_TableRow, frozen=True, kw_only=True):
    """What is set for a channel in a container of each of the images."""

    channel: ChannelName
    images: Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1, max_length=256)]
    disabled: tuple[_Text, ...]
    """What a policy with ``submission: Disabled`` sets: ``NAME=value``, the word of an argument,
    ``spec.suspend=true``, or the label of a custom resource's field with ``=value``.
    A removed one begins with a dash and a space: ``- NAME=value``."""
    enabled: tuple[_Text, ...]
    """The same with ``submission: Enabled``."""
    state: State = State.COMPLIANT
    """The verdict on Disabled once that is set and every pod was started with it."""
    reason: Reason | None = None
    container: str = "main"
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Variables that the container has already."""
    kind: TableKind = TableKind.DEPLOYMENT
    """The kind of the workload that runs the container."""
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Fields of custom resources that exist already, by their label in messages, with their
    values: ``settings.acme.io/telemetry value: "true"``. Those that are not named do not exist."""


class Table(_TableRow, frozen=True, kw_only=True):
    """A table."""

    matches: Annotated[tuple[Match, ...], msgspec.Meta(min_length=1, max_length=1024)]
    rejects: Annotated[tuple[_Text | Reject, ...], msgspec.Meta(max_length=1024)] = ()
    channels: Annotated[tuple[ChannelRow, ...], msgspec.Meta(max_length=256)] = ()
