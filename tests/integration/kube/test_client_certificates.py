"""A real API server that is configured as docs/security.md says shows its certificate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.cluster import Cluster
from fleet_telemetry.admission.certificates.material import new_authority
from tests.support.builders import SONAR_SWITCH, SONARQUBE, container, manifest
from tests.support.client_certificates import new_client
from tests.support.clusters import Clusters
from tests.support.threaded_webhook import TODAY, ThreadedWebhook

pytestmark = pytest.mark.cluster

NAME = "clients"
PAGE = Path(__file__).parents[3] / "docs" / "security.md"


def _documented() -> list[str]:
    """The two files of the page."""
    blocks = PAGE.read_text().split("```yaml\n")[1:]
    found = [block.partition("```")[0] for block in blocks]
    return [text for text in found if "AdmissionConfiguration" in text or "kind: Config" in text]


def _injects(cluster: Cluster) -> bool:
    given = manifest(
        container(SONARQUBE),
        namespace="default",
        selector={"matchLabels": {"app": "it"}},
        replicas=0,
    )
    given["metadata"] = {"name": "it", "namespace": "default"}
    done = cluster.kubectl(
        "create", "-f", "-", "--dry-run=server", "--output=json", input=json.dumps(given)
    )
    (found,) = json.loads(done.stdout)["spec"]["template"]["spec"]["containers"]
    return any(entry["name"] == SONAR_SWITCH for entry in found.get("env", ()))


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[ThreadedWebhook]:
    authority = new_authority(TODAY)
    (tmp_path / "ca.crt").write_text(authority.certificate)
    pair = new_client(authority, "kube-apiserver", TODAY)
    (tmp_path / "client.crt").write_text(pair.certificate)
    (tmp_path / "client.key").write_text(pair.key)
    found = ThreadedWebhook(client_ca=tmp_path / "ca.crt", client_names=["kube-apiserver"])
    yield found
    found.stop()


def test_an_api_server_with_a_client_certificate_is_answered(
    webhook: ThreadedWebhook, tmp_path: Path
) -> None:
    admission, kubeconfig = _documented()
    clients = yaml.safe_load(kubeconfig)
    (user,) = clients["users"]
    assert user["name"].endswith(".svc")
    # Here the webhook has a URL.
    user["name"] = f"localhost:{webhook.server.port}"
    user["user"] = {
        "client-certificate": str(tmp_path / "client.crt"),
        "client-key": str(tmp_path / "client.key"),
    }
    (tmp_path / "webhooks.kubeconfig").write_text(yaml.safe_dump(clients))
    file = "/etc/kubernetes/webhooks.kubeconfig"
    assert file in admission
    (tmp_path / "admission.yaml").write_text(
        admission.replace(file, str(tmp_path / "webhooks.kubeconfig"))
    )
    arguments = [f"--admission-control-config-file={tmp_path / 'admission.yaml'}"]
    with Cluster(
        tmp_path / "cluster", controller_manager=False, extra_apiserver_args=arguments
    ) as cluster:
        configuration = json.dumps(webhook.configuration(NAME))
        cluster.kubectl("create", "-f", "-", input=configuration)
        assert any(_injects(cluster) for _ in range(100))


def test_an_api_server_without_one_admits_workloads_unchanged(
    webhook: ThreadedWebhook, clusters: Clusters
) -> None:
    with clusters.lend(controller_manager=False) as cluster:
        configuration = json.dumps(webhook.configuration(NAME))
        cluster.kubectl("create", "-f", "-", input=configuration)
        metric = "apiserver_admission_webhook_fail_open_count"
        for _ in range(100):
            assert not _injects(cluster)
            text = cluster.kubectl("get", "--raw", "/metrics").stdout
            if any(line.startswith(metric) and NAME in line for line in text.splitlines()):
                break
        else:
            raise AssertionError("the API server did not call the webhook")
        assert webhook.calls == 0
