"""The kubeconfig of a person, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.kube.connecting import IN_CLUSTER, connect, context_names
from fleet_telemetry.kube.exec_plugin import credentials_of_plugin
from fleet_telemetry.kube.kubeconfig import Access, KubeconfigError, read_kubeconfig

TOKEN = "t0k3n-of-somebody"  # a made-up one


def config(**changes: Any) -> dict[str, Any]:
    """A kubeconfig that can be used."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "test", "context": {"cluster": "c", "user": "u"}},
        ],
        "current-context": "prod",
        **changes,
    }


def write(path: Path, document: object) -> str:
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return str(path)


def cluster(**fields: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "c", "cluster": fields}]}


def user(**fields: Any) -> dict[str, Any]:
    return {"users": [{"name": "u", "user": fields}]}


def use(path: str, context: str = "") -> str:
    """Connect with a kubeconfig; what is said if that fails."""

    async def run() -> None:
        found = read_kubeconfig(path)
        (name,) = context_names(found, (context,) if context else ())
        connection = await connect(found, name)
        await connection.client.close()

    with pytest.raises(KubeconfigError) as caught:
        asyncio.run(run())
    assert TOKEN not in str(caught.value)
    assert caught.value.advice
    return caught.value.what


def test_the_current_context_and_its_namespace(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config())

    async def run() -> tuple[str, str, str]:
        found = read_kubeconfig(path)
        connection = await connect(found, *context_names(found, ()))
        await connection.client.close()
        return connection.context, connection.namespace, connection.server

    assert asyncio.run(run()) == ("prod", "shop", "127.0.0.1:1")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is empty"),
        ("- a", "is not a kubeconfig"),
        ("just words", "is not a kubeconfig"),
        (f"a: b: {TOKEN}", "line 1 is not valid YAML"),
        (f"users:\n- name: u\n  user: {{token: {TOKEN}", "is not valid YAML"),
        ("\t\x01\x02", "is not valid YAML"),
        ("[" * 5000, "is not valid YAML"),
        (f"token: !!python/object:os.system {TOKEN}", "is not valid YAML"),
        ("x: &a [*a]", "has no current context"),
        (config(contexts=3), "contexts is not a list"),
        (config(users=[TOKEN]), "an entry of users has no fields"),
        (config(clusters=[{"cluster": {}}]), "entry 1 of clusters has no name"),
        (config(contexts=[{"name": 3}]), "entry 1 of contexts has no name"),
        (config(**{"current-context": "old"}), "has no current context 'old'"),
        (config(**{"current-context": ""}), "has no current context"),
        (config(clusters=[]), "names the cluster 'c', which is not there"),
        (config(users=None), "names the user 'u', which is not there"),
        (config(**cluster()), "has no server that begins with https://"),
        (config(**cluster(server="127.0.0.1:6443")), "has no server that begins with https://"),
        (config(**cluster(server=["https://x"])), "has no server that begins with https://"),
        (
            config(**cluster(server="https://x", **{"certificate-authority": "gone.crt"})),
            "the file in certificate-authority cannot be read",
        ),
        (
            config(**cluster(server="https://x", **{"certificate-authority-data": "%%%="})),
            "certificate-authority-data is not base64",
        ),
        (
            config(**cluster(server="https://x", **{"certificate-authority-data": "aGVsbG8="})),
            "the certificates or the key of context 'prod' cannot be used",
        ),
        (
            config(
                **user(**{"client-certificate-data": "aGVsbG8=", "client-key-data": "aGVsbG8="})
            ),
            "the certificates or the key of context 'prod' cannot be used",
        ),
        (config(**user(tokenFile="gone")), "the file in tokenFile cannot be read"),
        (
            config(**user(**{"auth-provider": {"name": "oidc", "config": {"id-token": TOKEN}}})),
            "cannot be loaded by the auth-provider 'oidc'",
        ),
        (config(**user(exec={"command": "true"})), "no apiVersion"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, document: object, said: str) -> None:
    assert said in use(write(tmp_path / "config", document))


def test_a_context_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config())
    with pytest.raises(KubeconfigError, match="it has these: prod, test"):
        read_kubeconfig(path).choose("prd")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert "there is no kubeconfig" in use(str(path))
    path.mkdir()
    assert "cannot be read" in use(str(path))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    assert "is larger than" in use(write(tmp_path / "config", "#" * (9 * 2**20)))


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "ca.crt").write_text("x")
    first = write(tmp_path / "a", config(contexts=[], clusters=[], **{"current-context": "test"}))
    clusters = cluster(server="https://two", **{"certificate-authority": "ca.crt"})
    second = write(tmp_path / "more" / "b", config(**user(token="other"), **clusters))
    found = read_kubeconfig(os.pathsep.join([first, str(tmp_path / "none"), second]))
    assert (found.current, found.contexts) == ("test", ("prod", "test"))
    access = found.access("prod")
    assert access.user == {"token": TOKEN}
    assert access.cluster["certificate-authority"] == str(tmp_path / "more" / "ca.crt")


