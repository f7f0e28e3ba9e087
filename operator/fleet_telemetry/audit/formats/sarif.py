"""SARIF 2.1.0, for code scanning: a result for each channel that sends or may send, or that is not
as the policies ask."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.groups import Group, group_of
from fleet_telemetry.audit.result import Audit, Finding, Place, PolicyAdvice, Unmanaged

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Group.VIOLATION: "error", Group.UNKNOWN: "warning"}
_FINGERPRINT = "telemetryChannel/v1"

Json = dict[str, Any]


class SarifFormat:
    """One run. Its results have stable fingerprints: a moved line is no new result."""

    name = "sarif"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        shown = [one for one in audit.findings if group_of(audit, one) in _LEVELS]
        rules = {_rule_id(one): one for one in shown}
        driver: Json = {
            "name": "fleet-telemetry",
            "rules": [_rule(rule, one) for rule, one in rules.items()],
        }
        if audit.tool.version:
            driver["version"] = wording.name(audit.tool.version)
        run: Json = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [_invocation(audit)],
            "results": [
                *_results(audit, shown, {rule: at for at, rule in enumerate(rules)}),
                *map(_unmanaged, audit.unmanaged),
                *map(_advice, audit.policy_advice),
            ],
            "properties": {
                "catalogue": wording.name(audit.tool.catalogue),
                "judged": audit.judged,
                "coverage": wording.coverage(audit),
            },
        }
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
        # In ASCII no character can do anything to a terminal.
        return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _rule_id(one: Finding) -> str:
    return f"{wording.name(one.product)}/{one.channel.value}"


def _rule(rule: str, one: Finding) -> Json:
    title = wording.name(one.title or one.product)
    return {
        "id": rule,
        "shortDescription": _text(f"{title}: {one.channel.value}"),
        "fullDescription": _text(
            f"{title} contacts its vendor on the channel {one.channel.value}."
        ),
        "help": _text(wording.what_to_do(one) or "docs/reasons.md has what each reason means."),
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["telemetry"]},
    }


def _results(audit: Audit, shown: list[Finding], rules: dict[str, int]) -> Iterator[Json]:
    seen: Counter[str] = Counter()
    for one in shown:
        rule = _rule_id(one)
        fingerprint = _fingerprint(one)
        seen[fingerprint] += 1
        yield {
            "ruleId": rule,
            "ruleIndex": rules[rule],
            "level": _LEVELS[group_of(audit, one)],
            "message": _text(_message(audit, one)),
            "locations": [_location(one.place, one.name, wording.workload(one))],
            "partialFingerprints": {_FINGERPRINT: f"{fingerprint}:{seen[fingerprint]}"},
            "properties": {
                "sends": one.sends.value,
                "reason": wording.why(one, judged=audit.judged)[0],
                "hosts": list(map(wording.host, one.hosts)),
                **({"state": one.state.value} if one.state else {}),
            },
        }


def _unmanaged(one: Unmanaged) -> Json:
    said = f"{wording.object_name(one)}: runs {wording.products(one)}. {wording.prose(one.advice)}"
    return {
        "ruleId": "unmanaged",
        "level": "warning",
        "message": _text(said.strip()),
        "locations": [_location(one.place, one.name, wording.object_name(one))],
    }


def _advice(one: PolicyAdvice) -> Json:
    return {
        "ruleId": "policy-advice",
        "level": "note",
        "message": _text(wording.policy_advice(one)),
        "locations": [_location(one.place, one.policy.name, wording.name(one.policy.name))],
    }


def _message(audit: Audit, one: Finding) -> str:
    title, channel = wording.name(one.title or one.product), one.channel.value
    answer = {
        "Yes": f"{title} sends on the channel {channel}.",
        "No": f"{title} sends nothing on the channel {channel}.",
        "Unknown": f"It is not known whether {title} sends on the channel {channel}.",
    }[one.sends.value]
    state = f"{one.state.value}." if audit.judged and one.state else ""
    parts = (
        f"{wording.workload(one)}:",
        answer,
        state,
        wording.why(one, judged=audit.judged)[1],
        wording.what_to_do(one),
    )
    return " ".join(filter(None, parts))


def _location(place: Place, name: str, full_name: str) -> Json:
    found: Json = {
        "logicalLocations": [
            {
                "name": wording.name(name),
                "fullyQualifiedName": full_name,
                "kind": "resource",
            }
        ]
    }
    if place.file:
        found["physicalLocation"] = _physical(place)
    return found


def _physical(place: Place) -> Json:
    found: Json = {"artifactLocation": _artifact(place)}
    if place.line > 0:
        found["region"] = {"startLine": place.line}
    return found


def _artifact(place: Place) -> Json:
    path = posixpath.normpath(place.file)
    if path.startswith("/"):
        return {"uri": f"file:///{_quoted(path.lstrip('/'))}"}
    uri = _quoted(path)
    # What lies beside the folder of the run is relative to nothing that a reader knows.
    return {"uri": uri} if path.startswith("..") else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _quoted(path: str) -> str:
    return quote(path, safe="/", errors="replace")


def _invocation(audit: Audit) -> Json:
    notes = [_notification("error", wording.problem(one), one.place) for one in audit.problems]
    notes += [
        _notification("note", f"The catalogue does not know the image {wording.name(one.image)}.")
        for one in audit.unknown_images
    ]
    return {
        "executionSuccessful": not audit.problems,
        "exitCode": int(audit.exit_code),
        "toolExecutionNotifications": notes,
    }


def _notification(level: str, said: str, place: Place | None = None) -> Json:
    found: Json = {"level": level, "message": _text(said)}
    if place and place.file:
        found["locations"] = [{"physicalLocation": _physical(place)}]
    return found


def _text(text: str) -> Json:
    r"""A plain message: brackets would be a link, and braces a placeholder (3.11.5, 3.11.6)."""
    for character in "\\[]":
        text = text.replace(character, f"\\{character}")
    return {"text": text.replace("{", "{{").replace("}", "}}")}


def _fingerprint(one: Finding) -> str:
    file = posixpath.normpath(one.place.file) if one.place.file else ""
    parts = (one.place.cluster, file, one.namespace, one.kind, one.name, one.product)
    text = json.dumps([*parts, one.channel.value])
    return hashlib.sha256(text.encode()).hexdigest()
