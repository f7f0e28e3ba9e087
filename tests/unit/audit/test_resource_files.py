"""Custom resources in files: a workload is judged by those of the same input."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.files import gather_files
from fleet_telemetry.audit.judging import decide_on
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import builtin
from tests.support.builders import NOW, container, manifest
from tests.support.custom_resources import setting

USAGE = "allow-collecting-longhorn-usage-metrics"
DAEMON = manifest(
    container("longhornio/longhorn-manager:v1.5.0"), kind="DaemonSet", namespace="longhorn-system"
)


def in_namespace(one: dict[str, Any], namespace: str = "longhorn-system") -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "namespace": namespace}}


def sends(*objects: dict[str, Any], text: str = "") -> Sends:
    """Whether the usage metrics are sent, by a stream of documents."""
    documents = "\n---\n".join([*(json.dumps(one) for one in (DAEMON, *objects)), text])
    gathered = gather_files(["-"], io.BytesIO(documents.encode()), "longhorn-system", NOW)
    (subject,) = [one for one in gathered.subjects if isinstance(one, Subject)]
    plan = decide_on(subject, (), builtin(), NOW)
    found = plan.verdicts[0].sends
    assert found is not None
    return found.sends


OFF, ON = setting(USAGE, "false"), setting(USAGE, "true")
CHECK_ON, CHECK_OFF = setting("upgrade-checker", "true"), setting("upgrade-checker", "false")


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((), Sends.UNKNOWN),
        ((in_namespace(OFF), in_namespace(CHECK_ON)), Sends.NO),
        ((OFF, CHECK_ON), Sends.NO),
        ((in_namespace(ON), in_namespace(CHECK_ON)), Sends.YES),
        ((in_namespace(ON), in_namespace(CHECK_OFF)), Sends.NO),
        ((in_namespace(OFF, "elsewhere"), in_namespace(CHECK_ON)), Sends.UNKNOWN),
        # Two overlays of one folder.
        ((in_namespace(OFF), in_namespace(ON), in_namespace(CHECK_ON)), Sends.UNKNOWN),
        ((in_namespace(OFF), in_namespace(OFF), in_namespace(CHECK_ON)), Sends.NO),
        (
            ({**in_namespace(OFF), "apiVersion": "other.io/v1"}, in_namespace(CHECK_ON)),
            Sends.UNKNOWN,
        ),
        (({**in_namespace(OFF), "value": False}, in_namespace(CHECK_ON)), Sends.UNKNOWN),
        (
            ({"kind": "List", "apiVersion": "v1", "items": [in_namespace(OFF)]}, CHECK_ON),
            Sends.NO,
        ),
    ],
)
def test_the_files_say_it(objects: tuple[dict[str, Any], ...], expected: Sends) -> None:
    assert sends(*objects) is expected


def test_a_template_beside_it_is_no_object() -> None:
    text = "apiVersion: longhorn.io/v1beta2\nkind: Setting\nvalue: {{ .Values.a }}"
    assert sends(in_namespace(OFF), in_namespace(CHECK_ON), text=text) is Sends.NO
