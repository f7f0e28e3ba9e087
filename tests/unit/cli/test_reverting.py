"""What ``fleet-telemetry revert`` says of fields that it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet_telemetry.cli import reverting
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest
from tests.support.api_stub import SERVED, ApiStub, Asked

NAME = "allow-collecting-longhorn-usage-metrics"
RECORD = {
    "apiVersion": "fleettelemetry.io/v1alpha1",
    "kind": "WorkloadTelemetry",
    "metadata": {"name": "daemonset-longhorn-manager", "namespace": "longhorn-system"},
    "status": {
        "resources": [
            {
                "resource": "settings.longhorn.io", "version": "v1beta2", "kind": "Setting",
                "namespace": "longhorn-system", "name": NAME, "path": "value", "uid": "u1",
                "setting": "Disabled", "type": "String", "setValue": "false",
                "valueBefore": "true", "setUid": "u1",
            }
        ]
    },
}  # fmt: skip
FIELD = {
    "apiVersion": "longhorn.io/v1beta2",
    "kind": "Setting",
    "metadata": {
        "name": NAME,
        "namespace": "longhorn-system",
        "uid": "u1",
        "resourceVersion": "1",
        "managedFields": [
            {"manager": "fleet-telemetry.value", "operation": "Update", "fieldsV1": {"f:value": {}}}
        ],
    },
    "value": "false",
}


LONGHORN = Kind("longhorn.io", "v1beta2", "settings", "Setting", namespaced=True)
KINDS = (*(kind for dialect in DIALECTS for kind in dialect.kinds), LONGHORN)
GROUPS = {**SERVED, "fleettelemetry.io": ["v1alpha1"], "longhorn.io": ["v1beta2"]}


def revert(directory: Path, field: Manifest | int, *, is_served: bool = True) -> int:
    """Without ``--yes``, where the field is so or has this status; the exit code. ``is_served``:
    whether the cluster has its kind."""

    def answer(asked: Asked) -> int | bytes | None:
        if asked.kind == LONGHORN:
            return field if isinstance(field, int) else json.dumps(field).encode()
        is_list = asked.kind.kind == "APIResourceList"
        return b'{"resources": []}' if is_list and not is_served else None

    with ApiStub([RECORD], GROUPS, KINDS, answer) as stub:
        kubeconfig = stub.kubeconfig(directory / "kubeconfig")
        return reverting.run(str(kubeconfig), "", egress_only=False, yes=False)


def test_a_field_that_is_ours_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert revert(tmp_path, FIELD) == 0
    said = capsys.readouterr().out
    assert "would restore" in said
    assert NAME in said


def test_a_field_that_may_not_be_read_is_left_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert revert(tmp_path, 403) == 1
    said = capsys.readouterr()
    assert "cannot be read, and may still be as the operator wrote it" in said.err
    assert NAME in said.err
    assert "nothing is left" not in said.out


@pytest.mark.parametrize("status", [401, 500, 503])
def test_who_gets_no_answer_is_told_so(tmp_path: Path, status: int) -> None:
    with pytest.raises(SystemExit, match=f"{NAME}: made up"):
        revert(tmp_path, status)


@pytest.mark.parametrize("is_served", [False, True], ids=["the kind is gone", "the object is"])
def test_what_is_gone_needs_no_reverting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_served: bool
) -> None:
    assert revert(tmp_path, 404, is_served=is_served) == 0
    assert "nothing is left to remove" in capsys.readouterr().out
