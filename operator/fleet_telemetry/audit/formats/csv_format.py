"""CSV (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.formats import wording
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.result import Audit, Finding, Place
from fleet_telemetry.audit.spreadsheet import as_text

HEADER = (
    "record",
    "cluster",
    "file",
    "line",
    "namespace",
    "kind",
    "name",
    "product",
    "title",
    "version",
    "channel",
    "sends",
    "reason",
    "message",
    "policy",
    "desired",
    "state",
    "stateReason",
    "stateMessage",
    "declared",
    "running",
    "reported",
    "egress",
    "provenance",
    "hosts",
    "whatToDo",
    "image",
    "containers",
    "observed",
    "observedMessage",
)
"""The columns. New ones are added at the end."""


class CsvFormat:
    """A record for each channel, each object that cannot be judged, each unknown image, each
    piece of advice and each problem."""

    name = "csv"

    def render(self, audit: Audit, screen: Screen) -> str:
        """See Format."""
        del screen
        text = io.StringIO()
        writer = csv.DictWriter(text, HEADER, restval="", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for record in _records(audit):
            writer.writerow({key: as_text(value) for key, value in record.items()})
        return text.getvalue()


def _records(audit: Audit) -> Iterator[dict[str, str]]:
    for one in audit.findings:
        yield _finding(one)
    for other in audit.unmanaged:
        yield {
            "record": "unmanaged",
            **_place(other.place),
            "namespace": wording.name(other.namespace),
            "kind": wording.name(other.kind),
            "name": wording.name(other.name),
            "product": " ".join(map(wording.name, other.products)),
            "sends": Sends.UNKNOWN.value,
            "whatToDo": wording.prose(other.advice),
            "image": " ".join(map(wording.name, other.images)),
        }
    for image in audit.unknown_images:
        yield {
            "record": "unknownImage",
            "image": wording.name(image.image),
            "containers": str(image.containers),
        }
    for advice in audit.policy_advice:
        yield {
            "record": "policyAdvice",
            **_place(advice.place),
            "namespace": wording.name(advice.policy.namespace or ""),
            "kind": wording.name(advice.policy.kind),
            "name": wording.name(advice.policy.name),
            "message": wording.prose(advice.message),
        }
    for problem in audit.problems:
        yield {
            "record": "problem",
            **_place(problem.place),
            "message": wording.prose(problem.what),
            "whatToDo": wording.prose(problem.advice),
        }


def _finding(one: Finding) -> dict[str, str]:
    return {
        "record": "channel",
        **_place(one.place),
        "namespace": wording.name(one.namespace),
        "kind": wording.name(one.kind),
        "name": wording.name(one.name),
        "product": wording.name(one.product),
        "title": wording.name(one.title),
        "version": wording.name(one.version),
        "channel": one.channel.value,
        "sends": one.sends.value,
        "reason": wording.name(one.reason),
        "message": wording.prose(one.message),
        "policy": wording.policy(one),
        "desired": one.desired.value if one.desired else "",
        "state": one.state.value if one.state else "",
        "stateReason": wording.name(one.state_reason),
        "stateMessage": wording.prose(one.state_message),
        "declared": one.declared.value,
        "running": one.running.value,
        "reported": one.reported.value,
        "egress": one.egress.value,
        "provenance": one.provenance.value if one.provenance else "",
        "hosts": " ".join(map(wording.host, one.hosts)),
        "whatToDo": wording.what_to_do(one),
        "observed": one.observed.value,
        "observedMessage": wording.prose(one.observed_message),
    }


def _place(one: Place) -> dict[str, str]:
    return {
        "cluster": wording.name(one.cluster),
        "file": "standard input" if one.file == "-" else wording.name(one.file),
        "line": str(one.line or ""),
    }
