"""The operator on a local cluster: installed by its Helm chart, run as processes on this machine.

No container runs here. The chart's Deployments are played by kwok; the commands in them run beside
it on this machine, each with a token of its own service account, so that what the chart grants is
all that the operator can do. The webhook listens on the address of its own Service.
"""

from __future__ import annotations

import base64
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import yaml

from dev.cluster import processes
from dev.cluster.children import Children
from dev.cluster.cluster import Cluster, HelmProgram
from dev.cluster.processes import Spawn
from dev.harness import service_proxy
from dev.harness.dns_server import LocalDnsServer
from dev.harness.fault_proxy import FaultProxy
from dev.harness.ports import free_port

Role = Literal["webhook", "controller"]
ROOT = Path(__file__).resolve().parents[2]
PYTHON_PATH = f"{ROOT / 'operator'}{os.pathsep}{ROOT}"
"""The code of this tree, also if the virtual environment belongs to another one."""
CHART = ROOT / "charts" / "fleet-telemetry-operator"
NAMESPACE = "fleet-telemetry"
RELEASE = "fleet-telemetry"
_WEBHOOK_PORT = 9443
_SERVICE_PROXY = "service-proxy"
_READY_SECONDS = 60.0


class OperatorError(RuntimeError):
    """The operator could not be installed or started; the message is for the user."""


@dataclass
class _Process:
    """A role that runs as a process, and the URL of its probes and metrics."""

    name: str
    role: Role
    url: str
    pid: int = 0


