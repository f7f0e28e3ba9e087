"""Slots: each cluster on this machine has its own ports and loopback ranges.

A slot is claimed by a lock on a file. The cluster's processes inherit the open file, so the claim
lasts until the last of them is gone, and no longer: a crash leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.errors import DevclusterError

SLOTS = 100
# Below the ports that systems hand out by themselves (from 32768 on Linux, 49152 on macOS), so that
# a stopped component finds its port free when it comes back.
FIRST_PORT = 21000
_POD_PREFIX = 16
POD_ADDRESSES = 2 ** (32 - _POD_PREFIX) - 2
"""How many pods of a cluster can run at the same time."""


@dataclass(frozen=True)
class Slot:
    """A cluster's place among those of this machine, and what comes with it."""

    number: int
    lock: int
    """The descriptor of the locked file, for the cluster's processes to inherit."""

    @property
    def etcd_port(self) -> int:
        """Where etcd listens for kube-apiserver."""
        return FIRST_PORT + 2 * self.number

    @property
    def apiserver_port(self) -> int:
        """Where kube-apiserver listens for everybody."""
        return FIRST_PORT + 2 * self.number + 1

    @property
    def service_cidr(self) -> str:
        """The range of the Services' ClusterIPs."""
        return f"127.{20 + 2 * self.number}.0.0/16"

    @property
    def pod_cidr(self) -> str:
        """The range of the pods' addresses."""
        return f"127.{21 + 2 * self.number}.0.0/{_POD_PREFIX}"

    def release(self) -> None:
        """Give up our share of the claim; processes that inherited the lock keep theirs."""
        os.close(self.lock)


def claim(besides: Container[int] = ()) -> Slot:
    """Claim a free slot, none in `besides`; raises DevclusterError where all are taken."""
    folder = Path(tempfile.gettempdir()) / f"devcluster-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(SLOTS):
        if number in besides:
            continue
        slot = Slot(number, os.open(folder / f"slot-{number}", os.O_RDWR | os.O_CREAT, 0o600))
        if _locked(slot) and _is_free(slot.etcd_port) and _is_free(slot.apiserver_port):
            return slot
        slot.release()
    raise DevclusterError(
        f"all {SLOTS} places for local clusters on this machine are taken: stop one,"
        " for instance with `python -m dev.cluster down`"
    )


def _locked(slot: Slot) -> bool:
    try:
        fcntl.flock(slot.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    """Look whether a server could listen there; others on the machine know nothing of slots."""
    with socket.socket() as probe:
        # As the servers do: a connection that is only waiting to be forgotten does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
