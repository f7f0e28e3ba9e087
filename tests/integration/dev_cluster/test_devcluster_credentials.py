"""Secrets stay with their owner."""

from __future__ import annotations

import stat
from pathlib import Path

import yaml

from dev.cluster import credentials


def test_private_files_are_for_the_owner_only_also_when_they_were_not(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("old and readable to all, and longer than the new text")
    path.chmod(0o644)
    credentials.write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_user_has_a_token_of_its_own() -> None:
    tokens = credentials.new_tokens()
    assert len(set(tokens.values())) == len(credentials.USERS)
    assert tokens != credentials.new_tokens()
    assert f'{tokens["admin"]},admin,admin,"system:masters"\n' in credentials.token_file(tokens)


def test_a_kubeconfig_holds_one_user_and_stands_alone() -> None:
    text = credentials.kubeconfig("https://127.0.0.1:1", b"CERTIFICATE", "somebody", "secret")
    content = yaml.safe_load(text)
    assert content["users"] == [{"name": "somebody", "user": {"token": "secret"}}]
    assert content["current-context"] == content["contexts"][0]["name"]
    assert "certificate-authority" not in content["clusters"][0]["cluster"]
