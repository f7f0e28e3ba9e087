from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dev.real_vendors import guard


def guarded(folder: Path, script: str, **order: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__], stdin=subprocess.PIPE, text=True
    )
    given = {
        "command": ["/bin/sh", "-c", script],
        "environment": {},
        "folder": str(folder),
        "log": str(folder / "log"),
        "patience": 5.0,
        "identity": {},
        **order,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    return process


def wait_for(file: Path) -> str:
    for _ in range(200):
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return text
        time.sleep(0.05)
    pytest.fail(f"no {file.name}")


def is_gone(pid: int) -> bool:
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_environment_is_exactly_what_was_ordered(tmp_path: Path) -> None:
    with guarded(tmp_path, "exec /usr/bin/env", environment={"ONLY": "this"}) as process:
        assert process.wait(10) == 0
    told = (tmp_path / "log").read_text().split()
    # The shell's own.
    assert [line for line in told if not line.startswith(("PWD=", "_=", "SHLVL="))] == ["ONLY=this"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("ending", ["told to stop", "the starter is gone"])
@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["willing", "deaf"])
def test_everything_it_started_goes(tmp_path: Path, ending: str, trap: str) -> None:
    script = f"{trap}/bin/sleep 600 & echo $! > child; wait; /bin/sleep 600"
    starter = guarded(tmp_path, script, patience=0.5)
    child = int(wait_for(tmp_path / "child"))
    assert starter.stdin is not None
    if ending == "told to stop":
        starter.stdin.write("stop\n")
    starter.stdin.close()
    assert starter.wait(20) != 0
    assert is_gone(child)
