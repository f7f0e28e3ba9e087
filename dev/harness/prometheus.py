"""A real Prometheus that scrapes the operator and the API server of a local cluster."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from dev.cluster import ensure
from dev.cluster.children import Children
from dev.cluster.cluster import Cluster
from dev.harness.operator import NAMESPACE, LocalOperator

_NAME = "prometheus"
_READY_SECONDS = 60.0
_INTERVAL = "1s"


class PrometheusError(RuntimeError):
    """Prometheus did not start, or refused a query; the message is for the user."""


@dataclass(frozen=True)
class Sample:
    """One series of a result, and its value now."""

    labels: Mapping[str, str]
    value: float


class LocalPrometheus:
    """Scrapes each second, and evaluates rules as often. Use as a context manager."""

    def __init__(self, cluster: Cluster, operator: LocalOperator, directory: Path) -> None:
        self._cluster = cluster
        self._operator = operator
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._url = ""
        self._children = Children(
            log=self.log, environment={"HOME": str(directory)}, inherits=None, detached=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._children.kill_all()

    def log(self, name: str = _NAME) -> Path:
        """The file with its output."""
        return self._directory / f"{name}.log"

    def start(self, *roles: str, rules: str = "") -> None:
        """Scrape these processes of the operator, and evaluate the rules of a rules file.

        Raises PrometheusError.
        """
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        (self._directory / "rules.yaml").write_text(rules or "groups: []\n")
        config = self._directory / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config(roles)))
        self._url = f"http://{address}"
        program = ensure([_NAME])[_NAME]
        self._children.start(
            _NAME,
            [
                str(program),
                f"--config.file={config}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            self._children.check(_NAME)
            if time.monotonic() > deadline:
                raise PrometheusError(f"Prometheus is not ready; its log is {self.log()}")
            time.sleep(0.05)

    def query(self, expression: str) -> list[Sample]:
        """The current value of an expression, a vector. Raises PrometheusError if it is refused."""
        result = self._get("query", {"query": expression})["result"]
        return [Sample(found["metric"], _number(found["value"][1])) for found in result]

    def query_range(
        self, expression: str, *, seconds: float, step: float = 1
    ) -> list[tuple[Mapping[str, str], list[float]]]:
        """Its values over the last seconds, for each series."""
        now = time.time()
        asked = {"query": expression, "start": now - seconds, "end": now, "step": step}
        result = self._get("query_range", asked)["result"]
        return [
            (found["metric"], [_number(value) for _, value in found["values"]]) for found in result
        ]

    def label_values(self, label: str, selector: str) -> list[str]:
        """The values of a label over the series that a selector finds, in their order."""
        found: list[str] = self._get(f"label/{label}/values", {"match[]": selector})
        return found

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """The labels of the alerts that fire, by the alert's name."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in self._get("alerts", {})["alerts"]:
            if alert["state"] == "firing":
                labels = dict(alert["labels"])
                found.setdefault(labels.pop("alertname"), []).append(labels)
        return found

    def problems(self) -> list[str]:
        """The errors of targets and rules."""
        targets = self._get("targets", {})["activeTargets"]
        found = [target["lastError"] for target in targets if target["lastError"]]
        for group in self._get("rules", {})["groups"]:
            found += [rule["lastError"] for rule in group["rules"] if rule.get("lastError")]
        return found

    def await_that(self, probe: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until the probe returns true. Raises PrometheusError."""
        deadline = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > deadline:
                raise PrometheusError(f"{what} was not reached within {seconds:.0f} s")
            time.sleep(0.2)

    def _config(self, roles: Sequence[str]) -> dict[str, Any]:
        """As a ServiceMonitor of the chart would make it: the job is the Service."""
        scraped = [
            {
                "job_name": f"fleet-telemetry-{role}-metrics",
                # Both kinds of histogram, to show that they can be turned into native ones.
                "convert_classic_histograms_to_nhcb": True,
                "always_scrape_classic_histograms": True,
                "static_configs": [
                    {
                        "targets": [urllib.parse.urlsplit(self._operator.url(role)).netloc],
                        "labels": {"namespace": NAMESPACE, "pod": role},
                    }
                ],
            }
            for role in roles
        ]
        user = yaml.safe_load(self._cluster.kubeconfig.read_text())["users"][0]["user"]
        api_server = {
            "job_name": "apiserver",
            "scheme": "https",
            "authorization": {"credentials": user["token"]},
            "tls_config": {"ca_file": str(self._cluster.ca_path)},
            "static_configs": [{"targets": [urllib.parse.urlsplit(self._cluster.url).netloc]}],
            # Only the series that an alert uses, of thousands.
            "metric_relabel_configs": [
                {
                    "source_labels": ["__name__"],
                    "regex": "apiserver_admission_webhook_fail_open_count",
                    "action": "keep",
                }
            ],
        }
        return {
            "global": {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL},
            "rule_files": [str(self._directory / "rules.yaml")],
            "scrape_configs": [*scraped, api_server],
        }

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=2):  # noqa: S310  # our own URL
                return True
        except (OSError, http.client.HTTPException):
            return False

    def _get(self, what: str, parameters: Mapping[str, Any]) -> Any:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # our own URL
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = json.load(error)
            raise PrometheusError(f"{said['error']}: {parameters}") from None


def _number(text: str) -> float:
    return float(text.replace("Inf", "inf"))
