"""Runs inside network namespaces of its own, and does there what it is told, line by line.

Three of them make a small world, each a child of the one before it: ``node`` routes and filters,
as a node does for its pods; ``internet`` is where addresses are listened on; ``pod`` connects. They
end when their standard input does, and with them the namespaces and all that is in them. Started by
``tests/egress/netns.py``; needs nothing but Python, ``ip``, ``nft`` and ``unshare``.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

_PATIENCE = 20.0
"""Seconds for all connections together; on a machine at rest it takes milliseconds."""

# Where the three of them are to each other.
_POD, _POD6 = "10.244.1.5", "fd00:1::5"
_POD_GATEWAY, _POD_GATEWAY6 = "10.244.1.1", "fd00:1::1"
_INTERNET, _INTERNET6 = "10.250.0.2", "fd00:2::2"
_INTERNET_GATEWAY, _INTERNET_GATEWAY6 = "10.250.0.1", "fd00:2::1"


def main(role: str) -> None:
    """Do what is asked on standard input, and answer each line with one line."""
    agent = {"node": Node, "internet": Internet, "pod": Pod}[role]()
    commands = agent.commands()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"done": commands[name](*arguments)}
        except subprocess.CalledProcessError as error:
            answer = {"failed": f"{' '.join(error.cmd)}: {error.stderr.strip()}"}
        except OSError as error:
            answer = {"failed": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    if isinstance(agent, Node):
        agent.end()


def run(*command: str, given: str = "") -> str:
    """Run a program."""
    return subprocess.run(
        command, input=given, capture_output=True, text=True, check=True, timeout=30
    ).stdout


def plug(device: str, four: str, six: str) -> None:
    """Give a device its addresses, at once and without asking the neighbours."""
    run("ip", "address", "add", f"{four}/24", "dev", device)
    run("ip", "address", "add", f"{six}/64", "dev", device, "nodad")
    run("ip", "link", "set", device, "up")
    run("ip", "link", "set", "lo", "up")


class Agent:
    """A namespace, told what to do by whoever started it."""

    def __init__(self, role: str) -> None:
        self.process = subprocess.Popen(
            ["unshare", "--net", sys.executable, __file__, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *request: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"failed": "it has ended"}')
        if "failed" in answer:
            raise OSError(answer["failed"])
        return answer["done"]

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


class Node:
    """Routes between the pod and the internet, and filters what the pod sends."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}

    def commands(self) -> dict[str, Callable[..., Any]]:
        return {
            "start": self.start,
            "filter": self.filter,
            "tell": self.tell,
            "processes": self.processes,
        }

    def start(self) -> None:
        for family in ("ipv4", "ipv6"):
            Path(f"/proc/sys/net/{family}/conf/all/forwarding").write_text("1")
        for role in ("pod", "internet"):
            agent = self.agents[role] = Agent(role)
            agent.ask("hello")
            run("ip", "link", "add", f"to-{role}", "type", "veth", "peer", "name", "up0")
            run("ip", "link", "set", "up0", "netns", str(agent.process.pid))
        plug("to-pod", _POD_GATEWAY, _POD_GATEWAY6)
        plug("to-internet", _INTERNET_GATEWAY, _INTERNET_GATEWAY6)
        for agent in self.agents.values():
            agent.ask("plug")
        run("ip", "route", "add", "default", "via", _INTERNET)
        run("ip", "-6", "route", "add", "default", "via", _INTERNET6)

    def filter(self, rules: str) -> None:
        """All rules at once, in place of those before."""
        run("nft", "--file", "-", given=f"flush ruleset\n{rules}")

    def end(self) -> None:
        for agent in self.agents.values():
            agent.end()

    def processes(self) -> list[int]:
        return [os.getpid(), *(agent.process.pid for agent in self.agents.values())]

    def tell(self, role: str, *request: Any) -> Any:
        return self.agents[role].ask(*request)


class Internet:
    """Has public addresses, and says on each which one was reached."""

    def commands(self) -> dict[str, Callable[..., Any]]:
        return {"hello": lambda: None, "plug": self.plug, "listen": self.listen}

    def plug(self) -> None:
        plug("up0", _INTERNET, _INTERNET6)
        run("ip", "route", "add", f"{_POD}/32", "via", _INTERNET_GATEWAY)
        run("ip", "-6", "route", "add", f"{_POD6}/128", "via", _INTERNET_GATEWAY6)

    def listen(self, addresses: list[str], ports: list[int]) -> None:
        waiting = selectors.DefaultSelector()
        for address in addresses:
            family, bits = (socket.AF_INET, 32) if "." in address else (socket.AF_INET6, 128)
            run("ip", "address", "add", f"{address}/{bits}", "dev", "lo", *["nodad"] * (bits > 32))
            for port in ports:
                listener = socket.socket(family, socket.SOCK_STREAM)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.listen(64)
                waiting.register(listener, selectors.EVENT_READ, f"{address} {port}")
        threading.Thread(target=self._answer, args=(waiting,), daemon=True).start()

    def _answer(self, waiting: selectors.BaseSelector) -> None:
        while True:
            for key, _ in waiting.select():
                connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                connection.sendall(key.data.encode())
                connection.close()


class Pod:
    """Connects."""

    def commands(self) -> dict[str, Callable[..., Any]]:
        return {"hello": lambda: None, "plug": self.plug, "connect": self.connect}

    def plug(self) -> None:
        plug("up0", _POD, _POD6)
        run("ip", "route", "add", "default", "via", _POD_GATEWAY)
        run("ip", "-6", "route", "add", "default", "via", _POD_GATEWAY6)

    def connect(self, targets: list[tuple[str, int]]) -> list[str]:
        """Connect to all of them at once; of each, what was read there or the name of the error."""
        waiting = selectors.DefaultSelector()
        found = ["nothing happened"] * len(targets)
        for number, (address, port) in enumerate(targets):
            family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setblocking(False)
            started = one.connect_ex((address, port))
            if started in (0, errno.EINPROGRESS):
                # Readable means: said something, or was cut.
                waiting.register(one, selectors.EVENT_READ, number)
            else:
                found[number] = errno.errorcode[started]
                one.close()
        deadline = time.monotonic() + _PATIENCE
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    found[key.data] = key.fileobj.recv(100).decode()
                except OSError as error:
                    found[key.data] = errno.errorcode[error.errno or 0]
                waiting.unregister(key.fileobj)
                key.fileobj.close()
        return found


if __name__ == "__main__":
    main(sys.argv[1])
