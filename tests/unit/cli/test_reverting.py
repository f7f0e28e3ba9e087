"""What ``fleet-telemetry revert`` says of fields that it cannot read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet_telemetry.cli import reverting

NAME = "allow-collecting-longhorn-usage-metrics"
RECORD = {
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


class Server:
    """Has one WorkloadTelemetry, and the field that it names, or a refusal."""

    def __init__(self) -> None:
        self.field: dict[str, Any] | int = FIELD
        self.kinds = ["settings"]
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.endswith("/workloadtelemetries"):
                    self._answer({"metadata": {"resourceVersion": "1"}, "items": [RECORD]})
                elif path.endswith(f"/settings/{NAME}"):
                    found = server.field
                    refusal = {"kind": "Status", "message": "no", "reason": "x"}
                    self._answer(*((refusal, found) if isinstance(found, int) else (found, 200)))
                elif path.endswith("/longhorn.io/v1beta2"):
                    self._answer({"resources": [{"name": one} for one in server.kinds]})
                else:
                    self._answer({"metadata": {"resourceVersion": "1"}, "items": []})

            def _answer(self, found: Any, status: int = 200) -> None:
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def revert(server: Server, directory: Path) -> int:
    """Without ``--yes``; the exit code."""
    cluster = {"server": f"http://127.0.0.1:{server.http.server_port}"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": cluster}],
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "current-context": "a",
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return reverting.run(str(path), "", egress_only=False, yes=False)


def test_a_field_that_is_ours_is_listed(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert revert(server, tmp_path) == 0
    said = capsys.readouterr().out
    assert "would restore" in said
    assert NAME in said


def test_a_field_that_may_not_be_read_is_left_and_said(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.field = 403
    assert revert(server, tmp_path) == 1
    said = capsys.readouterr()
    assert "cannot be read, and may still be as the operator wrote it" in said.err
    assert NAME in said.err
    assert "nothing is left" not in said.out


@pytest.mark.parametrize("status", [401, 500, 503])
def test_who_gets_no_answer_is_told_so(server: Server, tmp_path: Path, status: int) -> None:
    server.field = status
    with pytest.raises(SystemExit, match=f"{NAME}: no"):
        revert(server, tmp_path)


@pytest.mark.parametrize("kinds", [[], ["settings"]], ids=["the kind is gone", "the object is"])
def test_what_is_gone_needs_no_reverting(
    server: Server, tmp_path: Path, kinds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.field, server.kinds = 404, kinds
    assert revert(server, tmp_path) == 0
    assert "nothing is left to remove" in capsys.readouterr().out
