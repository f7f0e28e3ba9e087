"""Processes are recognised for sure, or left alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import processes, records, slots
from dev.cluster.errors import DevclusterError
from dev.cluster.processes import Identity


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_process_is_recognised_until_it_ends(sleeper: subprocess.Popen[bytes]) -> None:
    found = processes.identify(sleeper.pid)
    assert found
    assert found.is_alive()
    found.kill()
    # Not waited for yet: only a zombie has the number now.
    assert not found.is_alive()


def test_a_recycled_number_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = Identity(sleeper.pid, "long ago")
    assert not earlier.is_alive()
    earlier.kill()
    assert sleeper.poll() is None


def test_nobody_has_an_unused_number() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert processes.identify(process.pid) is None


def test_start_times_tell_processes_apart(sleeper: subprocess.Popen[bytes]) -> None:
    own, other = processes.identify(os.getpid()), processes.identify(sleeper.pid)
    assert own
    assert other
    assert own.started != other.started


def test_ps_serves_where_there_is_no_proc(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    found = processes.identify(sleeper.pid)
    assert found
    assert found.is_alive()
    found.kill()
    assert not found.is_alive()


@pytest.mark.usefixtures("own_slots")
def test_a_started_process_keeps_the_claim_that_it_inherits(tmp_path: Path) -> None:
    slot = slots.claim()
    started = processes.spawn(
        ["/bin/sleep", "600"],
        log=tmp_path / "log",
        environment={},
        inherits=slot.lock,
        dies_with_parent=False,
    )
    slot.release()
    meanwhile = slots.claim()
    started.kill()
    started.wait()
    afterwards = slots.claim()
    assert meanwhile.number != slot.number
    assert afterwards.number == slot.number
    meanwhile.release()
    afterwards.release()


def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"url": ')
    with pytest.raises(DevclusterError, match=r"cluster\.json is damaged"):
        records.read(tmp_path)
