"""A real Kubernetes control plane as a handful of processes on loopback."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from dev.cluster import binaries, components, credentials, files, paths, records, slots
from dev.cluster.api import ApiServer, ApiServerError
from dev.cluster.children import Children, ComponentEndedError
from dev.cluster.components import APISERVER, CONTROLLER_MANAGER, ETCD, KWOK, SCHEDULER
from dev.cluster.contents import AdminConnection, ServerContents, bring_back, read_contents
from dev.cluster.errors import DevclusterError
from dev.cluster.files import Layout
from dev.cluster.processes import SHORT_LIVED
from dev.cluster.slots import Slot

HelmProgram = Literal["helm", "helm3"]

_NODE = "node-1"
# As many pods as it has addresses, whatever they request: a pod that does not fit stays Pending.
NODE_SIZE = {"cpu": "1M", "memory": "1Pi", "pods": str(slots.POD_ADDRESSES)}
_NODE_MANIFEST = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": _NODE,
        "labels": {"kubernetes.io/hostname": _NODE, "kubernetes.io/os": "linux"},
    },
    "status": {"capacity": NODE_SIZE, "allocatable": NODE_SIZE},
}
_READY_SECONDS = 120.0
_PROBE_SECONDS = 3.0
_READ_SECONDS = 60.0
_POLL_SECONDS = 0.05
_SLOTS_TO_TRY = 3
_SETTLED_SECONDS = 0.3
_PASSED_ON = ("PATH", "GOGC", "GOMAXPROCS")
_OPTIONAL = (CONTROLLER_MANAGER, SCHEDULER, KWOK)
_SYSTEM_NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}


@dataclass(frozen=True)
class _Running:
    """What exists from start() to stop()."""

    layout: Layout
    commands: dict[str, list[str]]
    children: Children
    contents: ServerContents | None = None
    """Of the API server before anything else wrote to it."""


class Cluster:
    """One throwaway cluster in a directory of its own.

    Always etcd and kube-apiserver, with RBAC on; kube-controller-manager unless refused; on request
    kube-scheduler, and kwok with one node on which pods become Running and Ready. Services and pods
    get addresses in 127.0.0.0/8. It lives from start() to stop(), or as long as a `with` block, and
    ends with this process however that ends, unless it is `detached`.

    Raises DevclusterError where something is wrong. Not for several threads at once.
    """

    def __init__(
        self,
        directory: Path,
        *,
        controller_manager: bool = True,
        scheduler: bool = False,
        kwok: bool = False,
        audit: bool = False,
        extra_apiserver_args: Sequence[str] = (),
        detached: bool = False,
        reusable: bool = False,
    ) -> None:
        """``reusable``: for bring_back()."""
        self.directory = directory.resolve()
        self.components = _components(
            controller_manager=controller_manager, scheduler=scheduler, kwok=kwok
        )
        self._audit = audit
        self._extra_apiserver_args = tuple(extra_apiserver_args)
        self._detached = detached
        self._reusable = reusable
        self._started: _Running | None = None
        self._server: ApiServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start an empty cluster and return when it is usable.

        Usable: the API server is ready; with the controller manager, pods can be created in the
        namespace `default`; with kwok, its node is Ready.
        """
        if self._started:
            raise DevclusterError("the cluster is started already")
        programs = binaries.ensure(self.components)
        tried: set[int] = set()
        while not self._started:
            slot = slots.claim(besides=tried)
            tried.add(slot.number)
            try:
                self._start_in(slot, programs)
            except ComponentEndedError as error:
                self.stop()
                # Another program took a port of the slot; another slot has other ports.
                if "address already in use" not in error.tail or len(tried) == _SLOTS_TO_TRY:
                    raise
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Kill the components and remove the data; logs stay. Does nothing if it is not started."""
        if self._started:
            self._started.children.kill_all()
            self._started.layout.slot.release()
            shutil.rmtree(self._started.layout.etcd_data, ignore_errors=True)
            self._started = self._server = None

    def bring_back(
        self, *, controller_manager: bool = True, scheduler: bool = False, kwok: bool = False
    ) -> None:
        """Make an empty cluster with these components of a used one; etcd and kube-apiserver go on.

        Raises NotBroughtBackError if it did not become empty: then start another one. Audit events,
        logs and metrics stay.
        """
        running = self._running
        if running.contents is None:
            raise DevclusterError("start the cluster with reusable=True to bring it back")
        self.kill_controllers()
        with AdminConnection(self.kubeconfig) as connection:
            bring_back(connection, running.contents)
        for cache in (".cache", ".kube"):
            # What kubectl and Helm know of the kinds that were served.
            shutil.rmtree(self.directory / cache, ignore_errors=True)
        self.components = _components(
            controller_manager=controller_manager, scheduler=scheduler, kwok=kwok
        )
        running.commands.update(self._commands(running.layout, binaries.ensure(self.components)))
        self._start_the_others()

    # Addresses

    @property
    def slot(self) -> int:
        """The cluster's slot; no two running clusters have the same."""
        return self._running.layout.slot.number

    @property
    def url(self) -> str:
        """Of the API server."""
        return self._running.layout.url

    @property
    def ca_path(self) -> Path:
        """The CA certificates (PEM) of the API server."""
        return self._running.layout.ca

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; it needs no other file and can be copied."""
        return self._running.layout.kubeconfig("admin")

    @property
    def service_cidr(self) -> str:
        """The range of the Services' ClusterIPs; on Linux any process here can listen on them."""
        return self._running.layout.slot.service_cidr

    @property
    def pod_cidr(self) -> str:
        """The range of the pods' addresses; likewise."""
        return self._running.layout.slot.pod_cidr

    def log(self, name: str) -> Path:
        """Name the file with a component's output; it stays after stop(), until start()."""
        return files.log(self.directory, name)

    # Usage

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator, and capture its output as text.

        With `check`, a failure raises subprocess.CalledProcessError with kubectl's output.
        """
        return self._run("kubectl", arguments, input, check=check)

    def read(self, path: str) -> Any:
        """Return what the API server has at this path, for whoever reads often: it takes a
        thirtieth of the time of a start of kubectl.

        Raises ApiServerError, or OSError where nobody answers in time.
        """
        return json.loads(self._api.text("GET", path, seconds=_READ_SECONDS))

    def helm(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        check: bool = True,
        program: HelmProgram = "helm",
    ) -> subprocess.CompletedProcess[str]:
        """Run helm (Helm 4) or helm3 as administrator; otherwise as kubectl()."""
        return self._run(program, arguments, input, check=check)

    def service_account_kubeconfig(
        self, namespace: str, name: str, path: Path, seconds: int = 3600
    ) -> Path:
        """Write a kubeconfig that holds only a fresh token of an existing service account.

        The token is good for `seconds`; the API server grants none below 600.
        """
        answer = self._api.json(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"spec": {"expirationSeconds": seconds}},
        )
        token = answer["status"]["token"]
        text = credentials.kubeconfig(self.url, self.ca_path.read_bytes(), name, token)
        credentials.write_private(path, text)
        return path

    def metrics_text(self) -> str:
        """Return the API server's metrics in Prometheus' text format."""
        return self._api.text("GET", "/metrics")

    def audit_events(self) -> list[dict[str, Any]]:
        """Return all audit events so far, oldest first (audit.k8s.io/v1, level Metadata)."""
        if not self._audit:
            raise DevclusterError("start the cluster with audit=True to have audit events")
        # The last line may still be in the making: then it has no line break yet.
        complete = self._running.layout.audit_log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    # Faults

    def stop_component(self, name: str) -> None:
        """Stop the component gracefully, and wait."""
        self._running.children.stop(name)

    def kill_component(self, name: str) -> None:
        """Kill the component (SIGKILL)."""
        self._running.children.kill(name)

    def kill_controllers(self) -> None:
        """Kill all but etcd and kube-apiserver."""
        for name in set(self._running.children.names()) & set(_OPTIONAL):
            self.kill_component(name)

    def start_component(self, name: str) -> None:
        """Start a component again, with the ports and data that it had."""
        self._launch(name)
        if name == ETCD:
            self._await(name, self._etcd_is_ready, [name])
        elif name == APISERVER:
            self._await(name, self._apiserver_is_ready, [name])

    def suspend_component(self, name: str) -> None:
        """Suspend the component: its ports stay open without answers (SIGSTOP)."""
        self._running.children.send(name, signal.SIGSTOP)

    def resume_component(self, name: str) -> None:
        """Resume a suspended component (SIGCONT)."""
        self._running.children.send(name, signal.SIGCONT)

    # Inside

    @property
    def _running(self) -> _Running:
        if not self._started:
            raise DevclusterError("the cluster is not started")
        return self._started

    @property
    def _api(self) -> ApiServer:
        if self._server is None:
            self._server = ApiServer.of(self.kubeconfig)
        return self._server

    def _start_in(self, slot: Slot, programs: Mapping[str, Path]) -> None:
        layout = Layout(self.directory, slot)
        commands = self._commands(layout, programs)
        children = Children(
            log=self.log,
            environment=self._environment(),
            inherits=slot.lock,
            detached=self._detached,
        )
        self._started = _Running(layout, commands, children)
        tokens = credentials.new_tokens()
        files.prepare(layout, tokens)
        self.start_component(ETCD)
        self._launch(APISERVER)
        self._await("the API server's certificate", layout.ca_is_complete)
        files.write_kubeconfigs(layout, tokens)
        self._await(APISERVER, self._apiserver_is_ready)
        if self._reusable:
            contents = self._settled_contents()
            self._started = replace(self._running, contents=contents)
        self._start_the_others()

    def _commands(self, layout: Layout, programs: Mapping[str, Path]) -> dict[str, list[str]]:
        return components.commands(
            programs, layout, audit=self._audit, extra_apiserver_args=self._extra_apiserver_args
        )

    def _settled_contents(self) -> ServerContents:
        """What the API server has made for itself. It goes on with that after it is ready."""
        with AdminConnection(self.kubeconfig) as connection:
            deadline = time.monotonic() + _READY_SECONDS
            before = read_contents(connection)
            while True:
                time.sleep(_SETTLED_SECONDS)
                now = read_contents(connection)
                if now.versions == before.versions and _namespaces(now) >= _SYSTEM_NAMESPACES:
                    return now
                if time.monotonic() > deadline:
                    raise DevclusterError("the API server goes on writing to an empty cluster")
                before = now

    def _start_the_others(self) -> None:
        if KWOK in self.components:
            self._api.text("POST", "/api/v1/nodes", _NODE_MANIFEST)
        for name in self.components[2:]:
            self._launch(name)
        if KWOK in self.components:
            self._await("the node", self._node_is_ready)
        self._await("the namespace default", self._namespace_is_usable)

    def _launch(self, name: str) -> None:
        self._running.children.start(name, self._running.commands[name])
        if self._detached:
            # At once, because after a crash nothing else knows this process.
            records.write(self._running.layout, self._running.children.identities())

    def _environment(self) -> dict[str, str]:
        """The environment without the user's settings: proxies, preferences, caches.

        (kubectl's cache goes by address, and would mix up clusters that had the same.) What says
        to programs in Go how much of the machine they may take is passed on.
        """
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {"HOME": str(self.directory), "PATH": os.defpath, **passed_on}

    def _run(
        self, program: str, arguments: Sequence[str], stdin: str | None, *, check: bool
    ) -> subprocess.CompletedProcess[str]:
        binary = binaries.ensure([program])[program]
        done = subprocess.run(
            [binary, *arguments],
            env={**self._environment(), **SHORT_LIVED, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            error = subprocess.CalledProcessError(
                done.returncode, [program, *arguments], done.stdout, done.stderr
            )
            error.add_note(done.stderr.strip())
            raise error
        return done

    def _await(
        self, what: str, probe: Callable[[], bool], involved: Iterable[str] | None = None
    ) -> None:
        """Wait until the probe says yes; where nobody answers it, it may raise.

        Raises ComponentEndedError as soon as one of those involved (default: all) is gone.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not _succeeds(probe):
            for name in involved or self._running.children.names():
                self._running.children.check(name)
            if time.monotonic() > deadline:
                raise DevclusterError(
                    f"{what} was not ready after {_READY_SECONDS:.0f} s;"
                    f" the components' logs are in {paths.shown(self.log(ETCD).parent)}"
                )
            time.sleep(_POLL_SECONDS)

    def _etcd_is_ready(self) -> bool:
        port = self._running.layout.slot.etcd_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == HTTPStatus.OK
        finally:
            connection.close()

    def _apiserver_is_ready(self) -> bool:
        return self._api.is_ready(_PROBE_SECONDS)

    def _node_is_ready(self) -> bool:
        node = self._api.json("GET", f"/api/v1/nodes/{_NODE}")
        conditions = node["status"].get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        # A new node is tainted; the controller manager takes that away when the node is Ready.
        schedulable = not node["spec"].get("taints") or CONTROLLER_MANAGER not in self.components
        return ready and schedulable

    def _namespace_is_usable(self) -> bool:
        """Look for what a pod needs: the namespace, and its account if there is who makes it."""
        account = "/serviceaccounts/default" if CONTROLLER_MANAGER in self.components else ""
        self._api.text("GET", f"/api/v1/namespaces/default{account}")
        return True


def _components(*, controller_manager: bool, scheduler: bool, kwok: bool) -> tuple[str, ...]:
    wanted = dict(zip(_OPTIONAL, (controller_manager, scheduler, kwok), strict=True))
    return (ETCD, APISERVER, *(name for name in _OPTIONAL if wanted[name]))


def _namespaces(contents: ServerContents) -> set[str]:
    return {name for resource, _, name in contents.objects if resource == "namespaces"}


def _succeeds(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except (OSError, http.client.HTTPException, ApiServerError):
        return False
