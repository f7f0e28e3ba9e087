"""A pod, its node and an internet, in network namespaces that end with the test.

Nothing outside of them is touched: no rule, address or route of the machine, and no packet leaves
them. No rights are needed where the kernel gives user namespaces to everybody; else root's are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_AGENT = Path(__file__).with_name("netns_agent.py")
_PROGRAMS = ("unshare", "ip", "nft")
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
_TRIAL = """
set -e
for family in ipv4 ipv6; do echo 1 > /proc/sys/net/$family/conf/all/forwarding; done
ip link add one type veth peer name other
nft --file - <<END
add table inet trial
add chain inet trial forward { type filter hook forward priority 0; }
add rule inet trial forward ip6 daddr 2001:db8::/32 tcp dport 1-9 reject with tcp reset
END
"""
"""Everything that can be lacking: of rights, and of the kernel."""


class WorldError(Exception):
    """Something inside of the namespaces went wrong; the message has the program's own words."""


def obstacle() -> str:
    """Why no such world can be made here; empty where it can."""
    missing = [program for program in _PROGRAMS if not shutil.which(program, path=_PATH)]
    if missing:
        return f"{', '.join(missing)} not found (Debian: util-linux, iproute2, nftables)"
    entrance = _entrance()
    if not entrance:
        return "no privilege to make network namespaces, neither as a user nor as root"
    trial = _run([*entrance, "sh", "-c", _TRIAL])
    return f"inside of a namespace: {trial.stderr.strip()}" if trial.returncode else ""


def _entrance() -> list[str]:
    """The command that enters a network namespace of its own; empty where there is none."""
    ways = [["unshare", "--user", "--map-root-user", "--net"]]
    if os.geteuid() == 0:
        ways.append(["unshare", "--net"])
    for way in ways:
        if _run([*way, "true"]).returncode == 0:
            return way
    return []


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": _PATH}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=30
    )


class World:
    """What can be done in the namespaces."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def listen(self, addresses: Sequence[Any], ports: Sequence[int]) -> None:
        """Give the internet these addresses, each of which listens on each of the ports."""
        self._ask("tell", "internet", "listen", [str(address) for address in addresses], ports)

    def filter(self, rules: str) -> None:
        """What the node does with the pod's packets, in the words of nftables."""
        self._ask("filter", rules)

    def connect(self, targets: Sequence[tuple[Any, int]]) -> dict[tuple[Any, int], bool]:
        """Whether the pod's connections come through: answered from there, or reset."""
        said = self._ask("tell", "pod", "connect", [[str(to), port] for to, port in targets])
        found = {}
        for (address, port), answer in zip(targets, said, strict=True):
            # Anything else than these two is no answer: a time-out could be a slow machine.
            if answer not in (f"{address} {port}", "ECONNREFUSED"):
                raise WorldError(f"{address} port {port}: {answer}")
            found[address, port] = answer != "ECONNREFUSED"
        return found

    def processes(self) -> list[int]:
        """The processes that hold the namespaces: of the node, the pod and the internet."""
        return list(self._ask("processes"))

    def _ask(self, *request: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"failed": "it has ended"}')
        if "failed" in answer:
            raise WorldError(answer["failed"])
        return answer["done"]


@contextmanager
def world() -> Iterator[World]:
    """The namespaces; they go with the processes in them, however the test ends."""
    process = subprocess.Popen(
        [*_entrance(), sys.executable, str(_AGENT), "node"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PATH": _PATH},
        text=True,
    )
    try:
        found = World(process)
        found._ask("start")
        yield found
    finally:
        # The end of its input ends each of them, also where the test's process is killed.
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout
        process.stdout.close()
