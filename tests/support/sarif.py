"""The parts of SARIF 2.1.0 that we write, as strictly as its JSON schema has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_Uri = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~/%:-]+$")]
_Count = Annotated[int, Meta(ge=0)]
_Level = Literal["none", "note", "warning", "error"]


class _Part(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    pass


class Message(_Part):
    text: Annotated[str, Meta(min_length=1)]


class Artifact(_Part):
    uri: _Uri
    uri_base_id: str = ""


class Region(_Part):
    start_line: Annotated[int, Meta(ge=1)]


class Physical(_Part):
    artifact_location: Artifact
    region: Region | None = None


class Logical(_Part):
    name: str
    fully_qualified_name: str
    kind: str


class Location(_Part):
    logical_locations: tuple[Logical, ...] = ()
    physical_location: Physical | None = None


class Configuration(_Part):
    level: _Level


class Rule(_Part):
    id: str
    short_description: Message
    full_description: Message
    help: Message
    default_configuration: Configuration
    properties: dict[str, Any]


class Driver(_Part):
    name: str
    rules: tuple[Rule, ...]
    version: str = ""


class ToolOfRun(_Part):
    driver: Driver


class Notification(_Part):
    level: _Level
    message: Message
    locations: tuple[Location, ...] = ()


class Invocation(_Part):
    execution_successful: bool
    exit_code: int
    tool_execution_notifications: tuple[Notification, ...]


class Result(_Part):
    rule_id: str
    level: _Level
    message: Message
    locations: Annotated[tuple[Location, ...], Meta(min_length=1)]
    rule_index: _Count | None = None
    partial_fingerprints: dict[str, str] = {}
    properties: dict[str, Any] = {}


class Run(_Part):
    tool: ToolOfRun
    column_kind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    invocations: tuple[Invocation, ...]
    results: tuple[Result, ...]
    properties: dict[str, Any]


class Log(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal["2.1.0"]
    runs: tuple[Run, ...]
    schema: str = msgspec.field(name="$schema")


def read(text: str) -> Log:
    """Raises msgspec.ValidationError if the text is not as the schema says."""
    log = msgspec.json.decode(text.encode(), type=Log)
    for run in log.runs:
        rules = run.tool.driver.rules
        assert len({one.id for one in rules}) == len(rules)
        for result in run.results:
            if result.rule_index is not None:
                assert rules[result.rule_index].id == result.rule_id
    return log
