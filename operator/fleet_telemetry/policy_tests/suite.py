"""The file ``fleet-telemetry-test.yaml``: which policies meet which manifests, and what is
expected. What is wrong in it is a problem with its line, never a test that passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.linting.document import Document
from fleet_telemetry.linting.problem import FileError, FileProblem

FILE_NAME = "fleet-telemetry-test.yaml"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_Files = Annotated[tuple[_Text, ...], msgspec.Meta(max_length=1000)]


class _SuitePart(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A part of the file. A field that is not known is an error."""


class Expectation(
    _SuitePart, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """What is expected of a channel of a workload. A field that is absent is not compared."""

    workload: _Text
    """``KIND/NAME``."""
    namespace: _Text = "default"
    product: str = ""
    """May be absent where the workload runs one product."""
    channel: ChannelName = ChannelName.USAGE
    policy: str | None = None
    """``KIND/NAME``, or ``KIND/NAMESPACE/NAME``; the empty string is none."""
    state: State | None = None
    reason: Reason | None = None
    """Of the state."""
    sends: Sends | None = None
    sets: tuple[_Text, ...] | None = None
    """All that admission sets in the workload when it is created: ``NAME=value``, the word of an
    argument, ``spec.suspend=true``; with a dash and a space in front if it is removed."""
    patched: str = ""
    """A file with the workload as admission has to leave it."""

    @property
    def expects_something(self) -> bool:
        """Whether it can fail."""
        compared = (self.policy, self.state, self.reason, self.sends, self.sets)
        return bool(self.patched) or any(one is not None for one in compared)


class _SuiteMetadata(
    _SuitePart, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    name: _Text


class Suite(_SuitePart, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The whole file. Paths are relative to its folder."""

    api_version: Literal["test.fleettelemetry.io/v1alpha1"]
    kind: Literal["PolicyTest"]
    metadata: _SuiteMetadata
    policies: _Files = ()
    products: _Files = ()
    resources: Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1, max_length=1000)]
    now: datetime | None = None
    """The time at which exceptions are looked at; absent: the time of the test."""
    results: Annotated[tuple[Expectation, ...], msgspec.Meta(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite with the lines of everything in it."""

    suite: Suite
    document: Document

    def problem(self, row: int, field: str, what: str, advice: str) -> FileProblem:
        """A fault of a field of a result."""
        return self.document.problem(("results", row, field), what, advice)


def read_suite(file: str, text: bytes) -> SuiteFile:
    """Raises FileError, with every problem if the types are right."""
    document = Document.parse(file, text)
    suite = document.read(Suite)
    problems = list(_find_problems(document, suite))
    if problems:
        raise FileError(*problems)
    return SuiteFile(suite, document)


def _find_problems(document: Document, suite: Suite) -> Iterator[FileProblem]:
    if suite.now is not None and suite.now.tzinfo is None:
        yield document.problem(("now",), "now has no time zone", "end it with Z, for UTC")
    seen: dict[tuple[str, ...], int] = {}
    for row, one in enumerate(suite.results):
        where = ("results", row)
        if not one.expects_something:
            what = "nothing is expected, so this can never fail"
            yield document.problem(where, what, "add state, reason, sends, sets, policy or patched")
        if one.workload.count("/") != 1:
            what = f"workload: {one.workload!r} is not KIND/NAME"
            yield document.problem((*where, "workload"), what, "write such as Deployment/web")
        key = (one.namespace, one.workload, one.product, one.channel)
        if key in seen:
            what = f"line {seen[key]} has the same workload, product and channel"
            yield document.problem(where, what, "keep one of them")
        seen.setdefault(key, document.line(*where))