class LocalOperator:
    """The operator on one cluster. Use as: install, start, wait until ready, stop."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        *,
        helm: HelmProgram = "helm",
        detached: bool = False,
        spawn: Spawn = processes.spawn,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """``helm`` is the program that installs the chart, ``spawn`` starts each process, and
        ``values`` are those of the chart that an install has unless it says otherwise."""
        self._cluster = cluster
        self._helm = helm
        self._values = values or {}
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, _Process] = {}
        self._addresses = count(1)
        self.children = Children(
            log=self.log,
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(directory),
                "PYTHONPATH": PYTHON_PATH,
            },
            inherits=None,
            detached=detached,
            spawn=spawn,
        )

    def log(self, name: str) -> Path:
        """The file with a process's output."""
        return self._directory / f"{name}.log"

    def install(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        flags: Sequence[str] = (),
        chart: Path = CHART,
    ) -> None:
        """Install or upgrade the chart. Raises subprocess.CalledProcessError."""
        # An unprivileged port, because the process itself listens on it.
        own = _merged({"webhook": {"service": {"port": _WEBHOOK_PORT}}}, self._values)
        text = yaml.safe_dump(_merged(own, values or {}))
        more = ["--install", "--create-namespace", *flags, "--values", "-"]
        self.helm("upgrade", RELEASE, str(chart), *more, stdin=text)

    def helm(self, verb: str, *arguments: str, stdin: str | None = None) -> str:
        """Run helm in the operator's namespace, and return its output.

        Raises subprocess.CalledProcessError.
        """
        where = f"--namespace={NAMESPACE}"
        done = self._cluster.helm(verb, where, *arguments, input=stdin, program=self._helm)
        return done.stdout + done.stderr

    def start(
        self,
        role: Role,
        *,
        name: str | None = None,
        extra: Sequence[str] = (),
        proxy: FaultProxy | None = None,
        clock: float = 0.0,
    ) -> str:
        """Run a role's container command; return the name of the process.

        With a ``proxy`` it connects to the API server only through that. ``clock`` is added to its
        wall clock, in seconds.
        """
        name = name or role
        container = self._container(role)
        kubeconfig = self._cluster.service_account_kubeconfig(
            NAMESPACE, f"{RELEASE}-{role}", self._file(f"{name}.kubeconfig"), seconds=86400
        )
        if proxy is not None:
            redirect(kubeconfig, proxy)
        port = free_port()
        # Settings that a container has by default, and a process on this machine does not.
        own = [f"--kubeconfig={kubeconfig}", "--http-host=127.0.0.1", f"--http-port={port}"]
        own += [f"--namespace={NAMESPACE}", f"--identity={name}", "--log-format=text"]
        if role == "webhook":
            own += [f"--webhook-host={self.webhook_address}", f"--webhook-port={_WEBHOOK_PORT}"]
            own += ["--drain-seconds=0"]
        else:
            # Those of a local cluster are on loopback.
            own += ["--loopback-pods"]
            if "--observe" in container["args"]:
                own += self._observe(container["args"])
        program = str(Path(sys.executable).parent / container["command"][0])
        command = [program, *container["args"], *own, *extra]
        if clock:
            # -P: otherwise this folder's operator.py would shadow the standard library's.
            command = [sys.executable, "-P", "-m", "dev.harness.wrong_clock", str(clock), *command]
        self.children.start(name, command)
        self._running[name] = _Process(name, role, f"http://127.0.0.1:{port}")
        return name

    def _observe(self, arguments: Sequence[str]) -> list[str]:
        """Where a controller listens for name servers. Its Service leads there through a fake
        kube-proxy, which runs from the first controller on."""
        if _SERVICE_PROXY not in self.children.names():
            (service,) = (one for one in arguments if one.startswith("--dnstap-service="))
            where = [str(self._cluster.kubeconfig), NAMESPACE, service.partition("=")[2]]
            program = [sys.executable, "-m", "dev.harness.service_proxy", *where]
            self.children.start(_SERVICE_PROXY, program)
        return [
            f"--dnstap-host={service_proxy.ENDPOINT_HOST}",
            f"--dnstap-port={free_port()}",
            f"--dnstap-address=192.0.2.{next(self._addresses)}",
        ]

    def stop(self, name: str) -> None:
        """Stop a process gracefully."""
        self.children.stop(name)
        del self._running[name]

    def kill(self, name: str) -> None:
        """Kill a process."""
        self.children.kill(name)
        del self._running[name]

    def stop_all(self) -> None:
        """Stop every process."""
        for name in list(self._running):
            self.stop(name)
        if _SERVICE_PROXY in self.children.names():
            self.children.kill(_SERVICE_PROXY)

    def wait_until_ready(self, *names: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until the processes (default: all) are ready. Raises OperatorError."""
        deadline = time.monotonic() + seconds
        for name in names or tuple(self._running):
            while not self.is_ready(name):
                self.children.check(name)
                if time.monotonic() > deadline:
                    raise OperatorError(
                        f"{name} is not ready after {seconds:.0f} s; its log is {self.log(name)}"
                    )
                time.sleep(0.05)

    def url(self, name: str) -> str:
        """The URL of a process's probes and metrics."""
        return self._running[name].url

    def metrics(self, name: str) -> str:
        """A process's metrics."""
        with urllib.request.urlopen(f"{self.url(name)}/metrics", timeout=10) as answer:  # noqa: S310  # our own URL
            text: str = answer.read().decode()
            return text

    @property
    def webhook_address(self) -> str:
        """The ClusterIP of the webhook's Service, a loopback address here."""
        where = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-webhook"
        return str(self._cluster.read(where)["spec"]["clusterIP"])

    @property
    def webhook_port(self) -> int:
        """The port of that Service."""
        return _WEBHOOK_PORT

    @property
    def drain_seconds(self) -> str:
        """The webhook's configuration by the chart; without a Service the delay has no purpose."""
        (found,) = (a for a in self._container("webhook")["args"] if a.startswith("--drain-"))
        return str(found).partition("=")[2]

    def _container(self, role: Role) -> dict[str, Any]:
        """The container as the chart's Deployment has it on the API server."""
        where = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}-{role}"
        spec = self._cluster.read(where)["spec"]["template"]["spec"]
        container: dict[str, Any] = spec["containers"][0]
        return container

    def is_ready(self, name: str) -> bool:
        """Whether a process answers its readiness probe."""
        try:
            with urllib.request.urlopen(f"{self.url(name)}/readyz", timeout=2):  # noqa: S310  # our own URL
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _file(self, name: str) -> Path:
        return self._directory / name


def redirect(kubeconfig: Path, proxy: FaultProxy) -> None:
    """Change a kubeconfig to use the proxy."""
    content = yaml.safe_load(kubeconfig.read_text())
    authority = base64.b64encode(proxy.ca).decode()
    content["clusters"][0]["cluster"] = {
        "server": proxy.url,
        "certificate-authority-data": authority,
    }
    kubeconfig.write_text(yaml.safe_dump(content))


def egress_values(names: LocalDnsServer) -> dict[str, Any]:
    """The chart's ``egress`` where a name server of our own is asked and nothing else outside, and
    NetworkPolicies count as enforced."""
    return {
        "dnsServers": [names.endpoint],
        "enforced": ["NetworkPolicy"],
        "publishedRanges": "built-in",
    }


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both merged; the second takes precedence."""
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        nested = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(inner, value) if nested else value  # type: ignore[arg-type]
    return merged