def test_without_a_kubeconfig_only_the_pods_own_cluster_can_be_reached() -> None:
    assert context_names(None, ()) == (IN_CLUSTER,)
    with pytest.raises(KubeconfigError, match="no context 'prod'"):
        asyncio.run(connect(None, "prod"))


WORDS = (
    *("clusters", "users", "contexts", "current-context", "name", "cluster", "user", "context"),
    *("exec", "server", "token", "tokenFile", "auth-provider", "config"),
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(TOKEN),
        lambda some: (
            st.lists(some, max_size=3) | st.dictionaries(st.sampled_from(WORDS), some, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_nothing_but_its_own_error_comes_out(document: object) -> None:
    with TemporaryDirectory() as directory, contextlib.suppress(KubeconfigError):
        found = read_kubeconfig(write(Path(directory) / "config", document))
        for context in found.contexts:
            found.access(context)


# Plug-ins

V1 = "client.authentication.k8s.io/v1"


def plugin(tmp_path: Path, script: str, **fields: Any) -> Access:
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    run = {"apiVersion": V1, "command": "./plugin", **fields}
    server = {"server": "https://it", "token": TOKEN}
    return Access(server, {"exec": run}, tmp_path)


def credential(api_version: str = V1, kind: str = "ExecCredential", **status: str) -> str:
    answer = {"apiVersion": api_version, "kind": kind, "status": status}
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


def credentials(access: Access) -> dict[str, Any]:
    return asyncio.run(credentials_of_plugin(access))


def test_the_token_of_a_plugin(tmp_path: Path) -> None:
    assert credentials(plugin(tmp_path, credential(token=TOKEN))) == {"token": TOKEN}


def test_the_certificate_of_a_plugin(tmp_path: Path) -> None:
    script = credential(clientCertificateData="cert", clientKeyData="key")
    assert credentials(plugin(tmp_path, script)) == {
        "client-certificate-data": "Y2VydA==",
        "client-key-data": "a2V5",
    }


def test_a_plugin_gets_its_words_its_variables_and_the_cluster(tmp_path: Path) -> None:
    script = (
        f'test "$1" = word && test "$OWN" = 1 && echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info'
    )
    access = plugin(
        tmp_path,
        f"{script}\n{credential(token='x')}",
        args=["word"],
        env=[{"name": "OWN", "value": "1"}],
        provideClusterInfo=True,
    )
    assert credentials(access) == {"token": "x"}
    info = json.loads((tmp_path / "info").read_text())
    assert (info["apiVersion"], info["spec"]["cluster"]) == (V1, {"server": "https://it"})


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo {TOKEN} >&2; exit 3", "it ended with status 3"),
        (f"echo {TOKEN}; exit 1", "it ended with status 1"),
        (f"echo {TOKEN}", "it wrote no ExecCredential"),
        ("", "it wrote no ExecCredential"),
        ("echo '[]'", "it wrote no ExecCredential"),
        (credential(kind="Secret", token=TOKEN), "it wrote no ExecCredential"),
        (credential("client.authentication.k8s.io/v1beta1", token=TOKEN), "another version"),
        (credential(), "neither a token nor a certificate"),
        (credential(clientCertificateData=TOKEN), "neither a token nor a certificate"),
        ("cat /dev/zero", "it wrote more than 1048576 bytes"),
        ("kill -9 $$", "it ended with status -9"),
    ],
)
def test_a_plugin_that_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, said: str
) -> None:
    with pytest.raises(KubeconfigError) as caught:
        credentials(plugin(tmp_path, script))
    assert "'./plugin' gave no credentials" in caught.value.what
    assert TOKEN not in str(caught.value)
    assert said in caught.value.what
    assert TOKEN not in "".join(capfd.readouterr())


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"cannot be started.*brew install it"):
        credentials(plugin(tmp_path, "", command="no-such-plugin", installHint="brew install it"))


def test_a_plugin_that_needs_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="needs a terminal"):
        credentials(plugin(tmp_path, "", interactiveMode="Always"))


def test_a_plugin_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet_telemetry.kube.exec_plugin._SECONDS", 0.3)
    with pytest.raises(KubeconfigError, match="it did not end within"):
        credentials(plugin(tmp_path, "sleep 20"))
