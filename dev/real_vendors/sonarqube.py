"""SonarQube Community Build, the zip that SonarSource publishes, with its embedded database.

What it would send to SonarSource goes to a sink on loopback, and so does whatever else it wants
from outside: the sink is its HTTP proxy.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from dev.cluster.paths import root, shown
from dev.cluster.progress import say
from dev.real_vendors import guard, java
from dev.real_vendors.errors import RealVendorError
from dev.real_vendors.maven import Artifact, fetch, require_space
from fleet_telemetry.vendors.service import Endpoint

RELEASE = Artifact(
    title="SonarQube 25.6.0.109173",
    group="org.sonarsource.sonarqube",
    name="sonar-application",
    version="25.6.0.109173",
    extension="zip",
    sha256="eac9c73e9926592ba850bf7c93fb698bb1220b7177d7700974c398cbea50f5a8",
    size=857_201_296,
)
TELEMETRY_SECONDS = 5
"""Between two looks whether telemetry is due; three hours where nobody changes it."""
_JAVA = (17, 21)
_UNPACKED_BYTES = 1_500_000_000
"""With what it writes while it runs."""
_UP_SECONDS = 300.0
_STOP_SECONDS = 60.0
_PROGRESS_SECONDS = 10.0
_POLL_SECONDS = 0.5
_REQUEST_SECONDS = 30.0


def folder() -> Path:
    """Where the zip is kept."""
    return root() / "vendors"


def prepare() -> Path:
    """All that takes long or may be missing; the zip. Raises RealVendorError."""
    java.find(RELEASE.title, *_JAVA)
    folder().mkdir(parents=True, exist_ok=True)
    return fetch(RELEASE, folder())


class RealSonarQube:
    """One installation. It may be started and stopped several times and keeps its data meanwhile.

    ``with installed(sink.url) as sonarqube:``, then ``with sonarqube.started(environment):``.
    """

    def __init__(self, home: Path, sink_url: str, lock: int) -> None:
        self._home = home
        self._lock = lock
        self._java = java.find(RELEASE.title, *_JAVA)
        self.port, search_port, database_port = _free_ports(3)
        proxy = httpx.URL(sink_url)
        self._configure(
            {
                "sonar.web.host": "127.0.0.1",
                "sonar.web.port": self.port,
                "sonar.search.host": "127.0.0.1",
                "sonar.search.port": search_port,
                "sonar.embeddedDatabase.port": database_port,
                # Otherwise it wants vm.max_map_count raised, which takes root.
                "sonar.search.javaAdditionalOpts": "-Dnode.store.allow_mmap=false",
                # It is started often and used little.
                "sonar.web.javaAdditionalOpts": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
                "sonar.ce.javaAdditionalOpts": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
                "sonar.ce.javaOpts": "-Xmx256m -Xms64m",
                "sonar.search.javaOpts": "-Xmx256m -Xms256m",
                "sonar.telemetry.url": f"{sink_url}/sonarqube",
                "sonar.telemetry.metrics.url": f"{sink_url}/sonarqube/metrics",
                "sonar.gessie.url": f"{sink_url}/server",
                "sonar.telemetry.frequencyInSeconds": TELEMETRY_SECONDS,
                "http.proxyHost": proxy.host,
                "http.proxyPort": proxy.port,
                "https.proxyHost": proxy.host,
                "https.proxyPort": proxy.port,
            }
        )

    @property
    def endpoint(self) -> Endpoint:
        """For the operator's adapter."""
        return Endpoint(scheme="http", address="127.0.0.1", port=self.port, host="localhost")

    @contextmanager
    def started(
        self, environment: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> Iterator[None]:
        """Run it with exactly this environment and these arguments, as the vendor's image does.
        Raises RealVendorError where it does not come up."""
        process = self._start(environment, arguments)
        try:
            self._wait_until_up(process)
            yield
        finally:
            self._stop(process)

    def call(self, path: str, login: str, password: str, /, **form: str) -> dict[str, Any]:
        """POST to the web API as a user; the JSON answer. Raises RealVendorError."""
        with self._client() as client:
            answer = client.post(path, data=form, auth=(login, password))
        if not answer.is_success:
            raise RealVendorError(f"SonarQube answered {answer.status_code} to POST {path}.")
        content: dict[str, Any] = answer.json() if answer.content else {}
        return content

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            trust_env=False,
            timeout=httpx.Timeout(_REQUEST_SECONDS),
        )

    def _configure(self, settings: Mapping[str, object]) -> None:
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._home / "conf" / "sonar.properties").write_text(text)

    @property
    def _logs(self) -> Path:
        return self._home / "logs"

    def _start(
        self, environment: Mapping[str, str], arguments: Sequence[str]
    ) -> subprocess.Popen[str]:
        user = _unprivileged()
        jar = self._home / "lib" / f"{RELEASE.name}-{RELEASE.version}.jar"
        order = {
            "command": [str(self._java), "-Xms8m", "-Xmx64m", "-jar", str(jar), *arguments],
            "environment": dict(environment),
            "folder": str(self._home),
            "log": str(self._logs / "start.log"),
            "patience": _STOP_SECONDS,
            "identity": {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            if user
            else {},
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Nobody else may think that the folder is left behind.
            pass_fds=(self._lock,),
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return process

    def _wait_until_up(self, process: subprocess.Popen[str]) -> None:
        started = reported_at = time.monotonic()
        status = "not answering yet"
        with self._client() as client:
            while status != "UP":
                now = time.monotonic()
                if process.poll() is not None:
                    self._give_up("ended before it was up")
                if now - started > _UP_SECONDS:
                    self._give_up(f"is not up after {_UP_SECONDS:.0f} s")
                if now - reported_at >= _PROGRESS_SECONDS:
                    reported_at = now
                    say(f"{RELEASE.title}: {status}, {now - started:.0f} s")
                time.sleep(_POLL_SECONDS)
                # While it comes up it answers 404, HTML, or nothing.
                with suppress(httpx.HTTPError, ValueError):
                    status = str(
                        client.get("/api/system/status").raise_for_status().json()["status"]
                    )
        say(f"{RELEASE.title}: up in {time.monotonic() - started:.0f} s")

    def _give_up(self, what: str) -> None:
        kept = folder() / "sonarqube-logs"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self._logs, kept)
        raise RealVendorError(f"{RELEASE.title} {what}; its logs are in {shown(kept)}.")

    def _stop(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


@contextmanager
def installed(sink_url: str) -> Iterator[RealSonarQube]:
    """A fresh installation that is removed afterwards. Raises RealVendorError."""
    archive = prepare()
    with ExitStack() as stack:
        lock = stack.enter_context((folder() / "sonarqube.lock").open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another test run of SonarQube in this folder ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        parent = _parent()
        # Ours only: others may share the place.
        prefix = f"sonarqube-{zlib.crc32(bytes(folder().resolve())):08x}-"
        for left in parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        require_space(parent, _UNPACKED_BYTES, f"run {RELEASE.title}")
        place = tempfile.mkdtemp(prefix=prefix, dir=parent)
        stack.callback(shutil.rmtree, place)
        yield RealSonarQube(_unpack(archive, Path(place)), sink_url, lock.fileno())


def new_password() -> str:
    """One that SonarQube takes: 12 characters or more, with every kind of them."""
    return f"{secrets.token_urlsafe(24)}-aA1"


def _unpack(archive: Path, place: Path) -> Path:
    say(f"{RELEASE.title}: unpacking")
    with zipfile.ZipFile(archive) as content:
        content.extractall(place)
    (home,) = place.iterdir()
    user = _unprivileged()
    if user is not None:
        for path in (place, *place.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
    return home


def _unprivileged() -> pwd.struct_passwd | None:
    """Elasticsearch refuses to run as root; None where we are somebody else anyway."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _parent() -> Path:
    """Where to unpack: beside the zip, unless the user that runs it cannot get there."""
    beside = folder().resolve()
    everybody = all(path.stat().st_mode & stat.S_IXOTH for path in (beside, *beside.parents))
    return beside if everybody or _unprivileged() is None else Path(tempfile.gettempdir())


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            taken = stack.enter_context(closing(socket.socket()))
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
        return ports
