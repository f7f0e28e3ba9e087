"""Where binaries come from, and what people are told when one cannot be had."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster import binaries, toolchain

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

KWOK = toolchain.tool("kwok").version
MAJOR, MINOR, _ = KWOK.split(".", 2)

# Plays the part of Go: notes each call, then does what FAKE_GO_* says. `go build` writes a program
# that says it is kwok.
FAKE_GO = f"""\
#!/bin/sh
echo "$@" >> "$FAKE_GO_CALLS"
case "$1" in
env) echo "${{FAKE_GO_VERSION:-go1.99.0}}" ;;
list) echo "go: downloading example.com v1.0.0" >&2
      if [ -n "$FAKE_GO_DOWNLOAD" ]; then echo "$FAKE_GO_DOWNLOAD" >&2; exit 1; fi ;;
build) sleep "${{FAKE_GO_SECONDS:-0}}"
       printf 'example.com/one\\nexample.com/two\\n' >&2
       if [ -n "$FAKE_GO_BUILD" ]; then echo "$FAKE_GO_BUILD" >&2; exit 1; fi
       while [ "$1" != -o ]; do shift; done
       printf '#!/bin/sh\\necho kwok version {KWOK}\\n' > "$2"
       chmod +x "$2" ;;
esac
"""


def program(path: Path, output: str) -> Path:
    """A program that prints its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a fake Go, and the file where its calls are noted."""
    go = tmp_path / "go-bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    noted = tmp_path / "calls"
    noted.touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_GO_CALLS", str(noted))
    return noted


def test_what_is_there_in_the_right_version_is_reused(root: Path, calls: Path) -> None:
    there = program(root / "bin" / "kwok", f"kwok version {KWOK} go1.26 (linux/amd64)")
    assert binaries.ensure(["kwok"]) == {"kwok": there}
    assert calls.read_text() == ""


@pytest.mark.parametrize("version", [f"{MAJOR}.{MINOR}.99", f"{KWOK}-alpha", "unknown"])
def test_what_is_there_in_another_version_is_built_anew(
    root: Path, calls: Path, version: str
) -> None:
    there = program(root / "bin" / "kwok", f"kwok version {version}")
    binaries.ensure(["kwok"])
    assert KWOK in there.read_text()
    assert "build" in calls.read_text()


def test_the_right_version_on_path_is_linked(
    root: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = program(tmp_path / "elsewhere" / "kwok", f"kwok version {KWOK}")
    monkeypatch.setenv("PATH", str(elsewhere.parent), prepend=os.pathsep)
    found = binaries.ensure(["kwok"])["kwok"]
    assert found == root / "bin" / "kwok"
    assert found.samefile(elsewhere)
    assert calls.read_text() == ""


def test_assets_of_the_same_minor_come_first(
    root: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(root / "bin" / "kwok", f"kwok version {KWOK}")
    asset = program(tmp_path / "assets" / "kwok", f"kwok version {MAJOR}.{MINOR}.99")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(asset.parent))
    assert binaries.ensure(["kwok"])["kwok"].samefile(asset)
    assert calls.read_text() == ""


def test_assets_may_be_the_very_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = program(root / "bin" / "kwok", f"kwok version {KWOK}")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(there.parent))
    assert binaries.ensure(["kwok"])["kwok"] == there
    assert not there.is_symlink()


def test_assets_of_another_minor_are_named_and_not_used(
    command_line: CommandLine, calls: Path, tmp_path: Path
) -> None:
    program(tmp_path / "assets" / "kwok", "kwok version v0.1.0")
    done = command_line(
        "build", "kwok", environment={"KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    )
    assert done.returncode == 0
    assert done.stderr.count(f"has kwok v0.1.0, and {KWOK} is wanted") == 1
    assert "build" in calls.read_text()


def test_a_build_says_what_it_does_in_few_lines(command_line: CommandLine, calls: Path) -> None:
    done = command_line("build", "kwok", environment={"FAKE_GO_SECONDS": "1.1"})
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "[1/2] download the Go modules of kwok",
        "[1/2] download the Go modules of kwok: done in 0 s",
        f"[2/2] build kwok {KWOK} (about 55 s the first time)",
        f"[2/2] build kwok {KWOK}: done in 1 s",
    ]
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["env", "list", "build"]


@pytest.mark.usefixtures("root", "calls")
def test_on_a_terminal_a_counter_is_kept_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_SECONDS", "1.2")
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "dev.cluster", "build", "kwok"], stderr=theirs, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert f"\r\033[K[2/2] build kwok {KWOK}: 0 packages, 1 s\r\033[K" in shown


def test_one_process_builds_and_the_other_waits_and_says_so(
    command_line: CommandLine, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_SECONDS", "2")
    command = [sys.executable, "-m", "dev.cluster", "build", "kwok"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr
        first.stderr.readline()
        second = command_line("build", "kwok")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "another process is building" in second.stderr
    assert [line.split()[0] for line in calls.read_text().splitlines()].count("build") == 1


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed command says after its progress: exactly one line."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    return line


def test_without_go_people_are_told_where_to_get_it(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = command_line("build", "kwok", environment={"PATH": str(tmp_path / "empty")})
    assert "Go is not installed" in one_sentence(done)
    assert "install Go 1.26" in one_sentence(done)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("version", ["go1.25.9", "go1.9", "nonsense"])
def test_a_go_that_is_too_old_is_named(command_line: CommandLine, version: str) -> None:
    done = command_line("build", "kwok", environment={"FAKE_GO_VERSION": version})
    assert f"too old ({version}): install Go 1.26" in one_sentence(done)


@pytest.mark.usefixtures("calls")
def test_a_program_that_does_not_tell_its_version_is_refused(command_line: CommandLine) -> None:
    done = command_line("build", "etcd")
    assert "does not say that it is" in one_sentence(done)


NO_NETWORK = 'Get "https://proxy.example/": dial tcp: lookup proxy.example: no such host'
WRONG_SUM = "verifying example.com@v1.0.0: checksum mismatch"
FULL_DISK = "write /tmp/go-build1/b001/_pkg_.a: no space left on device"
BAD_CODE = "example.go:7:2: undefined: nothing"


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("variable", "output", "sentence"),
    [
        ("DOWNLOAD", NO_NETWORK, "could not download the Go modules of kwok: no connection"),
        ("DOWNLOAD", WRONG_SUM, "the modules are not those that go.sum pins"),
        ("BUILD", FULL_DISK, f"could not build kwok {KWOK}: the disk is full"),
        ("BUILD", "go: compile: signal: killed", "the machine ran out of memory"),
        ("BUILD", BAD_CODE, BAD_CODE),
    ],
)
def test_a_failed_step_is_one_sentence_with_a_reason_and_the_log(
    command_line: CommandLine, root: Path, variable: str, output: str, sentence: str
) -> None:
    done = command_line("build", "kwok", environment={f"FAKE_GO_{variable}": output})
    said = one_sentence(done)
    assert sentence in said
    log = said.rpartition("(log: ")[2].removesuffix(")")
    assert not Path(log).is_absolute()
    assert output in Path(log).read_text()
    assert not (root / "bin" / "kwok").exists()


@pytest.mark.usefixtures("calls")
def test_a_root_that_cannot_be_written_is_one_sentence(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = command_line("build", "kwok", environment={"DEVCLUSTER_ROOT": str(tmp_path / "file")})
    assert "Not a directory" in one_sentence(done)


def test_a_program_of_our_own_main_is_one_only_if_it_was_built_from_it(root: Path) -> None:
    ours = toolchain.tool("coredns")
    there = program(root / "bin" / "coredns", f"CoreDNS-{ours.version[1:]} {ours.digest}")
    assert binaries.ensure(["coredns"]) == {"coredns": there}


@pytest.mark.usefixtures("calls")
def test_a_program_of_the_same_version_and_another_main_is_built_anew(root: Path) -> None:
    ours = toolchain.tool("coredns")
    there = program(root / "bin" / "coredns", f"CoreDNS-{ours.version[1:]} 0123456789ab")
    with pytest.raises(binaries.DevclusterError, match="stamps"):  # the fake Go builds kwok
        binaries.ensure(["coredns"])
    assert "kwok" in there.read_text()
