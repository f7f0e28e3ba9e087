"""Clusters on one machine keep out of each other's way."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import sys

import pytest

from dev.cluster import processes, slots
from dev.cluster.errors import DevclusterError
from dev.cluster.slots import Slot

HOLDER = """
import subprocess, sys
from dev.cluster import slots
slots.FIRST_PORT = int(sys.argv[1])
slot = slots.claim()
child = subprocess.Popen(["sleep", "600"], pass_fds=[slot.lock])
print(slot.number, child.pid, flush=True)
child.wait()
"""


@pytest.fixture(autouse=True)
def _alone(own_slots: None) -> None:
    """Without the clusters of other tests."""


def test_claims_differ_and_end_with_release() -> None:
    first, second = slots.claim(), slots.claim()
    assert first.number != second.number
    first.release()
    third = slots.claim()
    assert third.number == first.number
    second.release()
    third.release()


def test_a_slot_can_be_left_out() -> None:
    first = slots.claim()
    first.release()
    second = slots.claim(besides={first.number})
    assert second.number != first.number
    second.release()


def test_a_claim_lasts_as_long_as_the_last_process_that_inherited_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(slots.FIRST_PORT)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        number, pid = map(int, holder.stdout.readline().split())
        child = processes.identify(pid)
        assert child
        holder.kill()
        holder.wait()
        while_the_child_lives = slots.claim()
        child.kill()
    afterwards = slots.claim(besides={while_the_child_lives.number})
    assert while_the_child_lives.number != number
    assert afterwards.number == number
    while_the_child_lives.release()
    afterwards.release()


def test_a_slot_with_a_taken_port_is_passed_over() -> None:
    free = slots.claim()
    free.release()
    with socket.create_server(("127.0.0.1", free.apiserver_port)):
        other = slots.claim()
    assert other.number != free.number
    other.release()


def test_when_all_are_taken_the_error_says_what_to_do() -> None:
    with pytest.raises(DevclusterError, match="stop one"):
        slots.claim(besides=range(slots.SLOTS))


def test_no_two_slots_share_an_address_or_leave_loopback() -> None:
    everything = [Slot(number, lock=-1) for number in range(slots.SLOTS)]
    ports = [port for slot in everything for port in (slot.etcd_port, slot.apiserver_port)]
    ranges = [
        ipaddress.ip_network(cidr)
        for slot in everything
        for cidr in (slot.service_cidr, slot.pod_cidr)
    ]
    assert len(set(ports)) == len(ports)
    assert len(set(ranges)) == len(ranges)
    assert all(found.is_loopback for found in ranges)
    assert ipaddress.ip_network("127.0.0.0/16") not in ranges
