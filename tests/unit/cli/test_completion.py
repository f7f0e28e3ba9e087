"""Completion: what is offered, and how each shell and kubectl ask for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.catalogue import builtin
from fleet_telemetry.cli.completing import contexts, product_names, workload_kinds
from fleet_telemetry.cli.completion import answer
from fleet_telemetry.cli.main import COMMANDS, main
from tests.support.programs import environment, write_programs

PARAMETER = click.Option(["--context"])


BOMB = b"".join(
    [
        b"a0: &a0 [1, 2]\n",
        *(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60)),
        b"contexts: [{name: x}, *a59]\n",
    ]
)


def context(**params: str) -> click.Context:
    asked = click.Context(click.Command("audit"))
    asked.params.update(params)
    return asked


def test_products_are_offered() -> None:
    assert product_names(context(), PARAMETER, "son") == ["sonarqube"]
    assert product_names(context(), PARAMETER, "") == sorted(builtin().products)


def test_kinds_are_offered_whatever_the_case() -> None:
    for typed in ("daem", "Daem"):
        assert workload_kinds(context(), PARAMETER, typed) == ["daemonset/"]
    assert "statefulset/" in workload_kinds(context(), PARAMETER, "")


def test_contexts_of_all_files_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"contexts: [{{name: prod-{name}}}, {{name: dev}}]\n")
    both = f"{tmp_path / 'one'}:{tmp_path / 'none'}:{tmp_path / 'two'}"
    monkeypatch.setenv("KUBECONFIG", both)
    assert contexts(context(), PARAMETER, "prod") == ["prod-one", "prod-two"]
    only = context(kubeconfig=str(tmp_path / "two"))
    assert contexts(only, PARAMETER, "") == ["dev", "prod-two"]
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert contexts(context(), PARAMETER, "") == []
    (tmp_path / ".kube").mkdir()
    (tmp_path / "one").rename(tmp_path / ".kube" / "config")
    assert contexts(context(), PARAMETER, "p") == ["prod-one"]


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b"contexts: [{name: 1}, {}, x, {name: [a]}]",
                b"contexts: {a: b}",
                b"- 1",
                b'contexts: [{name: "a\\nb"}, {name: "\\e[2J"}]',
                b"a: &a [*a]",
                b"[" * 1_000_000,
                BOMB,
                b"\xff\xfe",
                b"x: !!python/object:os.system {}",
                b"contexts: [{name: a}]\n" + b"#" * (1 << 20),
            ]
        ),
    )
)
def test_what_is_no_kubeconfig_offers_nothing(tmp_path_factory: object, text: bytes) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(text)
    assert contexts(context(kubeconfig=str(path)), PARAMETER, "") == []


def test_a_folder_and_a_device_offer_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        assert contexts(context(kubeconfig=str(path)), PARAMETER, "") == []


def test_bash_completes_the_command(tmp_path: Path) -> None:
    folder = write_programs(tmp_path)
    script = (
        'source <(fleet-telemetry completion bash); COMP_WORDS=(fleet-telemetry "$1"); COMP_CWORD=1'
        '; _fleet_telemetry_completion fleet-telemetry; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-euc", script, "bash", "ca"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["catalogue"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_calls_the_command_by_its_own_name(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell], prog_name="kubectl telemetry")
    assert done.exit_code == 0
    assert f"_FLEET_TELEMETRY_COMPLETE={shell}_complete" in done.output
    assert "fleet-telemetry" in done.output
    assert "kubectl" not in done.output


def test_another_shell_is_refused_with_those_that_are_known() -> None:
    done = CliRunner().invoke(main, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in done.output


@pytest.mark.parametrize(
    ("words", "values", "directive"),
    [
        ([""], sorted(COMMANDS), 4),
        ([], sorted(COMMANDS), 4),
        (["cata"], ["catalogue"], 4),
        (["catalogue", "li"], ["lint", "list"], 4),
        (["catalogue", "lint", ""], [], 0),
        (["completion", "z"], ["zsh"], 4),
        (["nothing", "--"], ["--version", "--help"], 4),
        (["completion", "\0"], [], 4),
        (["catalogue", "list", "emq"], ["emqx"], 4),
        (["hosts", "--product", "emq"], ["emqx"], 4),
        (["audit", "--context", "dev"], ["dev-one"], 4),
        (["explain", "Daem"], ["daemonset/"], 4),
        (["explain", "--context", "pr"], ["prod"], 4),
        (["audit", "--outp"], ["--output"], 4),
    ],
)
def test_kubectl_gets_values_and_a_directive(
    words: list[str],
    values: list[str],
    directive: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config").write_text("contexts: [{name: dev-one}, {name: prod}]")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    *lines, last = answer(words)
    assert [line.partition("\t")[0] for line in lines] == values
    assert last == f":{directive}"


@given(st.lists(st.text(max_size=20), max_size=5))
def test_whatever_is_typed_there_is_an_answer(words: list[str]) -> None:
    *lines, last = answer(words)
    assert last in (":0", ":4", ":16")
    assert all(line.replace("\t", "", 1).isprintable() for line in lines)


def test_a_description_stays_on_its_line() -> None:
    for line in answer([""])[:-1]:
        name, _, text = line.partition("\t")
        assert name in COMMANDS
        assert text
        assert text.isprintable()
